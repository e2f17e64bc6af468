#!/usr/bin/env python3
"""cloister run against a machine that plays scenarios: what it says of each, and how it exits."""
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from play import CLOISTER, GOOD, expect, play  # noqa: E402
from sentences import run_all, test  # noqa: E402


@test
def a_guest_that_reaches_userspace_and_powers_off_is_a_success():
    r = play(GOOD)
    expect(r, 0, "guest0: userspace after", "hypervisor 0.1 up: 2 CPUs, 1024 MiB")
    guest = r.json["guests"][0]
    assert guest["cc"] == "none" and guest["userspace"] is True
    for key in ("predicted", "launched", "verdict", "secret_released"):
        assert guest[key] is None, key
    assert 0 < guest["seconds"]["userspace"] <= guest["seconds"]["ended"]
    assert guest["cpu_seconds"] is None or guest["cpu_seconds"] >= 0
    assert r.json["exit"] == 0 and r.json["cpu_seconds"]["user"] > 0


@test
def userspace_is_also_seen_on_the_console_alone():
    expect(play("start()\ncom1('guest0| CLOISTER: userspace: Linux\\r\\n')\ntime.sleep(.3)\n"
                "end(1)\nidle()\n"), 0)


@test
def a_guest_that_never_reached_userspace_fails():
    expect(play("start()\nend(1)\nidle()\n"), 1, "without reaching userspace")


@test
def a_kernel_panic_is_named_with_its_text():
    r = play("start()\ncom1('guest0| [  1.0] Kernel panic - not syncing: VFS: no root\\n')\n"
             "time.sleep(.3)\nend(1, 'reboot', detail='reset port')\nidle()\n")
    expect(r, 1, "guest0: FAILED: its kernel panicked: VFS: no root")
    assert r.json["guests"][0]["cause"] == "reboot"


@test
def a_panicked_guest_that_stays_is_destroyed():
    expect(play("start()\ncom1('guest0| Kernel panic - not syncing: stuck\\n')\n"
                "assert command() == (5, 1, b'destroy')\nend(1, 'destroyed')\nidle()\n"), 1,
           "its kernel panicked: stuck", "guest0 ended: destroyed")


@test
def a_triple_fault_is_a_failure_with_its_cause():
    expect(play("start()\nend(1, 'triple-fault', detail='vCPU 0 at 0x1000')\nidle()\n"), 1,
           "it ended by triple-fault: vCPU 0 at 0x1000")


@test
def a_guest_that_hangs_is_named_when_time_is_up():
    begin = time.monotonic()
    r = play("start()\nuserspace(1)\ntime.sleep(50)\n", "--timeout", "2")
    expect(r, 1, "it had not ended after 2 s, though it reached userspace")
    assert time.monotonic() - begin < 15


@test
def a_machine_that_ignores_the_request_to_end_is_killed():
    expect(play("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nstart()\n"
                "time.sleep(50)\n", "--timeout", "1"), 1, "had not ended after 1 s")


@test
def a_hypervisor_panic_is_the_machines_failure_and_shows_its_last_lines():
    expect(play("start()\nevent('panic', detail='page 7 has no owner')\n"
                "com1('[    1.000000] cpu0 error: backtrace here\\n')\ntime.sleep(50)\n"), 3,
           "the hypervisor stopped: page 7 has no owner", "backtrace here")


@test
def a_qemu_that_dies_is_reported_with_its_words():
    expect(play("sys.stderr.write('no such device\\n')\nsys.exit(1)\n"), 3, "qemu: no such device",
           "QEMU ended before the hypervisor was done (exit status 1)")
    expect(play("os.kill(os.getpid(), 9)\n"), 3, "was done (signal 9)")


@test
def a_qemu_that_does_not_start_is_reported():
    expect(play(GOOD, "--qemu", "/nonexistent/qemu"), 3,
           "/nonexistent/qemu: cannot be read: No such file")
    expect(play(GOOD, "--qemu", "/etc/passwd"), 3, "cannot run /etc/passwd")


@test
def lost_pages_fail_the_run():
    expect(play("start()\nuserspace(1)\nend(1)\nidle(leaked=3)\n"), 3, "lost 3 pages")


