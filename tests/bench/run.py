#!/usr/bin/env python3
"""make bench: the figures of the project, as ratios and counts that a slow machine does not change.

Linux boots: the same kernel, ramdisk and command line under Cloister and in bare QEMU, one after
the other; CPU seconds (user + system) of the QEMU process until power-off. What else a machine does
makes a boot dearer, never cheaper, so the least of each kind is compared. Instructions: a
micro-guest measures them itself under -icount, where one tick of the TSC is one instruction.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

from arm import bench_arm
from memory import ENDING, at_hand, qemu_words
from process import run_to_end

CLOISTER, QEMU = "build/bin/cloister", "build/cache/qemu-system-x86_64"
ELF = "build/image/cloister1.elf"
RAMDISK = "build/guest/ramdisk.cpio"
CMDLINE = "console=ttyS0 console=hvc0 quiet panic=-1"
MEMORY_MIB, BIG_MIB = 512, 4096
HOST_MIB = 288 # of a machine besides its guest's memory
# Figure, bound, and what another system needs for it (FACTS; Xen 4.20.4 in the same QEMU).
INSTRUCTIONS = {
    "null-hypercall": (150, "Xen PVH 691, a bare VMRUN loop 63"),
    "cpuid": (200, "Xen 745"),
    "denied-port": (250, "Xen 1266"),
    "timer-set": (None, "Xen 796"),
    "event-send-to-vcpu": (300, "Xen PVH event-channel send 5722"),
    "message-4k": (250 + 512, "250 and the copy, 8 bytes an instruction; Xen 4740 for a copy"),
    "event-send-again": (None, "the bit was set: nobody is interrupted"),
}
# The same of the legacy Xen module, where its image is built; the bounds are half of Xen's own.
XEN_IMAGE = "build/cloister-xen.bin"
XEN_INSTRUCTIONS = {
    "xen-null-hypercall": (345, "Xen 691"),
    "xen-event-send": (2861, "Xen 5722"),
    "xen-set-timer": (None, "Xen 796"),
    "pv64-null-hypercall": (119, "Xen 238"),
    "pv64-event-send": (442, "Xen 442"),
}
BOOT_RATIO, TEXT_MAX = 1.15, 200 << 10
CC_RATIO, CC_GROWTH = 1.3, 1.05
# In the hypervisor proper; what the model of the silicon executes is not counted. What shares 2 MiB
# pages clears them, which is most of what such a page costs.
METER = {"cpuid": 400, "ioio": None, "msr": None, "convert-4k": None, "convert-2m": None}
TDX_METER = METER | {"accept-4k": None, "accept-2m": None}
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm", "-cpu", "EPYC-Milan,-x2apic"]
TDX_CPU = "max,vendor=GenuineIntel,+svm,phys-bits=48,-x2apic"
# As `cloister run` starts them by default, but without a broker.
CC = {"snp": ("--cc", "sev-snp", "--no-attest"), "tdx": ("--cc", "tdx", "--no-attest")}
CC_CMDLINE = CMDLINE + " swiotlb=16384"
rows = []


def row(name, value, bound, unit, note="", good=None):
    """One figure; bound None means that none is set, value None that it was not measured."""
    if good is None:
        good = value is not None and (bound is None or value <= bound)
    rows.append({"name": name, "value": value, "bound": bound, "unit": unit, "note": note,
                 "good": good})
    shown = "not measured" if value is None else f"{value:.3g}" if isinstance(value, float) \
        else str(value)
    limit = "" if bound is None else f"<= {bound:.6g}"
    print(f"{'ok' if good else 'MISSED':7} {name:28} {shown:>12} {unit:13} {limit:14} {note}",
          flush=True)


def bare_boot():
    """CPU seconds of a bare QEMU, which must reach userspace."""
    status, out, seconds = run_to_end(
        [QEMU, "-machine", "q35", "-accel", "tcg", "-cpu", "EPYC-Milan,+x2apic", "-smp", "1",
         "-m", f"{MEMORY_MIB}M", "-nodefaults", "-no-reboot", "-display", "none",
         "-serial", "null", "-device", "virtio-serial-pci", "-chardev", "stdio,id=console",
         "-device", "virtconsole,chardev=console", "-device", "virtio-rng-pci",
         "-kernel", "build/cache/kernel-6.12/vmlinuz", "-initrd", RAMDISK, "-append", CMDLINE,
         *qemu_words(MEMORY_MIB)])
    if status != 0 or "CLOISTER: userspace" not in out:
        sys.exit(f"bench: the bare guest did not reach userspace (exit {status})\n{out}")
    return seconds


def cloister(*options):
    """The exit status, the output and the JSON report of a run; no report (None) of a bad one."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.json")
        status, out, _ = run_to_end([CLOISTER, "run", "--json", report, *options])
        if not os.path.exists(report):
            return status or 1, out, None
        with open(report, encoding="utf-8") as f:
            return status, out, json.load(f)


