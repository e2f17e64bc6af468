#!/usr/bin/env python3
"""An unmodified kernel as a trust domain: the production driver, on a modelled TDX module."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot, got_nothing, is_attested, scratch  # noqa: E402
from sentences import Skip, run_all, test  # noqa: E402

KERNEL = "build/cache/kernel-6.12/vmlinuz"
RAMDISK = "build/guest/ramdisk.cpio"
OVMF = "/usr/share/ovmf/OVMF.fd"


@test
def debian_6_12_runs_as_a_td_on_four_vcpus_and_gets_its_secret():
    b = boot("--cc", "tdx", "--vcpus", "4", "--memory", "1G", "--append", "cloister.action=cpus")
    b.expect(0, "EMULATED", "tdx: P-SEAMLDR 1.5", "asks for a quote", ", as predicted", "TRUSTED",
             "secret released", "tdx: the module is shut down")
    assert b.told("guest0", "memory-encryption")[0]["features"] == "Intel TDX"
    assert b.told("guest0", "userspace")[0]["cpus"] == 4
    assert b.told("guest0", "cpus")[0]["cpus"] == 4, "they went and came back, and took an NMI"
    assert b.guests["guest0"]["cause"] == "power-off"
    is_attested(b.guests["guest0"])
    assert b.json["hypervisor"]["emulated"] is True
    assert "tdx" in b.json["hypervisor"]["cc"]


@test
def one_changed_bit_of_the_ramdisk_shows_in_its_register_and_nowhere_else():
    b = boot("--cc", "tdx", "--tamper", "ramdisk")
    last = os.path.getsize(RAMDISK) - 1
    b.expect(1, "its rtmr2 is not what was predicted: the ramdisk (image 'ramdisk') differs in 1 "
                f"bit, first at byte {last} of {last + 1}")
    g = got_nothing(b)
    assert g["launched"] == g["predicted"], "what starts the TD is the same"


@test
def two_tds_run_next_to_a_plain_guest():
    td = {"cc": "tdx", "memory": "512M", "vcpus": 1, "kernel": "k", "ramdisk": "r",
          "cmdline": "console=ttyS0 console=hvc0 quiet panic=-1", "on-reboot": "destroy",
          "devices": {"c": {"type": "virtio-console"}, "r": {"type": "virtio-rng"}}}
    plain = {**td, "cc": "none", "memory": "256M"}
    owned = {**td, "tdx-mrowner": "o", "tdx-mrconfigid": "o"}
    description = {"images": {"k": os.path.abspath(KERNEL), "r": os.path.abspath(RAMDISK),
                              "o": scratch("owner", os.urandom(48))},
                   "domains": {"one": td, "two": owned, "plain": plain}}
    b = boot("--bundle", scratch("three.json", json.dumps(description).encode())).expect(0)
    for name in ("one", "two"):
        is_attested(b.guests[name])
    assert b.guests["one"]["predicted"] == b.guests["two"]["predicted"], "it is of the shim alone"
    assert b.guests["plain"]["predicted"] is None and b.guests["plain"]["verdict"] is None


@test
def memory_is_accepted_when_it_is_used_and_comes_back_when_the_td_restarts():
    b = boot("--cc", "tdx", "--memory", "4G", "--no-attest", "--on-reboot", "restart",
             "--append", "cloister.action=reboot", "--kill", "guest0@restart").expect(0)
    told = b.told("guest0", "userspace")
    assert len(told) >= 2, "it came up only once"
    for up in told:
        assert up["memory"] >> 20 >= 3600 and up["unaccepted"] >> 20 >= 2048, up
    assert b.json["idle"]["leaked"] == 0, b.out


@test
def debians_ovmf_comes_up_to_its_shell_and_does_what_is_typed():
    if not os.path.exists(OVMF):
        raise Skip(f"no {OVMF}: install the package ovmf")
    td = {"cc": "tdx", "memory": "512M", "kernel": "ovmf", "on-reboot": "destroy",
          "devices": {"r": {"type": "virtio-rng"}}}
    description = {"images": {"ovmf": OVMF}, "domains": {"uefi": td}}
    b = boot("--bundle", scratch("ovmf.json", json.dumps(description).encode()), "--no-attest",
             keys=(("seconds to skip", "\n"), ("Shell>", "echo It is %uefishellversion%.\n"),
                   ("It is 2.", "reset -s\n")))
    b.expect(1, "BdsDxe: starting Boot0001", "UEFI Interactive Shell", "uefi| It is 2.",
             "power-off", "it powered off without reaching userspace")


@test
def an_image_without_silicon_refuses_it_by_name():
    b = boot("--cc", "tdx", "--image", "build/cloister.bin", limit=60)
    b.expect(1, "guest0: tdx: not built in this image")
    assert "tdx" not in b.json["hypervisor"]["cc"]


if __name__ == "__main__":
    sys.exit(run_all("boot-tdx"))
