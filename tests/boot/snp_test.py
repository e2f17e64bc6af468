#!/usr/bin/env python3
"""An unmodified kernel as an SEV-SNP guest: the production driver, on modelled silicon."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import KERNEL_6_1, boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402


def cpu(b):
    return b.json["cpu_seconds"]["user"] + b.json["cpu_seconds"]["system"]


@test
def debian_6_12_runs_encrypted_on_two_vcpus():
    b = boot("--cc", "sev-snp", "--vcpus", "2", "--memory", "512M").expect(0, "EMULATED")
    assert b.told("guest0", "memory-encryption")[0]["features"] == "AMD SEV SEV-ES SEV-SNP"
    assert b.told("guest0", "userspace")[0]["cpus"] == 2
    assert b.json["hypervisor"]["emulated"] is True
    assert "sev-snp" in b.json["hypervisor"]["cc"]


@test
def memory_is_accepted_when_it_is_used():
    small = boot("--cc", "sev-snp", "--memory", "256M").expect(0)
    assert small.told("guest0", "userspace")[0]["memory"] >> 20 >= 120
    big = boot("--cc", "sev-snp", "--memory", "4G").expect(0)
    assert big.told("guest0", "userspace")[0]["memory"] >> 20 >= 3600
    # Clearing all of 4 GiB takes ten seconds and more here.
    assert cpu(big) < 2 * cpu(small), f"{cpu(small)} s of CPU with 256M, {cpu(big)} s with 4G"


@test
def debian_6_1_that_cannot_accept_memory_finds_it_accepted():
    b = boot("--cc", "sev-snp", "--memory", "256M", "--kernel", KERNEL_6_1).expect(0)
    assert b.told("guest0", "userspace")[0]["kernel"].startswith("6.1.")


@test
def four_vcpus_run_encrypted_in_1g():
    b = boot("--cc", "sev-snp", "--vcpus", "4", "--memory", "1G").expect(0)
    assert b.told("guest0", "userspace")[0]["cpus"] == 4


@test
def two_encrypted_guests_run_next_to_a_plain_one():
    domain = """"%s": {"cc": "%s", "memory": "256M", "vcpus": %u, "kernel": "k", "ramdisk": "r",
                "cmdline": "console=hvc0 quiet", "on-reboot": "destroy",
                "devices": {"c": {"type": "virtio-console"}}}"""
    domains = [domain % d for d in (("snp1", "sev-snp", 2), ("plain", "none", 1),
                                    ("snp2", "sev-snp", 1))]
    description = '{"images": {"k": "%s", "r": "%s"}, "domains": {%s}}' % (
        os.path.abspath("build/cache/kernel-6.12/vmlinuz"),
        os.path.abspath("build/guest/ramdisk.cpio"), ", ".join(domains))
    b = boot("--bundle", scratch("three.json", description.encode())).expect(0)
    for name, features in (("snp1", "AMD SEV SEV-ES SEV-SNP"), ("snp2", "AMD SEV SEV-ES SEV-SNP")):
        assert b.told(name, "memory-encryption")[0]["features"] == features
    assert b.told("plain", "userspace")
    assert b.guests["plain"]["cc"] == "none"


@test
def an_image_without_silicon_refuses_it_by_name():
    b = boot("--cc", "sev-snp", "--image", "build/cloister.bin", limit=60)
    b.expect(1, "guest0: sev-snp: not built in this image")
    assert b.json["hypervisor"]["emulated"] is False


if __name__ == "__main__":
    sys.exit(run_all("boot-snp"))
