#!/usr/bin/env python3
"""Measured launch: a software TPM below the hypervisor, whose evidence a guest asks for and
`cloister verify` judges."""
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from boot import CLOISTER, SCRATCH, boot, scratch  # noqa: E402
from sentences import run_all, test  # noqa: E402
from swtpm import Swtpm  # noqa: E402

IMAGE = "build/cloister.bin"
DESCRIPTION = {
    "images": {"k": os.path.abspath("build/guest/host_evidence.elf")},
    "domains": {"asker": {"abi": "1.1", "memory": "4M", "kernel": "k",
                          "cmdline": "tpm=1 nonce=7 pcrs=0x1800", "on-reboot": "destroy"}},
}
NONCE = bytes(7 + i for i in range(32)).hex()


def told(out):
    """What the guest told: words to hex, and the PCRs by number."""
    parts, pcrs, pcr = {}, {}, None
    for line in out.splitlines():
        words = line.removeprefix("asker| -").split()
        if not line.startswith("asker| -") or len(words) != 2:
            continue
        if words[0] == "pcr":
            pcr = words[1]
        elif words[0] == "value":
            pcrs[pcr] = words[1]
        else:
            parts[words[0]] = parts.get(words[0], "") + words[1]
    return parts, pcrs


def evidence(device):
    bundle = scratch("tpm.dtb", b"")
    subprocess.run([CLOISTER, "bundle", "make", "--output", bundle, "--from",
                    scratch("tpm.json", json.dumps(DESCRIPTION).encode())], check=True)
    with Swtpm() as tpm:
        words = tpm.qemu(device)
        b = boot("--bundle", bundle, "--image", IMAGE,
                 *[w for word in words for w in ("--qemu-arg", word)], limit=100)
    assert "asker| -done: 3 ok, 0 failed" in b.out, b.out
    assert b.json["idle"]["leaked"] == 0, b.out
    parts, pcrs = told(b.out)
    return bundle, b, {
        "tpm_quote": {"message": parts["message"], "signature": parts["signature"],
                      "pcrs": {"sha256": pcrs}},
        "ak_public": parts["key"], "event_log": parts["log"]}


def verify(e, pcrs, nonce=NONCE):
    policy = {"version": 1, "tpm": {"ak": [ak(e)], "event-log": True, "pcrs": {"sha256": pcrs}}}
    return subprocess.run(
        [CLOISTER, "verify", scratch("evidence.json", json.dumps(e).encode()), "--policy",
         scratch("policy.json", json.dumps(policy).encode()), "--nonce", nonce],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def ak(e):
    """SHA-256 of the key as SubjectPublicKeyInfo: P-256, its two coordinates end the TPM2B."""
    key = bytes.fromhex(e["ak_public"])
    x, y = key[-66:-34], key[-32:]
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + b"\x04" + x + y
    return hashlib.sha256(spki).hexdigest()


def extend(*texts):
    value = bytes(32)
    for text in texts:
        value = hashlib.sha256(value + hashlib.sha256(text.encode()).digest()).digest()
    return value.hex()


def predicted(bundle, b, log):
    """PCRs 11 and 12 from the files. How much of the image counts and the command line are taken
    from the log's text: a relying party knows them from its own."""
    size = int(log.split(b"cloister image")[1].split(b"bytes=")[1].split()[0])
    cmdline = log.split(b"cloister cmdline ")[1].split(b"\x0b\0\0\0")[0].decode()
    assert "link=com2" in cmdline, cmdline
    with open(IMAGE, "rb") as f:
        image = hashlib.sha256(f.read(size)).hexdigest()
    with open(bundle, "rb") as f:
        data = f.read()
    config = subprocess.run([CLOISTER, "measure", "config", bundle], text=True, check=True,
                            stdout=subprocess.PIPE).stdout.strip()
    version = subprocess.run([CLOISTER, "--version"], text=True, check=True,
                             stdout=subprocess.PIPE).stdout.split()[1]
    assert b.json["hypervisor"]["version"] == version, b.json["hypervisor"]
    return {"11": extend(f"cloister image {version} bytes={size} "
                         f"sha256={image}", f"cloister cmdline {cmdline}",
                         f"cloister bundle bytes={len(data)} "
                         f"sha256={hashlib.sha256(data).hexdigest()}"),
            "12": extend(f"cloister domain asker config={config}")}


def told_and_believed(device):
    bundle, b, e = evidence(device)
    pcrs = predicted(bundle, b, bytes.fromhex(e["event_log"]))
    assert pcrs == e["tpm_quote"]["pcrs"]["sha256"], (pcrs, e["tpm_quote"]["pcrs"])
    done = verify(e, pcrs)
    assert done.returncode == 0, done.stdout
    return e, pcrs


@test
def evidence_by_crb_is_what_the_files_predict_and_nothing_else_is_believed():
    e, pcrs = told_and_believed("tpm-crb")
    for policy, nonce, words in (
            ({**pcrs, "11": "00" * 32}, NONCE, "11"), ({**pcrs, "12": "00" * 32}, NONCE, "12"),
            (pcrs, "00" * 32, "nonce")):
        done = verify(e, policy, nonce)
        assert done.returncode == 1 and words in done.stdout, done.stdout
    other = bytearray.fromhex(e["event_log"])
    at = other.index(b"cloister bundle") - 36  # its digest
    other[at] ^= 1
    done = verify({**e, "event_log": other.hex()}, pcrs)
    assert done.returncode == 1 and "log" in done.stdout, done.stdout


@test
def evidence_by_fifo_is_what_the_files_predict():
    told_and_believed("tpm-tis")


if __name__ == "__main__":
    sys.exit(run_all("boot-tpm"))
