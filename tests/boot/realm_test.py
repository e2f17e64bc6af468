#!/usr/bin/env python3
"""Unmodified arm64 kernels as CCA realms, on the test monitor and RMM: attested, or refused."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot, got_nothing, is_attested, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402

KERNEL = "build/cache/kernel-6.18-arm64/vmlinuz"
RAMDISK = "build/guest/ramdisk-arm64.cpio"

RMI_DATA_CREATE = 0xc4000153
RMM_GTSI_DELEGATE = 0xc40001b0


def word(address, call, nth):
    return ("--qemu-arg", "-device", "--qemu-arg",
            f"loader,addr={address:#x},data={nth << 32 | call:#x},data-len=8")


def rmm_fails(command, nth):
    """The test RMM refuses that call: cc/emu/aarch64/rmm/main.c has the word's place."""
    return word(0x43ffe000, command, nth)


def monitor_fails(call, nth):
    """The test monitor refuses it to the RMM: cc/emu/aarch64/monitor/main.c."""
    return word(0x43ffe008, call, nth)


@test
def a_realm_that_is_what_was_predicted_gets_its_secret_and_opens_its_volume():
    b = boot("--cc", "cca", "--vcpus", "4", "--memory", "1G").expect(
        0, "predicted", ", as predicted", "TRUSTED", "secret released", "volume opened",
        "guest0: attested, secret released after")
    is_attested(b.guests["guest0"], 128)
    assert b.told("guest0", "userspace")[0]["cpus"] == 4


@test
def one_changed_bit_of_a_realms_ramdisk_is_refused_and_named():
    b = boot("--cc", "cca", "--memory", "256M", "--cca-hash", "sha-256", "--tamper", "ramdisk")
    last = os.path.getsize(RAMDISK) - 1
    b.expect(1, "its initial-measurement is not what was predicted: the ramdisk (image 'ramdisk') "
                f"differs in 1 bit, first at byte {last} of {last + 1}")
    g = got_nothing(b)
    assert g["launched"] != g["predicted"] and len(g["launched"]) == 64
    assert g["emulated"] is True


@test
def two_attested_realms_run_next_to_a_plain_guest():
    plain = {"memory": "256M", "kernel": "k", "ramdisk": "r",
             "cmdline": "console=hvc0 quiet panic=-1 swiotlb=2048", "on-reboot": "destroy",
             "devices": {"c": {"type": "virtio-console"}, "r": {"type": "virtio-rng"}}}
    realm = {**plain, "cc": "cca", "cca-rpv": "p"}
    description = {"images": {"k": os.path.abspath(KERNEL), "r": os.path.abspath(RAMDISK),
                              "p": scratch("rpv", os.urandom(64))},
                   "domains": {"one": realm, "two": {**realm, "vcpus": 2, "cca-hash": "sha-256"},
                               "plain": plain}}
    b = boot("--arch", "aarch64", "--bundle", scratch("3.json", json.dumps(description).encode()))
    b.expect(0)
    is_attested(b.guests["one"], 128)
    is_attested(b.guests["two"], 64)
    assert b.guests["plain"]["predicted"] is None and b.guests["plain"]["verdict"] is None


@test
def a_granule_that_was_given_away_is_out_of_the_hypervisors_reach():
    boot("--cc", "cca", "--memory", "256M", "--hv-options", "crash=granule", limit=30).expect(
        3, "granule protection fault", "touch_delegated", "x0 ", "the hypervisor stopped: ")


@test
def a_realm_whose_launch_the_rmm_refuses_ends_by_name_and_no_page_is_lost():
    b = boot("--cc", "cca", "--memory", "256M", *rmm_fails(RMI_DATA_CREATE, 5000))
    b.expect(1, "a call will fail on request", "guest0: RMI_DATA_CREATE: ERROR_INPUT")
    assert b.json["idle"]["leaked"] == 0


@test
def a_granule_that_the_monitor_does_not_move_is_not_lost():
    b = boot("--cc", "cca", "--memory", "256M", *monitor_fails(RMM_GTSI_DELEGATE, 5000), limit=60)
    b.expect(1, "monitor: a call will fail on request", "cca: RMI_GRANULE_DELEGATE: ERROR_INPUT")
    assert b.json["idle"]["leaked"] == 0


if __name__ == "__main__":
    sys.exit(run_all("boot-realm"))
