#!/usr/bin/env python3
"""The guest ABI's lists and what is made of them: headers alone in each language, bindings against
a recorded session, and released promises that somebody breaks."""
import copy
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(ROOT, "tools/abi")]
import bindings  # noqa: E402
import compare  # noqa: E402
import model  # noqa: E402
import problems  # noqa: E402
from sentences import Skip, run_all, test  # noqa: E402

os.chdir(ROOT)
ABI = model.load()
SESSION = os.path.join(ROOT, "tests/abi/session.txt")
FLAGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding", "-nostdinc"]


def run(command, **options):
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def headers():
    folder = os.path.join(ROOT, "include/abi")
    return sorted(n for n in os.listdir(folder) if n.endswith(".h"))


def builtin_headers(compiler):
    out = run([compiler, "-print-file-name=include"]).strip()
    return ["-isystem", out]


def compiles(compiler, *flags, names=None):
    for name in names or headers():
        if name in ("abi_asm.h", "abi_struct.h"):
            continue  # through abi.h alone
        run([compiler, *flags, *FLAGS, *builtin_headers(compiler),
             "-I", os.path.join(ROOT, "include"), "-fsyntax-only", "-"],
            input=f'#include "abi/{name}"\n#include "abi/{name}"\nextern int nothing;\n')


@test
def each_header_compiles_alone_as_c11_in_64_and_32_bits():
    for bits in ("-m64", "-m32"):
        compiles("gcc", "-x", "c", "-std=c11", bits)
        compiles("clang", "-x", "c", "-std=c11", bits)


@test
def each_header_compiles_alone_as_cpp17_in_64_and_32_bits():
    for bits in ("-m64", "-m32"):
        compiles("clang", "-x", "c++", "-std=c++17", bits)
    compiles("clang", "-x", "c++", "-std=c++17", "--target=aarch64-none-elf")


@test
def the_numbers_are_assembler_symbols():
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "a.o")
        source = ('#include "abi/abi.h"\n.globl x\n.set x, ABI_AT_console_out\n'
                  ".long ABI_CALL_EVENT_SEND, ABI_BUSY, ABI_MAX_PORTS, ABI_SIZE_time\n")
        run(["gcc", "-x", "assembler-with-cpp", "-I", os.path.join(ROOT, "include"),
             "-c", "-o", out, "-"], input=source)
        dump = run(["objdump", "-s", "-j", ".text", out])
        assert "08004c43 08000000 00010000 40000000" in dump, dump
        assert f"{1088:016x}" in run(["nm", out])


def sessions():
    """The recorded lines: name, arguments, status, values."""
    with open(SESSION, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].replace("=", "").split()
            if words:
                yield words[0], *(int(w, 16) for w in words[1:])


def numeric_session(path):
    base = next(c["value"] for c in ABI["constants"] if c["name"] == "ABI_CALL_BASE")
    numbers = {c["name"]: base + c["index"] for c in ABI["calls"]}
    with open(path, "w", encoding="utf-8") as out:
        for name, *rest in sessions():
            words = [f"{w:x}" for w in [numbers[name], *rest]]
            out.write(" ".join(words[:5]) + " = " + " ".join(words[5:]) + "\n")
    return path


