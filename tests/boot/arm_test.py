#!/usr/bin/env python3
"""Cloister on an Arm machine: unmodified arm64 kernels, bad guests, and its own faults."""
import hashlib
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import boot as boots  # noqa: E402
from boot import scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402

KERNEL_6_12 = "build/cache/kernel-6.12-arm64/vmlinuz"
KERNEL_6_1 = "build/cache/kernel-6.1-arm64/vmlinuz"
KERNEL_16K = "build/cache/kernel-6.12-arm64-16k/vmlinuz"
RAMDISK = "build/guest/ramdisk-arm64.cpio"


def boot(*options, **limit):
    return boots.boot("--arch", "aarch64", *options, **limit)


def act(action, *options, limit=120):
    return boot("--append", f"cloister.action={action}", *options, limit=limit)


@test
def debian_6_12_boots_with_4_vcpus_and_1g():
    b = boot("--cc", "none", "--vcpus", "4", "--memory", "1G").expect(0)
    assert b.told("guest0", "userspace")[0]["cpus"] == 4
    assert b.told("guest0", "clocksource")[0]["name"] == "arch_sys_counter"
    assert b.told("guest0", "rng"), "virtio-rng delivered nothing"
    assert b.guests["guest0"]["cause"] == "power-off"
    assert b.json["hypervisor"]["emulated"] is False


@test
def debian_6_1_boots_with_2_vcpus():
    b = boot("--kernel", KERNEL_6_1, "--vcpus", "2").expect(0)
    assert b.told("guest0", "userspace")[0]["kernel"].startswith("6.1.")


