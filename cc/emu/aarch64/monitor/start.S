/*
 * The monitor's way in: EL3, secure flash at 0, every CPU at once. Variables are in secure RAM. The
 * first CPU starts the machine, the others wait in monitor_pen().
 */
#include "arch_impl/gprs.h"

#define STACK_SIZE 0x4000
#define TCR   0x80823519    /* 39 bits, 4 KiB, cacheable, inner shareable, 40 bits out; RES1 */
#define SCTLR 0x30c51835    /* RES1, M, C, I */

    .section .start, "ax"
    .globl _start
_start:
    mrs     x19, mpidr_el1
    and     x20, x19, #15
    ubfx    x21, x19, #8, #8
    add     x19, x20, x21, lsl #4
    cbnz    x19, 2f
    ldr     x1, =_bss_start
    ldr     x2, =_bss_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b
2:  cmp     x19, #16
    b.hs    dead
    ldr     x1, =monitor_stacks
    add     x2, x19, #1
    mov     x3, #STACK_SIZE
    madd    x1, x2, x3, x1
    msr     spsel, #1
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el3, x1
    isb
    cbnz    x19, 3f
    bl      monitor_make_tables
    ldr     x1, =tables_made
    mov     x2, #0x600d
    str     x2, [x1]
    dsb     sy
    sev
3:  ldr     x1, =tables_made    /* secure RAM is zero when the machine starts */
    ldr     x2, [x1]
    mov     x3, #0x600d
    cmp     x2, x3
    b.eq    4f
    wfe
    b       3b
4:  mov     x1, #0x04ff
    msr     mair_el3, x1
    ldr     x1, =TCR
    msr     tcr_el3, x1
    ldr     x1, =monitor_l1
    msr     ttbr0_el3, x1
    dsb     sy
    tlbi    alle3
    ic      iallu
    dsb     sy
    isb
    ldr     x1, =SCTLR
    msr     sctlr_el3, x1
    isb
    mov     x29, xzr
    mov     x0, x19
    bl      monitor_main
dead:
    wfi
    b       dead

/* void monitor_leave(struct context *c): to its world, never returns. SP shows the next exception
 * where to leave what that world has. */
    .text
    .globl monitor_leave
monitor_leave:
    mov     sp, x0
    load_gprs sp
    ldr     x30, [sp, #240]
    ldp     x0, x1, [sp]
    eret
    dsb     nsh
    isb

.macro own number
    .balign 128
    mov     x0, #\number
    b       broken
.endm

.macro lower number
    .balign 128
    ldr     x0, [sp, #248]
    mov     sp, x0
    mov     x0, #\number
    b       broken
.endm

    .section .vectors, "ax"
    .balign 2048
    .globl  vectors
vectors:
    own 0
    own 1
    own 2
    own 3
    own 4
    own 5
    own 6
    own 7
    .balign 128
    stp     x0, x1, [sp]
    save_gprs sp
    ldr     x1, [sp, #248]      /* the stack, empty */
    str     x30, [sp, #240]
    mov     x0, sp
    mov     sp, x1
    b       monitor_call
    lower 9
    lower 10
    lower 11
    lower 12
    lower 13
    lower 14
    lower 15

broken:
    mrs     x1, esr_el3
    mrs     x2, elr_el3
    mrs     x3, far_el3
    b       monitor_broken

    .bss
    .balign 4096
    .globl monitor_stacks
monitor_stacks:
    .space  STACK_SIZE * 16
    .section .handshake, "aw", %nobits
    .balign 8
tables_made:
    .space  8
