"""Tests as sentences: @test on a function, run_all() at the end; it closes like cu_main()."""
import atexit
import shutil
import signal
import sys
import tempfile
import traceback

TESTS = []


class Skip(Exception):
    """Raised by a test that cannot run here; its text says why."""


def test(function):
    TESTS.append(function)
    return function


def scratch_folder(name):
    """For this program's files: it goes when the program ends."""
    path = tempfile.mkdtemp(prefix=f"cloister-{name}-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def run_all(suite):
    """Runs every test, or those whose names contain an argument. Returns the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:  # by nohup, or a shell's &: not for ours
            signal.signal(number, signal.SIG_DFL)
    passed = failed = skipped = 0
    for function in TESTS:
        name = function.__name__
        if len(sys.argv) > 1 and not any(word in name for word in sys.argv[1:]):
            continue
        try:
            function()
            passed += 1
            print(f"  ok      {name}", flush=True)
        except Skip as why:
            skipped += 1
            print(f"  SKIPPED {name}: {why}", flush=True)
        except Exception:  # a test may fail in any way
            failed += 1
            print(f"  FAILED  {name}\n{traceback.format_exc()}", flush=True)
    print(f"{suite}: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed + skipped == 0 else 0