@test
def a_guest_that_was_not_created_fails_by_name():
    expect(play("start(1)\nuserspace(1)\nend(1)\nevent('error', detail='guest1: no memory')\n"
                "idle()\n", "--count", "2"), 1, "guest1: FAILED: it was never created",
           "hypervisor error: guest1: no memory", "guest0: userspace after")


@test
def a_guest_that_was_not_started_fails_with_the_hypervisors_reason():
    refused = "[    0.294422] cpu0 error: guest1: kernel: no kernel\\n"
    later = "[    0.294423] cpu0 error: guest1: something else\\n"
    r = play(f"start(1)\nstate(2, 'created')\ncom1('{refused}{later}')\nstate(2, 'gone', free=1)\n"
             f"com1('[    0.3] cpu0 error: guest0: is late\\n[    0.3] cpu0 error: gu')\n"
             "userspace(1)\nend(1)\nidle()\n", "--count", "2")
    expect(r, 1, "guest1: FAILED: it was not started: kernel: no kernel", "guest0: userspace after")
    forged = "guest0| [ 0.2] cpu0 error: guest1: forged\\n"
    expect(play(f"start(1)\ncom1('{forged}')\nuserspace(1)\nend(1)\nidle()\n", "--count", "2"),
           1, "guest1: FAILED: it was never created")


@test
def one_guest_is_killed_while_the_other_finishes():
    r = play("start(2)\nuserspace(1)\nuserspace(2)\nassert command() == (5, 2, b'destroy')\n"
             "end(2, 'destroyed')\nend(1)\nidle()\n", "--count", "2", "--kill", "guest1@userspace")
    expect(r, 0, "guest1: destroyed as asked")
    assert [g["cause"] for g in r.json["guests"]] == ["power-off", "destroyed"]


@test
def a_kill_waits_for_its_second():
    r = play("start(1)\nassert command() == (5, 1, b'destroy')\nend(1, 'destroyed')\nidle()\n",
             "--kill", "guest0@1")
    expect(r, 0)
    assert r.json["guests"][0]["seconds"]["ended"] >= 1.0


@test
def a_kill_waits_for_userspace_and_for_a_restart():
    r = play("start(1)\nuserspace(1)\nassert command() == (5, 1, b'destroy')\n"
             "end(1, 'destroyed')\nidle()\n", "--kill", "guest0@userspace+1")
    expect(r, 0)
    seconds = r.json["guests"][0]["seconds"]
    assert seconds["ended"] - seconds["userspace"] >= 1.0
    expect(play("start(1)\nuserspace(1)\ntime.sleep(.5)\nuserspace(1)\n"
                "assert command() == (5, 1, b'destroy')\nend(1, 'destroyed')\nidle()\n",
                "--kill", "guest0@restart"), 0, "guest0 reached userspace again")


@test
def a_guest_that_powers_off_before_it_is_killed_fails():
    expect(play(GOOD, "--kill", "guest0@15"), 1, "powered off before it was to be killed")


@test
def wrong_kills_are_refused():
    for kill in ("guest0", "guest0@", "guest0@x", "@3", "guest0@-1", "GUEST@3", "guest0@userspace+",
                 "guest0@userspace3", "guest0@restart+x", "guest0@99999999"):
        expect(play(GOOD, "--kill", kill), 2, "must be GUEST@SECONDS")
    expect(play(GOOD, "--kill", "guest7@3"), 2, "there is no such guest")


@test
def a_failed_check_of_the_agent_fails_the_guest():
    expect(play("start()\nuserspace(1)\nchannel(1, event='failed', detail='no rng')\nend(1)\n"
                "idle()\n"), 1, "its agent reports: no rng")


@test
def a_guest_with_other_cpus_than_asked_for_fails():
    expect(play("start()\nuserspace(1, cpus=3)\nend(1)\nidle()\n", "--vcpus", "4"), 1,
           "it runs on 3 CPUs, 4 were asked for")


@test
def a_guest_with_other_memory_than_asked_for_fails():
    expect(play("start()\nuserspace(1, memory=100)\nend(1)\nidle()\n"), 1,
           "it sees 100 bytes of memory")


