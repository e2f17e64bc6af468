#!/usr/bin/env python3
"""The hypervisor broken on request: each fault is caught, named and reported."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import crash  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def wrong_memory_accesses_are_page_faults():
    crash("null", "#PF", "read_null")
    crash("write-text", "#PF", "write_text")
    crash("write-alias", "#PF", "write_text_alias")
    crash("execute-data", "#PF")


@test
def an_overflow_of_the_stack_hits_its_guard_page():
    crash("stack", "#DF", "overflow_stack")


@test
def a_smashed_stack_is_seen_by_the_protector():
    crash("smash", "stack")


@test
def a_lock_taken_twice_and_a_page_freed_twice_are_our_bugs():
    crash("lock")
    crash("free")


if __name__ == "__main__":
    sys.exit(run_all("boot-crash"))
