/*
 * The part of a shim that accepts memory: R8 is the table, its second word how many ranges follow,
 * each a start and an end. Before, macros accept_2m and accept_4k say how the page at R9 is
 * accepted (they keep R8 to R13; accept_2m goes to `small` when the page must be taken by 4 KiB);
 * behind comes start_kernel.
 */
#define SIZE_4K 0x1000
#define SIZE_2M 0x200000

        movq    8(%r8), %r12            /* ranges */
        leaq    16(%r8), %r13
next_range:
        testq   %r12, %r12
        jz      start_kernel
        movq    (%r13), %r9
        movq    8(%r13), %r10
        addq    $16, %r13
        decq    %r12
next_page:
        cmpq    %r10, %r9
        jae     next_range
        testl   $(SIZE_2M - 1), %r9d
        jnz     small
        leaq    SIZE_2M(%r9), %r11
        cmpq    %r10, %r11
        ja      small
        accept_2m
        movq    %r11, %r9
        jmp     next_page
small:
        accept_4k
        addq    $SIZE_4K, %r9
        jmp     next_page
