"""Micro-guests as tests/guest/list and list.xen have them: what each is, and how it must end."""
import json
import os
import re
import shlex
import subprocess
import sys

import pv64

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "guest")
OUT = os.path.join(ROOT, "build", "guest")
CLOISTER = os.path.join(ROOT, "build", "bin", "cloister")
BOX = os.path.join(ROOT, "build", "cloister-pv64.bin")
CAUSES = ("power-off", "reboot", "triple-fault", "destroyed", "error", "refused", "any")


class Guest:
    """One line of the list: NAME VCPUS MIB [KEY=VALUE...] CAUSE [DETAIL] [says TEXT]..."""

    def __init__(self, line, where):
        words = shlex.split(line, comments=True)
        self.name, self.vcpus, self.mib = words[0], int(words[1]), int(words[2])
        self.options, self.says, self.detail = {}, [], ""
        words = words[3:]
        while words and ("=" in words[0] or words[0] == "box") and words[0] not in CAUSES:
            key, _, value = words.pop(0).partition("=")
            self.options[key] = value
        if not words or words[0] not in CAUSES:
            sys.exit(f"{where}: expected one of {', '.join(CAUSES)}")
        self.cause = words.pop(0)
        while words:
            word = words.pop(0)
            if word == "says":
                self.says.append(words.pop(0))
            else:
                self.detail = word
        kernel = self.options.get("kernel", self.name)
        self.elf = os.path.join(OUT, kernel if kernel.endswith(".bz") else kernel + ".elf")
        self.steps = [w for w in self.options.get("ready", "").split(",") if w]
        self.replies = [w for w in self.options.get("replies", "").split(",") if w]
        self.id, self.ended, self.lines, self.states = None, None, [], []
        self.config = None  # its configuration hash, as the hypervisor tells it
        self.dtb = None  # the bundle that it is in
        self.due = None  # when the next step may be taken: not before it says "ready"

    def copies(self, line, where):
        """Itself, or as many as copies= says: NAME-1, NAME-2 and so on."""
        n = int(self.options.get("copies", 0))
        if n == 0:
            return [self]
        many = [Guest(line, where) for _ in range(n)]
        for i, guest in enumerate(many, 1):
            guest.name += f"-{i}"
        return many

    def count(self):
        counts = [int(line.split()[1]) for line in self.lines if re.match(r"count \d+$", line)]
        return counts[-1] if counts else None

    def node(self):
        if "saved" in self.options:
            with open(os.path.join(ROOT, self.options["saved"]), encoding="utf-8") as text:
                return text.read()
        text = [f'{self.name} {{ compatible = "cloister,domain-v1"; '
                f'abi = "{self.options.get("abi", "1.0")}";',
                f'  memory = <{self.mib >> 12:#x} {self.mib << 20 & 0xffffffff:#x}>;',
                f'  vcpus = <{self.vcpus}>;',
                f'  kernel = "{os.path.basename(self.images()[0])}";']
        if "box" in self.options:
            text.append(f'  ramdisk = "{os.path.basename(self.images()[1])}";')
        for key in ("cc", "cmdline", "on-reboot"):
            if key in self.options:
                text.append(f'  {key} = "{self.options[key]}";')
        if "hands" in self.options:
            text.append(f'  ramdisk = "{self.name}.bundles";')
        if "create" in self.options:
            memory, domains = (int(w) for w in self.options["create"].split(","))
            text.append(f"  create-memory = <0 {memory << 20}>; create-domains = <{domains}>;")
        if "weight" in self.options:
            text.append(f'  weight = <{self.options["weight"]}>;')
        if "affinity" in self.options:
            text.append(f'  affinity = <0 {self.options["affinity"]}>;')
        for key in ("features", "peers"):
            if key in self.options:
                words = [w for w in self.options[key].split(",") if w]
                text.append(f"  {key}" + (" = " + ", ".join(f'"{w}"' for w in words) if words
                                          else "") + ";")
        if "prefault" in self.options:
            text.append("  prefault;")
        devices = [d for d in self.options.get("devices", "").split(",") if d]
        text.append("  devices {")
        for i, device in enumerate(devices):
            extra = " size = <0 1048576>;" if device == "virtio-blk" else ""
            extra += ' network = "lan";' if device == "virtio-net" else ""
            text.append(f'    d{i} {{ type = "{device}";{extra} }};')
        return "\n".join(text + ["  };", "};"])

    def images(self):
        """Its kernel; or, for a PV64 kernel, the box and what that runs."""
        if "box" not in self.options:
            return [self.elf]
        return [BOX, pv64.pack(self.elf, self.elf[:-3] + "pv64")]

    def verdict(self, hypervisor_lines):
        """None when all is as expected, else what is wrong."""
        bad = [line for line in self.lines if line.startswith("FAILED") and self.cause != "any"]
        bad += [line for line in self.lines if re.search("box: (?!the guest's)", line)]
        if bad:
            return "; ".join(bad[:3])
        if self.cause == "refused":
            return self.missing(hypervisor_lines)
        if self.id is None:
            return "never started"
        if self.ended is None:
            return "did not end"
        cause, detail = self.ended
        if self.cause == "any":
            return None
        if cause != self.cause or self.detail not in detail:
            return f'ended with {cause} "{detail}", not {self.cause} "{self.detail}"'
        done = any(re.match(r"done: [1-9]\d* ok, 0 failed", line) for line in self.lines)
        if cause == "power-off" and "plain" not in self.options and not done:
            return "powered off before its last test"
        wrong = self.golden() or self.wrong_config()
        if "attested" in self.options:
            wrong = wrong or self.unattested(self.dtb)
        if wrong:
            return wrong
        if self.cause != "any" and self.steps:
            return f"ended before {self.steps[0]}"
        return self.missing(hypervisor_lines)

    def wrong_config(self):
        """Its configuration hash as the link tells it, as it finds it itself (if it asks), and as
        its bundle predicts it: the boot loader's, or its own when it was made at run time."""
        said = [line.split()[1] for line in self.lines if line.startswith("config ")]
        if self.dtb is not None and os.path.exists(CLOISTER):
            said.append(subprocess.run([CLOISTER, "measure", "config", self.dtb, "--domain",
                                        self.name], check=True, stdout=subprocess.PIPE,
                                       text=True).stdout.strip())
        for what in said:
            if what != self.config:
                return f"its configuration hash is {self.config}, not {what}"
        return None

    def golden(self):
        """What it says of the ABI must be what the file says, line by line; None when it is."""
        if "golden" not in self.options:
            return None
        with open(os.path.join(HERE, self.options["golden"]), encoding="utf-8") as text:
            wanted = text.read().splitlines()
        said = [line for line in self.lines if line.startswith("abi ")]
        for was, should in zip(said + [None] * len(wanted), wanted + [None] * len(said)):
            if was != should:
                return f'{self.options["golden"]}: said "{was}", not "{should}"'
        return None

    def unattested(self, bundle):
        """Its report must be trusted for the digest that was predicted, and for no other."""
        report = os.path.join(OUT, self.name + ".report")
        with open(report, "wb") as out:
            out.write(bytes.fromhex("".join(line.split()[1] for line in self.lines
                                            if line.startswith("report "))))
        predicted = subprocess.run([CLOISTER, "measure", "domain", bundle, "--domain", self.name],
                                   stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
        for digest, status in ((predicted, 0), ("00" * 48, 1)):
            done = subprocess.run([CLOISTER, "verify", report, "--policy", self.policy(digest),
                                   "--collateral", os.path.join(ROOT, "build", "emu", "snp")],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
            if done.returncode != status:
                return f"cloister verify: exit {done.returncode}, not {status}: {done.stdout}"
        return None

    def policy(self, digest):
        with open(os.path.join(ROOT, "build", "emu", "snp", "ark.spki"), encoding="ascii") as key:
            root = key.read().strip()
        tcb = {"bootloader": 4, "tee": 0, "snp": 24, "microcode": 219}
        path = os.path.join(OUT, self.name + ".policy")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"version": 1,
                       "test-roots": [{"name": "Cloister's emulated chip", "kind": "sev-snp",
                                       "spki-sha256": root}],
                       "sev-snp": {"measurement": digest, "minimum-tcb": {"Milan": tcb},
                                   "report-data": "000001" + "00" * 61}}, out)
        return path

    def missing(self, hypervisor_lines):
        text = [line for line in hypervisor_lines if self.name in line] + self.lines
        for wanted in self.says + ([self.detail] if self.cause == "refused" else []):
            if not any(wanted in line for line in text):
                return f'nobody said "{wanted}"'
        return None


