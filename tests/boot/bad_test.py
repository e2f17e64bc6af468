#!/usr/bin/env python3
"""Guests that end badly, never end, or should never have begun: a clear word, and no page lost."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, beside_a_good_one, boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402


def act(action, *options, limit=120):
    return boot("--append", f"cloister.action={action}", *options, limit=limit)


@test
def a_kernel_that_panics_is_named_with_its_reason():
    act("panic").expect(1, "its kernel panicked: sysrq triggered crash")
    act("exit").expect(1, "its kernel panicked: Attempted to kill init!")


@test
def a_reboot_is_no_power_off():
    act("reboot").expect(1, "it ended by reboot")


@test
def a_triple_fault_ends_only_its_guest():
    b = boot("--append", "reboot=t cloister.action=reboot", limit=120)
    b.expect(1)
    assert b.guests["guest0"]["cause"] in ("triple-fault", "reboot"), b.out


@test
def a_guest_that_hangs_is_ended_when_time_is_up():
    act("hang", limit=45).expect(1, "it had not ended after 45 s, though it reached userspace")


@test
def a_guest_that_stops_every_cpu_can_be_destroyed():
    act("halt", "--kill", "guest0@userspace+3").expect(0, "guest0: destroyed as asked")


@test
def a_guest_that_never_yields_leaves_time_to_the_other():
    beside_a_good_one("cloister.action=spin", "--cpus", "1", kill="bad@userspace+10")


@test
def a_guest_that_floods_its_console_disturbs_nobody_and_forges_nothing():
    b = beside_a_good_one("cloister.action=flood", kill="bad@userspace+8")
    forged = [line for line in b.out.splitlines() if line.startswith("[") and "not the hyp" in line]
    assert not forged, forged[0]
    assert "\x1b" not in b.out


@test
def a_guest_that_interrupts_itself_without_end_disturbs_nobody():
    beside_a_good_one("cloister.action=ipi", kill="bad@userspace+8")


@test
def a_kernel_that_is_none_is_refused_by_name():
    b = boot("--kernel", scratch("kernel", b"\x7fELF" + b"no kernel" * 1000), limit=60)
    assert b.status in (1, 3), b.out
    assert "guest0" in b.out and "kernel" in b.out, b.out
    b = boot("--kernel", scratch("kernel", b"MZ" + bytes(100)), limit=60)
    assert b.status in (1, 3), b.out
    assert "guest0" in b.out and "kernel" in b.out, b.out


@test
def what_this_machine_cannot_run_is_refused_by_name_and_the_rest_runs():
    text = """{"images": {"k": "%s", "r": "%s"}, "domains": {
        "huge": {"memory": "64G", "kernel": "k", "prefault": true},
        "realm": {"cc": "cca", "memory": "256M", "kernel": "k"},
        "good": {"memory": "256M", "kernel": "k", "ramdisk": "r", "cmdline": "console=hvc0 quiet",
                 "devices": {"c": {"type": "virtio-console"}}}}}""" % (
        os.path.abspath("build/cache/kernel-6.12/vmlinuz"),
        os.path.abspath("build/guest/ramdisk.cpio"))
    b = boot("--bundle", scratch("huge.json", text.encode()), "--host-memory", "600M",
             "--no-attest", limit=120)
    b.expect(1, "huge: cannot be created", "not enough memory",
             "realm: cca: not built in this image")
    assert b.guests["good"]["cause"] == "power-off", b.out


def make_bundle(path):
    subprocess.run([CLOISTER, "bundle", "make", "--output", path, "--memory", "256M"], check=True,
                   stdout=subprocess.DEVNULL)
    with open(path, "rb") as f:
        return f.read()


@test
def a_damaged_bundle_is_refused_as_a_whole():
    good = make_bundle(scratch("good.dtb", b""))
    damages = {
        "truncated": good[:len(good) // 2],
        "not a tree": b"\0" * 4096,
        "huge": good[:4] + b"\xff\xff\xff\xff" + good[8:],
        "wrong type": good.replace(b"virtio-rng", b"virtio-rug"),
        "unknown property": good.replace(b"cmdline\0", b"cmdlime\0"),
    }
    for name, content in damages.items():
        b = boot("--bundle", scratch("bad.dtb", content), "--unchecked", limit=30)
        assert b.status == 3, f"{name}: exit {b.status}\n{b.out}"
        assert "bundle" in b.out or "domains/" in b.out or "images/" in b.out, f"{name}:\n{b.out}"
        assert not b.guests, f"{name}: a guest was created\n{b.out}"


if __name__ == "__main__":
    sys.exit(run_all("boot-bad"))
