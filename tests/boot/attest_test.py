#!/usr/bin/env python3
"""The main job: an unmodified kernel boots encrypted, is attested, and receives its secret."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot, got_nothing, is_attested, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402

SNP = ("--cc", "sev-snp", "--vcpus", "2", "--memory", "512M")
KERNEL = "build/cache/kernel-6.12/vmlinuz"


@test
def a_guest_that_is_what_was_predicted_gets_its_secret_and_opens_its_volume():
    b = boot(*SNP).expect(0, "predicted", ", as predicted", "TRUSTED", "secret released",
                          "volume opened", "guest0: attested, secret released after")
    is_attested(b.guests["guest0"])
    assert b.told("guest0", "memory-encryption")[0]["features"] == "AMD SEV SEV-ES SEV-SNP"


@test
def one_changed_bit_of_the_ramdisk_is_refused_and_named():
    b = boot(*SNP, "--tamper", "ramdisk")
    last = os.path.getsize("build/guest/ramdisk.cpio") - 1
    b.expect(1, "which was not predicted", "the ramdisk (image 'ramdisk') differs in 1 bit, first "
                f"at byte {last} of {last + 1}")
    g = got_nothing(b)
    assert g["launched"] != g["predicted"] and len(g["launched"]) == 96


@test
def a_broker_that_does_not_know_the_chips_root_refuses():
    policy = {"version": 1, "sev-snp": {"measurement": "00" * 48, "minimum-tcb": {
        "Milan": {"bootloader": 4, "tee": 0, "snp": 24, "microcode": 219}}}}
    b = boot(*SNP, "--policy", scratch("policy.json", json.dumps(policy).encode()))
    b.expect(1, "its evidence is refused: ", "root")
    assert got_nothing(b)["launched"] is None, "a measurement was believed that nobody vouches for"


@test
def a_guest_that_lies_gets_nothing():
    b = boot(*SNP, "--append", "cloister.attest=hostile")
    b.expect(1, "guest0: FAILED: ")
    got_nothing(b)
    hostile = b.told("guest0", "hostile")[0]
    assert hostile["tried"] == 4 and hostile["won"] == 0, hostile


@test
def two_attested_guests_run_next_to_a_plain_one():
    snp = {"cc": "sev-snp", "memory": "512M", "vcpus": 2, "kernel": "k", "ramdisk": "r",
           "cmdline": "console=ttyS0 console=hvc0 quiet panic=-1", "on-reboot": "destroy",
           "devices": {"c": {"type": "virtio-console"}, "r": {"type": "virtio-rng"}}}
    plain = {**snp, "cc": "none", "vcpus": 1, "memory": "256M"}
    description = {"images": {"k": os.path.abspath(KERNEL),
                              "r": os.path.abspath("build/guest/ramdisk.cpio")},
                   "domains": {"one": snp, "two": snp, "plain": plain}}
    b = boot("--bundle", scratch("three.json", json.dumps(description).encode())).expect(0)
    for name in ("one", "two"):
        is_attested(b.guests[name])
    assert b.guests["one"]["predicted"] != b.guests["two"]["predicted"], "their secrets differ"
    assert b.guests["plain"]["predicted"] is None and b.guests["plain"]["verdict"] is None


if __name__ == "__main__":
    sys.exit(run_all("boot-attest"))
