/* A bzImage, which the domain builder starts at 2 MiB in 64 bits. */
#include "bz_setup.S"

        .section .entry, "ax"
        .globl  entry
        .org    0x200
entry:
        movq    %cr4, %rax
        orl     $0x600, %eax    /* OSFXSR, OSXMMEXCPT: the cipher uses SSE registers */
        movq    %rax, %cr4
        leaq    stack_end(%rip), %rsp
        movq    %rsi, %rdi
        call    snp_begin
        call    unikernel
        ud2

        .bss
        .balign 16
        .skip   65536
stack_end:
        .section .note.GNU-stack, "", @progbits
