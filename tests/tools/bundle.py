#!/usr/bin/env python3
"""cloister bundle: descriptions in JSON and source, listings, refusals, exit statuses."""
import json
import os
import resource
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from sentences import run_all, scratch_folder, test  # noqa: E402

CLOISTER = os.path.abspath("build/bin/cloister")
SCRATCH = scratch_folder("bundle")
EXAMPLE = """/dts-v1/;
/ {
    compatible = "cloister,bundle-v1";
    images {
        vmlinuz { data = /incbin/("kernel"); };
        rootfs { data = /incbin/("disk"); };
    };
    domains {
        guest0 {
            compatible = "cloister,domain-v1";
            abi = "1.0";
            cc = "none";
            memory = <0x0 0x40000000>;
            vcpus = <4>;
            kernel = "vmlinuz";
            cmdline = "console=hvc0 quiet";
            devices {
                console { type = "virtio-console"; };
                disk { type = "virtio-blk"; image = "rootfs"; };
                rng { type = "virtio-rng"; };
            };
        };
    };
};
"""


def put(name, content):
    path = os.path.join(SCRATCH, name)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


put("kernel", b"k" * 1000)
put("disk", bytes(4096))


def bundle(*words, status=0):
    done = subprocess.run([CLOISTER, "bundle", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, cwd=SCRATCH)
    assert done.returncode == status, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout if status == 0 else done.stderr


def described(path):
    return json.loads(bundle("list", "--json", path))


@test
def the_example_of_the_document_compiles_and_lists():
    put("example.dts", EXAMPLE)
    bundle("make", "--from", "example.dts", "--output", "example.dtb")
    read = described("example.dtb")
    assert read["images"] == {"vmlinuz": {"size": 1000}, "rootfs": {"size": 4096}}
    guest = read["domains"]["guest0"]
    assert guest["memory"] == 1 << 30 and guest["vcpus"] == 4 and guest["weight"] == 100
    assert list(guest["devices"]) == ["console", "disk", "rng"]
    out = bundle("list", "example.dtb")
    assert "guest0: cc none, 1024 MiB, 4 vCPUs" in out and "disk: virtio-blk, image rootfs" in out
    assert "1 domains, 2 images, no error" in bundle("check", "example.dtb")


@test
def json_and_source_give_the_same_description():
    put("example.dts", EXAMPLE)
    put("example.json", json.dumps({
        "images": {"vmlinuz": "kernel", "rootfs": "disk"},
        "domains": {"guest0": {
            "cc": "none", "memory": "1G", "vcpus": 4, "kernel": "vmlinuz",
            "cmdline": "console=hvc0 quiet",
            "devices": {"console": {"type": "virtio-console"},
                        "disk": {"type": "virtio-blk", "image": "rootfs"},
                        "rng": {"type": "virtio-rng"}}}}}))
    bundle("make", "--from", "example.dts", "--output", "a.dtb")
    bundle("make", "--from", "example.json", "--output", "b.dtb")
    assert described("a.dtb") == described("b.dtb")


@test
def options_make_guests_that_share_images():
    bundle("make", "--output", "c.dtb", "--kernel", "kernel", "--ramdisk", "", "--count", "3",
           "--vcpus", "2", "--disk", "disk", "--disk-rw", "disk", "--network", "lan")
    read = described("c.dtb")
    assert sorted(read["domains"]) == ["guest0", "guest1", "guest2"]
    devices = read["domains"]["guest2"]["devices"]
    assert [d["type"] for d in devices.values()] == [
        "virtio-console", "virtio-rng", "virtio-blk", "virtio-blk", "virtio-net"]
    assert [d.get("writable") for d in devices.values()] == [None, None, None, True, None]


@test
def the_same_options_make_the_same_bytes():
    for name in ("d.dtb", "e.dtb"):
        bundle("make", "--output", name, "--kernel", "kernel", "--ramdisk", "")
    with open(os.path.join(SCRATCH, "d.dtb"), "rb") as d, \
            open(os.path.join(SCRATCH, "e.dtb"), "rb") as e:
        assert d.read() == e.read()


@test
def refusals_name_node_and_property():
    put("bad.dts", EXAMPLE.replace("vcpus = <4>", "vcpus = <4 4>"))
    assert "/domains/guest0: vcpus: has 8 bytes" in bundle(
        "make", "--from", "bad.dts", "--output", "x.dtb", status=2)
    put("bad.dts", EXAMPLE.replace("abi =", "api ="))
    assert "/domains/guest0: api: is not a property" in bundle(
        "make", "--from", "bad.dts", "--output", "x.dtb", status=2)
    assert not os.path.exists(os.path.join(SCRATCH, "x.dtb"))
    put("bad.dts", "{")
    assert "dtc does not compile it" in bundle("make", "--from", "bad.dts", "--output", "x.dtb",
                                               status=2)
    put("bad.json", '{"images": {}, "images": {}}')
    assert "duplicate" in bundle("make", "--from", "bad.json", "--output", "x.dtb", status=2)
    put("bad.json", '{"images": {}, "domains": {}, "more": 1}')
    assert "'more' is neither" in bundle("make", "--from", "bad.json", "--output", "x.dtb",
                                         status=2)


@test
def a_damaged_bundle_is_refused_with_status_1():
    put("good.dts", EXAMPLE)
    bundle("make", "--from", "good.dts", "--output", "good.dtb")
    with open(os.path.join(SCRATCH, "good.dtb"), "rb") as f:
        good = f.read()
    put("bad.dtb", good[:-100])
    assert "not a sound Device Tree" in bundle("check", "bad.dtb", status=1)
    put("bad.dtb", good.replace(b"virtio-rng", b"virtio-rug"))
    assert "devices/rng: type: 'virtio-rug'" in bundle("list", "bad.dtb", status=1)
    put("bad.dtb", b"")
    bundle("check", "bad.dtb", status=1)


def making(output, **more):
    """`bundle make` of a guest with 200 MiB of disk, in a folder of its own for what it makes."""
    with open(os.path.join(SCRATCH, "sparse"), "wb") as f:
        f.truncate(200 << 20)
    os.makedirs(os.path.join(SCRATCH, "made"), exist_ok=True)
    return subprocess.Popen([CLOISTER, "bundle", "make", "--kernel", "kernel", "--ramdisk", "",
                             "--disk", "sparse", "--output", output], cwd=SCRATCH, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def made():
    return sorted(os.listdir(os.path.join(SCRATCH, "made")))


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def ended_while_it_writes(number):
    """Was it still at it? What it left is looked at all the same."""
    bundle("make", "--output", "made/x", "--kernel", "kernel", "--ramdisk", "")
    old = os.path.getsize(os.path.join(SCRATCH, "made/x"))
    child = making("made/x")
    while len(made()) == 1 and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(number)
    status = child.wait()
    assert status in (0, -number), child.stdout.read()
    assert made() == ["x"], made()
    size = os.path.getsize(os.path.join(SCRATCH, "made/x"))
    assert size == old or size > 200 << 20, size
    return status != 0 and size == old


@test
def a_make_that_is_ended_while_it_writes_leaves_the_old_bundle_and_nothing_else():
    os.makedirs(os.path.join(SCRATCH, "made"), exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert any(ended_while_it_writes(number) for _ in range(20)), number
    os.unlink(os.path.join(SCRATCH, "made/x"))


@test
def a_make_that_has_no_room_says_so_and_leaves_nothing():
    child = making("made/x", preexec_fn=limited, restore_signals=False)
    assert "made/x: cannot be written: File too large" in child.communicate()[0]
    assert child.returncode == 3 and made() == []
    child = making("made/x", preexec_fn=limited)  # where the signal for it is not ignored
    assert child.wait() == -signal.SIGXFSZ and made() == []


@test
def a_device_as_output_stays_one():
    subprocess.run(["mkfifo", os.path.join(SCRATCH, "made/pipe")], check=True)
    child = making("made/pipe")
    out = subprocess.run("cat made/pipe | wc -c", cwd=SCRATCH, timeout=60, check=True, shell=True,
                         stdout=subprocess.PIPE).stdout
    assert int(out) > 200 << 20, out
    assert child.wait() == 0 and made() == ["pipe"]
    if os.path.exists("/dev/full"):
        child = making("/dev/full")
        assert "/dev/full: cannot be written: No space left" in child.communicate()[0]
        assert child.returncode == 3


@test
def usage_errors_have_status_2():
    assert "say make" in bundle(status=2)
    bundle("paint", "x", status=2)
    bundle("make", status=2)
    bundle("make", "--output", "x", "--from", "y", "--vcpus", "2", status=2)
    assert "/nonexistent: No such file" in bundle("check", "/nonexistent", status=2)
    assert "--arch arm: must be" in bundle("make", "--arch", "arm", "--output", "x", status=2)
    assert "Usage" in bundle("--help")


if __name__ == "__main__":
    sys.exit(run_all("cloister-bundle"))
