/*
 * void snp_vmrun(uint64_t vmcb_pa, uint64_t host_vmcb)
 *
 * An SEV-ES guest's registers come from its save area and go back there; ours come back zero or
 * garbage, but for RSP and RIP (APM 15.35.3), so all that the ABI keeps is on the stack.
 */
#include "arch_impl/returns.h"

        .section .text
        .balign 64
        .globl snp_vmrun
snp_vmrun:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rsi
        movq    %rdi, %rax
        clgi
        sti
        vmrun   %rax
        popq    %rax
        vmload  %rax
        cli
        fill_returns 32
        stgi
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

        .section .note.GNU-stack, "", @progbits