def python_binding(scratch):
    path = os.path.join(scratch, "cloister_abi.py")
    with open(path, "w", encoding="utf-8") as out:
        out.write(bindings.python(ABI))
    spec = importlib.util.spec_from_file_location("cloister_abi", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_guest(binding):
    lines = list(sessions())

    def transport(number, args):
        name, *rest = lines.pop(0)
        assert number == getattr(binding, "CALL_" + name), name
        assert list(args) == rest[:4], (name, args)
        return rest[4], tuple(rest[5:])
    return binding.Guest(transport), lines


def refused(binding, status, call, *args):
    try:
        call(*args)
    except binding.AbiError as error:
        assert error.status == status, error
    else:
        raise AssertionError("it was not refused")


@test
def the_python_binding_plays_the_session():
    with tempfile.TemporaryDirectory() as scratch:
        b = python_binding(scratch)
    g, left = python_guest(b)
    assert g.abi_version()[0] == b.VERSION_1_0
    assert g.abi_query(b.QUERY_CALL, b.CALL_EVENT_SEND - b.CALL_BASE) == (1, 0x10000, 0)
    assert g.abi_query(b.QUERY_FEATURE, b.FEATURE_CONTROL)[0] == 0
    assert g.abi_query(b.QUERY_LIMIT, b.LIMIT_PORTS)[0] == b.MAX_PORTS
    refused(b, b.STATUS_BAD_ARG, g.abi_query, 9, 0)
    handle = g.buf_register(0x100000, 4096, 0)[0]
    refused(b, b.STATUS_EXISTS, g.buf_register, 0x100800, 4096, 0)
    assert g.buf_query(handle) == (0x100000, 4096, 0)
    refused(b, b.STATUS_BAD_STATE, g.event_open, b.SOURCE_SELF, 0, 0, 64)
    g.event_setup(handle, 0)
    port = g.event_open(b.SOURCE_SELF, 0, 0, 64)[0]
    g.event_send(port)
    assert g.event_mask(port, 1)[0] == 0
    assert g.event_mask(port, 0)[0] == 1
    refused(b, b.STATUS_BAD_ARG, g.event_send, 300)
    refused(b, b.STATUS_BUSY, g.buf_unregister, handle)
    g.event_close(port)
    g.event_setup(0, 0)
    g.buf_unregister(handle)
    refused(b, b.STATUS_NOT_FOUND, g.buf_query, handle)
    assert not left


@test
def the_rust_binding_plays_the_session():
    if shutil.which("rustc") is None:
        raise Skip("no rustc here")
    with tempfile.TemporaryDirectory() as scratch:
        with open(os.path.join(scratch, "abi.rs"), "w", encoding="utf-8") as out:
            out.write(bindings.rust(ABI).replace("#![no_std]\n", ""))  # a module of a hosted one
        shutil.copy(os.path.join(ROOT, "tests/abi/replay.rs"), scratch)
        run(["rustc", "--edition", "2021", "-o", "replay", "replay.rs"], cwd=scratch)
        run(["./replay", numeric_session(os.path.join(scratch, "session"))], cwd=scratch)


@test
def the_go_binding_plays_the_session():
    if shutil.which("go") is None:
        raise Skip("no go here")
    with tempfile.TemporaryDirectory() as scratch:
        os.makedirs(os.path.join(scratch, "abi"))
        for name, text in (("abi/abi.go", bindings.go(ABI)),
                           ("abi/go.mod", "module abi\n\ngo 1.18\n"),
                           ("go.mod", "module replay\n\ngo 1.18\n\nrequire abi v0.0.0\n\n"
                                      "replace abi => ./abi\n")):
            with open(os.path.join(scratch, name), "w", encoding="utf-8") as out:
                out.write(text)
        shutil.copy(os.path.join(ROOT, "tests/abi/replay.go"), scratch)
        quiet = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off",
                 "GOCACHE": os.path.join(scratch, "cache"), "HOME": scratch}
        run(["go", "build", "-o", "replay", "."], cwd=scratch, env=quiet)
        run(["./replay", numeric_session(os.path.join(scratch, "session"))], cwd=scratch)


def broken(change):
    changed = copy.deepcopy(ABI)
    change(changed)
    return list(compare.differences(ABI, changed))


def by_name(items, name):
    return next(i for i in items if i["name"] == name)


@test
def a_changed_promise_is_named():
    def number(abi):
        by_name(abi["calls"], "EVENT_SEND")["index"] = 40

    def size(abi):
        by_name(abi["structs"], "time")["size"] = 72

    def offset(abi):
        by_name(by_name(abi["structs"], "time")["fields"], "wall")["offset"] = 40

    def meaning(abi):
        by_name(abi["statuses"], "BUSY")["meaning"] = "never mind"

    def gone(abi):
        abi["features"].remove(by_name(abi["features"], "TIME"))

    def register(abi):
        by_name(by_name(abi["entries"], "PVH32")["registers"], "RAX")["value"] = 1

    def narrower(abi):
        by_name(abi["calls"], "EVENT_OPEN")["arguments"][3]["high"] = 255

    def argument(abi):
        by_name(abi["calls"], "EVENT_SEND")["arguments"].append({"name": "more", "meaning": ""})

    def limit(abi):
        by_name(abi["limits"], "PORTS")["value"] = 128
    for change, words in ((number, "calls EVENT_SEND.index was 8, is 40"),
                          (size, "structs time.size was 64, is 72"),
                          (offset, "structs time.fields wall.offset was 32, is 40"),
                          (meaning, "statuses BUSY.meaning was"),
                          (gone, "features TIME is gone"),
                          (register, "entries PVH32.registers RAX.value was 0, is 1"),
                          (narrower, "calls EVENT_OPEN.arguments vector.high was 1019, is 255"),
                          (argument, "calls EVENT_SEND.arguments were 1, are 2"),
                          (limit, "limits PORTS.value shrank from 256 to 128")):
        found = broken(change)
        assert len(found) == 1 and found[0].startswith(words), (words, found)


