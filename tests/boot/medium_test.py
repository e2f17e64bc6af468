#!/usr/bin/env python3
"""The media that `make iso` makes boot by GRUB, under each firmware."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot  # noqa: E402
from sentences import run_all, test  # noqa: E402

ISO = "build/cloister.iso"
ISO_AARCH64 = "build/cloister-aarch64.iso"


@test
def the_medium_boots_by_bios():
    boot("--iso", ISO, "--firmware", "seabios").expect(0, "guest0: userspace after")


@test
def the_medium_boots_by_uefi():
    boot("--iso", ISO, "--firmware", "ovmf").expect(0, "guest0: userspace after")


@test
def the_arm_medium_boots_by_uefi():
    boot("--arch", "aarch64", "--iso", ISO_AARCH64, "--firmware", "uefi").expect(
        0, "guest0: userspace after")


@test
def an_arm_medium_wants_a_firmware():
    boot("--arch", "aarch64", "--iso", ISO_AARCH64).expect(2, "boots media with --firmware uefi")


if __name__ == "__main__":
    sys.exit(run_all("boot-medium"))