@test
def a_kernel_with_pages_of_16_kib_uses_its_devices():
    content = os.urandom(1 << 20)
    b = boot("--kernel", KERNEL_16K, "--vcpus", "2", "--disk-rw", scratch("16k", content)).expect(0)
    assert b.told("guest0", "userspace")[0]["page"] == 16384
    assert b.told("guest0", "disk")[0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert b.told("guest0", "disk-write") and b.told("guest0", "rng")


@test
def uefi_starts_the_image_with_its_command_line_and_bundle():
    b = boot("--firmware", "uefi", "--vcpus", "2").expect(0, "UEFI firmware")
    assert b.told("guest0", "userspace")[0]["cpus"] == 2
    assert b.json["hypervisor"]["cpus"] == 2


@test
def memory_goes_on_above_the_devices():
    b = boot("--memory", "3584M").expect(0)
    assert b.told("guest0", "userspace")[0]["memory"] >> 20 >= 3300
    boot("--memory", "256M", "--prefault").expect(0)


@test
def a_guest_uses_most_of_its_memory():
    b = act("memory cloister.percent=80", "--memory", "1G").expect(0)
    assert b.told("guest0", "memory")[0]["bytes"] > 700 << 20


@test
def disks_hold_the_bytes_of_their_image_and_what_is_written():
    content = os.urandom(1 << 20)
    b = boot("--disk-rw", scratch("disk", content), "--count", "2").expect(0)
    for guest in ("guest0", "guest1"):
        assert b.told(guest, "disk")[0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert b.told(guest, "disk-write"), f"{guest} could not write"


@test
def guests_of_one_network_hear_each_other():
    b = act("net", "--count", "2", "--network", "lan").expect(0)
    macs = [b.told(guest, "net")[0]["mac"] for guest in ("guest0", "guest1")]
    assert macs[0] != macs[1], macs


@test
def more_vcpus_than_cpus_share_them():
    b = boot("--cpus", "1", "--count", "2", "--vcpus", "2").expect(0)
    assert b.json["hypervisor"]["cpus"] == 1


def beside_a_good_one(words, *options):
    images = {"k": os.path.abspath(KERNEL_6_12), "r": os.path.abspath(RAMDISK)}
    boots.beside_a_good_one({"bad": boots.guest(words, vcpus=2)}, "--arch", "aarch64", *options,
                            images=images)


@test
def a_guest_that_never_yields_leaves_time_to_the_other():
    beside_a_good_one("cloister.action=spin", "--cpus", "1")


@test
def a_guest_that_interrupts_itself_without_end_disturbs_nobody():
    beside_a_good_one("cloister.action=ipi")


@test
def a_guest_that_stops_every_cpu_can_be_destroyed():
    act("halt", "--kill", "guest0@userspace+3").expect(0, "guest0: destroyed as asked")


@test
def a_guest_that_reboots_is_started_again():
    b = act("reboot", "--on-reboot", "restart", "--kill", "guest0@restart").expect(0)
    assert len(b.told("guest0", "userspace")) >= 2, "it came up only once"
    act("reboot").expect(1, "it ended by reboot")


@test
def a_kernel_for_another_machine_is_refused_by_name():
    boot("--kernel", "build/cache/kernel-6.12/vmlinuz", limit=60).expect(
        1, "guest0: kernel: not an arm64 Image")


@test
def a_kind_that_this_machine_cannot_run_is_refused_by_name():
    domain = {"cc": "sev-snp", "memory": "256M", "kernel": "k"}
    description = {"images": {"k": os.path.abspath(KERNEL_6_12)}, "domains": {"guest0": domain}}
    boot("--bundle", scratch("snp.json", json.dumps(description).encode()), "--no-attest",
         limit=60).expect(1, "guest0: sev-snp: not built in this image")


def micro(name, *options):
    """A micro-guest of tests/guest/arm64, by the clock that counts instructions."""
    return boot("--kernel", f"build/guest/arm64-{name}.bin", "--ramdisk", "", "--memory", "64M",
                "--qemu-arg", "-icount", "--qemu-arg", "shift=0,sleep=off", *options, limit=60)


@test
def a_guest_gets_what_is_documented_and_nothing_else():
    b = micro("calls").expect(1, "guest0| calls: done")
    assert "| FAIL" not in b.out, b.out
    assert b.out.count("guest0| ok ") >= 52, b.out
    assert b.guests["guest0"]["cause"] == "power-off"


@test
def an_exit_costs_a_few_hundred_instructions():
    costs = dict(re.findall(r"guest0\| cost (.*) (\d+)", micro("calls").out))
    assert len(costs) == 5, costs
    print("    instructions a round trip:", costs)
    for name, most in (("ABI call", 250), ("PSCI call", 220), ("GIC register", 400),
                       ("timer exit", 800)):
        assert 60 < int(costs[name]) <= most, costs


@test
def an_access_that_the_cpu_does_not_describe_ends_the_guest():
    b = micro("wild").expect(1, "wild: begins", "read of address fe000040 that nothing answers")
    assert b.guests["guest0"]["cause"] == "error" and "| FAIL" not in b.out, b.out


HOSTILE = ["buffers", "events", "sharing", "console", "time", "evidence", "control"]


def conform(cc):
    """The guest ABI's tests (tests/guest/abi_*.c), all in one boot, with pages of every size."""
    def domain(kernel, cmdline, **more):
        return {"memory": "16M", "vcpus": 1, "kernel": kernel, "cc": cc,
                "cmdline": "mib=16 " + cmdline, **more}
    domains = {
        "table": domain("table", "granule=4"),
        "entry": domain("entry", "granule=4", vcpus=2),
        "buf-4k": domain("buf", "granule=4"),
        "buf-16k": domain("buf", "granule=16"),
        "buf-64k": domain("buf", "granule=64"),
        "event": domain("event", "granule=16", vcpus=2),
        "alpha": domain("peer", "role=1 granule=16", peers=["nobody", "beta"]),
        "beta": domain("peer", "role=2 granule=64", peers=["alpha"]),
        "hostile": domain("hostile", "granule=64", vcpus=4, features=HOSTILE,
                          peers=["alpha", "beta"]),
    }
    images = {d["kernel"]: os.path.abspath(f"build/guest/arm64-abi_{d['kernel']}.bin")
              for d in domains.values()}
    b = boot("--bundle", scratch("abi.json", json.dumps(
        {"images": images, "domains": domains}).encode()), limit=120)
    assert "| -FAILED" not in b.out, b.out
    for name in domains:
        assert re.search(rf"^{name}\| -done: [1-9]\d* ok, 0 failed$", b.out, re.M), b.out
        assert b.guests[name]["cause"] == "power-off", b.out
    with open("tests/guest/abi_table.golden", encoding="utf-8") as golden:
        assert re.findall(r"^table\| -(abi .*)$", b.out, re.M) == golden.read().splitlines(), b.out


@test
def the_guest_abi_conforms_in_plain_domains_with_pages_of_4k_16k_and_64k():
    conform("none")


@test
def the_guest_abi_conforms_in_realms_with_pages_of_4k_16k_and_64k():
    conform("cca")


def crash(what, *texts):
    boots.crash(what, *texts, options=("--arch", "aarch64"))


@test
def wrong_memory_accesses_of_the_hypervisor_are_aborts_with_a_name():
    crash("null", "data abort", "read_null")
    crash("write-text", "data abort", "write_text")
    crash("write-alias", "data abort", "write_text_alias")
    crash("execute-data", "instruction abort")


@test
def an_overflow_of_the_stack_hits_its_guard():
    crash("stack", "overflow of the stack", "overflow_stack")


@test
def the_hypervisor_stops_for_its_own_bugs():
    crash("smash", "stack smashed")
    crash("lock")
    crash("free")


if __name__ == "__main__":
    sys.exit(run_all("boot-arm"))
