#!/usr/bin/env python3
"""Attacks that an SEV-SNP guest sees, or tries, on modelled silicon (tests/attack)."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402

GOOD, NOT_VALID, STEP = "(set 7, code 0)", "(set 7, code 16)", "(set 7, code 17)"
# What each guest ends with. The first six are attacked by the hypervisor, the others attack it.
ATTACKS = {
    "replay": NOT_VALID,
    "share": NOT_VALID,
    "swap": "attack met: the RMP refuses the page at 600000",
    "vmsa": "VMRUN refuses its save area",
    "firmware": GOOD,
    "unknown": "GHCB MSR request abc is not known",
    "ghcb": "VMGEXIT with a GHCB at 5000 that it has not registered",
    "outside": GOOD,
    "storm": GOOD,
    "unvalidated": NOT_VALID,
    "twice": GOOD,
    "vmpl": GOOD,
    "vmpl1": "vCPU 1: its VMPL has no right to write to memory at 602",
    "code": "triple-fault",
    "garbage": GOOD,
    "step": STEP,
    "ap": "vCPU 1: VMRUN refuses its save area",
    "flood": GOOD,
}
met = 0


def attack(names):
    """One boot of the hostile hypervisor, with a guest for each attack."""
    domains = {name: {"cc": "sev-snp", "memory": "16M", "vcpus": 2, "kernel": "k", "cmdline": name,
                      "on-reboot": "destroy"} for name in names}
    description = {"images": {"k": os.path.abspath("build/guest/snp_attack.bz")},
                   "domains": domains}
    path = scratch("attack.json", json.dumps(description).encode())
    return boot("--bundle", path, "--image", "build/cloister-hostile.bin", "--cpus", "2", limit=100)


@test
def every_attack_ends_as_the_specification_says_and_hurts_no_other_guest():
    global met
    b = attack(ATTACKS)
    for name, end in ATTACKS.items():
        reason = f"{b.guests[name]['cause']}: {b.guests[name]['reason']}"
        assert end in reason, f"{name}: not '{end}' but '{reason}':\n{b.out}"
        met += 1
    assert b.json["idle"]["leaked"] == 0, b.out


@test
def a_write_of_the_hypervisor_to_private_memory_is_fatal_for_itself():
    global met
    b = attack(["write"])
    b.expect(3, "the hypervisor stopped: #PF page fault")
    assert "set 7" not in b.out, b.out
    met += 1


if __name__ == "__main__":
    status = run_all("boot-snp-attack")
    print(f"attack: {met} cases")
    sys.exit(status)
