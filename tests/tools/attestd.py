#!/usr/bin/env python3
"""attestd from outside: whatever is wrong with its files and its command line is named, with what
to do about it, and nothing that was there is lost."""
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from sentences import Skip, run_all, scratch_folder, test  # noqa: E402

ATTESTD = os.path.abspath("build/bin/attestd")
SCRATCH = scratch_folder("attestd")
NOBODY = 65534
COMMANDS = ("init", "serve", "line", "secret", "policy", "reference", "collateral", "admin-key")


def run(*words, as_nobody=False, given="", limit=60):
    program = ATTESTD
    if as_nobody:  # whom the way to the project's folder may be closed
        program = shutil.copy(ATTESTD, SCRATCH)
    return subprocess.run([program, *words], text=True, check=False, input=given, timeout=limit,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          user=NOBODY if as_nobody else None)


def store(name):
    """A folder with a new store; the options that name it."""
    folder = os.path.join(SCRATCH, name)
    os.mkdir(folder)
    files = ("--db", folder + "/db", "--key", folder + "/key")
    assert run("init", *files).returncode == 0
    return folder, files


def refused(done, *texts, status=2):
    assert done.returncode == status, (done.returncode, done.stdout)
    for text in texts:
        assert text in done.stdout, f"no '{text}' in: {done.stdout}"
    assert done.stdout.startswith("attestd") and done.stdout.count("\n") == 1, done.stdout
    assert "should not" not in done.stdout, done.stdout


def serve(*options):
    return run("serve", *options, limit=20)


@test
def a_store_that_is_not_there_or_no_store_is_named():
    folder, (_, db, _, key) = store("none")
    made = "attestd init"
    for path, text in ((folder + "/x", "No such file"), (folder + "/a/b", "No such file"),
                       (folder, "directory")):
        refused(run("secret", "list", "--db", path, "--key", key), path, made, text)
    for content, text in ((b"\x7fELF" * 2000, "not a database"), (b"", "an empty file")):
        with open(folder + "/y", "wb") as f:
            f.write(content)
        refused(run("policy", "list", "--db", folder + "/y", "--key", key), "/y", made, text)
    refused(run("init", "--db", folder + "/a/b", "--key", key), folder + "/a/b", "No such file")
    refused(run("init", "--db", ":memory:", "--key", key), "the path of a file", "':memory:'")
    with open(db, "r+b") as f:
        f.truncate(6000)
    refused(run("secret", "list", "--db", db, "--key", key), db, "from a backup", "malformed")


@test
def a_database_of_another_program_is_not_written_to():
    folder, (*_, key) = store("foreign")
    other = folder + "/other"
    with sqlite3.connect(other) as c:
        c.execute("CREATE TABLE theirs (x)")
    refused(run("init", "--db", other, "--key", key), other, "a database of another program")
    with sqlite3.connect(other) as c:
        assert c.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


@test
def a_store_of_a_newer_version_is_left_alone_and_one_from_before_versions_opens():
    _, files = store("newer")
    for version, good in ((7, False), (0, True), (1, True)):
        with sqlite3.connect(files[1]) as c:
            c.execute(f"PRAGMA user_version = {version}")
        done = run("init", *files)
        if good:
            assert done.returncode == 0 and run("secret", "list", *files).returncode == 0
        else:
            refused(done, files[1], "version 7", "a newer one")
            refused(run("secret", "list", *files), files[1], "version 7")


