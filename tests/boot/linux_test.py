#!/usr/bin/env python3
"""Unmodified Debian kernels on Cloister: they boot, see what they were given, and end."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import KERNEL_6_1, boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def debian_6_12_boots_with_4_vcpus_and_1g():
    b = boot("--cc", "none", "--vcpus", "4", "--memory", "1G").expect(0)
    assert b.told("guest0", "userspace")[0]["cpus"] == 4
    assert b.told("guest0", "rng"), "virtio-rng delivered nothing"
    assert b.guests["guest0"]["cause"] == "power-off"


@test
def debian_6_1_boots_with_2_vcpus():
    b = boot("--kernel", KERNEL_6_1, "--vcpus", "2").expect(0)
    assert b.told("guest0", "userspace")[0]["kernel"].startswith("6.1.")


@test
def a_guest_of_256m_and_one_of_3g_boot():
    for size, least in (("256M", 180), ("3G", 2600)):
        b = boot("--memory", size).expect(0)
        assert b.told("guest0", "userspace")[0]["memory"] >> 20 >= least


@test
def a_guest_uses_most_of_its_memory():
    b = boot("--memory", "1G", "--append", "cloister.action=memory cloister.percent=80").expect(0)
    assert b.told("guest0", "memory")[0]["bytes"] > 700 << 20


@test
def prefaulted_memory_works_as_well():
    boot("--memory", "256M", "--prefault").expect(0)


@test
def a_disk_holds_the_bytes_of_its_image():
    content = os.urandom(3 << 20)
    b = boot("--disk", scratch("disk", content)).expect(0)
    disk = b.told("guest0", "disk")[0]
    assert disk["sha256"] == hashlib.sha256(content).hexdigest()
    assert disk["read_only"] is True and disk["bytes"] == 3 << 20


@test
def a_writable_disk_is_a_copy_of_ones_own():
    content = os.urandom(1 << 20)
    path = scratch("disk", content)
    b = boot("--disk-rw", path, "--count", "2").expect(0)
    for guest in ("guest0", "guest1"):
        assert b.told(guest, "disk")[0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert b.told(guest, "disk-write"), f"{guest} could not write"
    with open(path, "rb") as f:
        assert f.read() == content


@test
def guests_of_one_network_hear_each_other_and_others_do_not():
    b = boot("--count", "2", "--network", "lan", "--append", "cloister.action=net").expect(0)
    macs = [b.told(guest, "net")[0]["mac"] for guest in ("guest0", "guest1")]
    assert macs[0] != macs[1], macs
    b = boot("--network", "lan", "--append", "cloister.action=net cloister.seconds=3")
    b.expect(1, "no other guest was heard")


@test
def two_kernels_run_side_by_side_and_one_is_killed_half_way():
    description = """{
        "images": {"a": "%(new)s", "b": "%(old)s", "r": "%(ramdisk)s"},
        "domains": {
            "new": {"memory": "512M", "vcpus": 2, "kernel": "a", "ramdisk": "r",
                    "cmdline": "console=hvc0 quiet cloister.after=3", "on-reboot": "destroy",
                    "devices": {"c": {"type": "virtio-console"}, "r": {"type": "virtio-rng"}}},
            "old": {"memory": "256M", "kernel": "b", "ramdisk": "r",
                    "cmdline": "console=hvc0 quiet cloister.action=hang", "on-reboot": "destroy",
                    "devices": {"c": {"type": "virtio-console"}}}}}""" % {
        "new": os.path.abspath("build/cache/kernel-6.12/vmlinuz"),
        "old": os.path.abspath(KERNEL_6_1), "ramdisk": os.path.abspath("build/guest/ramdisk.cpio")}
    b = boot("--bundle", scratch("two.json", description.encode()), "--kill", "old@userspace")
    b.expect(0, "old: destroyed as asked")
    assert b.told("new", "userspace")[0]["kernel"].startswith("6.12.")
    assert "old| CLOISTER: userspace: Linux 6.1." in b.out, b.out
    assert b.guests["new"]["seconds"]["ended"] > b.guests["old"]["seconds"]["ended"]


@test
def more_vcpus_than_cpus_share_them():
    b = boot("--cpus", "1", "--count", "2", "--vcpus", "2").expect(0)
    assert b.json["hypervisor"]["cpus"] == 1


@test
def a_guest_that_reboots_is_started_again():
    b = boot("--on-reboot", "restart", "--append", "cloister.action=reboot", "--kill",
             "guest0@restart")
    b.expect(0)
    assert len(b.told("guest0", "userspace")) >= 2, "it came up only once"


if __name__ == "__main__":
    sys.exit(run_all("boot-linux"))
