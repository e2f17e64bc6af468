/*
 * Where another processor of an ordinary VM starts: in real mode, at a page below 1 MiB to which
 * this is copied (APM Vol. 2, 14.7 and 16.9). It takes the tables that the box itself started with.
 */
#include "offsets.h"

#define AT(label) ((label) - trampoline_start)
#define BASE TRAMPOLINE_PHYS

        .section .rodata
        .balign 16
        .globl  trampoline_start, trampoline_end, trampoline_table
        .code16
trampoline_start:
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   AT(gdt_pointer)
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $8, $(BASE + AT(protected))
        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movl    $0x20, %eax             /* PAE */
        movl    %eax, %cr4
        movl    BASE + AT(trampoline_table), %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       /* EFER: LME */
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmpl   $24, $(BASE + AT(long_mode))
        .code64
long_mode:
        movabsq $smp_entry, %rax
        jmpq    *%rax
        .balign 8
trampoline_table:
        .quad   0
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff
gdt_pointer:
        .word   31
        .long   BASE + AT(gdt)
trampoline_end:

/* Long mode, interrupts off: to the box's own tables, and a stack. */
        .text
        .code64
        .globl  smp_entry
smp_entry:
        movl    $0xc0000080, %ecx       /* EFER: NXE */
        rdmsr
        orl     $0x800, %eax
        wrmsr
        movq    smp_table(%rip), %rax
        movq    %rax, %cr3
        movq    smp_stack(%rip), %rsp
        xorl    %ebp, %ebp
        call    smp_begin
        ud2
        .section .note.GNU-stack, "", @progbits
