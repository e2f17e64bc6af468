"""docs/abi-problems.md after a run: each row with what became of its proof."""
import os
import re
import subprocess

TABLE = "docs/abi-problems.md"
SENTENCE = re.compile(r"[a-z0-9]+(_[a-z0-9]+){3,}")


def rows():
    """(number, problem, words of the proof in backquotes, the part that is not built)."""
    with open(TABLE, encoding="utf-8") as text:
        for line in text:
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if len(cells) == 4 and cells[0].isdigit():
                proof, _, lacks = cells[3].partition("not built:")
                yield cells[0], cells[1], re.findall(r"`([^`]+)`", proof), lacks.strip()


def is_a_test(sentence):
    """Somewhere below tests/ there is a function of that name."""
    found = subprocess.run(["grep", "-rqE", rf"\b{sentence}\(", "tests"], check=False)
    return found.returncode == 0


def verdict(words, jobs):
    """"passed", or what is wrong; jobs: name -> number of failures, of those that ran."""
    for word in words:
        if SENTENCE.fullmatch(word):
            if not is_a_test(word):
                return f"FAILED: no test is called {word}"
        elif word in jobs and jobs[word] > 0:
            return f"FAILED: {word}"
    missing = [w for w in words if not SENTENCE.fullmatch(w) and w not in jobs]
    if missing:
        return "not run: " + ", ".join(missing)
    return "passed" if words else "not built"


def show(jobs):
    """Prints the table; how many rows failed."""
    failed = 0
    print("The problems of docs/abi-problems.md:")
    for number, problem, words, lacks in rows():
        found = verdict(words, jobs)
        failed += found.startswith("FAILED")
        if lacks:
            found = f"{found}; not built: {lacks}" if words else f"not built: {lacks}"
        print(f"  {number:>2} {problem[:60]:60} {found}")
    return failed


if not os.path.exists(TABLE):
    raise SystemExit(f"{TABLE} is missing")
