"""Figures of Arm machines: what exits cost, plain guests against bare QEMU, realms against both.

A realm's boot is counted until it powers off; what taking it down costs is a figure of its own.
"""
import re
import statistics
import sys

from memory import qemu_words
from process import run_to_end

QEMU = "build/cache/qemu-system-aarch64"
PLAIN_KERNEL = "build/cache/kernel-6.12-arm64/vmlinuz"
REALM_KERNEL = "build/cache/kernel-6.18-arm64/vmlinuz"
RAMDISK = "build/guest/ramdisk-arm64.cpio"
CMDLINE, MEMORY_MIB = "console=hvc0 quiet panic=-1", 512
HOST_MIB = 384 # of a machine besides its guest's memory, with realms
REALM_CMDLINE = CMDLINE + " swiotlb=2048" # as `cloister run` has it by default
COSTS = {"ABI call": ("arm-null-call", 250), "PSCI call": ("arm-psci-call", 220),
         "GIC register": ("arm-gic-register", 400), "ID register": ("arm-id-register", None),
         "timer exit": ("arm-timer-exit", 800)}
BARE_RATIO, REALM_RATIO = 1.3, 1.5


def bare_boot():
    status, out, seconds = run_to_end(
        [QEMU, "-machine", "virt,gic-version=3", "-accel", "tcg", "-cpu", "max,pauth-impdef=on",
         "-smp", "1", "-m", f"{MEMORY_MIB}M", "-nodefaults", "-no-reboot", "-display", "none",
         "-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device",
         "-chardev", "stdio,id=console", "-device", "virtconsole,chardev=console",
         "-device", "virtio-rng-device", "-kernel", PLAIN_KERNEL, "-initrd", RAMDISK,
         "-append", CMDLINE, *qemu_words(MEMORY_MIB)])
    if status != 0 or "CLOISTER: userspace" not in out:
        sys.exit(f"bench: the bare arm64 guest did not reach userspace (exit {status})\n{out}")
    return seconds


def boot(run, kind, kernel, cmdline):
    """(CPU seconds until the guest's end, of all)."""
    machine = MEMORY_MIB + HOST_MIB
    status, out, report = run("--arch", "aarch64", "--cc", kind, "--no-attest", "--kernel", kernel,
                              "--cmdline", cmdline, "--memory", f"{MEMORY_MIB}M", "--cpus", "1",
                              "--host-memory", f"{machine}M",
                              *(f"--qemu-arg={word}" for word in qemu_words(machine)))
    if status != 0:
        sys.exit(f"bench: the {kind} guest on Arm failed\n{out}")
    return (report["guests"][0]["cpu_seconds"],
            report["cpu_seconds"]["user"] + report["cpu_seconds"]["system"])


def bench_costs(run, row):
    _, out, _ = run("--arch", "aarch64", "--kernel", "build/guest/arm64-calls.bin", "--ramdisk", "",
                    "--memory", "64M", "--qemu-arg", "-icount", "--qemu-arg", "shift=0,sleep=off")
    found = dict(re.findall(r"guest0\| cost ([\w ]+) (\d+)", out))
    for name, (shown, bound) in COSTS.items():
        row(shown, int(found[name]) if name in found else None, bound, "instructions")


def bench_boots(run, row, pairs):
    against_bare, against_plain, ends = [], [], []
    for _ in range(pairs):
        bare, (_, plain) = bare_boot(), boot(run, "none", PLAIN_KERNEL, CMDLINE)
        against_bare.append(plain / bare)
        (plain, _), (realm, whole) = (boot(run, "none", REALM_KERNEL, REALM_CMDLINE),
                                      boot(run, "cca", REALM_KERNEL, REALM_CMDLINE))
        against_plain.append(realm / plain)
        ends.append((whole - realm) / plain)
        print(f"        bare {bare:.2f} s, plain {plain:.2f} s, realm {realm:.2f} s and "
              f"{whole - realm:.2f} s for its end", flush=True)
    row("arm-linux-boot", statistics.median(against_bare), BARE_RATIO, "x bare QEMU", "CPU s, 512M")
    row("cca-boot", statistics.median(against_plain), REALM_RATIO, "x plain", "CPU s, 512M")
    row("cca-end", statistics.median(ends), None, "x plain boot",
        "CPU s: each granule cleared, taken back")


def bench_arm(run, row, pairs):
    bench_costs(run, row)
    bench_boots(run, row, pairs)
