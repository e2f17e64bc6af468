#!/usr/bin/env python3
"""cloister run as the relying party, against a machine that plays guests: what it gives to whom."""
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from play import GOOD, SCRATCH, expect, play  # noqa: E402
from sentences import run_all, test  # noqa: E402

KERNEL = "build/cache/kernel-6.12/vmlinuz"
SNP = ("--cc", "sev-snp", "--kernel", KERNEL)
# The generator of P-256: a point like any other.
KEY = ("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
       "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
PATH = "cloister/guest0/volume-key"
END = "userspace(1)\nend(1)\nidle()\n"


def talk(*lines, options=SNP):
    """A guest that is up, does these lines of Python, and ends."""
    return play("start()\n" + "".join(line + "\n" for line in lines) + END, *options)


def one(r):
    return r.json["guests"][0]


@test
def a_guest_that_ends_without_being_attested_has_failed():
    r = play(GOOD, *SNP)
    expect(r, 1, "guest0: FAILED: it ended without having been attested")
    assert len(one(r)["predicted"]) == 96 and one(r)["launched"] is None
    assert one(r)["verdict"] is None and one(r)["secret_released"] is False


@test
def attestation_can_be_left_out():
    r = play(GOOD, *SNP, "--no-attest")
    expect(r, 0, ", not attested")
    assert one(r)["predicted"] is None and one(r)["secret_released"] is None


@test
def a_guest_gets_its_nonce_byte_by_byte_as_it_has_credit():
    expect(talk("answer = ask(1, 'attest 1').split()",
                "assert answer[0] == 'nonce' and len(answer[1]) == 128, answer"), 1,
           "guest0 asks for its secret, and gets a nonce", "without having been attested")


@test
def credit_of_another_size_is_none_and_nothing_is_sent_without():
    expect(talk("frame(4, 1, b'\\xff\\xff\\xff')", "frame(3, 1, b'broker attest 1\\n')",
                "time.sleep(.5)", "COM2.setblocking(False)",
                "try:\n    raise SystemExit(f'sent: {COM2.recv(9)}')",
                "except BlockingIOError:\n    COM2.setblocking(True)",
                "credit(1, 7)", "assert hear(1, 7) == b'broker '",
                "credit(1, 6)", "assert hear(1, 6) == b'nonce '"), 1, "gets a nonce")


@test
def evidence_that_is_none_wins_nothing():
    r = talk("assert ask(1, 'attest 1').startswith('nonce ')",
             f"assert ask(1, 'key {KEY}') == 'ok'",
             "assert ask(1, 'evidence ' + 'A' * 1580) == 'ok'",
             f"answer = ask(1, 'get {PATH}')",
             "assert answer.startswith('refused 401 '), answer")
    expect(r, 1, "guest0 sends evidence", "guest0: FAILED: its evidence is refused: ")
    assert one(r)["verdict"] == "refused" and one(r)["secret_released"] is False
    assert one(r)["launched"] is None and one(r)["seconds"]["secret"] is None
    assert one(r)["emulated"] is None


@test
def a_second_line_before_the_answer_is_refused():
    expect(talk("frame(3, 1, b'broker attest 1\\nbroker attest 1\\n')", "credit(1, 1000)",
                "data = b''",
                "while data.count(b'\\n') < 2:\n    data += command()[2]",
                "assert sorted(l[7:12] for l in data.splitlines()) == [b'error', b'nonce'], data"),
           1, "without having been attested")


@test
def after_eight_errors_or_a_farewell_a_guest_may_begin_anew():
    expect(talk("assert ask(1, 'quit') == 'bye'", "time.sleep(.3)",
                "for i in range(8):\n    assert ask(1, 'what').startswith('error '), i",
                "time.sleep(.3)", "assert ask(1, 'attest 1').startswith('nonce ')"), 1,
           "gets a nonce")


@test
def noise_on_the_channel_reaches_no_broker():
    expect(talk("frame(3, 1, b'brokerattest 1\\nbroker\\n{\"event\":\"broker \"}\\n')",
                "for i in range(20): frame(3, 1, b'broker ' + b'x' * 4089)",
                "frame(3, 1, b'\\n')",
                "answer = ask(1, 'att\\0est 1')", "assert answer.startswith('error '), answer",
                "assert ask(1, 'attest 1').startswith('nonce ')"), 1, "gets a nonce")


@test
def a_guest_that_claims_a_volume_without_its_key_has_failed():
    r = talk("channel(1, event='volume', sha256='00')")
    expect(r, 1, "it claims to have opened a volume without the key")
    assert one(r)["volume_opened"] is False


@test
def a_plain_guest_finds_no_broker():
    expect(talk("assert ask(1, 'attest 1') == 'error there is no broker here'", options=()), 0)


@test
def a_plain_guest_beside_an_attested_one_finds_none_either():
    path = os.path.join(SCRATCH, "two.json")
    plain = {"cc": "none", "memory": "512M", "kernel": "k"}
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"images": {"k": os.path.abspath(KERNEL)},
                   "domains": {"guest0": plain, "guest1": {**plain, "cc": "sev-snp"}}}, f)
    r = play("start()\nassert ask(1, 'attest 1') == 'error there is no broker here'\n" + END,
             bundle=path)
    expect(r, 1, "guest1 predicted", "guest1: FAILED: ")
    assert one(r)["good"] is True and one(r)["emulated"] is None


