/*
 * An arm64 Image (booting.rst) whose entry keeps every register before anything changes it, and C
 * at EL1 behind it. Other vCPUs come by PSCI CPU_ON, with their index in X0.
 */
#define STACK 0x8000

    .section .head, "ax"
    .globl _start, second_start
_start:
    b       1f
    .long   0
    .quad   0, _image_size, 10, 0, 0, 0
    .ascii  "ARM\x64"
    .long   0

/* X0 to X30 and SP, then these: the names are entry_names of abi_entry. */
.macro keep_all where
    msr     tpidr_el1, x1           /* one register to begin with, and its own value back */
    adrp    x1, \where
    add     x1, x1, :lo12:\where
    str     x0, [x1]
    mrs     x0, tpidr_el1
    str     x0, [x1, #8]
    .irp    i, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    str     x\i, [x1, #8 * \i]
    .endr
    mov     x0, sp
    str     x0, [x1, #8 * 31]
    .set    n, 32
    .irp    reg, CurrentEL, DAIF, NZCV, SPSel, SCTLR_EL1, TCR_EL1, TTBR0_EL1, TTBR1_EL1, MAIR_EL1, VBAR_EL1, CPACR_EL1, ELR_EL1, SPSR_EL1, TPIDR_EL0, CNTKCTL_EL1
    mrs     x0, \reg
    str     x0, [x1, #8 * n]
    .set    n, n + 1
    .endr
    ldr     x0, [x1]
.endm

1:  keep_all entry_state
    mov     x20, x0
    adrp    x1, stacks + STACK
    mov     sp, x1
    bl      vectors_on
    mov     x0, x20
    bl      frame_begin
    mov     x0, #0
    bl      guest_start
    b       .

second_start:
    keep_all second_state
    mov     x20, x0
    add     x2, x0, #1
    mov     x3, #STACK
    adrp    x1, stacks
    madd    x1, x2, x3, x1
    mov     sp, x1
    bl      vectors_on
    bl      mmu_on
    mov     x0, x20
    bl      guest_start
    b       .

vectors_on:
    adrp    x1, vectors
    msr     vbar_el1, x1
    isb
    ret

/* An interrupt keeps what C may change; everything else is not expected. */
    .balign 4096
vectors:
    .rept   4
    .balign 128
    b       unexpected
    .endr
    .balign 128
    b       unexpected              /* 200h: synchronous, at EL1 with SP_EL1 */
    .balign 128
    b       interrupt
    .rept   10
    .balign 128
    b       unexpected
    .endr

interrupt:
    sub     sp, sp, #192
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x30, [sp, #144]
    mrs     x0, elr_el1
    mrs     x1, spsr_el1
    stp     x0, x1, [sp, #160]
    bl      take_interrupt
    ldp     x0, x1, [sp, #160]
    msr     elr_el1, x0
    msr     spsr_el1, x1
    ldp     x18, x30, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp]
    add     sp, sp, #192
    eret

unexpected:
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    bl      take_exception
    b       .

    .section .bss
    .globl  entry_state, second_state
    .balign 4096
stacks:
    .space  5 * STACK
entry_state:
    .space  512
second_state:
    .space  512
