"""cloister run against a machine that plays scenarios (fake_qemu): what it said, how it exited."""
import json
import os
import subprocess

from sentences import scratch_folder

CLOISTER = "build/bin/cloister"
SCRATCH = scratch_folder("play")
GOOD = "start()\nuserspace(1)\nend(1)\nidle()\n"


class Result:
    def __init__(self, status, out, report):
        self.status, self.out, self.json = status, out, report


def play(scenario, *options, bundle=None, stdin=None):
    paths = {n: os.path.join(SCRATCH, n) for n in ("scenario", "kernel", "image", "report")}
    for name in ("kernel", "image"):
        with open(paths[name], "wb") as f:
            f.write(b"not looked at")
    with open(paths["scenario"], "w", encoding="utf-8") as f:
        f.write(scenario)
    if os.path.exists(paths["report"]):
        os.unlink(paths["report"])
    what = ["--bundle", bundle] if bundle else ["--kernel", paths["kernel"], "--ramdisk", ""]
    done = subprocess.run(
        [CLOISTER, "run", "--qemu", "tests/lib/fake_qemu", "--qemu-arg", "-scenario", "--qemu-arg",
         paths["scenario"], "--image", paths["image"], *what, "--timeout", "20", "--json",
         paths["report"], *options],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=60, check=False)
    report = None
    if os.path.exists(paths["report"]):
        with open(paths["report"], encoding="utf-8") as f:
            report = json.load(f)
    return Result(done.returncode, done.stdout, report)


def expect(result, status, *texts):
    assert result.status == status, f"exit {result.status}, not {status}:\n{result.out}"
    for text in texts:
        assert text in result.out, f"no '{text}' in:\n{result.out}"
