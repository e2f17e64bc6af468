#!/usr/bin/env python3
"""cloister measure domain: every byte that a guest starts with counts, and nothing else."""
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from id_block import signed  # noqa: E402
from sentences import run_all, scratch_folder, test  # noqa: E402

CLOISTER = os.path.abspath("build/bin/cloister")
KERNEL = os.path.abspath("build/cache/kernel-6.12/vmlinuz")
SCRATCH = scratch_folder("measure")
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


def measured(path, name, size):
    done = measure(path)
    assert done.returncode == 0, done.stdout
    values = dict(line.split(": ") for line in done.stdout.splitlines())
    assert len(values[name]) == size, done.stdout
    return values[name]


SNP = ("--cc", "sev-snp")


@test
def the_same_domain_has_the_same_digest():
    assert digest(bundle("a", *SNP)) == digest(bundle("b", *SNP))


def config(path, *options):
    return subprocess.run([CLOISTER, "measure", "config", path, *options], text=True, check=True,
                          stdout=subprocess.PIPE).stdout.strip()


@test
def a_plain_domain_has_no_launch_measurement_and_its_configuration_hash_is_told():
    path = bundle("plain")
    done = subprocess.run([CLOISTER, "measure", "domain", path], text=True, check=False,
                          capture_output=True)
    assert done.returncode == 1 and done.stdout == "", done
    assert done.stderr == ('cloister: guest0: cc = "none": a plain domain has no launch '
                           f"measurement; its configuration hash is {config(path)}\n"), done


def sha(data):
    return hashlib.sha256(data).hexdigest()


DESCRIPTION = """/dts-v1/;
/ { compatible = "cloister,bundle-v1";
    images { k { data = "kernel"; }; d { data = [%s]; }; };
    domains { guest0 { compatible = "cloister,domain-v1"; abi = "1.0"; memory = <0 0x10000000>;
        vcpus = <2>; kernel = "k"; cmdline = "quiet"; peers = "b", "a"; on-reboot = "restart";
        devices { d { type = "virtio-blk"; image = "d"; writable; };
                  r { type = "virtio-rng"; }; }; }; };
};
""" % ("00" * 512)


