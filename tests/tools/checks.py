#!/usr/bin/env python3
"""The checks of tools/check against trees with one planted fault each: every rule must bite."""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from sentences import run_all, test  # noqa: E402

CHECKS = os.path.abspath(os.path.join(HERE, "../../tools/check"))
GOOD = {"Makefile": "all:\n", "README.md": "A.\n", "hv/core/a.c": "int a;\n"}


def run(check, tree, *arguments):
    with tempfile.TemporaryDirectory() as root:
        for path, content in {**GOOD, **tree}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(content)
        done = subprocess.run([os.path.join(CHECKS, check), *arguments], cwd=root, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout


def caught(check, path, content, *texts):
    status, out = run(check, {path: content})
    assert status == 1, f"not caught in {path}: {content}\n{out}"
    for text in (path + ":", *texts):
        assert text in out, f"no '{text}' in:\n{out}"


def passes(check, path, content):
    status, out = run(check, {path: content})
    assert status == 0, f"{path}: {content}\n{out}"


@test
def each_of_the_eight_dependency_rules_bites():
    caught("depend", "include/abi/x.h", "#include <stdio.h>\n", "rule 1")
    caught("depend", "hv/core/x.c", "#include <stdlib.h>\n", "rule 2")
    caught("depend", "hv/dev/x.c", '#include "arch_impl/y.h"\n', "rule 2")
    caught("depend", "hv/dev/x.c", '\n#  include "cc/snp/y.h"\n', "x.c:2:", "rule 2")
    caught("depend", "hv/dev/x.c", '#include "arch/private.h"\n', "rule 2")
    caught("depend", "arch/x86_64/x.c", '#include "arch/aarch64/y.h"\n', "rule 3")
    caught("depend", "arch/common/x.c", '#include "virt/svm.h"\n', "rule 3")
    caught("depend", "arch/common/x.c", '#include "arch_impl/cpu.h"\n', "rule 3")
    caught("depend", "arch/common/x.c", "#include <string.h>\n", "rule 3")
    caught("depend", "arch/common/x.c", "int amd_cpu;\n", "rule 3")
    caught("depend", "cc/snp/x.c", '#include "tdx/tdx.h"\n', "rule 4")
    caught("depend", "cc/snp/x.c", 'void f(void) { __asm__("nop"); }\n', "rule 4")
    caught("depend", "cc/emu/x.c", '#include "hv/page.h"\n', "rule 5")
    caught("depend", "tools/x.c", '#include "hv/page.h"\n', "rule 6")
    caught("depend", "attestation/x.c", '#include "../cc/snp/y.h"\n', "rule 6")
    caught("depend", "hv/core/x.c", "int svm_on;\n", "rule 7")
    caught("depend", "hv/core/x.c", 'const char *a = "x86";\n', "rule 7")
    caught("depend", "hv/core/x.c", "void answer_psci(void);\n", "rule 7")
    caught("depend", "hv/core/x.c", "int realm_of(void);\n", "rule 7")
    caught("depend", "hv/domain/x.c", "int linux_arm64_is;\n", "rule 7")
    caught("depend", "hv/dev/x.c", "int psci_on(void);\n", "rule 7")
    caught("depend", "tools/x.c", '#include "tests/lib/cu.h"\n', "rule 8")


@test
def what_the_rules_allow_passes():
    passes("depend", "hv/core/x.c", "/* SVM and x86 may be named in a comment */\n")
    passes("depend", "cc/snp/snp_hw_x86_64.c", 'void f(void) { __asm__("nop"); }\n')
    passes("depend", "hv/dev/x.c", "#include <stdint.h>\n// #include <stdio.h>\n")
    passes("depend", "arch/common/x.c", '#include "hv/cpu.h"\n#include <stdarg.h>\n')


@test
def white_space_and_length_faults_are_named_with_their_line():
    caught("format", "hv/x.c", "int a;\nint b; \n", ":2: ends in white space")
    caught("format", "hv/x.c", "\tint a;\n", ":1: has a tab")
    caught("format", "hv/x.c", "int a;\r\n", "carriage return")
    caught("format", "hv/x.c", "int a;", "does not end in a newline")
    caught("format", "hv/x.c", "int " + "a" * 100 + ";\n", "105 columns")
    caught("format", "hv/x.c", "int a;\n" * 501, "has 501 lines, over 500")
    caught("format", "tools/x", "#!/bin/sh\n" + "true\n" * 500, "has 501 lines, over 500")
    passes("format", "hv/x.c", "int a;\n" * 500)


def function(lines):
    return "static int long_one(int a)\n{\n" + "    a++;\n" * lines + "}\n"


@test
def a_function_over_a_screen_is_named():
    short = "int s(void)\n{\n}\n" * 20
    caught("format", "hv/x.c", short + function(61), ":62: long_one has 61 lines, over 60")
    passes("format", "hv/x.c", short + function(60))


@test
def functions_that_are_long_on_the_whole_are_a_fault():
    status, out = run("format", {"hv/x.c": function(20) * 9})
    assert status == 1 and "median over 15" in out, out


@test
def names_of_emulation_stay_below_the_silicon_line():
    caught("silicon", "hv/core/x.c", "void emu_snp_fail(void);\n", "emulation")
    caught("silicon", "cc/snp/snp.c", '#include "emu/snp.h"\n', "emulation")
    caught("silicon", "arch/x86_64/x.c", "int f(int emulated)\n{\n if (emulated) {}\n}\n", ":3:")
    passes("silicon", "cc/emu/snp.c", "void emu_snp_fail(void);\n")


@test
def decoders_and_walkers_are_found_by_their_names():
    for name in ("x86_emulate_insn", "decode_instruction", "guest_pt_walk", "walk_guest_tables",
                 "gva_to_gpa", "insn_decode_init", "get_modrm_byte"):
        caught("silicon", "hv/core/x.c", f"int {name}(void);\n", name)
    passes("silicon", "hv/xenpv/x.c", "bool xenpv_guest_pt_walk(void);\n")
    passes("silicon", "hv/core/x.c", "/* there is no guest_pt_walk here */\nint pt_walk;\n")


@test
def product_code_does_not_know_that_it_is_tested():
    caught("silicon", "hv/core/x.c", "#ifdef UNIT_TEST\n#endif\n", "UNIT_TEST")


def image(source, name="image"):
    with tempfile.TemporaryDirectory() as root:
        path = os.path.join(root, name)
        many = "".join(f"int filler{i};\n" for i in range(120))
        subprocess.run(["gcc", "-x", "c", "-nostdlib", "-static", "-Wl,-e0", "-o", path, "-"],
                       input=many + source, text=True, check=True)
        return run("symbols", {}, path)


@test
def the_symbol_check_reads_the_image():
    assert image("void _start(void) {}\n")[0] == 0
    status, out = image("void guest_va_to_gpa(void) {}\n")
    assert status == 1 and "guest_va_to_gpa" in out, out
    status, out = image("void xenpv_call(void) {}\n")
    assert status == 1 and "does not belong" in out, out
    walker = "void xenpv_call(void) {}\nvoid xenpv_guest_pt_walk(void) {}\n"
    assert image(walker, "xen1.elf")[0] == 0
    assert image(walker)[0] == 1
    status, out = image(walker + "void other_guest_pt_walk(void) {}\n", "xen1.elf")
    assert status == 1 and "other_guest_pt_walk" in out, out
    status, out = image("void xenpv_call(void) {}\n", "xen1.elf")
    assert status == 1 and "has no xenpv_guest_pt_walk" in out, out
    status, out = image('__asm__(".text\\n.skip 300000\\n");\nvoid f(void) {}\n')
    assert status == 1 and "bytes of text, not 1 to" in out, out


@test
def an_empty_tree_does_not_pass():
    with tempfile.TemporaryDirectory() as root:
        for check in ("depend", "silicon"):
            done = subprocess.run([os.path.join(CHECKS, check)], cwd=root, check=False,
                                  stdout=subprocess.PIPE, text=True)
            assert done.returncode == 1 and "nothing to look at" in done.stdout


@test
def nobody_looks_into_what_the_silicon_says():
    caught("silicon", "cc/snp/x.c", "int f(void) { return *silicon_says(); }\n", "behaves by it")
    caught("silicon", "hv/core/x.c", "int f(void) { return *silicon_says(); }\n", "behaves by it")
    passes("silicon", "cc/snp/snp_hw_x86_64.c", "const char *silicon_says(void) { return ""; }\n")


def release(*files):
    done = subprocess.run([os.path.join(CHECKS, "release"), *files], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@test
def an_image_with_an_emulated_chip_is_not_released():
    status, out = release("build/cloister-emulated.bin", "build/image/emulated1.elf")
    assert status == 1 and "contains an emulated chip: " in out, out
    assert "contains the marker EMULATED" in out, out


@test
def an_image_that_is_not_the_checked_one_is_not_released():
    with open("build/cloister.bin", "rb") as f:
        content = bytearray(f.read())
    content[len(content) // 2] ^= 1
    with tempfile.NamedTemporaryFile() as other:
        other.write(content)
        other.flush()
        status, out = release(other.name, "build/image/cloister1.elf")
    assert status == 1 and "is not what build/image/cloister1.elf was made into" in out, out


def bill_of(objects):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run([os.path.join(CHECKS, "sbom"), "build/cloister.bin",
                               "build/image/cloister1.elf", out.name, *objects], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        out.seek(0)
        return done.returncode, done.stdout, json.load(out)


def linked_objects():
    """What has debugging information in the image, and the assembly that an image always has."""
    found = subprocess.run(["find", "build/image/hv", "build/image/arch", "build/image/cc", "-name",
                            "*.o"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    sources = {o: o.removeprefix("build/image/").removesuffix(".o") for o in found}
    return [o for o, source in sources.items() if os.path.exists(source) and not
            source.startswith(("hv/xenpv/", "arch/x86_64/legacy/", "cc/emu/"))]


@test
def the_bill_of_materials_has_every_source_the_libraries_and_the_digest_of_the_image():
    status, out, bill = bill_of(linked_objects())
    assert status == 0, out
    again = bill_of(linked_objects())[2]
    assert bill == again
    names = {f["fileName"] for f in bill["files"]}
    assert {"./hv/core/vm.c", "./arch/x86_64/boot/head.S", "./include/abi/call.def"} <= names
    assert "libfdt-dev" in {p["name"] for p in bill["packages"]}
    with open("build/cloister.bin", "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    assert digest in {c["checksumValue"] for c in bill["packages"][0]["checksums"]}


@test
def programs_and_bill_of_materials_are_of_one_version():
    with open("Makefile", encoding="utf-8") as f:
        version = re.search(r"^VERSION := ([0-9.]+)$", f.read(), re.M).group(1)
    for name in ("cloister", "attestd"):
        done = subprocess.run([f"build/bin/{name}", "--version"], check=True, text=True,
                              stdout=subprocess.PIPE)
        assert done.stdout == f"{name} {version}\n", done.stdout
    assert bill_of(linked_objects())[2]["packages"][0]["versionInfo"] == version


@test
def a_source_that_is_in_the_image_and_not_in_the_bill_is_named():
    objects = [o for o in linked_objects() if not o.endswith("core/vm.c.o")]
    status, out, _ = bill_of(objects)
    assert status == 1 and "hv/core/vm.c:0: is in the image, and not in its bill" in out, out


@test
def the_tables_of_attacks_name_tests_that_exist():
    tests = ""
    for folder in ("tests/unit", "tests/boot"):
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                tests += f.read()
    for table in ("docs/snp-attacks.md", "docs/cca-attacks.md"):
        with open(table, encoding="utf-8") as f:
            named = set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+){3,}\b", f.read()))
        assert len(named) > 30, named
        missing = [name for name in named if not re.search(rf"\b{name}\b", tests)]
        assert not missing, f"{table}: no such test: {missing}"


if __name__ == "__main__":
    sys.exit(run_all("checks"))
