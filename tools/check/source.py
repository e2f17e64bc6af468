"""What the checks share: the source files, findings with file and line, one closing line."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOPS = ("arch", "attestation", "cc", "docs", "hv", "include", "tests", "tools", ".ci")
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes, under=TOPS):
    """Paths of the project's files with one of these endings, sorted; all files without any."""
    found = []
    for top in under:
        for folder, folders, names in os.walk(top):
            folders[:] = [f for f in folders if f not in ("__pycache__", ".git")]
            found += [os.path.join(folder, n) for n in names
                      if not suffixes or n.endswith(suffixes)]
    return sorted(found)


def text(path):
    with open(path, encoding="utf-8", errors="replace", newline="") as f:
        return f.read()


def without(source, comments=True, strings=True):
    """The same text with comments and strings blanked; lines keep their numbers."""
    def blank(match):
        piece = match.group(0)
        if piece[0] == "/" and not comments or piece[0] != "/" and not strings:
            return piece
        return re.sub(r"[^\n]", " ", piece)
    return COMMENT_OR_STRING.sub(blank, source)


def forbidden_names():
    """symbols.list as one regular expression for whole names."""
    lines = [line for line in text(os.path.join(HERE, "symbols.list")).splitlines()
             if line and not line.startswith("#")]
    return re.compile("|".join(f"(?:{line})" for line in lines))


class Check:
    """One check: looks at things, finds faults in some."""

    def __init__(self, name):
        self.name, self.looked, self.faulty, self.faults = name, 0, set(), 0

    def look(self):
        self.looked += 1

    def fault(self, path, line, what):
        self.faults += 1
        self.faulty.add(path)
        print(f"{path}:{line}: {what}")

    def end(self):
        """Prints the closing line and gives the exit status; looking at nothing is a failure."""
        failed = len(self.faulty)
        if self.looked == 0:
            print(f"check-{self.name}: there was nothing to look at")
            failed = 1
        passed = max(self.looked - failed, 0)
        print(f"check-{self.name}: {passed} passed, {failed} failed, 0 skipped")
        sys.exit(1 if failed else 0)
