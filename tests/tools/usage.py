#!/usr/bin/env python3
"""The command line of cloister as its own help describes it: every verb, every option, and what is
said to those who mistype it."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from sentences import run_all, scratch_folder, test  # noqa: E402

CLOISTER = os.path.abspath("build/bin/cloister")
SCRATCH = scratch_folder("usage")


def cloister(*words):
    return subprocess.run([CLOISTER, *words], text=True, check=False, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=120)


def listed(*words):
    """What the help under a heading lists: names, each at the begin of an indented line."""
    done = cloister(*words, "--help")
    assert done.returncode == 0 and done.stderr == "", done
    return re.findall(r"^  ([a-z]\S*)  ", done.stdout, re.M)


def commands():
    """All that take options. attestd is a program of its own: tests/tools/attestd.py."""
    verbs = [v for v in listed() if v != "attestd"]
    assert len(verbs) > 5, verbs
    kinds = listed("measure")
    assert len(kinds) > 5, kinds
    return [(v,) for v in verbs if v != "measure"] + [("measure", k) for k in kinds]


def refused(done, *texts, status=2):
    """One line on stderr, and nothing on stdout that could be taken for a result."""
    assert done.returncode == status and done.stdout == "", done
    assert done.stderr.startswith("cloister: ") and done.stderr.count("\n") == 1, done
    for text in texts:
        assert text in done.stderr, done


@test
def each_command_has_help_that_begins_with_its_usage():
    for words in commands():
        said = {cloister(*words, flag).stdout for flag in ("--help", "-h")}
        assert len(said) == 1, words
        assert said.pop().startswith("Usage: cloister " + " ".join(words)), words
    assert cloister("-h").stdout == cloister("--help").stdout == cloister("help").stdout
    assert cloister("measure", "-h").stdout == cloister("measure", "--help").stdout


@test
def each_option_of_the_help_is_known_and_wants_what_the_help_says():
    tried = 0
    for words in commands():
        for name, argument in re.findall(r"^  (--[a-z-]+)( [A-Z]\S*)?  ?",
                                         cloister(*words, "--help").stdout, re.M):
            if name == "--help":
                continue
            tried += 1
            if argument:
                refused(cloister(*words, name), f"{name} needs its{argument}")
            else:
                refused(cloister(*words, name + "=x"), f"{name} takes no argument")
    assert tried > 80, tried


@test
def what_is_mistyped_is_named():
    refused(cloister("frob"), "'frob'", "--help")
    refused(cloister("measure", "frob"), "'frob'", "--help")
    for words in commands():
        name = " ".join(words)
        refused(cloister(*words, "--frob"), f"--frob is not an option of {name}", "--help")
        if words not in (("run",), ("list",)):
            refused(cloister(*words), name.split()[-1])
        refused(cloister(*words, *["x"] * 20), "'x' is one word too many", name)


@test
def options_of_another_command_of_bundle_are_refused():
    path = os.path.join(SCRATCH, "b.dtb")
    assert cloister("bundle", "make", "--output", path).returncode == 0
    for words in (("check", path, "--json"), ("check", path, "--vcpus", "2"),
                  ("list", path, "--output", "x"), ("list", path, "--arch", "aarch64"),
                  ("make", "--output", path, "--json")):
        refused(cloister("bundle", *words), "bundle " + words[0])
    assert json.loads(cloister("bundle", "list", path, "--json").stdout)["domains"]


@test
def files_that_are_not_there_are_named():
    none = os.path.join(SCRATCH, "none")
    for words in (("bundle", "check", none), ("show", none), ("collateral", none),
                  ("verify", none, "--policy", none), ("measure", "domain", none),
                  ("measure", "tdx", none), ("measure", "realm", none), ("run", "--bundle", none),
                  ("run", "--iso", none), ("run", "--kernel", none)):
        refused(cloister(*words), none, "No such file")
    for option in ("--json", "--log"):
        refused(cloister("run", option, none + "/x"), none, "No such file", status=3)
        refused(cloister("run", option, SCRATCH), SCRATCH, "Is a directory", status=3)


@test
def what_cannot_go_together_is_said_before_anything_starts():
    refused(cloister("run", "--quiet", "--interactive"), "--quiet", "--interactive")
    os.mkdir(os.path.join(SCRATCH, "empty"))
    done = cloister("collateral", os.path.join(SCRATCH, "empty"))
    assert done.returncode == 1 and "no collateral is there" in done.stderr, done


if __name__ == "__main__":
    sys.exit(run_all("cloister-usage"))
