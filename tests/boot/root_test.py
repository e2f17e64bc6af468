#!/usr/bin/env python3
"""Root in the user space of unmodified Debian domains: in an encrypted one that controls others,
and whose kernel is locked down, by its control port; in a plain one that controls nobody, by
whatever there is."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, SCRATCH, boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402

KERNEL = "build/cache/kernel-6.12"


def bundle(name, **domain):
    """A bundle for the ramdisk: one micro-guest that says that it is ready, and spins."""
    image = os.path.abspath("build/guest/fatal.elf")
    description = {"images": {"k": image},
                   "domains": {"victim": {"abi": "1.0", "memory": "2M", "kernel": "k",
                                          "cmdline": "do=spin", **domain}}}
    path = os.path.join(SCRATCH, name + ".bundle")
    subprocess.run([CLOISTER, "bundle", "make", "--output", path, "--from",
                    scratch(name + ".json", json.dumps(description).encode())],
                   check=True, stdout=subprocess.DEVNULL)
    return f"{name}.bundle={path}"


def ramdisk():
    path = os.path.join(SCRATCH, "root.cpio")
    added = ["bin/cloister=build/guest/cloister", "bin/root=build/guest/root", bundle("victim"),
             bundle("greedy", memory="1G"), bundle("usurper", features=["buffers", "control"])]
    command = ["tools/guest/mkramdisk", "--init", "build/guest/agent", "--busybox", "/bin/busybox",
               "--modules", "tools/guest/modules.list", "--kernel", KERNEL]
    subprocess.run(command + [w for a in added for w in ("--add", a)] + [path], check=True)
    return path


def linux(port, words, **more):
    return {"memory": "256M", "kernel": "k", "ramdisk": "r", "on-reboot": "destroy",
            "devices": {"c": {"type": "virtio-console"}}, **more,
            "cmdline": "console=hvc0 quiet panic=-1 cloister.checks=off cloister.action=run "
                       f"cloister.run=/bin/root cloister.port={port} {words}"}


def said(out, guest, what):
    """The sentences of a guest's lines "ok ..." or "FAILED ..."."""
    start = f"{guest}| {what} "
    return [line[len(start):] for line in out.splitlines() if line.startswith(start)]


@test
def root_in_a_control_domain_does_what_its_description_allows_and_no_more():
    lord = linux("yes", "lockdown=integrity swiotlb=16384", cc="sev-snp", abi="1.2", vcpus=2,
                 features=["buffers", "events", "control", "create", "control-port"],
                 **{"create-memory": "64M", "create-domains": 2})
    boots = {"images": {"k": os.path.abspath(KERNEL + "/vmlinuz"), "r": ramdisk()},
             "domains": {"lord": lord, "commoner": linux("no", "")}}
    b = boot("--bundle", scratch("boots.json", json.dumps(boots).encode()), "--image",
             "build/cloister-emulated.bin", "--no-attest")
    for guest, count in (("lord", 14), ("commoner", 4)):
        assert not said(b.out, guest, "FAILED"), b.out
        assert len(said(b.out, guest, "ok")) == count, b.out
        assert b.guests[guest]["cause"] == "power-off", b.out
        assert b.told(guest, "done") == [{"event": "done", "failures": 0}], b.out
    assert b.json["idle"]["leaked"] == 0, b.out


if __name__ == "__main__":
    sys.exit(run_all("boot-root"))
