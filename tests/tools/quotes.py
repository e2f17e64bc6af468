#!/usr/bin/env python3
"""The emulated platform's quote service: what it takes for a report, what its quotes are worth."""
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from sentences import run_all, scratch_folder, test  # noqa: E402

CLOISTER = "build/bin/cloister"
SERVICE = ["build/emu/tdx_qgs", "build/emu/tdx/pck-chain.pem"]
SCRATCH = scratch_folder("quotes")
BAD_PARAMETER, BAD_VERSION, BAD_TYPE, BAD_SIZE = 0x12003, 0x12004, 0x12005, 0x12006


def mac_key():
    """HKDF (RFC 5869), one block: the key is no secret."""
    prk = hmac.new(bytes(48), b"EMULATED TDX module, not secret, not Intel's", "sha384").digest()
    return hmac.new(prk, b"REPORTMACSTRUCT\x01", "sha384").digest()[:32]


def report():
    """TDREPORT_STRUCT: TDX module 1.5 ABI, 3.8. MRTD is all 11h, RTMRs are all 20h to 23h."""
    tcb = struct.pack("<Q16s", 0x301ff, bytes([1, 5])).ljust(256, b"\0")
    info = struct.pack("<QQ", 1 << 28, 3) + b"\x11" * 48 + bytes(144)
    info = (info + b"".join(bytes([0x20 + i]) * 48 for i in range(4))).ljust(512, b"\0")
    mac = bytes([0x81]).ljust(16, b"\0") + bytes([1]).ljust(16, b"\0")
    mac += hashlib.sha384(tcb[:239]).digest() + hashlib.sha384(info).digest() + b"\x33" * 64
    mac = mac.ljust(224, b"\0")
    return mac + hmac.new(mac_key(), mac, "sha256").digest() + tcb + info


def message(body, version=1, kind=0, size=None):
    head = struct.pack("<HHIII", version, 1, kind, 16 + len(body) if size is None else size, 0)
    return struct.pack(">I", 16 + len(body)) + head + body


def request(tdreport, ids=b"", **more):
    return message(struct.pack("<II", len(tdreport), len(ids)) + tdreport + ids, **more)


def ask(*messages):
    """(error code, quote) for each."""
    done = subprocess.run(SERVICE, input=b"".join(messages), stdout=subprocess.PIPE, check=True)
    answers, rest = [], done.stdout
    while rest:
        size = struct.unpack(">I", rest[:4])[0]
        major, minor, kind, told, error, ids, quote = struct.unpack("<HHIIIII", rest[4:28])
        assert (major, minor, kind, told, ids) == (1, 1, 1, size, 0) and quote == size - 24
        answers.append((error, rest[28:4 + size]))
        rest = rest[4 + size:]
    return answers


def verify(quote, root, kind="tdx"):
    path, policy = os.path.join(SCRATCH, "quote.bin"), os.path.join(SCRATCH, "policy.json")
    with open("build/emu/tdx/root.spki", encoding="ascii") as f:
        spki = f.read().strip()
    expected = {f"rtmr{i}": f"{0x20 + i:02x}" * 48 for i in range(4)}
    with open(policy, "w", encoding="ascii") as f:
        json.dump({"version": 1, kind: {"mrtd": "11" * 48, **expected},
                   "test-roots": [{"name": "emulated", "kind": kind, "spki-sha256": spki}]
                   if root else []}, f)
    with open(path, "wb") as f:
        f.write(quote)
    done = subprocess.run([CLOISTER, "verify", path, "--policy", policy, "--collateral",
                           "build/emu/tdx", "--json"], stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode()


@test
def reports_become_quotes_one_after_another():
    answers = ask(request(report()), request(report(), ids=bytes(16)))
    assert [a[0] for a in answers] == [0, 0] and answers[0][1] == answers[1][1], answers
    status, said = verify(answers[0][1], True)
    assert status == 0 and '"emulated": true' in said, said


@test
def a_root_that_is_not_named_is_not_trusted():
    status, said = verify(ask(request(report()))[0][1], False)
    assert status != 0 and "trusted\": true" not in said, said


@test
def a_report_of_another_platform_gets_no_quote():
    forged = bytearray(report())
    forged[512 + 16] ^= 1
    assert ask(request(bytes(forged)), request(bytes(1024))) == [(BAD_PARAMETER, b"")] * 2


@test
def what_is_no_request_is_answered_by_its_error():
    r = report()
    assert ask(request(r, version=2), request(r, kind=1), request(r, size=1000), message(b""),
               request(r[:-1]), message(struct.pack("<II", 1024, 5) + r),
               message(struct.pack("<II", 0xffffffff, 0) + r)) == [
        (BAD_VERSION, b""), (BAD_TYPE, b""), (BAD_SIZE, b""), (BAD_SIZE, b""),
        (BAD_PARAMETER, b""), (BAD_PARAMETER, b""), (BAD_PARAMETER, b"")]


if __name__ == "__main__":
    sys.exit(run_all("quote-service"))
