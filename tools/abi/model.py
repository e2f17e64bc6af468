"""The guest ABI as data: what the lists in include/abi say, and nothing that they do not."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "include", "abi")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
SIZES = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "int32_t": 4, "uint64_t": 8}


class AbiError(Exception):
    """A list that contradicts itself."""


def rows(name):
    """(macro, [arguments]) of each row of a list; strings joined, numbers as integers."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        text = COMMENT.sub("", f.read())
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    for match in re.finditer(r"\b(ABI_[A-Z_]+)\(((?:\"(?:\\.|[^\"\\])*\"|[^()\"])*)\)", text):
        yield match.group(1), [value(a) for a in split(match.group(2))]


def split(text):
    return [a.strip() for a in re.findall(r"((?:\"(?:\\.|[^\"\\])*\"|[^,\"])+)", text)]


def value(text):
    if text.startswith('"'):
        return "".join(re.findall(r"\"((?:\\.|[^\"\\])*)\"", text))
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
        return int(text, 0)
    return text


def constants():
    with open(os.path.join(FOLDER, "const.h"), encoding="utf-8") as f:
        found = re.findall(r"^#define (ABI_\w+)\s+(0x[0-9a-f]+|\d+)", f.read(), re.M)
    return [{"name": name, "value": int(text, 0)} for name, text in found]


def calls():
    out, by_name = [], {}
    for macro, a in rows("call.def"):
        if macro == "ABI_CALL":
            call = {"name": a[0], "index": a[1], "feature": a[2], "arguments": [], "values": [],
                    "counts": a[3:5], "meaning": a[5]}
            out.append(call)
            by_name[a[0]] = call
            continue
        call = by_name[a[0]]
        kind = "values" if macro == "ABI_VALUE" else "arguments"
        if a[1] != len(call[kind]):
            raise AbiError(f"{a[0]}: {kind} are not in order")
        item = {"name": a[2], "meaning": a[-1]}
        if macro == "ABI_ARG":
            item.update(low=a[3], high=a[4])
        elif macro == "ABI_FLAGS":
            item.update(mask=a[3])
        call[kind].append(item)
    for call in out:
        if call.pop("counts") != [len(call["arguments"]), len(call["values"])]:
            raise AbiError(f"{call['name']}: counts other arguments or values than it lists")
    return out


def table(name, *keys):
    return [dict(zip(keys, a)) for _, a in rows(name)]


def structs():
    out = []
    for macro, a in rows("struct.def"):
        if macro == "ABI_STRUCT":
            out.append({"name": a[0], "size": a[1], "meaning": a[2], "fields": []})
        elif macro == "ABI_FIELD":
            out[-1]["fields"].append({"name": a[2], "type": a[1], "count": 1, "array": False,
                                      "offset": a[3], "meaning": a[4]})
        elif macro == "ABI_ARRAY":
            out[-1]["fields"].append({"name": a[2], "type": a[1], "count": a[3], "array": True,
                                      "offset": a[4], "meaning": a[5]})
    for struct in out:
        end = 0
        for field in struct["fields"]:
            if field["offset"] != end:
                raise AbiError(f"{struct['name']}.{field['name']}: at {field['offset']}, not {end}")
            end += SIZES[field["type"]] * field["count"]
        if end != struct["size"]:
            raise AbiError(f"{struct['name']}: its fields end at {end}, not {struct['size']}")
    return out


def entries():
    out, by_kind = [], {}
    for macro, a in rows("register.def"):
        if macro == "ABI_ENTRY":
            out.append({"name": a[0], "cc": a[1], "meaning": a[2], "registers": []})
            by_kind[a[0]] = out[-1]
        elif macro == "ABI_REGISTER":
            by_kind[a[0]]["registers"].append({"name": a[1], "value": a[2], "meaning": a[3]})
        else:
            by_kind[a[0]]["registers"].append({"name": a[1], "is": a[2], "meaning": ""})
    return out


def unique(items, key, what):
    seen = {}
    for item in items:
        if item[key] in seen:
            raise AbiError(f"{what} {item['name']} has the {key} of {seen[item[key]]}")
        seen[item[key]] = item["name"]


def load():
    """The whole ABI. Raises AbiError."""
    features = table("feature.def", "name", "index", "text", "needs", "since", "standard",
                     "meaning")
    abi = {
        "version": 0x10002,
        "constants": constants(),
        "statuses": table("status.def", "name", "index", "meaning"),
        "features": features,
        "limits": table("limit.def", "name", "index", "value", "since", "meaning"),
        "sources": table("event.def", "name", "index", "feature", "meaning"),
        "controls": table("control.def", "name", "index", "feature", "since", "meaning"),
        "calls": calls(),
        "structs": structs(),
        "entries": entries(),
    }
    for what in ("statuses", "features", "limits", "sources", "controls", "calls"):
        unique(abi[what], "index", what)
        unique(abi[what], "name", what)
    names = {f["name"] for f in features}
    for item in abi["calls"] + abi["sources"] + abi["controls"]:
        if item["feature"] not in names:
            raise AbiError(f"{item['name']}: no feature {item['feature']}")
    return abi
