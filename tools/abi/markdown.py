"""docs/abi.md: the reference, for people."""

HEAD = """# Guest ABI {major}.{minor}

Made by `tools/abi/abi markdown` from the lists in [include/abi](../include/abi), like the headers,
the hypervisor's dispatch table and the bindings. `make check` compares it with them, and them with
the released dumps in `tests/abi`: numbers, sizes, offsets, ranges and meanings do not change.

A call is a number and up to four 64-bit arguments in registers; it answers with a status and up to
three values. Nothing is ever named by a guest-virtual address. All that is larger than a register
lies in a *buffer*: shared memory that the guest registered before, named by its handle, an offset
and a length in bytes. The hypervisor copies it once, checks the copy, and uses the copy.

Checks come in this order, and the first that fails is the answer: is there such a call
(`NO_CALL`), does this domain have it (`NO_CALL`), is each argument in its range (`BAD_ARG`), are
reserved bits zero (`RESERVED_BITS`), then what the call itself says. A call that fails changes
nothing, and all its values are zero.

| | number | arguments | status | values |
|---|---|---|---|---|
| x86-64 `VMMCALL`, ring 0 | RAX | RDI, RSI, RDX, R10 | RAX | RDI, RSI, RDX |
| SEV-SNP, GHCB VMMCALL event | RAX | RDI, RSI, RDX, R10 | RAX | RDI, RSI, RDX |
| TDX, TDG.VP.VMCALL | R10 | R11, R12, R13, R14 | R10 | R11, R12, R13 |
| AArch64 `HVC` or `SMC`, EL1 | X0: {smccc:x}h + index | X1, X2, X3, X4 | X0 | X1, X2, X3 |
| CCA, RSI_HOST_CALL, in its gprs | X0: {smccc:x}h + index | X1, X2, X3, X4 | X0 | X1, X2, X3 |

A call is the kernel's. From user space, `VMMCALL` is #UD (an SEV-SNP kernel hands it on with its
CPL, which is honoured; an event without a CPL is the kernel's own), `VMCALL` is #UD in every ring,
TDCALL is #GP by the TDX module, and HVC, SMC and with it a realm's calls are undefined at EL0. What
user space may ask of the hypervisor, it asks by the control port, in domains that have it.

Discovery comes before any call: CPUID leaf {base:x}h has the signature "Cloister" in EBX, ECX, EDX
and the highest leaf in EAX; leaf {version:x}h the ABI version in EAX; leaf {features:x}h the
features of this domain in EAX, a bit each; an SEV-SNP guest finds all three in its CPUID page. On
AArch64 function {smccc_base:x}h has the signature in X0, X1, X2, {smccc_base:x}h + 1 the version in
X0, + 2 the features. What a domain has is decided by its description (`abi`,
`features`, `peers`: docs/bundle.md) when it is created, and stays for life.

## Versions

A description names the ABI that it was written for, and its domain sees that one on every newer
hypervisor: the same calls, features, limits and answers. What is newer is unknown to it, as it was
on the hypervisor of its time. A version or a feature that a hypervisor lacks is refused by name,
and the domain is not created. What 1.1 and 1.2 add says so; all else is 1.0.

The whole description, with this set, makes the domain's *configuration hash*: SHA-256 over the
canonical form in docs/bundle.md. It is the same on every host and every version. A domain of 1.1
asks for it with `ABI_QUERY` (`ABI_QUERY_CONFIG`), the host link tells it of every domain,
`cloister run --json` repeats it, and `cloister measure config` predicts it from a bundle.
"""

