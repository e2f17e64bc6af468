/* A kernel by the boot protocol's letter: setup, then 64-bit code at 2 MiB. */
#include "bz_setup.S"

        .section .entry, "ax"
        .code64
        .org    0x200
        .globl  entry, vc_entry
entry:
        leaq    stack_end(%rip), %rsp
        movq    %rsi, %rdi
        call    guest_main
/* #VC: the error code is on the stack. */
vc_entry:
        popq    %rdi
        call    guest_vc

        .bss
        .balign 16
        .skip   8192
stack_end:
        .section .note.GNU-stack, "", @progbits
