#!/usr/bin/env python3
"""The medium that `make iso` makes boots by GRUB under both firmwares."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot  # noqa: E402
from sentences import run_all, test  # noqa: E402

ISO = "build/cloister.iso"


@test
def the_medium_boots_by_bios():
    boot("--iso", ISO, "--firmware", "seabios").expect(0, "guest0: userspace after")


@test
def the_medium_boots_by_uefi():
    boot("--iso", ISO, "--firmware", "ovmf").expect(0, "guest0: userspace after")


if __name__ == "__main__":
    sys.exit(run_all("boot-medium"))