def cloister_boot(*options, memory=MEMORY_MIB, cmdline=CMDLINE):
    machine = memory + HOST_MIB
    status, out, report = cloister("--cmdline", cmdline, "--memory", f"{memory}M", "--cpus", "1",
                                   "--host-memory", f"{machine}M", *options,
                                   *(f"--qemu-arg={word}" for word in qemu_words(machine)))
    if status != 0:
        sys.exit(f"bench: the guest under Cloister failed\n{out}")
    return report["cpu_seconds"]["user"] + report["cpu_seconds"]["system"], report


def counted_boot(*options):
    """The output and the report of a boot whose time is a count of instructions."""
    arguments = [word for arg in ICOUNT for word in ("--qemu-arg", arg)]
    status, out, report = cloister("--cpus", "1", "--hv-options", "loglevel=debug", *arguments,
                                   *options)
    if status != 0:
        sys.exit(f"bench: the guest that is counted failed\n{out}")
    return out, report


def bench_boot(pairs):
    bare, ours, report = [], [], None
    for _ in range(pairs):
        bare.append(bare_boot())
        seconds, report = cloister_boot()
        ours.append(seconds)
        print(f"        pair: bare {bare[-1]:.2f} s, Cloister {ours[-1]:.2f} s", flush=True)
    row("linux-boot", min(ours) / min(bare), BOOT_RATIO, "x bare QEMU",
        f"CPU s: bare {min(bare):.2f}, Cloister {min(ours):.2f}")
    return report


def bench_cc(pairs):
    """Encrypted against plain, big against small: one after the other, so load hits all."""
    plain, plain_big = [], []
    small, big = {name: [] for name in CC}, {name: [] for name in CC}
    for _ in range(pairs):
        plain.append(cloister_boot()[0])
        plain_big.append(cloister_boot(memory=BIG_MIB)[0])
        for name, options in CC.items():
            seconds, report = cloister_boot(*options, cmdline=CC_CMDLINE)
            small[name].append((seconds, report["seconds"]))
            seconds, report = cloister_boot(*options, cmdline=CC_CMDLINE, memory=BIG_MIB)
            big[name].append((seconds, report["seconds"]))
            print(f"        plain {plain[-1]:.2f} s, {name} {small[name][-1][0]:.2f} s, "
                  f"with 4G {big[name][-1][0]:.2f} s", flush=True)
    row("plain-boot-4g", min(plain_big) / min(plain), None, "x 512M",
        "CPU s: what the kernel itself takes longer")
    for name in CC:
        (cpu, wall), (cpu_big, wall_big) = (map(min, zip(*t[name])) for t in (small, big))
        worst = max(s[0] / p for s, p in zip(small[name], plain))
        row(f"{name}-boot", cpu / min(plain), CC_RATIO, "x plain",
            f"CPU s, 512M: plain {min(plain):.2f}, {name} {cpu:.2f}; worst pair {worst:.2f}")
        row(f"{name}-boot-4g-cpu", cpu_big / cpu, None, "x 512M", "CPU s, for information")
        row(f"{name}-boot-4g-wall", wall_big / wall, None, "x 512M", "wall s, for information")


def counted_lives(name, *options):
    """What a guest's whole life takes with more memory: counted, for a few hundredths are less than
    what CPU seconds vary by. The output of the small one."""
    out, small = counted_boot(*options, "--memory", f"{MEMORY_MIB}M")
    _, big = counted_boot(*options, "--memory", f"{BIG_MIB}M")
    small, big = (r["idle"]["t"] / 1e6 for r in (small, big))
    row(f"{name}-boot-4g", big / small, CC_GROWTH, "x 512M",
        f"10^9 instructions of all, and of its sleep: {small:.3f}, {big:.3f}")
    return out


