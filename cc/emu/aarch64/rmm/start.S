/*
 * The RMM's way in (R-EL2, MMU off; X0 this CPU's number, X1 to X3 as the RMM-EL3 interface says),
 * its vectors, and the way into a realm and out again.
 */
#define STACK_SIZE 0x4000
/* As the host has them: a change costs QEMU all its translations, twice in each call. */
#define TCR   0x80853510    /* 48 bits, 4 KiB, cacheable, inner shareable, 48 bits out; RES1 */
#define SCTLR 0x30cd183d    /* RES1, M, C, SA, I, WXN; alignment is not checked */

    .section .start, "ax"
    .globl _start
_start:
    b       1f
    .ascii  "CLOISTER-RMM"      /* what the monitor looks for, and measures */
    .quad   _load_size
1:  mov     x19, x0
    mov     x20, x1
    mov     x21, x2
    mov     x22, x3
    cbnz    x0, 3f
    adrp    x1, _bss_start
    adrp    x2, _bss_end
2:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    2b
3:  adrp    x1, stacks
    add     x2, x19, #1
    mov     x3, #STACK_SIZE
    madd    x1, x2, x3, x1
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el2, x1
    isb
    cbnz    x19, 4f
    bl      rmm_make_tables
4:  mov     x1, #0x04ff
    msr     mair_el2, x1
    ldr     x1, =TCR
    msr     tcr_el2, x1
    adrp    x1, rmm_tables
    msr     ttbr0_el2, x1
    dsb     sy
    tlbi    alle2
    ic      iallu
    dsb     sy
    isb
    ldr     x1, =SCTLR
    msr     sctlr_el2, x1
    isb
    mov     x29, xzr
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    mov     x3, x22
    bl      rmm_main

.macro own number
    .balign 128
    mov     x0, #\number
    b       own_trap
.endm

.macro realm why
    .balign 128
    stp     x0, x1, [sp, #-16]!
    mov     x0, #\why
    b       realm_left
.endm

    .text
    .balign 2048
vectors:
    own 0
    own 1
    own 2
    own 3
    own 4
    own 5
    own 6
    own 7
    realm 0
    realm 1
    realm 2
    realm 3
    own 12
    own 13
    own 14
    own 15

own_trap:
    mrs     x1, esr_el2
    mrs     x2, elr_el2
    mrs     x3, far_el2
    b       rmm_trap

/* uint64_t rmm_enter(struct rec *rec): X0 to X30, then at 256 PC and PSTATE. */
    .globl rmm_enter
rmm_enter:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #-16]!
    ldp     x1, x2, [x0, #256]
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
    dsb     nsh
    isb

realm_left:
    ldr     x1, [sp, #16]
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
    stp     x2, x3, [x1, #256]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    .bss
    .balign 4096
stacks:
    .space  STACK_SIZE * 16