class Ratio:
    """A line !ratio A B R TOLERANCE: the guests' counts are R to 1, within that part of it."""

    def __init__(self, line):
        _, self.a, self.b, ratio, tolerance = line.split()
        self.ratio, self.tolerance = float(ratio), float(tolerance)
        self.name = f"{self.a}:{self.b}"

    def verdict(self, guests):
        a, b = (guests[name].count() for name in (self.a, self.b))
        if not a or not b:
            return "a count is missing"
        if abs(a / b / self.ratio - 1) > self.tolerance:
            return f"{a} to {b} is {a / b:.2f} to 1, not {self.ratio} +- {self.tolerance:.0%}"
        return None


class Group:
    """A line [NAME CPUS SECONDS], with icount, snp, tdx or nmis behind."""

    def __init__(self, name, cpus, seconds, machine="plain"):
        self.name, self.cpus, self.seconds = name, int(cpus), float(seconds)
        self.icount = machine == "icount"
        self.emulated = machine in ("snp", "tdx")
        self.nmis = machine == "nmis"
        self.cpu = "max,vendor=GenuineIntel,+svm,phys-bits=48" if machine == "tdx" else \
            "EPYC-Milan,+x2apic"
        self.guests, self.ratios = {}, []


def read_list(path):
    groups = []
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            line = line.strip()
            where = f"{path}:{number}"
            if line.startswith("["):
                groups.append(Group(*line.strip("[]").split()))
            elif line.startswith("!ratio"):
                groups[-1].ratios.append(Ratio(line))
            elif line and not line.startswith("#"):
                for guest in Guest(line, where).copies(line, where):
                    if any(guest.name in g.guests for g in groups):
                        sys.exit(f"{where}: {guest.name} is there twice")
                    groups[-1].guests[guest.name] = guest
    return groups
