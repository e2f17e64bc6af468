#!/usr/bin/env python3
"""The legacy Xen module: Debian's kernel as a PVH domU, micro-guests; plain images refuse it."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import KERNEL_6_1, boot  # noqa: E402
from sentences import Skip, run_all, test  # noqa: E402

IMAGE = "build/cloister-xen.bin"
PLAIN = "build/cloister.bin"


def pvh(*options):
    if not os.path.exists(IMAGE):
        raise Skip(f"{IMAGE} is not there: make XENPV=1")
    return boot("--abi", "xen", "--guest", "pvh", *options, limit=180)


@test
def debian_boots_as_a_pvh_guest_on_the_xen_console():
    b = pvh("--cmdline", "console=hvc0 panic=-1")
    b.expect(0, "Booting kernel on Xen PVH", "Hypervisor detected: Xen HVM",
             "CLOISTER: clocksource xen")
    assert b.guests["guest0"]["cause"] == "power-off"


@test
def two_cpus_call_each_other_by_event_channels():
    b = pvh("--vcpus", "2", "--cmdline", "console=hvc0 panic=-1")
    b.expect(0, "Brought up 1 node, 2 CPUs")
    assert "soft lockup" not in b.out, b.out


@test
def an_older_kernel_boots_too():
    pvh("--kernel", KERNEL_6_1).expect(0, "CLOISTER: clocksource xen")


@test
def an_image_without_the_module_names_what_it_lacks():
    boot("--abi", "xen", "--image", PLAIN, limit=60).expect(
        1, "guest0: abi xen: not built in this image")


@test
def a_confidential_domain_cannot_have_it():
    boot("--abi", "xen", "--cc", "sev-snp", "--no-attest", "--image", PLAIN, limit=60).expect(
        2, "abi: 'xen' is not for a confidential domain")


@test
def pv_kernels_are_refused_by_name():
    boot("--abi", "xen", "--guest", "pv64", "--image", PLAIN, limit=60).expect(
        2, "--guest pv64: not built yet")


@test
def micro_guests_with_hostile_pointers_hurt_nobody():
    if not os.path.exists(IMAGE):
        raise Skip(f"{IMAGE} is not there: make XENPV=1")
    done = subprocess.run(["tests/guest/run", "--xen"], stdout=subprocess.PIPE, text=True,
                          check=False, timeout=200)
    assert done.returncode == 0, done.stdout


sys.exit(run_all("boot-xen"))
