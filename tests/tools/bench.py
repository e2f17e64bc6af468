#!/usr/bin/env python3
"""What `make bench` borrows of the machine, it gives back: memory, and the programs it started."""
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../bench")]
import memory  # noqa: E402
import process  # noqa: E402
from sentences import run_all, scratch_folder, test  # noqa: E402

SCRATCH = scratch_folder("bench")
BENCH = os.path.join(HERE, "../bench/run.py")


def pool(pages, free, promised=0):
    """A pool as the kernel shows it, of a machine with 8 GiB that are free."""
    memory.POOL = SCRATCH + "/"
    memory._available_mib = lambda: 8192
    memory._touch = lambda mib: None
    for name, value in (("nr", pages), ("free", free), ("resv", promised)):
        with open(f"{SCRATCH}/{name}_hugepages", "w", encoding="ascii") as f:
            f.write(str(value))


def pages():
    return memory._count("nr_hugepages")


@test
def the_pool_grows_by_what_it_lacks_and_shrinks_again():
    for there, free, promised, grown in ((0, 0, 0, 50), (70, 30, 0, 20), (70, 30, 10, 30),
                                         (200, 120, 0, 0)):
        pool(there, free, promised)
        with memory.at_hand(100):
            assert pages() == there + grown, pages()
            assert memory.qemu_words(100) and not memory.qemu_words(102)
            memory._grow(7)  # what others took meanwhile stays theirs
        assert pages() == there + 7 and not memory.qemu_words(2), pages()


@test
def a_machine_that_cannot_spare_it_is_left_alone():
    pool(0, 0)
    memory._available_mib = lambda: 1100
    with memory.at_hand(100):
        assert pages() == 0 and not memory.qemu_words(2)
    memory.POOL = SCRATCH + "/none/"  # no huge pages
    with memory.at_hand(100):
        assert not memory.qemu_words(2)
    pool(0, 0)
    memory._grow, grow = lambda n: grow(min(n, 20)), memory._grow  # as the kernel does
    try:
        with memory.at_hand(100):
            assert pages() == 0 and not memory.qemu_words(2)
    finally:
        memory._grow = grow


@test
def memory_goes_back_whatever_ends_the_bench():
    def told_to_end(*_):
        raise SystemExit(1)

    for end in (SystemExit, KeyboardInterrupt):
        for when in ("touched", "used"):
            pool(3, 3)
            memory._touch = told_to_end if when == "touched" else memory._touch
            try:
                with memory.at_hand(100):
                    assert when == "used"
                    raise end
            except (SystemExit, KeyboardInterrupt):
                pass
            assert pages() == 3 and not memory.qemu_words(2), (end, when)


@test
def a_program_that_is_measured_does_not_outlive_the_bench():
    def told_to_end(*_):
        raise SystemExit(1)

    signal.signal(signal.SIGALRM, told_to_end)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    began = time.monotonic()
    try:
        process.run_to_end(["sh", "-c", f"trap 'touch {SCRATCH}/tidy; exit' TERM; "
                            f"echo $$ > {SCRATCH}/pid; while :; do sleep 0.1; done"])
        raise AssertionError("it ended by itself")
    except SystemExit:
        assert time.monotonic() - began < 9
    with open(SCRATCH + "/pid", encoding="ascii") as f:
        assert not os.path.exists(f"/proc/{f.read().strip()}")
    assert os.path.exists(SCRATCH + "/tidy")


@test
def what_a_program_says_and_how_it_ends_is_told():
    assert process.run_to_end(["sh", "-c", "echo a; echo b >&2; exit 3"])[:2] == (3, "a\nb\n")
    process.LIMIT_SECONDS = 0.2
    assert process.run_to_end(["sleep", "60"])[0] == -signal.SIGKILL


@test
def a_bench_that_could_not_be_counted_or_kept_is_not_begun():
    for words in (("--pairs", "0"), ("--json", "/nonexistent/x"), ("--json", SCRATCH)):
        done = subprocess.run([BENCH, *words], text=True, check=False, timeout=20,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 2 and words[0] in done.stdout, done.stdout


if __name__ == "__main__":
    sys.exit(run_all("bench"))