BUFFERS = """
## Buffers

- A guest-physical address is the one without the bit by which TDX and CCA name shared memory; with
  CCA's it is the same address.
- `BUF_REGISTER` wants RAM of the domain, all of it shared: an address outside RAM, a device's
  memory, memory that a peer shares, or a private page answers `BAD_ADDRESS`; bytes of another
  buffer `EXISTS`; one buffer too many `LIMIT`. Addresses and lengths are bytes, at any alignment.
  A page that the domain has never touched is nobody's yet: registered, it is shared.
- A page of a registered buffer stays shared: its conversion to private is refused until the buffer
  is unregistered. Handles are not reused before 2^26 others.
- A range that passes the buffer's end, or a misaligned offset, answers `BAD_ARG`, a handle that is
  none `NOT_FOUND`, a read-only buffer where the hypervisor would write `DENIED`.

## Events

- The hypervisor sets a port's pending bit with an atomic OR that follows all that the sender did
  before. If the bit was clear and the port is not masked, the port's vCPU wakes from `EVENT_WAIT`
  and gets the port's interrupt. If the bit was set, nobody is interrupted again: a storm costs the
  receiver one interrupt for each time that it takes the bit.
- The domain takes bits with an atomic exchange, then looks at what they stand for: no event is
  lost. Unmasking a port whose bit is set raises it at once.
- AArch64: an interrupt is an SPI, an edge; the domain's distributor says which vCPU takes it.
- Peers meet when both have opened a port that names the other and the same tag. When one closes its
  port or ends, the other's port gets an event, and sending on it answers `BAD_STATE` until somebody
  takes the other end again.

## Sharing

- The offered buffer begins and ends at multiples of the granule, and is in use until the share has
  ended. `SHARE_ACCEPT` maps it readable and writable, not executable, outside the acceptor's RAM;
  what is taken there answers `EXISTS`. A peer's memory is no buffer: it cannot be registered.
- `SHARE_END` by the offerer takes the memory out of the peer's address space, at once and without
  asking. What the peer finds there afterwards is undefined, and may end it. `BUSY` says that one of
  the peer's vCPUs may still reach it: the call is repeated until it answers `OK`.

## Control of other domains

- A request is an id, an operation and a domain, with what belongs to it behind. It comes as the
  message of `VM_CONTROL`, or waits in a ring that the operation `RING` names: then it is answered
  in its slot, and the reason of a failure is there as text. Requests of a domain are done one after
  another; a call while another is under way answers `BUSY`.
- What was answered has happened. One that comes again with the same id is answered as it was, and
  not done again: of the last `RING_SLOTS` requests that did anything, also when the domain has
  crashed or been restarted meanwhile, by its name. An id that another request had answers `EXISTS`.
  Statuses are remembered like success: after `NO_MEMORY` one tries again under a new id. `PING`,
  `LIST`, `STATISTICS`, `RING`, `STAGE`, `LOAD`, `FILL` and `CONSOLE_OUTPUT` are done as often as
  they come. (In 1.0, the very last id alone is remembered, whatever it asked for, and no restart is
  survived.)
- A new domain: `STAGE` says how big a bundle is (docs/bundle.md, with one domain), `LOAD` copies
  its parts from registered buffers in any order, or `FILL` (1.2) brings them; `BUILD` takes it,
  checks it as a whole and builds its domain, all by the code that does so for the boot loader's
  bundle; `START` lets it run. What is staged is nobody's to change any more; what fails half-way
  leaves nothing, and needs a new `STAGE`. What was staged and not built goes with who staged it.
- `BUILD` answers `BAD_FORMAT` for what is no such bundle, `EXISTS` while a domain of that name
  lives, `NO_MEMORY` when the machine has no more, `LIMIT` for one domain too many, for what its
  creator's description does not allow (`create-memory`, `create-domains`), and for what the TPM's
  log could not tell (below), `NOT_BUILT` for a kind that is not in the image, `DENIED` when it asks
  for `control`: only the boot loader's bundle gives that. Answered again, it tells the domain as it
  is now; one that is gone has state 3 and no name.
- `DESTROY` is done when the domain is no longer found. A domain that `STOP` ended keeps its memory,
  its name and its counters until then.
- No operation names memory but the caller's own buffers, and none reaches another domain's.

## The control port

- From 1.2 on, with the feature `control-port`, the domain's virtio console has one more port,
  called `cloister.control` (docs/devices.md). Its bytes are requests of the domain's user space,
  done by the code that does those of `VM_CONTROL`, one after another with them, and remembered with
  them. Whoever may open the port holds the domain's capabilities.
- A frame is `port_frame` and the `length` bytes that follow it, together `PORT_BYTES` at most; it
  is done when its last byte has come. Its answer is a frame of the same id. The next one is taken
  when the answer has been; bytes wait in the guest until then.
- `RING` and `LOAD` answer `BAD_FORMAT`: buffers are the kernel's affair, and nothing on the port
  names memory. `status` and `reserved` must be zero: `RESERVED_BITS`, like any other failure, with
  the reason as text.
- A length that is too great answers `BAD_FORMAT`, and what follows is passed over until the port is
  closed and opened again. Closing it drops what was written and not done, half a frame as well as
  a whole one, and an answer that was not read. What was being done is done; who asks again with
  the same id is told.
- `CONSOLE_OUTPUT` has the last `OUTPUT_BYTES` of what a domain wrote to its console, also what was
  too much to be printed. It goes with the domain: one that `STOP` ended still has it.

## Evidence of the host

- Where there is a TPM 2.0 (x86-64; CRB and FIFO interface), the hypervisor extends PCR 11 with its
  image, its command line and the boot loader's bundle, and PCR 12 with each domain's name and
  configuration hash before it is created, at boot and at run time. hv/include/hv/measure.h has
  the events; each digest is that of the event's text, in every bank.
- From 1.1 on, `HOST_EVIDENCE` with `ABI_EVIDENCE_QUOTE` answers with a TPM2_Quote over the nonce
  and the PCRs named, signed by a key that the TPM derives from its endorsement seed, the same
  after every start; `ABI_EVIDENCE_LOG` with the TCG event log, from an offset on. Message,
  signature, key, PCR values and log, as JSON (docs/policy.md, `tpm`), are what `cloister verify`
  takes: with the policy's `ak` and the PCRs that image, command line and bundle predict.
- The TPM takes its time: `BUSY` means to call again with the same request. It serves one domain
  after the other, in the order in which they asked, one request each; who was served comes after
  all that wait. A place in line is kept for two seconds after a call, and so is an answer that is
  ready: asking again every few milliseconds is right, more often gains nothing. `NOT_SUPPORTED`:
  this machine has no TPM. `HARDWARE`: it failed; then there is no evidence any more, since it would
  not tell all. In 1.0 the answer is `NOT_BUILT`, as it was.
- Nothing is created that the log could not tell: where there is a TPM, `BUILD` answers `LIMIT` to a
  domain whose creator had `MEASURED` configurations measured since boot, unless this is one of
  them. The log has room for all that all creators may have measured.
"""


