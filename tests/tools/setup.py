#!/usr/bin/env python3
"""The set-up scripts and the ramdisk maker, as far as they need no network."""
import gzip
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from sentences import run_all, scratch_folder, test  # noqa: E402

SETUP = "tools/setup"
SCRATCH = scratch_folder("setup")


def run(*words, **environment):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout.decode(errors="replace")


def program(name, text):
    path = os.path.join(SCRATCH, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, 0o755)
    return path


def fake_qemu(version):
    return program(f"qemu-{version}",
                   f'[ "$1" = --version ] && echo "QEMU emulator version {version} (Debian)"\n'
                   'echo "was called with $1"')


@test
def a_qemu_older_than_10_is_refused_by_message():
    for version in ("7.2.19", "9.2.4"):
        status, out = run(f"{SETUP}/qemu", os.path.join(SCRATCH, "old"), QEMU=fake_qemu(version))
        assert status != 0 and "is not a QEMU >= 10: older ones corrupt guests" in out, out
        assert not os.path.exists(os.path.join(SCRATCH, "old/qemu-system-x86_64"))


@test
def a_qemu_of_10_or_later_is_used():
    for version in ("10.0.2", "11.1.0"):
        cache = os.path.join(SCRATCH, version)
        status, out = run(f"{SETUP}/qemu", cache, QEMU=fake_qemu(version))
        assert status == 0 and version in out, out
        status, out = run(os.path.join(cache, "qemu-system-x86_64"), "-hello")
        assert status == 0 and out == "was called with -hello\n", out


@test
def a_program_that_is_no_qemu_is_refused():
    status, out = run(f"{SETUP}/qemu", os.path.join(SCRATCH, "no"), QEMU="/bin/true")
    assert status != 0 and "is not a QEMU" in out, out


@test
def a_kernel_that_no_suite_has_is_refused_by_name():
    status, out = run(f"{SETUP}/kernel", os.path.join(SCRATCH, "kernel"), "2.6")
    assert status != 0 and "2.6" in out and "6.12" in out, out


@test
def packages_that_are_there_need_no_network():
    stamp = os.path.join(SCRATCH, "stamp")
    empty = os.path.join(SCRATCH, "empty")
    os.makedirs(empty, exist_ok=True)
    program("empty/apt-get", "exit 100")
    status, out = run(f"{SETUP}/packages", stamp, PATH=f"{empty}:{os.environ['PATH']}")
    assert status == 0 and out == "" and os.path.exists(stamp), out


def make_ramdisk(name):
    path = os.path.join(SCRATCH, name)
    status, out = run("tools/guest/mkramdisk", "--init", "build/guest/agent", "--busybox",
                      "/bin/busybox", "--modules", "tools/guest/modules.list", "--kernel",
                      "build/cache/kernel-6.12", "--kernel", "build/cache/kernel-6.1", path)
    assert status == 0, out
    with open(path, "rb") as f:
        return path, f.read()


@test
def the_same_inputs_make_the_same_ramdisk():
    assert make_ramdisk("a.cpio")[1] == make_ramdisk("b.cpio")[1]


@test
def the_ramdisk_is_an_archive_that_others_read():
    path, _ = make_ramdisk("c.cpio")
    with open(path, "rb") as f:
        done = subprocess.run(["/bin/busybox", "cpio", "-tv"], stdin=f, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=True)
    names = {line.split()[-1] for line in done.stdout.splitlines()}
    assert {"init", "bin/busybox", "dev/console"} <= names, names
    assert any(name.endswith("virtio_blk.ko") for name in names), names
    assert "crw-------" in done.stdout, "no console device"


@test
def modules_come_after_what_they_need():
    source = """
import importlib.machinery, importlib.util, json, sys
loader = importlib.machinery.SourceFileLoader("mkramdisk", "tools/guest/mkramdisk")
module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mkramdisk", loader))
loader.exec_module(module)
needs = {"a": ("a.ko", ["b", "c"]), "b": ("b.ko", ["c"]), "c": ("c.ko", []), "d": ("d.ko", ["c"])}
print(json.dumps(module.load_order(["a", "absent", "d"], needs)))
"""
    status, out = run(sys.executable, "-c", source)
    assert status == 0 and json.loads(out) == ["c.ko", "b.ko", "a.ko", "d.ko"], out


@test
def a_module_in_an_unknown_wrapping_is_refused():
    kernel = os.path.join(SCRATCH, "kernel")
    folder = os.path.join(kernel, "modules/lib/modules/9.9")
    os.makedirs(folder, exist_ok=True)
    for path, content in ((f"{kernel}/release", "9.9\n"), (f"{folder}/modules.dep",
                                                         "kernel/virtio_blk.ko.gz:\n")):
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
    os.makedirs(f"{folder}/kernel", exist_ok=True)
    with gzip.open(f"{folder}/kernel/virtio_blk.ko.gz", "w") as f:
        f.write(b"module")
    status, out = run("tools/guest/mkramdisk", "--init", "build/guest/agent", "--busybox",
                      "/bin/busybox", "--modules", "tools/guest/modules.list", "--kernel", kernel,
                      os.path.join(SCRATCH, "d.cpio"))
    assert status != 0 and "unknown kind of compressed module" in out, out


@test
def a_kernel_that_debian_never_had_is_refused_by_message():
    for script in ("kernel", "headers"):
        status, out = run(f"{SETUP}/{script}", os.path.join(SCRATCH, "kernels"), "5.4")
        assert status != 0 and "no Debian suite with a cloud kernel 5.4 is known" in out, out


if __name__ == "__main__":
    sys.exit(run_all("setup"))
