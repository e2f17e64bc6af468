#!/usr/bin/env python3
"""cloister measure domain: every byte that a guest starts with counts, and nothing else."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from id_block import signed  # noqa: E402
from sentences import run_all, test  # noqa: E402

CLOISTER = os.path.abspath("build/bin/cloister")
KERNEL = os.path.abspath("build/cache/kernel-6.12/vmlinuz")
SCRATCH = tempfile.mkdtemp(prefix="cloister-measure-")
KERNEL_ARM64 = os.path.abspath("build/cache/kernel-6.18-arm64/vmlinuz")
RAMDISK = os.urandom(10000)


def bundle(name, *options, ramdisk=RAMDISK, kernel=KERNEL):
    path = os.path.join(SCRATCH, name)
    with open(path + ".cpio", "wb") as f:
        f.write(ramdisk)
    subprocess.run([CLOISTER, "bundle", "make", "--output", path, "--kernel", kernel, "--ramdisk",
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


SNP = ("--cc", "sev-snp")


@test
def an_id_block_for_the_domain_is_accepted_and_does_not_change_the_digest():
    ld = digest(bundle("a", *SNP))
    block, auth = signed(ld, SCRATCH)
    assert digest(bundle("b", *SNP, "--snp-id-block", block, "--snp-id-auth", auth)) == ld


@test
def an_id_block_for_anything_else_is_refused_by_name():
    ld = digest(bundle("a", *SNP))
    other = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    block, auth = signed(ld, SCRATCH)
    with_id = (*SNP, "--snp-id-block", block, "--snp-id-auth", auth)
    done = measure(bundle("b", *with_id, ramdisk=other))
    assert done.returncode == 1 and f"snp-id-block: is for the launch digest {ld}" in done.stdout
    done = measure(bundle("c", *with_id, "--snp-policy", "0xb0000"))
    assert done.returncode == 1, done.stdout
    assert "snp-id-block: is for policy 30000, snp-policy is b0000" in done.stdout, done.stdout
    with open(auth, "r+b") as f:
        f.seek(0x40)
        f.write(b"\xff\xff\xff")
    done = measure(bundle("d", *with_id))
    assert done.returncode == 1 and "signature" in done.stdout, done.stdout


@test
def what_the_firmware_could_not_take_makes_no_bundle():
    short = os.path.join(SCRATCH, "short")
    with open(short, "wb") as f:
        f.write(b"1234")
    for options, text in (((*SNP, "--snp-host-data", short), "snp-host-data: the image has 4"),
                          ((*SNP, "--snp-certs", short), "snp-certs: the image has 4 bytes"),
                          (("--snp-policy", "0x30000"), "snp-policy: goes with cc sev-snp only"),
                          ((*SNP, "--snp-author-key"), "snp-author-key: goes with snp-id-auth")):
        done = subprocess.run([CLOISTER, "bundle", "make", "--output", short + ".b", "--kernel",
                               KERNEL, "--ramdisk", "", *options], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode != 0 and text in done.stdout, done.stdout


def rim(name, *options, digits=128, value="00" * 64, **more):
    """The RIM of a realm, which has that personalisation value."""
    path = bundle(name, "--cc", "cca", *options, kernel=KERNEL_ARM64, **more)
    done = measure(path)
    assert done.returncode == 0, done.stdout
    lines = dict(line.split(": ") for line in done.stdout.splitlines())
    assert lines.keys() == {"initial-measurement", "personalization-value"}, done.stdout
    assert lines["personalization-value"] == value, done.stdout
    assert len(lines["initial-measurement"]) == digits, done.stdout
    return lines["initial-measurement"]


@test
def a_realm_measures_to_a_rim_of_its_hash():
    first = rim("a")
    assert rim("b") == first
    assert rim("c", "--cca-hash", "sha-512") == first
    assert rim("d", "--cca-hash", "sha-256", digits=64) != first[:64]


@test
def what_a_realm_starts_with_changes_its_rim_and_its_personalisation_value_does_not():
    value = os.path.join(SCRATCH, "rpv")
    with open(value, "wb") as f:
        f.write(b"\x5a" * 64)
    quiet = ("--cmdline", "quiet")
    first = rim("a", *quiet)
    assert rim("b", *quiet, "--cca-rpv", value, value="5a" * 64) == first
    other = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    others = [rim("c", "--cmdline", "quiet "), rim("d", *quiet, "--memory", "258M"),
              rim("e", *quiet, "--vcpus", "2"), rim("f", *quiet, ramdisk=other)]
    assert len({first, *others}) == 5


@test
def what_an_rmm_could_not_take_makes_no_bundle():
    short = os.path.join(SCRATCH, "short-rpv")
    with open(short, "wb") as f:
        f.write(b"1234")
    for options, text in ((("--cc", "cca", "--cca-rpv", short), "cca-rpv: the image has 4 bytes"),
                          (("--cc", "cca", "--cca-hash", "md5"), "cca-hash: 'md5' must be"),
                          (("--cca-hash", "sha-256"), "cca-hash: goes with cc cca only")):
        done = subprocess.run([CLOISTER, "bundle", "make", "--output", short + ".b", "--kernel",
                               KERNEL_ARM64, "--ramdisk", "", *options], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode != 0 and text in done.stdout, done.stdout


@test
def a_kernel_of_another_architecture_is_no_realm():
    done = measure(bundle("x", "--cc", "cca"))
    assert done.returncode == 2 and "guest0: kernel: not an arm64 Image" in done.stdout, done.stdout


@test
def what_is_no_bundle_is_refused():
    path = os.path.join(SCRATCH, "noise")
    with open(path, "wb") as f:
        f.write(os.urandom(4096))
    assert measure(path).returncode == 2
    assert measure("/nonexistent").returncode == 2


if __name__ == "__main__":
    sys.exit(run_all("cloister-measure"))