@test
def a_channel_opened_anew_has_no_credit_left():
    expect(talk("credit(1, 1000)", "event('channel', id=1, open=True)",
                "frame(3, 1, b'broker attest 1\\n')", "time.sleep(.5)", "COM2.setblocking(False)",
                "try:\n    raise SystemExit(f'sent: {COM2.recv(9)}')",
                "except BlockingIOError:\n    COM2.setblocking(True)",
                "credit(1, 1)", "assert hear(1, 1) == b'b'"), 1, "gets a nonce")


@test
def what_cannot_be_tampered_with_is_said():
    expect(play(GOOD, *SNP, "--tamper", "nothing"), 2, "--tamper nothing: there is no such image")
    expect(play(GOOD, *SNP, "--tamper", "kernel@99999999"), 2, "the image has")
    expect(play(GOOD, *SNP, "--tamper", "kernel@-1"), 2, "the image has")
    expect(play(GOOD, *SNP, "--tamper", "kernel"), 1, "one bit of the bundle is changed now")


@test
def a_policy_that_is_none_is_an_error_before_the_boot():
    r = play(GOOD, *SNP, "--policy", "/nonexistent")
    expect(r, 2, "/nonexistent")
    assert "QEMU started" not in r.out


@test
def a_guest_that_asks_for_a_secret_of_its_own_is_left_as_it_is():
    with_volume = one(play(GOOD, *SNP))
    r = play(GOOD, *SNP, "--append", "cloister.secret=cloister/guest0/volume-key")
    expect(r, 1, "without having been attested")
    assert with_volume["volume_opened"] is False and one(r)["volume_opened"] is None
    assert with_volume["predicted"] != one(r)["predicted"]


@test
def a_relative_folder_for_temporary_files_will_do():
    with tempfile.TemporaryDirectory(dir="build") as where:
        os.environ["TMPDIR"] = os.path.relpath(where)
        description = {"images": {"k": os.path.abspath(KERNEL)}, "domains": {"guest0": {
            "cc": "sev-snp", "memory": "512M", "kernel": "k"}}}
        with open(os.path.join(where, "one.json"), "w", encoding="utf-8") as f:
            json.dump(description, f)
        r = play(GOOD, bundle=os.path.join(where, "one.json"))
        del os.environ["TMPDIR"]
    expect(r, 1, "without having been attested")
    assert len(one(r)["predicted"]) == 96


@test
def nothing_of_a_run_is_left_behind():
    with tempfile.TemporaryDirectory() as where:
        os.environ["TMPDIR"] = where
        r = play(GOOD, *SNP)
        left = os.listdir(where)
        del os.environ["TMPDIR"]
    expect(r, 1, "predicted")
    assert not left, left


if __name__ == "__main__":
    sys.exit(run_all("cloister-attest"))
