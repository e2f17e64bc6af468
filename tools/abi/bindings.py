"""Bindings for Rust, Go and Python, and the words that a fuzzer likes. Each binding is one file
over a transport that the program gives: what carries a call differs, the calls do not."""

RUST_TYPES = {"uint8_t": "u8", "uint16_t": "u16", "uint32_t": "u32", "int32_t": "i32",
              "uint64_t": "u64"}
GO_TYPES = {"uint8_t": "uint8", "uint16_t": "uint16", "uint32_t": "uint32", "int32_t": "int32",
            "uint64_t": "uint64"}
NOTE = "Made by tools/abi/abi from include/abi. SPDX-License-Identifier: MIT"


def camel(name):
    return "".join(part.capitalize() for part in name.lower().split("_"))


def plain(name):
    return name[4:] if name.startswith("ABI_") else name


def numbers(abi):
    """(name, value) of all constants, without the prefix."""
    for c in abi["constants"]:
        yield plain(c["name"]), c["value"]
    base = next(c["value"] for c in abi["constants"] if c["name"] == "ABI_CALL_BASE")
    for call in abi["calls"]:
        yield "CALL_" + call["name"], base + call["index"]
    for status in abi["statuses"]:
        yield "STATUS_" + status["name"], status["index"]
    for feature in abi["features"]:
        yield "FEATURE_" + feature["name"], feature["index"]
    for limit in abi["limits"]:
        yield "LIMIT_" + limit["name"], limit["index"]
        yield "MAX_" + limit["name"], limit["value"]
    for source in abi["sources"]:
        yield "SOURCE_" + source["name"], source["index"]
    for control in abi["controls"]:
        yield "CONTROL_" + control["name"], control["index"]


def keyword_safe(name):
    return name + "_" if name in ("in", "type", "flags_", "is") else name


def rust(abi):
    out = [f"// {NOTE}", "#![no_std]", "#![allow(dead_code)]", ""]
    out += [f"pub const {name}: u64 = {value:#x};" for name, value in numbers(abi)]
    for s in abi["structs"]:
        out += ["", f"/// {s['meaning']}", "#[repr(C)]", "#[derive(Clone, Copy)]",
                f"pub struct {camel(s['name'])} {{"]
        for f in s["fields"]:
            kind = RUST_TYPES[f["type"]]
            kind = f"[{kind}; {f['count']}]" if f["array"] else kind
            out += [f"    /// {f['meaning']}", f"    pub {keyword_safe(f['name'])}: {kind},"]
        out += ["}", f"const _: () = assert!(core::mem::size_of::<{camel(s['name'])}>() == "
                     f"{s['size']});"]
        out += [f"const _: () = assert!(core::mem::offset_of!({camel(s['name'])}, "
                f"{keyword_safe(f['name'])}) == {f['offset']});" for f in s["fields"]]
    out += ["", "/// What carries a call: status, then the values.", "pub trait Transport {",
            "    fn call(&mut self, number: u64, args: [u64; 4]) -> (u64, [u64; 3]);", "}", "",
            "fn answer((status, values): (u64, [u64; 3])) -> Result<[u64; 3], u64> {",
            "    if status == STATUS_OK { Ok(values) } else { Err(status) }", "}"]
    for call in abi["calls"]:
        names = [a["name"] for a in call["arguments"]]
        args = "".join(f", {n}: u64" for n in names)
        sent = ", ".join((names + ["0"] * 4)[:4])
        out += ["", f"/// {call['meaning']}",
                f"pub fn {call['name'].lower()}<T: Transport>(t: &mut T{args}) "
                "-> Result<[u64; 3], u64> {",
                f"    answer(t.call(CALL_{call['name']}, [{sent}]))", "}"]
    return "\n".join(out) + "\n"


def go(abi):
    out = [f"// {NOTE}", "package abi", "", "const ("]
    out += [f"\t{camel(name)} uint64 = {value:#x}" for name, value in numbers(abi)]
    out += [")", "", "// Transport carries a call: status, then the values.",
            "type Transport interface {",
            "\tCall(number uint64, args [4]uint64) (uint64, [3]uint64)", "}", "",
            "// Status is what a call answered; an error unless it is StatusOk.",
            "type Status uint64", "",
            "func (s Status) Error() string { return statusNames[s] }", "",
            "var statusNames = map[Status]string{"]
    out += [f"\t{s['index']}: \"{s['meaning']}\"," for s in abi["statuses"]]
    out += ["}", "", "func answer(status uint64, values [3]uint64) ([3]uint64, error) {",
            "\tif status != StatusOk {", "\t\treturn [3]uint64{}, Status(status)", "\t}",
            "\treturn values, nil", "}"]
    for s in abi["structs"]:
        out += ["", f"// {camel(s['name'])}: {s['meaning']}", f"type {camel(s['name'])} struct {{"]
        for f in s["fields"]:
            kind = GO_TYPES[f["type"]]
            kind = f"[{f['count']}]{kind}" if f["array"] else kind
            out.append(f"\t{camel(f['name'])} {kind} // {f['offset']}: {f['meaning']}")
        out.append("}")
    for call in abi["calls"]:
        names = ["arg" + camel(a["name"]) for a in call["arguments"]]
        args = f", {', '.join(names)} uint64" if names else ""
        sent = ", ".join(names)
        out += ["", f"// Do{camel(call['name'])}: {call['meaning']}",
                f"func Do{camel(call['name'])}(t Transport{args}) ([3]uint64, error) {{",
                f"\treturn answer(t.Call(Call{camel(call['name'])}, [4]uint64{{{sent}}}))", "}"]
    return "\n".join(out) + "\n"