def number(v):
    return f"{v:#x}" if v > 9 else str(v)


def version(v):
    return f"{v >> 16}.{v & 0xffff}"


def rule(item):
    if "mask" in item:
        return f"bits {item['mask']:#x}"
    if "low" in item:
        return f"{number(item['low'])} to {number(item['high'])}"
    return ""


def call_part(abi, call):
    feature = next(f for f in abi["features"] if f["name"] == call["feature"])
    base = next(c["value"] for c in abi["constants"] if c["name"] == "ABI_CALL_BASE")
    yield f"\n### {call['name']}\n"
    yield f"{base + call['index']:x}h, feature `{feature['text']}`. {call['meaning']}\n"
    if call["arguments"] or call["values"]:
        yield "| | | range | |"
        yield "|---|---|---|---|"
    for i, item in enumerate(call["arguments"]):
        yield f"| argument {i} | {item['name']} | {rule(item)} | {item['meaning']} |"
    for i, item in enumerate(call["values"]):
        yield f"| value {i} | {item['name']} | | {item['meaning']} |"


def struct_part(struct):
    yield f"\n### struct abi_{struct['name']}, {struct['size']} bytes\n"
    yield f"{struct['meaning'][0].upper()}{struct['meaning'][1:]}.\n"
    yield "| offset | field | type | |"
    yield "|---|---|---|---|"
    for f in struct["fields"]:
        kind = f["type"] + (f"[{f['count']}]" if f["array"] else "")
        yield f"| {f['offset']} | {f['name']} | {kind} | {f['meaning']} |"


def entry_part(entry):
    yield f"\n### {entry['name']}\n"
    yield f"{entry['meaning']}. Domains of kind {entry['cc']}.\n"
    yield "| register | value | |"
    yield "|---|---|---|"
    for r in entry["registers"]:
        shown = r["is"].lower().replace("_", " ") if "is" in r else number(r["value"])
        yield f"| {r['name']} | {shown} | {r['meaning']} |"


def tables(abi):
    yield "\n## Statuses\n\n| number | status | |\n|---|---|---|"
    for s in abi["statuses"]:
        yield f"| {s['index']} | {s['name']} | {s['meaning']} |"
    yield "\n## Features\n\n| bit | in a description | needs | since | |\n|---|---|---|---|---|"
    names = {f["index"]: f["text"] for f in abi["features"]}
    for f in abi["features"]:
        needs = ", ".join(t for i, t in names.items() if f["needs"] >> i & 1 and i != f["index"])
        off = "" if f["standard"] else "; only when the description asks for it"
        yield (f"| {f['index']} | `{f['text']}` | {needs} | {version(f['since'])} | "
               f"{f['meaning']}{off} |")
    yield "\n## Limits\n\n| index | limit | | since | |\n|---|---|---|---|---|"
    for limit in abi["limits"]:
        yield (f"| {limit['index']} | {limit['name']} | {limit['value']} | "
               f"{version(limit['since'])} | {limit['meaning']} |")
    yield "\n## Sources of events\n\n| number | source | |\n|---|---|---|"
    for s in abi["sources"]:
        yield f"| {s['index']} | {s['name']} | {s['meaning']} |"
    yield "\n## Operations of VM_CONTROL\n\n| number | operation | feature | since | |"
    yield "|---|---|---|---|---|"
    for s in abi["controls"]:
        yield (f"| {s['index']} | {s['name']} | `{s['feature'].lower()}` | {version(s['since'])} | "
               f"{s['meaning']} |")


def document(abi):
    known = {c["name"]: c["value"] for c in abi["constants"]}
    parts = [HEAD.format(major=abi["version"] >> 16, minor=abi["version"] & 0xffff,
                         base=known["ABI_CPUID_BASE"], version=known["ABI_CPUID_VERSION"],
                         features=known["ABI_CPUID_FEATURES"], smccc=known["ABI_SMCCC_CALL"],
                         smccc_base=known["ABI_SMCCC_BASE"]).rstrip(), BUFFERS.rstrip()]
    parts += tables(abi)
    parts.append("\n## Calls")
    for call in abi["calls"]:
        parts += call_part(abi, call)
    parts.append("\n## Structures\n\nLittle-endian, fixed width, no padding.")
    for struct in abi["structs"]:
        parts += struct_part(struct)
    parts.append("\n## The state that a vCPU starts in")
    for entry in abi["entries"]:
        parts += entry_part(entry)
    return "\n".join(parts) + "\n"