def metered(prefix, bounds, out):
    """Rows of what the hypervisor spends on the exits of a guest, by what the guest asked for. An
    exit that asks for one thing: the middle one, as timers interrupt some; else the mean."""
    found = {m.group(1): [int(n) for n in m.group(2, 3, 4, 5, 6)] for m in re.finditer(
        r"meter ([\w-]+): (\d+) exits, (\d+) units, (\d+) at most, (\d+) ticks a unit, (\d+) in",
        out)}
    for name, bound in bounds.items():
        exits, units, most, mean, middle = found.get(name, [None] * 5)
        note = "not seen" if exits is None else f"{units} in {exits} exits, {most} in one" \
            if most > 1 else f"{exits} exits, {mean} in the mean"
        row(f"{prefix}-{name}", middle if most == 1 else mean, bound, "instructions", note)
    return found


def bench_cc_instructions():
    found = metered("ghcb", METER, counted_lives("snp", *CC["snp"]))
    lists = [found[name] for name in ("convert-4k", "convert-2m") if name in found]
    exits, units = sum(n[0] for n in lists), sum(n[1] for n in lists)
    row("psc-per-exit", units / exits if exits else None, None, "conversions",
        f"as Linux asks, {max((n[2] for n in lists), default=0)} at most; unit-snp_psc does 253")
    metered("tdvmcall", TDX_METER, counted_lives("tdx", *CC["tdx"], "--qemu-arg=-cpu",
                                                 f"--qemu-arg={TDX_CPU}"))


def bench_memory(report):
    hypervisor = report["hypervisor"]
    bundle = os.path.getsize("build/cache/kernel-6.12/vmlinuz") + os.path.getsize(RAMDISK)
    held = hypervisor["memory"] - hypervisor["free"] * 4096 - bundle
    bound = (4 << 20) + hypervisor["memory"] // 200
    row("ram-held", held, bound, "bytes", f"of {hypervisor['memory'] >> 20} MiB, without the "
                                          f"images of the bundle ({bundle >> 20} MiB)")


def bench_text():
    out = subprocess.run(["tools/check/symbols", ELF], stdout=subprocess.PIPE, text=True,
                         check=False).stdout
    match = re.search(r"(\d+) bytes of text", out)
    row("image-text", int(match.group(1)) if match else None, TEXT_MAX, "bytes")


def bench_instructions(figures, *options):
    status, out, _ = run_to_end(["tests/guest/run", "--bench", *options])
    if status != 0:
        sys.exit(f"bench: the micro-guest that measures failed\n{out}")
    found = {m.group(1): int(m.group(2))
             for m in re.finditer(r"^bench ([\w-]+) +(\d+)$", out, re.M)}
    for name, (bound, note) in figures.items():
        row(name, found.pop(name, None), bound, "instructions", note)
    for name, value in found.items():
        row(name, value, None, "instructions")


def bench(pairs):
    bench_text()
    bench_memory(bench_boot(pairs))
    bench_instructions(INSTRUCTIONS)
    if os.path.exists(XEN_IMAGE):
        bench_instructions(XEN_INSTRUCTIONS, "--xen")
    else:
        print(f"SKIPPED: the legacy Xen module's figures: {XEN_IMAGE} is not there: make XENPV=1")
    bench_cc(pairs)
    bench_cc_instructions()
    bench_arm(cloister, row, pairs)


def interrupted(*_):
    """Ends the bench as an error does: its programs end first, and memory is given back."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit("bench: interrupted")


def parse_arguments():
    parser = argparse.ArgumentParser(description="The figures of the project.")
    parser.add_argument("--pairs", type=int, default=3, help="Linux boots, paired (3)")
    parser.add_argument("--json", default="build/bench.json", help="where the figures go")
    args = parser.parse_args()
    if args.pairs < 1:
        parser.error(f"argument --pairs: {args.pairs}: must be 1 or more")
    if os.path.isdir(args.json) or not os.access(os.path.dirname(args.json) or ".", os.W_OK):
        parser.error(f"argument --json: {args.json}: cannot be written")
    return args


def main():
    args = parse_arguments()
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, interrupted)
    with at_hand(BIG_MIB + HOST_MIB):
        bench(args.pairs)
    with open(args.json, "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=2)
    missed = [r["name"] for r in rows if not r["good"]]
    print(f"{len(rows) - len(missed)} figures good, {len(missed)} missed"
          f"{': ' + ', '.join(missed) if missed else ''}; {args.json}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
