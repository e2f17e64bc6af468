#!/usr/bin/env python3
"""An unmodified kernel as a trust domain: the production driver, on a modelled TDX module."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import boot  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def debian_6_12_runs_as_a_td_on_two_vcpus():
    b = boot("--cc", "tdx", "--vcpus", "2", "--memory", "512M").expect(0, "EMULATED")
    assert b.told("guest0", "memory-encryption")[0]["features"] == "Intel TDX"
    assert b.told("guest0", "userspace")[0]["cpus"] == 2
    assert b.guests["guest0"]["cause"] == "power-off"
    assert b.json["hypervisor"]["emulated"] is True
    assert "tdx" in b.json["hypervisor"]["cc"]


@test
def an_image_without_silicon_refuses_it_by_name():
    b = boot("--cc", "tdx", "--image", "build/cloister.bin", limit=60)
    b.expect(1, "guest0: tdx: not built in this image")
    assert "tdx" not in b.json["hypervisor"]["cc"]


if __name__ == "__main__":
    sys.exit(run_all("boot-tdx"))
