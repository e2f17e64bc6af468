/*
 * RDI struct guest_regs, RSI the guest's VMCB, RDX the host's, both physical. svm_enter (svm.h)
 * calls it: of the caller's registers RBX, RBP, RDX and RSP survive; none is saved twice.
 *
 * Runs the guest until it exits. Interrupts are off before and after; between CLGI and STGI none
 * is taken, and one that waits makes VMRUN exit at once (V_INTR_MASKING, IF = 1).
 *
 * Four return predictions are enough here: svm_vmrun, arch_vcpu_run and run() can return to what
 * they were called from, and sched_loop() does not; what is called from now on predicts its own.
 * The others go when the vCPU leaves the CPU: at each exit they would make it dearer by a fifth.
 */
#include "arch_impl/returns.h"

        .section .text
        .balign 64
        .globl svm_vmrun
svm_vmrun:
        pushq   %rbx
        pushq   %rbp
        pushq   %rdx
        pushq   %rdi
        movq    %rsi, %rax
        movq    0x00(%rdi), %rbx
        movq    0x08(%rdi), %rcx
        movq    0x10(%rdi), %rdx
        movq    0x18(%rdi), %rsi
        movq    0x28(%rdi), %rbp
        movq    0x30(%rdi), %r8
        movq    0x38(%rdi), %r9
        movq    0x40(%rdi), %r10
        movq    0x48(%rdi), %r11
        movq    0x50(%rdi), %r12
        movq    0x58(%rdi), %r13
        movq    0x60(%rdi), %r14
        movq    0x68(%rdi), %r15
        movq    0x20(%rdi), %rdi
        clgi
        sti
        vmload  %rax
        vmrun   %rax
        vmsave  %rax
        movq    8(%rsp), %rax
        vmload  %rax
        cli
        fill_returns 4
        stgi
        popq    %rax
        movq    %rbx, 0x00(%rax)
        movq    %rcx, 0x08(%rax)
        movq    %rdx, 0x10(%rax)
        movq    %rsi, 0x18(%rax)
        movq    %rdi, 0x20(%rax)
        movq    %rbp, 0x28(%rax)
        movq    %r8, 0x30(%rax)
        movq    %r9, 0x38(%rax)
        movq    %r10, 0x40(%rax)
        movq    %r11, 0x48(%rax)
        movq    %r12, 0x50(%rax)
        movq    %r13, 0x58(%rax)
        movq    %r14, 0x60(%rax)
        movq    %r15, 0x68(%rax)
        popq    %rdx
        popq    %rbp
        popq    %rbx
        ret

        .globl svm_forget_returns
svm_forget_returns:
        fill_returns 32
        ret

        .section .note.GNU-stack, "", @progbits
