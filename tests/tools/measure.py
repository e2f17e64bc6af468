#!/usr/bin/env python3
"""cloister measure domain: every byte that a guest starts with counts, and nothing else."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from sentences import run_all, test  # noqa: E402

CLOISTER = os.path.abspath("build/bin/cloister")
KERNEL = os.path.abspath("build/cache/kernel-6.12/vmlinuz")
SCRATCH = tempfile.mkdtemp(prefix="cloister-measure-")
RAMDISK = os.urandom(10000)


def bundle(name, *options, ramdisk=RAMDISK):
    path = os.path.join(SCRATCH, name)
    with open(path + ".cpio", "wb") as f:
        f.write(ramdisk)
    subprocess.run([CLOISTER, "bundle", "make", "--output", path, "--kernel", KERNEL, "--ramdisk",
                    path + ".cpio", "--memory", "256M", *options], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def measure(path, *options):
    return subprocess.run([CLOISTER, "measure", "domain", path, *options], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def digest(path, *options):
    done = measure(path, *options)
    assert done.returncode == 0, done.stdout
    assert len(done.stdout.strip()) == 96, done.stdout
    return done.stdout.strip()


@test
def the_same_domain_has_the_same_digest():
    assert digest(bundle("a")) == digest(bundle("b"))


@test
def one_bit_of_the_ramdisk_changes_it():
    other = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    assert digest(bundle("a")) != digest(bundle("b", ramdisk=other))


@test
def command_line_memory_vcpus_and_c_bit_change_it():
    plain = digest(bundle("a", "--cmdline", "quiet"))
    others = [digest(bundle("b", "--cmdline", "quiet ")),
              digest(bundle("c", "--cmdline", "quiet", "--memory", "258M")),
              digest(bundle("d", "--cmdline", "quiet", "--vcpus", "2")),
              digest(bundle("e", "--cmdline", "quiet"), "--c-bit", "51")]
    assert len({plain, *others}) == 5


@test
def a_name_is_wanted_where_there_are_several_and_must_exist():
    path = bundle("two", "--count", "2")
    assert measure(path).returncode == 2
    assert "several domains" in measure(path).stdout
    assert digest(path, "--domain", "guest0") == digest(path, "--domain", "guest1")
    assert "guest7: no such domain" in measure(path, "--domain", "guest7").stdout


@test
def what_is_no_bundle_is_refused():
    path = os.path.join(SCRATCH, "noise")
    with open(path, "wb") as f:
        f.write(os.urandom(4096))
    assert measure(path).returncode == 2
    assert measure("/nonexistent").returncode == 2


if __name__ == "__main__":
    sys.exit(run_all("cloister-measure"))