@test
def a_store_that_another_program_holds_is_waited_for_and_then_named():
    _, files = store("locked")
    other = sqlite3.connect(files[1], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused(run("secret", "put", "a/b/c", "--policy", "p", *files, given="x"), files[1],
            "another program holds it")
    other.execute("ROLLBACK")
    assert run("secret", "put", "a/b/c", "--policy", "p", *files, given="x").returncode == 0


@test
def a_store_that_may_not_be_written_is_named_with_its_folder():
    if os.getuid() != 0:
        raise Skip("only root can become another user")
    os.chmod(SCRATCH, 0o755)
    if os.stat("/").st_mode & 1 == 0:
        raise Skip("/ is closed to other users")
    folder, files = store("read-only")
    for path in (folder, *files[1::2]):
        os.chown(path, NOBODY, NOBODY)
    os.chmod(folder, 0o500)
    refused(run("secret", "list", *files, as_nobody=True), files[1], "folder writable by this user")
    refused(run("init", "--db", folder + "/new", *files[2:], as_nobody=True), folder + "/new",
            "folder that this user can write", "Permission denied")
    os.chown(files[3], 0, 0)
    refused(run("secret", "list", *files, as_nobody=True), files[3], "Permission denied")


@test
def a_full_disk_is_named_and_leaves_no_half_a_key():
    folder = os.path.join(SCRATCH, "full")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no small file system can be mounted here")
    try:
        files = ("--db", folder + "/db", "--key", folder + "/key")
        assert run("init", *files).returncode == 0
        with open(folder + "/ballast", "wb") as f:
            f.write(bytes(os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))
        refused(run("init", "--db", folder + "/db", "--key", folder + "/key2"), "/key2",
                "No space left")
        assert not os.path.exists(folder + "/key2")
        refused(run("init", "--db", folder + "/db2", *files[2:]), "/db2", "room on the disk")
        os.unlink(folder + "/ballast")
        assert run("init", "--db", folder + "/db2", *files[2:]).returncode == 0
        assert run("secret", "list", *files).returncode == 0
    finally:
        subprocess.run(["umount", folder], check=True)


@test
def a_key_file_that_is_none_or_open_or_another_is_named():
    folder, (_, db, _, key) = store("key")
    text = folder + "/text"
    with open(text, "w", encoding="utf-8") as f:
        f.write("abc\n")
    for mode, why in ((0o600, "64 hex digits"), (0o644, "0644")):
        os.chmod(text, mode)
        refused(run("secret", "list", "--db", db, "--key", text), text, why)
    refused(run("secret", "list", "--db", db, "--key", folder), folder, "a regular file")
    refused(run("init", "--db", folder + "/db2", "--key", folder + "/a/key"), "/a/key",
            "No such file")
    assert run("init", "--db", folder + "/db2", "--key", folder + "/key2").returncode == 0
    refused(run("secret", "list", "--db", db, "--key", folder + "/key2"), db, "began with",
            "another key")
    assert run("secret", "list", "--db", db, "--key", key).returncode == 0


@test
def an_address_that_is_none_or_in_use_is_named():
    _, files = store("address")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(serve(*files, "--listen", used), f"--listen {used}", "in use")
    for bad in ("127.0.0.1", "nonsense", "127.0.0.1:99999", "[::1]"):
        refused(serve(*files, "--listen", bad), f"--listen {bad}", "ADDRESS:PORT")


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout",
                    f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    return f"{folder}/{name}.pem", f"{folder}/{name}.key"


@test
def tls_files_that_do_not_fit_are_told_apart():
    folder, files = store("tls")
    one, one_key = certificate(folder, "one")
    _, other_key = certificate(folder, "two")
    for cert, key, name, why in ((folder + "/x", one_key, "--tls-cert", "No such file"),
                                 (one_key, one_key, "--tls-cert", "no start line"),
                                 (one, folder + "/x", "--tls-key", "No such file"),
                                 (one, one, "--tls-key", "PEM private key"),
                                 (one, other_key, "--tls-key", "key values mismatch")):
        refused(serve(*files, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key),
                name, cert if name == "--tls-cert" else key, why)
    refused(serve(*files, "--listen", "127.0.0.1:0", "--tls-cert", one), "go together")


@test
def a_line_socket_replaces_no_file_and_no_other_broker():
    folder, files = store("line")
    refused(serve(*files, "--line-socket", files[1]), files[1], "no socket")
    assert run("secret", "list", *files).returncode == 0
    refused(serve(*files, "--line-socket", folder + "/a/s"), "/a/s", "No such file")
    path = folder + "/s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
        left.listen()
        refused(serve(*files, "--line-socket", path), path, "another program serves it")
    with subprocess.Popen([ATTESTD, "serve", *files, "--line-socket", path], text=True,
                          stderr=subprocess.PIPE) as p:
        assert p.stderr.readline() == "attestd: serving line mode\n"
        p.terminate()
    assert not os.path.exists(path)


def audited(folder, files):
    """A broker with an audit log, and how to ask it for what it refuses."""
    p = subprocess.Popen([ATTESTD, "serve", *files, "--listen", "127.0.0.1:0", "--audit",
                          folder + "/audit"], text=True, stderr=subprocess.PIPE)
    where = ("127.0.0.1", int(p.stderr.readline().split("port ")[1]))

    def ask():
        with socket.create_connection(where, 5) as s:
            s.sendall(b"GET /kbs/v0/resource/a/b/c HTTP/1.1\r\n\r\n")
            return s.recv(12)
    return p, ask


def size(path):
    return os.path.getsize(path) if os.path.isfile(path) else 0


@test
def an_audit_log_that_is_moved_away_is_begun_anew_or_stays_in_use():
    folder, files = store("audit")
    log = folder + "/audit"
    p, ask = audited(folder, files)
    try:
        assert ask() == b"HTTP/1.1 401" and size(log) > 0
        os.rename(log, log + ".1")
        p.send_signal(signal.SIGHUP)
        while not os.path.exists(log):
            time.sleep(0.01)
        old = size(log + ".1")
        assert ask() == b"HTTP/1.1 401" and size(log) > 0 and size(log + ".1") == old
        os.rename(log, log + ".2")
        os.mkdir(log)
        p.send_signal(signal.SIGHUP)
        said = p.stderr.readline()
        assert f"--audit {log}: cannot be opened again" in said and "Is a directory" in said, said
        old = size(log + ".2")
        assert ask() == b"HTTP/1.1 401" and size(log + ".2") > old
    finally:
        p.terminate()
    assert p.wait() == 0 and p.stderr.read() == ""
    p.stderr.close()


@test
def as_many_files_may_be_open_as_connections_are_promised():
    _, files = store("files")
    limit = (resource.RLIMIT_NOFILE, (80, 256))
    words = [ATTESTD, "serve", *files, "--listen", "127.0.0.1:0", "--max-connections"]
    done = subprocess.run(words + ["200"], text=True, check=False, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=lambda: resource.setrlimit(*limit))
    refused(done, "--max-connections 200", "264", "256", "ulimit")
    with subprocess.Popen(words + ["110"], text=True, stderr=subprocess.PIPE,
                          preexec_fn=lambda: resource.setrlimit(*limit)) as p:
        where = ("127.0.0.1", int(p.stderr.readline().split("port ")[1]))
        held = [socket.create_connection(where, 5) for _ in range(110)]
        held[-1].sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert held[-1].recv(12) == b"HTTP/1.1 200"
        for one in held:
            one.close()
        p.terminate()


@test
def what_is_asked_for_and_not_there_is_a_no():
    folder, files = store("absent")
    for words in (("secret", "delete", "a/b/c"), ("policy", "show", "p"), ("policy", "delete", "p"),
                  ("collateral", "delete", "c"), ("reference", "show", "r")):
        refused(run(*words, *files), words[0], f": {words[2]}: ", "nothing by that name",
                f"`attestd {words[0]} list`", status=1)
    refused(run("admin-key", "delete", *files), "nothing by that name", status=1)
    for words in (("policy", "put", "p"), ("collateral", "put", "c"), ("admin-key", "put")):
        refused(run(*words, folder + "/x", *files), folder + "/x", "No such file")
    refused(run("secret", "put", "a/b", "--policy", "p", *files), "REPOSITORY/TYPE/TAG", "'a/b'")
    refused(run("secret", "put", "a/b/c", *files), "a/b/c", "--policy NAME")
    refused(run("secret", "put", "a/b/c", "--policy", "p/q", *files), "a/b/c", "'p/q'")
    refused(run("secret", "put", "a/b/c", "--policy", "p", *files, given="x" * ((1 << 20) + 1)),
            "standard input", "at most 1048576 bytes")
    refused(run("reference", "add", "", "x", *files), "reference value", "name", "''")
    with open("/dev/full", "w", encoding="ascii") as full:
        assert run("reference", "add", "r", "x", *files).returncode == 0
        done = subprocess.run([ATTESTD, "reference", "list", *files], stdout=full, text=True,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2 and "standard output" in done.stderr, done
    refused(run("reference", "add", "r", '["a"', *files), "reference value: r", "a JSON list")
    refused(run("policy", "put", "p", files[3], *files), "policy: p", "JSON", "line 1")


@test
def every_command_has_help_and_refuses_wrong_words_with_a_line():
    assert all(f"\n  {name} " in run("--help").stdout for name in COMMANDS)
    for name in COMMANDS:
        done = run(name, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: attestd {name}"), done
        refused(run(name, "--frob", "1"), f"attestd {name}: --frob", "--help lists them")
        refused(run(name, "--db"), f"attestd {name}: --db", "needs a value")
        refused(run(name, "--db", ""), f"attestd {name}: --db", "needs a value")
    refused(run("frob"), "frob: no such command")
    _, files = store("usage")
    refused(serve(*files), "--listen ADDRESS:PORT or --line-socket PATH")
    refused(serve(*files, "--listen", "127.0.0.1:0", "--timeout", "0"), "--timeout 0", "1 to 3600")
    refused(run("line", *files, "word"), "'word'")
    refused(run("line", *files, "--listen", "127.0.0.1:0"), "--listen is no option")


if __name__ == "__main__":
    sys.exit(run_all("attestd"))
