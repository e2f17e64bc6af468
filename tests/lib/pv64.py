"""Packs a PV kernel as the box of PV64 guests takes it: include/cloister/pv64.h."""
import struct


def pack(kernel, out):
    with open(kernel, "rb") as f:
        data = f.read()
    with open(out, "wb") as f:
        f.write(struct.pack("<16sQQ4064x", b"CLOISTERPV64BOX", len(data), 0) + data)
    return out