PYTHON_HEAD = '''# {note}
"""The guest ABI: constants, structures, and its calls over a transport that the program gives:
call(number, (a, b, c, d)) -> (status, (x, y, z))."""
import ctypes
'''

PYTHON_GUEST = '''

class AbiError(Exception):
    """A call that did not answer OK."""

    def __init__(self, call, status):
        super().__init__(f"{call}: {STATUS_TEXT.get(status, status)}")
        self.call, self.status = call, status


class Guest:
    """The calls of a domain."""

    def __init__(self, transport):
        self.transport = transport

    def call(self, name, number, *args):
        status, values = self.transport(number, (args + (0, 0, 0, 0))[:4])
        if status != STATUS_OK:
            raise AbiError(name, status)
        return values
'''


def python(abi):
    out = [PYTHON_HEAD.format(note=NOTE)]
    out += [f"{name} = {value:#x}" for name, value in numbers(abi)]
    out += ["STATUS_TEXT = {"]
    out += [f"    {s['index']}: \"{s['meaning']}\"," for s in abi["statuses"]]
    out += ["}"]
    for s in abi["structs"]:
        out += ["", "", f"class {camel(s['name'])}(ctypes.LittleEndianStructure):",
                f'    """{s["meaning"]}"""', "    _fields_ = ["]
        for f in s["fields"]:
            kind = "ctypes.c_" + f["type"].removesuffix("_t")
            kind = f"{kind} * {f['count']}" if f["array"] else kind
            out.append(f"        (\"{keyword_safe(f['name'])}\", {kind}),")
        out += ["    ]", "", "", f"assert ctypes.sizeof({camel(s['name'])}) == {s['size']}"]
        out += [f"assert {camel(s['name'])}.{keyword_safe(f['name'])}.offset == {f['offset']}"
                for f in s["fields"]]
    out.append(PYTHON_GUEST.rstrip())
    for call in abi["calls"]:
        names = [a["name"] for a in call["arguments"]]
        args = "".join(f", {n}" for n in names)
        out += ["", f"    def {call['name'].lower()}(self{args}):",
                f'        """{call["meaning"]}"""',
                f"        return self.call(\"{call['name']}\", CALL_{call['name']}{args})"]
    return "\n".join(out) + "\n"


def header(abi):
    """One C header, of any release that there is a dump of: what its programs were built with."""
    out = [f"/* {NOTE} */", "#ifndef ABI_ABI_H", "#define ABI_ABI_H", "",
           "#include <stddef.h>", "#include <stdint.h>", ""]
    out += [f"#define {c['name']} {c['value']:#x}" for c in abi["constants"]]
    out += ["", "enum abi_status {"]
    out += [f"    ABI_{s['name']} = {s['index']}," for s in abi["statuses"]]
    out += ["};", "", "enum abi_number {"]
    constants = {plain(c["name"]) for c in abi["constants"]}
    out += [f"    ABI_{name} = {value:#x}," for name, value in numbers(abi)
            if name not in constants and not name.startswith("STATUS_")]
    out += ["};"]
    for s in abi["structs"]:
        out += ["", f"struct abi_{s['name']} {{"]
        out += [f"    {f['type']} {f['name']}" + (f"[{f['count']}];" if f["array"] else ";")
                for f in s["fields"]]
        out += ["};", f"_Static_assert(sizeof(struct abi_{s['name']}) == {s['size']}, \"size\");"]
        out += [f"_Static_assert(offsetof(struct abi_{s['name']}, {f['name']}) == {f['offset']}, "
                f"\"{f['name']}\");" for f in s["fields"]]
    return "\n".join(out + ["", "#endif"]) + "\n"


def dictionary(abi):
    """libFuzzer's: little-endian words that are numbers of the ABI, and the edges of ranges."""
    seen = {}
    for name, value in numbers(abi):
        seen.setdefault(value, name)
    for call in abi["calls"]:
        for a in call["arguments"]:
            for edge in ("low", "high", "mask"):
                if edge in a:
                    seen.setdefault(a[edge], f"{call['name']}_{a['name']}_{edge}")
    lines = [f"# {NOTE}"]
    for value, name in sorted(seen.items()):
        data = "".join(f"\\x{b:02x}" for b in value.to_bytes(8, "little"))
        lines.append(f'{name.lower()}="{data}"')
    return "\n".join(lines) + "\n"
