#!/usr/bin/env python3
"""An unmodified kernel as an SEV-SNP guest: the production driver, on modelled silicon."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, KERNEL_6_1, KERNEL_NEW, RAMDISK_NEW, SCRATCH, boot, scratch  # noqa: E402
from id_block import signed  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def debian_6_18_runs_encrypted_on_two_vcpus_and_is_attested():
    b = boot("--cc", "sev-snp", "--vcpus", "2", "--memory", "512M", "--kernel", KERNEL_NEW,
             "--ramdisk", RAMDISK_NEW, "--append", "cloister.action=fpu")
    b.expect(0, "EMULATED", ", as predicted", "TRUSTED", "sev-snp: the firmware is shut down")
    # What of the CPU's wide registers there is depends on QEMU (cc/emu/x86_64/snp_probe.c).
    wide = "encrypted guests have no XSAVE" not in b.out
    assert b.told("guest0", "fpu")[0] == {"event": "fpu", "processes": 4, "avx": wide,
                                          "xsavec": wide}, b.out
    guest = b.guests["guest0"]
    assert len(guest["predicted"]) == 96 and guest["launched"] == guest["predicted"], guest
    assert guest["verdict"] == "trusted" and guest["volume_opened"] is True, guest
    assert b.told("guest0", "memory-encryption")[0]["features"] == "AMD SEV SEV-ES SEV-SNP"
    assert b.told("guest0", "userspace")[0]["kernel"].startswith("6.18.")
    assert b.told("guest0", "userspace")[0]["cpus"] == 2
    assert b.json["hypervisor"]["emulated"] is True
    assert "sev-snp" in b.json["hypervisor"]["cc"]


@test
def memory_is_accepted_when_it_is_used():
    small = boot("--cc", "sev-snp", "--memory", "256M", "--no-attest").expect(0)
    assert small.guests["guest0"]["predicted"] is None
    assert small.told("guest0", "userspace")[0]["memory"] >> 20 >= 120
    big = boot("--cc", "sev-snp", "--memory", "4G", "--no-attest").expect(0)
    assert big.told("guest0", "userspace")[0]["memory"] >> 20 >= 3600
    assert big.told("guest0", "userspace")[0]["unaccepted"] >> 20 >= 2048


@test
def debian_6_1_that_cannot_accept_memory_finds_it_accepted():
    b = boot("--cc", "sev-snp", "--vcpus", "2", "--memory", "256M", "--kernel", KERNEL_6_1,
             "--no-attest").expect(0)
    assert b.told("guest0", "memory-encryption")[0]["features"] == "AMD SEV SEV-ES SEV-SNP"
    assert b.told("guest0", "userspace")[0]["kernel"].startswith("6.1.")


@test
def four_vcpus_run_encrypted_in_1g():
    b = boot("--cc", "sev-snp", "--vcpus", "4", "--memory", "1G", "--no-attest").expect(0)
    assert b.told("guest0", "userspace")[0]["cpus"] == 4


@test
def an_image_without_silicon_refuses_it_by_name():
    b = boot("--cc", "sev-snp", "--image", "build/cloister.bin", limit=60)
    b.expect(1, "guest0: sev-snp: not built in this image")
    assert b.json["hypervisor"]["emulated"] is False


@test
def a_plain_domain_has_an_encrypted_one_built_at_run_time():
    made = {"images": {"k": os.path.abspath("build/guest/snp_attack.bz")},
            "domains": {"made": {"cc": "sev-snp", "memory": "16M", "vcpus": 2, "kernel": "k",
                                 "cmdline": "vmpl", "on-reboot": "destroy"}}}
    bundle = scratch("made.dtb", b"")
    subprocess.run([CLOISTER, "bundle", "make", "--output", bundle, "--from",
                    scratch("made.json", json.dumps(made).encode())], check=True)
    boots = {"images": {"k": os.path.abspath("build/guest/abi_create.elf"), "b": bundle},
             "domains": {"lord": {"abi": "1.1", "features": ["buffers", "control", "create"],
                                  "memory": "8M", "kernel": "k", "ramdisk": "b",
                                  "cmdline": "alone=1"}}}
    b = boot("--bundle", scratch("boots.json", json.dumps(boots).encode()), "--image",
             "build/cloister-emulated.bin", limit=100)
    assert "lord| -done: 5 ok, 0 failed" in b.out, b.out
    assert b.guests["made"]["cc"] == "sev-snp"
    assert "(set 7, code 0)" in b.guests["made"]["reason"], b.out  # all was as it should be
    assert b.guests["made"]["config"] == subprocess.run(
        [CLOISTER, "measure", "config", bundle], stdout=subprocess.PIPE, text=True,
        check=True).stdout.strip()
    assert b.json["idle"]["leaked"] == 0, b.out


@test
def a_guest_that_contradicts_its_id_block_is_not_created():
    block, auth = signed("00" * 48, SCRATCH)
    b = boot("--cc", "sev-snp", "--memory", "512M", "--snp-id-block", block, "--snp-id-auth", auth,
             limit=60)
    b.expect(1, "SNP_LAUNCH_FINISH: the launch digest is not the one the ID block expects")
    assert b.json["idle"]["leaked"] == 0, b.out


if __name__ == "__main__":
    sys.exit(run_all("boot-snp"))