@test
def what_is_added_breaks_nothing():
    def more(abi):
        abi["calls"].append({**abi["calls"][0], "name": "NEW", "index": 19})
        by_name(abi["limits"], "PORTS")["value"] = 512
        abi["version"] += 1
    assert not broken(more)


@test
def the_dump_of_1_0_is_what_it_was_when_it_was_released():
    with open(os.path.join(ROOT, "tests/abi/v1.0.json"), encoding="utf-8") as f:
        assert json.load(f)["version"] == 0x10000


def header_of(version, program):
    """Compiles a program of one file with the header that a release's dump makes."""
    with tempfile.TemporaryDirectory() as scratch:
        os.makedirs(os.path.join(scratch, "abi"))
        run(["tools/abi/abi", "header", f"tests/abi/v{version}.json", scratch + "/abi/abi.h"])
        for bits in ("-m64", "-m32"):
            run(["gcc", "-x", "c", "-std=c11", bits, *FLAGS, *builtin_headers("gcc"), "-I", scratch,
                 "-fsyntax-only", "-"], input='#include "abi/abi.h"\n' + program)


@test
def the_header_of_a_release_is_made_of_its_dump():
    header_of("1.0", "int a[ABI_CONTROL_CREATE == 7 && ABI_NOT_BUILT == 13 ? 1 : -1];"
                     "int b[ABI_CALL_VM_CONTROL == 0x434c0012 && ABI_MAX_PORTS == 256 ? 1 : -1];"
                     "enum { ABI_CONTROL_BUILD, ABI_VERSION_1_1 };")
    header_of("1.1", "int a[ABI_CONTROL_BUILD == 12 && ABI_VERSION_1_1 == 0x10001 ? 1 : -1];"
                     "int b[sizeof(struct abi_request_slot) == 256 ? 1 : -1];"
                     "enum { ABI_CONTROL_FILL, ABI_VERSION_1_2 };")


@test
def a_program_of_an_old_release_is_built_with_its_header():
    for program, version in (("abi_control", "1.0"), ("abi_create", "1.1")):
        path = f"build/guest/obj/tests/guest/{program}.c.d"
        if not os.path.exists(path):
            raise Skip(f"{program} is not built")
        with open(path, encoding="utf-8") as f:
            used = f.read().split()
        assert f"build/abi/{version}/abi/abi.h" in used and "include/abi/abi.h" not in used, used


def with_list(name, text):
    """What the model says of the lists with one more row at the end of one."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(model.FOLDER, os.path.join(scratch, "abi"))
        with open(os.path.join(scratch, "abi", name), "a", encoding="utf-8") as out:
            out.write(text)
        real, model.FOLDER = model.FOLDER, os.path.join(scratch, "abi")
        try:
            model.load()
            return None
        except model.AbiError as error:
            return str(error)
        finally:
            model.FOLDER = real


@test
def lists_that_contradict_themselves_are_refused():
    for name, row, words in (
            ("call.def", 'ABI_CALL(TWICE, 8, CORE, 0, 0, "")\n', "TWICE has the index of"),
            ("call.def", 'ABI_CALL(NEW, 30, CORE, 1, 0, "")\n', "NEW: counts other arguments"),
            ("call.def", 'ABI_CALL(NEW, 30, GRANTS, 0, 0, "")\n', "NEW: no feature GRANTS"),
            ("struct.def", 'ABI_STRUCT(s, 8, "")\nABI_FIELD(s, uint32_t, a, 0, "")\n',
             "s: its fields end at 4, not 8"),
            ("struct.def", 'ABI_STRUCT(s, 8, "")\nABI_FIELD(s, uint32_t, a, 4, "")\n',
             "s.a: at 4, not 0")):
        found = with_list(name, row)
        assert found is not None and words in found, (row, found)


@test
def every_row_of_the_problems_names_tests_that_exist():
    rows = list(problems.rows())
    assert [r[0] for r in rows] == [str(n) for n in range(1, 16)]
    for _, problem, words, lacks in rows:
        assert words or lacks, problem
        assert not problems.verdict([w for w in words if problems.SENTENCE.fullmatch(w)],
                                    {}).startswith("FAILED"), problem


@test
def a_row_fails_with_its_job_or_when_its_test_is_gone():
    jobs = {"unit-core_abi": 0, "guest/run": 1}
    assert problems.verdict(["unit-core_abi"], jobs) == "passed"
    assert problems.verdict(["unit-core_abi", "guest/run"], jobs) == "FAILED: guest/run"
    assert problems.verdict(["unit-core_event"], jobs) == "not run: unit-core_event"
    assert "no test is called" in problems.verdict(["nobody_wrote_" + "this_test"], jobs)


sys.exit(run_all("tools_abi"))