@test
def noise_on_the_link_is_skipped_and_counted():
    r = play("start()\nraw(b'CLCL\\x00\\xff' * 50 + bytes(range(256)) * 40)\nraw(b'C')\n"
             "raw(b'CL\\x01\\x01aaaaCL\\x09\\x00aaaa')\nuserspace(1)\nend(1)\nidle()\n")
    expect(r, 0)
    assert r.json["link_bytes_dropped"] > 10000


@test
def frames_cut_at_every_byte_arrive_whole():
    expect(play("pieces = []\nraw = pieces.append\nstart()\nuserspace(1)\nend(1)\n"
                "event('idle', free=1, leaked=0)\n"
                "for byte in b''.join(pieces):\n    COM2.sendall(bytes([byte]))\n"
                "time.sleep(30)\n"), 0)


@test
def bad_json_from_hypervisor_and_guest_changes_nothing():
    expect(play("start()\nframe(1, 0, b'{\"event\":')\nframe(1, 0, b'[]')\n"
                "frame(1, 0, b'{\"event\":\"domain\",\"id\":99999,\"name\":\"x\"}')\n"
                "frame(1, 0, b'{\"event\":\"domain\",\"id\":5,\"name\":\"BAD NAME\"}')\n"
                "frame(3, 1, b'\\xff\\xfe\\n{{{\\n[]\\n' + b'x' * 4000)\nframe(3, 1, b'y' * 4096)\n"
                "frame(3, 1, b'\\n')\nframe(3, 77, b'to nobody\\n')\nuserspace(1)\nend(1)\n"
                "idle()\n"), 0, "is no JSON object", "names no guest")


@test
def a_guest_cannot_reach_the_terminal_with_controls():
    r = play("start()\ncom1(b'guest0| \\x1b[2J\\x07\\x00\\xff end\\n')\n"
             "com1(b'guest0| \\x1b[0;31mred\\x1b[6n \\x1b[3\\xff\\x1b]x\\x1b[7\\n')\n"
             "userspace(1)\nend(1)\nidle()\n")
    expect(r, 0, "guest0| \\x07\\x00\\xff end", "guest0| red \\x1b[3\\xff\\x1b]x\\x1b[7")
    assert "\x1b" not in r.out


@test
def a_guest_cannot_speak_for_another():
    expect(play("start(2)\ncom1('guest0| guest1| CLOISTER: userspace\\n')\ntime.sleep(.3)\n"
                "userspace(1)\nend(1)\nend(2)\nidle()\n", "--count", "2"), 1,
           "guest1: FAILED: it powered off without reaching userspace")


@test
def an_endless_line_is_cut_and_the_run_goes_on():
    expect(play("start()\nfor i in range(100): com1('x' * 5000)\nuserspace(1)\nend(1)\nidle()\n"),
           0)


@test
def at_a_terminal_what_is_typed_reaches_a_guest_from_its_start():
    terminal, stdin = pty.openpty()
    os.write(terminal, b"reset\n")
    r = play("start()\nassert command() == (2, 1, b'reset\\r')\nuserspace(1)\nend(1)\nidle()\n",
             "--interactive", stdin=stdin)
    os.close(stdin)
    os.close(terminal)
    expect(r, 0)


@test
def what_a_pipe_holds_waits_for_userspace():
    out, into = os.pipe()
    os.write(into, b"reset\n")
    os.close(into)
    r = play("start()\nCOM2.settimeout(0.5)\ntry:\n    raise SystemExit(command())\n"
             "except TimeoutError:\n    COM2.setblocking(True)\nuserspace(1)\n"
             "assert command() == (2, 1, b'reset\\n')\nend(1)\nidle()\n", "--interactive",
             stdin=out)
    os.close(out)
    expect(r, 0)


