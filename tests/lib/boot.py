"""Boots for tests: cloister run with options, and what it said."""
import json
import os
import pty
import subprocess

from sentences import scratch_folder

CLOISTER = "build/bin/cloister"
KERNEL_6_1 = "build/cache/kernel-6.1/vmlinuz"
KERNEL_6_12, RAMDISK = "build/cache/kernel-6.12/vmlinuz", "build/guest/ramdisk.cpio"
KERNEL_NEW, RAMDISK_NEW = "build/cache/kernel-6.18/vmlinuz", "build/guest/ramdisk-6.18.cpio"
LIMIT = 240  # seconds: a loaded machine takes ten times as long as a quiet one
SCRATCH = scratch_folder("boot")
STEPS = ("created", "running", "userspace", "challenged", "evidence", "verdict", "secret",
         "volume", "ended")


class Boot:
    """One run that has ended."""

    def __init__(self, status, out, report):
        self.status, self.out, self.json = status, out, report
        self.guests = {g["name"]: g for g in report["guests"]} if report else {}

    def told(self, guest, event):
        """What that guest's agent told of an event: a list of objects."""
        return [line for line in self.guests[guest]["told"] if line.get("event") == event]

    def expect(self, status, *texts):
        assert self.status == status, f"exit {self.status}, not {status}:\n{self.out}"
        for text in texts:
            assert text in self.out, f"no '{text}' in:\n{self.out}"
        return self


def run_typing(command, keys):
    """As subprocess.run(), at a terminal: each line that is awaited has the next thing typed."""
    keys = list(keys)
    terminal, stdin = pty.openpty()
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as p:
        os.close(stdin)
        out = ""
        for line in p.stdout:
            if keys and keys[0][0] in line:
                os.write(terminal, keys.pop(0)[1].encode())
            out += line
    os.close(terminal)
    return subprocess.CompletedProcess(command, p.returncode, out)


def boot(*options, limit=LIMIT, keys=None):
    """keys: pairs of what is said, and what is typed then."""
    report = os.path.join(SCRATCH, "report.json")
    if os.path.exists(report):
        os.unlink(report)
    command = [CLOISTER, "run", "--timeout", str(limit), "--json", report, *options]
    if keys:
        done = run_typing([*command, "--interactive"], keys)
    else:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=limit + 30, check=False)
    result = None
    if os.path.exists(report):
        with open(report, encoding="utf-8") as f:
            result = json.load(f)
    boot_result = Boot(done.returncode, done.stdout, result)
    no_page_lost(boot_result)
    return boot_result


def no_page_lost(result):
    """Whatever happened, a hypervisor that came to its end has every page back."""
    idle = result.json and result.json.get("idle")
    if idle:
        assert idle["leaked"] == 0, f"{idle['leaked']} pages lost:\n{result.out}"


def scratch(name, content):
    path = os.path.join(SCRATCH, name)
    with open(path, "wb") as f:
        f.write(content)
    return path


def guest(words="", **more):
    """A domain with such a command line. What it does not say is the least that boots."""
    return {"memory": "256M", "kernel": "k", "ramdisk": "r", "on-reboot": "destroy",
            "cmdline": f"console=hvc0 quiet panic=-1 {words}",
            "devices": {"c": {"type": "virtio-console"}}, **more}


def together(domains, *options, images=None, **more):
    """All of them in one boot: they share the machine's CPUs, and the time it takes."""
    images = {"k": os.path.abspath(KERNEL_6_12), "r": os.path.abspath(RAMDISK), **(images or {})}
    description = {"images": images, "domains": domains}
    path = scratch("together.json", json.dumps(description).encode())
    return boot("--bundle", path, *options, **more)


def beside_a_good_one(bad, *options, **more):
    """Until they are destroyed: the good one ends while all of them are at it."""
    for after in (2, 20):  # as long as it takes until they all are, on this machine
        kills = (w for name in bad for w in ("--kill", f"{name}@userspace+{3 * after}"))
        b = together({**bad, "good": guest(f"cloister.after={after}")}, *kills, *options, **more)
        b.expect(0, *(f"{name}: destroyed as asked" for name in bad))
        assert b.guests["good"]["userspace"] and b.guests["good"]["cause"] == "power-off", b.out
        seconds = {name: g["seconds"] for name, g in b.guests.items()}
        ended = seconds["good"]["ended"]
        if all(seconds[name]["userspace"] < ended < seconds[name]["ended"] for name in bad):
            return b
    raise AssertionError(seconds)


def crash(what, *texts, options=()):
    """The hypervisor's report must name the function that did it, by its symbol."""
    boot(*options, "--hv-options", f"crash={what}", limit=30).expect(
        3, "the hypervisor stopped: ", *texts)


def is_attested(guest, digits=96):
    """What it measured to was predicted, and it got all that was meant for it, in order."""
    assert len(guest["predicted"]) == digits and guest["launched"] == guest["predicted"], guest
    assert guest["verdict"] == "trusted" and guest["secret_released"] is True, guest
    assert guest["volume_opened"] is True and guest["good"] is True, guest
    assert guest["emulated"] is True, guest
    times = [guest["seconds"][step] for step in STEPS]
    assert times == sorted(times) and times[0] > 0, times
    assert 0 < guest["seconds"]["predict"] < times[-1]


def got_nothing(b, guest="guest0"):
    g = b.guests[guest]
    assert g["verdict"] == "refused" and g["secret_released"] is False, g
    assert g["volume_opened"] is False and g["good"] is False, g
    return g
