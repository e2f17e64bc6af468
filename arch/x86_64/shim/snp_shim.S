/*
 * The shim of an SEV-SNP guest: one page, position independent, measured with all it holds.
 * Entered in long mode on identity tables with the C-bit set; RSI is the kernel's and is kept.
 * PVALIDATE: APM Vol. 3. RAX address, ECX size (1: 2 MiB), EDX 1; EAX result, CF: no change. What
 * was valid before the guest ever asked is not what was launched, nor a page of its own: it ends.
 */
#define TABLE          (snp_shim_start + 0x400)
#define FAIL_SIZE      6
#define MSR_GHCB       0xc0010130
/* GHCB 2.3.1: termination request, reason set 1 (Linux's), code 2: PVALIDATE failed. */
#define TERMINATE      0x21100

        .macro  accept_2m
        movq    %r9, %rax
        movl    $1, %ecx
        movl    $1, %edx
        .byte   0xf2, 0x0f, 0x01, 0xff  /* pvalidate */
        jc      terminate
        cmpl    $FAIL_SIZE, %eax
        je      small
        testl   %eax, %eax
        jnz     terminate
        .endm

        .macro  accept_4k
        movq    %r9, %rax
        xorl    %ecx, %ecx
        movl    $1, %edx
        .byte   0xf2, 0x0f, 0x01, 0xff
        jc      terminate
        testl   %eax, %eax
        jnz     terminate
        .endm

        .section .rodata
        .balign 16
        .code64
        .globl snp_shim_start, snp_shim_end
snp_shim_start:
        leaq    TABLE(%rip), %r8
#include "accept_ranges.h"
start_kernel:                           /* registers and flags: include/abi/register.def */
        xorl    %ecx, %ecx              /* OF = 0 */
        movl    $0x200, %eax
        sahf
        .irp    reg, eax, edx, r8d, r9d, r10d, r11d, r12d, r13d
        movl    $0, %\reg
        .endr
        jmpq    *TABLE(%rip)
terminate:
        movl    $MSR_GHCB, %ecx
        movl    $TERMINATE, %eax
        xorl    %edx, %edx
        wrmsr
        rep; vmmcall                    /* vmgexit */
        jmp     terminate
snp_shim_end:

        .section .note.GNU-stack, "", @progbits
