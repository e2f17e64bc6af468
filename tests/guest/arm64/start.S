/* An arm64 Image (booting.rst) that runs C at EL1 with the MMU off. */
    .section .head, "ax"
    .globl _start
_start:
    b       1f
    .long   0
    .quad   0, _image_size, 10, 0, 0, 0
    .ascii  "ARM\x64"
    .long   0
1:  adrp    x1, stack_top
    mov     sp, x1
    adrp    x1, vectors
    msr     vbar_el1, x1
    isb
    bl      guest_main
    b       .

/* Synchronous exceptions at EL1: X18 counts them, X17 has the syndrome, TPIDR_EL1 PSTATE.DIT, and
 * the next instruction follows. C is compiled without X17 and X18. All else is not expected. */
    .balign 4096
vectors:
    .rept   4
    .balign 128
    b       .
    .endr
    .balign 512
    mrs     x17, s3_3_c4_c2_5   /* DIT */
    msr     tpidr_el1, x17
    mrs     x17, elr_el1
    add     x17, x17, #4
    msr     elr_el1, x17
    mrs     x17, esr_el1
    add     x18, x18, #1
    eret
    .rept   11
    .balign 128
    b       .
    .endr

    .section .bss
    .balign 4096
    .space  16384
stack_top:
    .space  4096