@test
def contradictory_options_are_refused():
    expect(play(GOOD, "--bundle", "x.dtb"), 2, "exclude each other")
    expect(play(GOOD, "--firmware", "ovmf"), 2, "goes with --iso")
    arm = ("--arch", "aarch64")
    expect(play(GOOD, *arm, "--firmware", "ovmf"), 2, "--firmware ovmf: must be uefi")
    expect(play(GOOD, "--cc", "cca", "--no-attest", "--firmware", "uefi"), 2,
           "a machine with realms has firmware of its own")
    for options, text in ((("--cc", "tdx", *arm), "--cc tdx: such guests are x86_64"),
                          (("--cc", "sev-snp", *arm), "--cc sev-snp: such guests are x86_64"),
                          (("--cc", "cca", "--arch", "x86_64"), "--cc cca: realms are aarch64"),
                          (("--arch", "arm"), "--arch arm: must be"),
                          (("--abi", "xen", *arm), "--abi xen: such guests are x86_64"),
                          (("--abi", "2.0"), "--abi 2.0: must be 1.0, 1.1, 1.2 or xen"),
                          (("--abi", "xen", "--guest", "hvm"), "--guest hvm: must be pvh or pv64"),
                          (("--guest", "pv64"), "--guest goes with --abi xen"),
                          (("--abi", "xen", "--guest", "pv64", "--network", "x"), "neither disks"),
                          (("--policy", "/dev/null"), "--policy: no guest of this run is attested"),
                          (("--memory", "3"), "must be a size"), (("-x",), "is not an option")):
        expect(play("sys.exit('QEMU was started')\n", *options), 2, text)
    expect(play(GOOD, "--memory", "3000001"), 2, "memory", "multiple of")
    expect(play(GOOD, "--vcpus", "0"), 2, "must be a number")
    expect(play(GOOD, "--cc", "sgx"), 2, "cc", "none|sev-snp|tdx|cca")
    expect(play(GOOD, "--colour"), 2, "is not an option")
    expect(play(GOOD, "--vcpus"), 2, "needs its N")
    expect(play(GOOD, "--kernel", "/nonexistent"), 2, "/nonexistent")
    expect(play(GOOD, "--image", "/nonexistent"), 3, "cannot be read")


def left_behind(scenario, **keywords):
    """What a run that is interrupted leaves in the folder of temporary files."""
    with tempfile.TemporaryDirectory() as where:
        os.environ["TMPDIR"] = where
        r = play(scenario, **keywords)
        del os.environ["TMPDIR"]
        expect(r, 3, "interrupted")
        return r, os.listdir(where)


@test
def an_interrupted_run_leaves_nothing_behind():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        _, left = left_behind(f"start()\nos.kill(os.getppid(), {int(number)})\ntime.sleep(20)\n")
        assert not left, left


@test
def a_run_that_is_interrupted_before_the_boot_does_not_boot():
    with tempfile.TemporaryDirectory() as where:
        source = os.path.join(where, "a.dts")
        compiler = os.path.join(where, "dtc")
        subprocess.run([CLOISTER, "bundle", "make", "--kernel", __file__, "--ramdisk", "",
                        "--output", source + ".dtb"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", source, source + ".dtb"],
                       check=True)
        with open(compiler, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\nkill -TERM $PPID\nexec {shutil.which("dtc")} "$@"\n')
        os.chmod(compiler, 0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{where}:{path}"
        r, left = left_behind("sys.exit('QEMU was started')\n", bundle=source)
        os.environ["PATH"] = path
    assert "QEMU" not in r.out and not left, (r.out, left)


@test
def a_report_that_cannot_be_written_is_an_error():
    for option in ("--json", "--log"):
        r = play("sys.exit('QEMU was started')\n", option, "/nonexistent/report")
        expect(r, 3, "/nonexistent/report: cannot be written")
        assert "QEMU" not in r.out, r.out


@test
def what_cannot_be_written_is_an_error_of_the_surroundings_and_so_is_an_answer_nobody_gets():
    r = play(GOOD, "--log", "/dev/full")
    expect(r, 3, "--log /dev/full: could not be written to its end")
    old, os.environ["TMPDIR"] = os.environ.get("TMPDIR"), "/nonexistent"
    try:
        expect(play("sys.exit('QEMU was started')\n"), 3, "/nonexistent/", "cannot be made")
    finally:
        os.environ.pop("TMPDIR")
        os.environ.update({"TMPDIR": old} if old else {})
    for words in (["--version"], ["--help"], ["run", "--help"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([CLOISTER, *words], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        assert done.returncode == 3 and "standard output" in done.stderr, (words, done)


if __name__ == "__main__":
    sys.exit(run_all("cloister-run"))
