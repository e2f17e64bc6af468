#!/usr/bin/env python3
"""Guests that end badly, never end, or should never have begun: a clear word, and no page lost."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, LIMIT, beside_a_good_one, boot, guest, scratch, together  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def each_guest_that_ends_badly_is_named_with_its_reason_and_ends_alone():
    b = together({"panics": guest("cloister.action=panic"),
                  "exits": guest("cloister.action=exit"),
                  "reboots": guest("cloister.action=reboot"),
                  "faults": guest("reboot=t cloister.action=reboot"),
                  "halts": guest("cloister.action=halt", vcpus=2)},
                 "--kill", "halts@userspace+2")
    b.expect(1, "panics: FAILED: its kernel panicked: sysrq triggered crash",
             "exits: FAILED: its kernel panicked: Attempted to kill init!",
             "reboots: FAILED: it ended by reboot", "halts: destroyed as asked")
    assert b.guests["faults"]["cause"] in ("triple-fault", "reboot"), b.out
    assert all(g["userspace"] for g in b.guests.values()), b.out


@test
def a_guest_that_hangs_is_ended_when_time_is_up():
    for limit in (15, 60, LIMIT):  # as long as this machine needs to come to userspace
        b = boot("--append", "cloister.action=hang", limit=limit)
        if b.guests["guest0"]["userspace"]:
            break
    b.expect(1, f"it had not ended after {limit} s, though it reached userspace")


@test
def a_guest_that_never_yields_leaves_time_to_the_other():
    beside_a_good_one({"spins": guest("cloister.action=spin", vcpus=2)}, "--cpus", "1")


@test
def guests_that_flood_consoles_and_interrupt_without_end_disturb_nobody_and_forge_nothing():
    b = beside_a_good_one({"floods": guest("cloister.action=flood", vcpus=2),
                           "interrupts": guest("cloister.action=ipi", vcpus=2)})
    forged = [line for line in b.out.splitlines() if line.startswith("[") and "not the hyp" in line]
    assert not forged, forged[0]
    assert "\x1b" not in b.out


@test
def what_cannot_run_here_is_refused_by_name_and_the_rest_runs():
    elf = scratch("elf", b"\x7fELF" + b"no kernel" * 1000)
    mz = scratch("mz", b"MZ" + bytes(100))
    b = together({"huge": guest(memory="64G", prefault=True), "realm": guest(cc="cca"),
                  "elf": guest(kernel="elf"), "mz": guest(kernel="mz"), "good": guest()},
                 "--host-memory", "600M", "--no-attest", images={"elf": elf, "mz": mz})
    b.expect(1, "huge: cannot be created", "not enough memory",
             "realm: cca: not built in this image")
    for name in ("elf", "mz"):
        assert re.search(rf"error: {name}: kernel: ", b.out), b.out
        assert name not in b.guests or not b.guests[name]["userspace"], b.out
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
