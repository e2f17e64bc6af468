/*
 * The RMM's way in (R-EL2, MMU off; X0 this CPU's number, X1 to X3 as the RMM-EL3 interface says),
 * its vectors, and the way into a realm and out again.
 */
#include "arch_impl/gprs.h"

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
    save_callee_gprs sp, 16
    str     x0, [sp, #-16]!
    ldp     x1, x2, [x0, #256]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    load_gprs x0
    ldr     x30, [x0, #240]
    ldp     x0, x1, [x0]
    eret
    dsb     nsh
    isb

realm_left:
    ldr     x1, [sp, #16]
    save_gprs x1
    str     x30, [x1, #240]
    ldp     x2, x3, [sp], #32
    stp     x2, x3, [x1]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [x1, #256]
    load_callee_gprs sp, 16
    ldp     x29, x30, [sp], #96
    ret

    .bss
    .balign 4096
stacks:
    .space  STACK_SIZE * 16
