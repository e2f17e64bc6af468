"""Programs that are measured: what they say, what CPU time they take, and that none is left."""
import contextlib
import os
import subprocess
import tempfile
import threading

LIMIT_SECONDS = 600


def _end(child):
    """As one ends it by hand: a program that is told to end tidies up."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(10)
    child.kill()
    child.wait()


def run_to_end(words):
    """(exit status, output, CPU seconds); one that does not end is killed."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT)
        timer = threading.Timer(LIMIT_SECONDS, child.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        except BaseException: # this program is told to end
            _end(child)
            raise
        finally:
            timer.cancel()
        out.seek(0)
        return child.returncode, out.read(), usage.ru_utime + usage.ru_stime
