/*
 * A micro-guest as a bzImage, for every kind of x86 guest. What the first vCPU started with is kept
 * in bz_state, register by register, before anything changes it.
 */
#include "bz_setup.S"

        .section .entry, "ax"
        .code64
        .org    0x200
        .globl  entry
entry:
        .set    at, 0
        .irp    reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15
        movq    %\reg, bz_state + at
        .set    at, at + 8
        .endr
        .irp    reg, cs, ds, es, fs, gs, ss
        movl    %\reg, %eax
        movq    %rax, bz_state + at
        .set    at, at + 8
        .endr
        .irp    reg, cr0, cr2, cr3, cr4, cr8, dr6
        movq    %\reg, %rax
        movq    %rax, bz_state + at
        .set    at, at + 8
        .endr
        str     %eax
        movq    %rax, bz_state + at
        sldt    %eax
        movq    %rax, bz_state + at + 8
        leaq    stacks + 0x4000, %rsp
        pushfq
        popq    bz_state + at + 16
        sgdt    bz_state + at + 24
        sidt    bz_state + at + 40
        movl    $0xc0000080, %ecx
        rdmsr
        movl    %eax, bz_state + at + 56
        movq    %rsi, %rdi
        call    cc_begin        /* RAX: the page tables */
        xorl    %edi, %edi
        movl    $stacks + 0x4000, %esi

/* RDI a vCPU's index, RSI its stack, RAX the page tables. */
enter:  movq    %rax, %cr3
        movq    %cr4, %rax
        orl     $0x600, %eax    /* OSFXSR, OSXMMEXCPT */
        movq    %rax, %cr4
        lgdt    bz_gdtr
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movq    %rsi, %rsp
        xorl    %ebp, %ebp
        pushq   $0x08
        pushq   $1f
        lretq
1:      call    guest_start
        ud2

/* A TD's mailbox leads here, in 64 bits and on the shim's page tables. */
        .globl  mailbox_entry, mailbox_for
mailbox_entry:
        movl    mailbox_for, %edi
        leal    1(%rdi), %esi
        imull   $0x4000, %esi
        addl    $stacks, %esi
        movl    $page_table4, %eax
        jmp     enter

        .section .data
        .balign 8
mailbox_for:
        .long   0
bz_gdtr:
        .word   47
        .quad   boot_gdt
        .section .bss
        .balign 16
        .globl  bz_state
bz_state:
        .skip   512
        .section .note.GNU-stack, "", @progbits
