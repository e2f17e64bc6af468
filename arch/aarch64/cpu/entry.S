/* Exceptions: those of the hypervisor itself end in a report, those of a guest in its exit. */
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
    stp     x2, x3, [sp, #(16 + 16)]
    stp     x4, x5, [sp, #(16 + 32)]
    stp     x6, x7, [sp, #(16 + 48)]
    stp     x8, x9, [sp, #(16 + 64)]
    stp     x10, x11, [sp, #(16 + 80)]
    stp     x12, x13, [sp, #(16 + 96)]
    stp     x14, x15, [sp, #(16 + 112)]
    stp     x16, x17, [sp, #(16 + 128)]
    stp     x18, x19, [sp, #(16 + 144)]
    stp     x20, x21, [sp, #(16 + 160)]
    stp     x22, x23, [sp, #(16 + 176)]
    stp     x24, x25, [sp, #(16 + 192)]
    stp     x26, x27, [sp, #(16 + 208)]
    stp     x28, x29, [sp, #(16 + 224)]
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
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #-16]!
    ldp     x1, x2, [x0, #248]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldp     x2, x3, [x0, #16]
    ldp     x4, x5, [x0, #32]
    ldp     x6, x7, [x0, #48]
    ldp     x8, x9, [x0, #64]
    ldp     x10, x11, [x0, #80]
    ldp     x12, x13, [x0, #96]
    ldp     x14, x15, [x0, #112]
    ldp     x16, x17, [x0, #128]
    ldp     x18, x19, [x0, #144]
    ldp     x20, x21, [x0, #160]
    ldp     x22, x23, [x0, #176]
    ldp     x24, x25, [x0, #192]
    ldp     x26, x27, [x0, #208]
    ldp     x28, x29, [x0, #224]
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret
    dsb     nsh                     /* nothing behind it is run by speculation */
    isb

guest_exited:
    ldr     x1, [sp, #16]           /* struct guest_regs */
    stp     x2, x3, [x1, #16]
    stp     x4, x5, [x1, #32]
    stp     x6, x7, [x1, #48]
    stp     x8, x9, [x1, #64]
    stp     x10, x11, [x1, #80]
    stp     x12, x13, [x1, #96]
    stp     x14, x15, [x1, #112]
    stp     x16, x17, [x1, #128]
    stp     x18, x19, [x1, #144]
    stp     x20, x21, [x1, #160]
    stp     x22, x23, [x1, #176]
    stp     x24, x25, [x1, #192]
    stp     x26, x27, [x1, #208]
    stp     x28, x29, [x1, #224]
    str     x30, [x1, #240]
    ldp     x2, x3, [sp], #32
    stp     x2, x3, [x1]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x1, #248]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret
