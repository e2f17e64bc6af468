#!/usr/bin/env python3
"""Legacy Xen guests: Debian's kernel as a PVH domU and as a PV64 one, micro-guests, refusals."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, KERNEL_6_1, SCRATCH, boot  # noqa: E402
from id_block import signed  # noqa: E402
from sentences import Skip, run_all, test  # noqa: E402

IMAGE = "build/cloister-xen.bin"
BOX = "build/cloister-pv64.bin"
PLAIN = "build/cloister.bin"


def pvh(*options):
    if not os.path.exists(IMAGE):
        raise Skip(f"{IMAGE} is not there: make XENPV=1")
    return boot("--abi", "xen", "--guest", "pvh", *options, limit=180)


def pv64(*options):
    if not os.path.exists(BOX):
        raise Skip(f"{BOX} is not there: make XENPV=1")
    return boot("--abi", "xen", "--guest", "pv64", *options, limit=180)


@test
def debian_boots_as_a_pv64_guest_in_a_box_with_smp():
    b = pv64("--vcpus", "2", "--cmdline", "console=hvc0 panic=-1")
    b.expect(0, "Hypervisor detected: Xen PV", "Xen version: 4.17.0-cloister (preserve-AD)",
             "Brought up 1 node, 2 CPUs", "passed, no W+X pages found",
             "CLOISTER: clocksource xen")
    assert b.guests["guest0"]["cause"] == "power-off"
    assert "soft lockup" not in b.out and "Oops" not in b.out, b.out


def bound_to_its_prediction(*options):
    """An ID block for the digest that is predicted: the firmware launches that, and no other."""
    bundle = os.path.join(SCRATCH, "pv64.dtb")
    subprocess.run([CLOISTER, "bundle", "make", "--output", bundle, "--abi", "xen", "--guest",
                    "pv64", "--cc", "sev-snp", *options], check=True)
    out = subprocess.run([CLOISTER, "measure", "domain", bundle], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    block, auth = signed(re.search(r"[0-9a-f]{96}", out).group(0), SCRATCH)
    return ("--cc", "sev-snp", *options, "--snp-id-block", block, "--snp-id-auth", auth)


@test
def an_encrypted_pv64_guest_launches_as_predicted_and_no_other():
    if not os.path.exists(BOX):
        raise Skip(f"{BOX} is not there: make XENPV=1")
    options = bound_to_its_prediction("--vcpus", "2")
    pv64(*options).expect(0, "CLOISTER: clocksource xen", "2 CPUs", ", not attested",
                          "no guest is attested: a PV kernel asks for no report; an ID block binds")
    b = pv64(*options, "--tamper", "ramdisk")
    b.expect(1, "SNP_LAUNCH_FINISH: the launch digest is not the one the ID block expects")


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
def pv_kernels_run_in_no_td_yet():
    boot("--abi", "xen", "--guest", "pv64", "--cc", "tdx", limit=60).expect(
        2, "--guest pv64: --cc tdx: not built yet")


@test
def micro_guests_with_hostile_pointers_hurt_nobody():
    for image in (IMAGE, BOX):
        if not os.path.exists(image):
            raise Skip(f"{image} is not there: make XENPV=1")
    done = subprocess.run(["tests/guest/run", "--xen"], stdout=subprocess.PIPE, text=True,
                          check=False, timeout=200)
    assert done.returncode == 0, done.stdout


sys.exit(run_all("boot-xen"))
