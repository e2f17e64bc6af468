/* Exceptions: those of the hypervisor itself end in a report, those of a guest in its exit. */
#include "arch_impl/gprs.h"

#define FRAME_SIZE 288 /* struct trap_frame */
#define CPU_EMERGENCY 8 /* struct cpu: entry[0] */

    .text

/* From EL2: a frame on the stack. */
.macro own_exception number
    .balign 128
    sub     sp, sp, #(FRAME_SIZE + 16)
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       own_trap
.endm

/* The same, or on the emergency stack when the stack has no room for it. */

.macro own_sync number
    .balign 128
    sub     sp, sp, #(FRAME_SIZE + 16)
    add     sp, sp, x0              /* without a free register: SP + X0, then X0 = SP */
    sub     x0, sp, x0
    tbz     x0, #14, 2f
    sub     x0, sp, x0              /* and back */
    sub     sp, sp, x0
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       own_trap
2:  b       overflow
.endm

/* A guest's: X0 and X1 are pushed, X0 says why. The frame that aarch64_enter made lies above. */
.macro guest_exit why
    .balign 128
    stp     x0, x1, [sp, #-16]!
    mov     x0, #\why
    b       guest_exited
.endm

    .balign 2048
    .globl aarch64_vectors
aarch64_vectors:
    own_exception 0
    own_exception 1
    own_exception 2
    own_exception 3
    own_sync 4
    own_exception 5
    own_exception 6
    own_exception 7
    guest_exit 0
    guest_exit 1
    guest_exit 2
    guest_exit 3
    guest_exit 4                    /* AArch32 at EL1 or EL0: no guest is given it */
    guest_exit 4
    guest_exit 4
    guest_exit 4

overflow:
    msr     tpidr_el0, x0           /* a guest's, but there is no way back */
    mrs     x0, tpidr_el2
    ldr     x0, [x0, #CPU_EMERGENCY]
    sub     x0, x0, #(FRAME_SIZE + 16)
    mov     sp, x0
    stp     xzr, x1, [sp]
    mov     x0, #4

own_trap:                           /* X0, X1 pushed; X0 = vector */
    save_gprs sp, 16
    mov     x1, x0
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [sp]
    add     x2, sp, #FRAME_SIZE
    stp     x30, x2, [sp, #240]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #256]
    mrs     x2, esr_el2
    mrs     x3, far_el2
    stp     x2, x3, [sp, #272]
    mov     x0, sp
    bl      aarch64_trap
    brk     #1

/* void aarch64_switch_stack(uint64_t top, void (*fn)(void)) */
    .globl aarch64_switch_stack
aarch64_switch_stack:
    bti     c
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    blr     x1
    brk     #1

/*
 * uint64_t aarch64_enter(struct guest_regs *regs): runs the guest until it exits; what for (0
 * synchronous, 1 IRQ, 2 FIQ, 3 SError). struct guest_regs: x0 to x30, elr, spsr.
 */
    .globl aarch64_enter
aarch64_enter:
    bti     c
    stp     x29, x30, [sp, #-96]!
    mov     x29, sp
    save_callee_gprs sp, 16
    str     x0, [sp, #-16]!
    ldp     x1, x2, [x0, #248]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    load_gprs x0
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret
    dsb     nsh                     /* nothing behind it is run by speculation */
    isb

guest_exited:
    ldr     x1, [sp, #16]           /* struct guest_regs */
    save_gprs x1
    str     x30, [x1, #240]
    ldp     x2, x3, [sp], #32
    stp     x2, x3, [x1]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x1, #248]
    load_callee_gprs sp, 16
    ldp     x29, x30, [sp], #96
    ret