@test
def the_configuration_hash_is_that_of_the_form_in_the_document():
    path = os.path.join(SCRATCH, "described.dtb")
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", path, "-"], input=DESCRIPTION, text=True,
                   check=True)
    form = ("cloister,domain-v1 guest0\nabi=1.0\n"
            "features=core buffers events sharing console time evidence \npeer=b\npeer=a\n"
            f"cc=none\nmemory={256 << 20}\nvcpus=2\nkernel={sha(b'kernel' + bytes(1))}\n"
            f"cmdline={sha(b'quiet')}\ndevice=d virtio-blk image={sha(bytes(512))} writable\n"
            "device=r virtio-rng\n")
    said = subprocess.run([CLOISTER, "measure", "config", path], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    assert said.strip() == sha(form.encode()), said


@test
def one_bit_of_the_ramdisk_changes_it():
    other = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    assert digest(bundle("a", *SNP)) != digest(bundle("b", *SNP, ramdisk=other))


@test
def command_line_memory_vcpus_and_c_bit_change_it():
    plain = digest(bundle("a", *SNP, "--cmdline", "quiet"))
    others = [digest(bundle("b", *SNP, "--cmdline", "quiet ")),
              digest(bundle("c", *SNP, "--cmdline", "quiet", "--memory", "258M")),
              digest(bundle("d", *SNP, "--cmdline", "quiet", "--vcpus", "2")),
              digest(bundle("e", *SNP, "--cmdline", "quiet"), "--c-bit", "51")]
    assert len({plain, *others}) == 5


def mixed():
    """A plain domain, an SEV-SNP guest and a TD, in one bundle."""
    ramdisk = os.path.join(SCRATCH, "mixed.cpio")
    with open(ramdisk, "wb") as f:
        f.write(RAMDISK)
    domain = {"memory": "256M", "kernel": "k", "ramdisk": "r", "cmdline": "quiet"}
    description = {"images": {"k": KERNEL, "r": ramdisk},
                   "domains": {"plain": domain, "snp": {**domain, "cc": "sev-snp"},
                               "td": {**domain, "cc": "tdx"}}}
    source, path = os.path.join(SCRATCH, "mixed.json"), os.path.join(SCRATCH, "mixed.dtb")
    with open(source, "w", encoding="utf-8") as f:
        json.dump(description, f)
    subprocess.run([CLOISTER, "bundle", "make", "--from", source, "--output", path], check=True,
                   stdout=subprocess.DEVNULL)
    return path


@test
def each_domain_of_a_mixed_bundle_is_told_with_its_technology():
    path = mixed()
    done = measure(path)
    lines = done.stdout.splitlines()
    td_alone = measure(path, "--domain", "td").stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert f"snp: sev-snp: {digest(path, '--domain', 'snp')}" in lines, lines
    assert td_alone[0].startswith("mrtd: "), td_alone
    assert [f"td: tdx: {line}" for line in td_alone] == [x for x in lines if x[:3] == "td:"], lines
    assert any('plain: cc = "none"' in x and config(path, "--domain", "plain") in x
               for x in lines), lines


@test
def a_domain_that_is_named_must_exist():
    path = bundle("two", "--count", "2", *SNP)
    assert digest(path, "--domain", "guest0") == digest(path, "--domain", "guest1")
    done = measure(path, "--domain", "guest7")
    assert done.returncode == 2 and "guest7: no such domain" in done.stdout, done.stdout


def td(name, *options, **more):
    """What a TD measures to: a dictionary of registers."""
    done = measure(bundle(name, "--cc", "tdx", *options, **more))
    assert done.returncode == 0, done.stdout
    return dict(line.split(": ") for line in done.stdout.split("\n") if line)


def extended(*parts):
    value = bytes(48)
    for part in parts:
        value = hashlib.sha384(value + hashlib.sha384(part).digest()).digest()
    return value.hex()


@test
def the_registers_of_a_td_follow_from_its_files():
    with open(KERNEL, "rb") as f:
        kernel = f.read()
    code = 512 * (kernel[0x1f1] + 1)  # Linux, Documentation/arch/x86/boot.rst
    size = 16 * int.from_bytes(kernel[0x1f4:0x1f8], "little")
    m = td("a", "--cmdline", "quiet")
    assert m["rtmr1"] == extended(kernel[code:code + size]), m
    assert m["rtmr2"] == extended(b"quiet", RAMDISK), m
    assert m["rtmr3"] == "00" * 48 and len(m["mrtd"]) == 96, m


@test
def what_a_tds_owner_says_is_told_and_not_measured():
    owner = os.path.join(SCRATCH, "owner")
    with open(owner, "wb") as f:
        f.write(b"\x42" * 48)
    plain, owned = td("a"), td("b", "--tdx-mrowner", owner)
    assert plain["mrowner"] == "00" * 48 and owned["mrowner"] == "42" * 48
    assert {name for name in plain if plain[name] != owned[name]} == {"mrowner"}, owned


@test
def what_changes_for_a_td_changes_where_it_belongs():
    plain = td("a", "--cmdline", "quiet")
    bit = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    for options, ramdisk, names in ((("--cmdline", "quieT"), RAMDISK, {"rtmr2"}),
                                    (("--cmdline", "quiet"), bit, {"rtmr2"}),
                                    (("--cmdline", "quiet", "--vcpus", "2"), RAMDISK, {"rtmr0"}),
                                    (("--cmdline", "quiet", "--memory", "258M"), RAMDISK,
                                     {"mrtd", "rtmr0"})):
        other = td("b", *options, ramdisk=ramdisk)
        assert {name for name in plain if plain[name] != other[name]} == names, (options, other)


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


def realm(name, *options, **more):
    return bundle(name, "--cc", "cca", *options, kernel=KERNEL_ARM64, **more)


def rim(path, size):
    return measured(path, "initial-measurement", size)


@test
def a_realm_measures_to_a_rim_of_its_hash():
    expected = rim(realm("a"), 128)
    assert rim(realm("b"), 128) == expected
    assert rim(realm("c", "--cca-hash", "sha-512"), 128) == expected
    assert rim(realm("d", "--cca-hash", "sha-256"), 64) != expected[:64]


@test
def what_a_realm_starts_with_changes_its_rim_and_its_personalisation_value_does_not():
    value = os.path.join(SCRATCH, "rpv")
    with open(value, "wb") as f:
        f.write(os.urandom(64))
    expected = rim(realm("a", "--cmdline", "quiet"), 128)
    assert rim(realm("b", "--cmdline", "quiet", "--cca-rpv", value), 128) == expected
    other = bytes([RAMDISK[0] ^ 1]) + RAMDISK[1:]
    others = [rim(realm("c", "--cmdline", "quiet "), 128),
              rim(realm("d", "--cmdline", "quiet", "--memory", "258M"), 128),
              rim(realm("e", "--cmdline", "quiet", "--vcpus", "2"), 128),
              rim(realm("f", "--cmdline", "quiet", ramdisk=other), 128)]
    assert len({expected, *others}) == 5


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
