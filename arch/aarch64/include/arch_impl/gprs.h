/* Assembly: general registers in memory, for whoever leaves one world and enters another. */
#ifndef ARCH_IMPL_GPRS_H
#define ARCH_IMPL_GPRS_H

/* All but X0, X1 and X30: Xn at 8 * n behind `at`. */
.macro save_gprs to, at=0
    stp     x2, x3, [\to, #(\at + 16)]
    stp     x4, x5, [\to, #(\at + 32)]
    stp     x6, x7, [\to, #(\at + 48)]
    stp     x8, x9, [\to, #(\at + 64)]
    stp     x10, x11, [\to, #(\at + 80)]
    stp     x12, x13, [\to, #(\at + 96)]
    stp     x14, x15, [\to, #(\at + 112)]
    stp     x16, x17, [\to, #(\at + 128)]
    stp     x18, x19, [\to, #(\at + 144)]
    stp     x20, x21, [\to, #(\at + 160)]
    stp     x22, x23, [\to, #(\at + 176)]
    stp     x24, x25, [\to, #(\at + 192)]
    stp     x26, x27, [\to, #(\at + 208)]
    stp     x28, x29, [\to, #(\at + 224)]
.endm

.macro load_gprs from, at=0
    ldp     x2, x3, [\from, #(\at + 16)]
    ldp     x4, x5, [\from, #(\at + 32)]
    ldp     x6, x7, [\from, #(\at + 48)]
    ldp     x8, x9, [\from, #(\at + 64)]
    ldp     x10, x11, [\from, #(\at + 80)]
    ldp     x12, x13, [\from, #(\at + 96)]
    ldp     x14, x15, [\from, #(\at + 112)]
    ldp     x16, x17, [\from, #(\at + 128)]
    ldp     x18, x19, [\from, #(\at + 144)]
    ldp     x20, x21, [\from, #(\at + 160)]
    ldp     x22, x23, [\from, #(\at + 176)]
    ldp     x24, x25, [\from, #(\at + 192)]
    ldp     x26, x27, [\from, #(\at + 208)]
    ldp     x28, x29, [\from, #(\at + 224)]
.endm

/* What a C function wants kept, but for X29 and X30. */
.macro save_callee_gprs to, at
    stp     x19, x20, [\to, #(\at + 0)]
    stp     x21, x22, [\to, #(\at + 16)]
    stp     x23, x24, [\to, #(\at + 32)]
    stp     x25, x26, [\to, #(\at + 48)]
    stp     x27, x28, [\to, #(\at + 64)]
.endm

.macro load_callee_gprs from, at
    ldp     x19, x20, [\from, #(\at + 0)]
    ldp     x21, x22, [\from, #(\at + 16)]
    ldp     x23, x24, [\from, #(\at + 32)]
    ldp     x25, x26, [\from, #(\at + 48)]
    ldp     x27, x28, [\from, #(\at + 64)]
.endm

#endif
