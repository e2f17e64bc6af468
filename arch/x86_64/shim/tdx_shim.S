/*
 * The page that a TD starts in, the last below 4 GiB, measured with all it holds. Entered at its
 * end in 32-bit flat mode without paging, ESI the vCPU's index (TDX Module Base Architecture
 * Specification, 13.3). vCPU 0 measures the kernel and what goes with it (tdx_measure.c), accepts
 * memory and starts the kernel; the others wait for the mailbox (ACPI 6.5, 5.2.12.19), and so does
 * a CPU that the kernel gives back: it comes in 64-bit mode to the last but one 16 bytes.
 * TDCALL: RAX the leaf; 6 is TDG.MEM.PAGE.ACCEPT, RCX the page and, in bits 2:0, its level; 1 is
 * TDG.VP.INFO, R9 the vCPU's index.
 */
#define BASE        0xfffff000
#define TABLE       (BASE + 0x400)
#define PLACES      (BASE + 0x900)
#define MEASURES    (BASE + 0x920)
#define STACK_SIZE  0x800
#define AT(label)   (BASE + (label) - tdx_shim_start)
#define VP_INFO     1
#define ACCEPT      6
#define SIZE_MISMATCH 0xc0000b0b        /* status codes, RAX 63:32 */
#define ALREADY       0x00000b0a
#define CR4_PAE     0x20
#define CR4_AT_INIT 0x2060              /* what a TD has of it at first, and PAE */
#define CR0_PG      0x80000000
#define CODE64      0x10
#define DATA        0x18
#define WAKEUP      1
#define TEST        2
/* GHCI 3.4: ReportFatalError; registers R10 to R14 are shown */
#define FATAL_SHOWN 0x7c00
#define FATAL_ERROR 0x10003

        .macro  accept_2m
        leaq    1(%r9), %rcx
        movl    $ACCEPT, %eax
        .byte   0x66, 0x0f, 0x01, 0xcc  /* tdcall */
        shrq    $32, %rax
        jz      1f
        cmpl    $SIZE_MISMATCH, %eax
        je      small
        cmpl    $ALREADY, %eax
        jne     fatal
1:
        .endm

        .macro  accept_4k
        movq    %r9, %rcx
        movl    $ACCEPT, %eax
        .byte   0x66, 0x0f, 0x01, 0xcc
        shrq    $32, %rax
        jz      1f
        cmpl    $ALREADY, %eax
        jne     fatal
1:
        .endm

        .bss
        .balign 16
stack:
        .skip   STACK_SIZE

        .section .start, "ax"
        .code32
tdx_shim_start:
start32:
        movl    %esi, %ebp
        movl    PLACES + 8, %eax        /* page tables */
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $CR4_PAE, %eax
        movl    %eax, %cr4
        lgdt    PLACES + 16
        movl    %cr0, %eax
        orl     $CR0_PG, %eax
        movl    %eax, %cr0              /* EFER.LME is set */
        ljmp    $CODE64, $AT(start64)

        .code64
start64:
        movl    $DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    $PLACES, %ebx
        testl   %ebp, %ebp
        jnz     wait_for_wakeup
        leaq    stack + STACK_SIZE(%rip), %rsp
        movl    $MEASURES, %edi
        cld
        call    tdx_measure
        testl   %eax, %eax
        jnz     fatal
        movl    $TABLE, %r8d
#include "accept_ranges.h"
start_kernel:
        movq    (%rbx), %rsi            /* boot_params */
        xorl    %ecx, %ecx              /* registers and flags: include/abi/register.def */
        movl    $0x200, %eax
        sahf
        .irp    reg, eax, ebx, edx, esp, ebp, edi, r8d, r9d, r10d, r11d, r12d, r13d
        movl    $0, %\reg
        .endr
        jmpq    *(tdx_shim_start + 0x400)(%rip)
come_back:                              /* interrupts are off; no stack, the others use none */
        cli
        movl    $PLACES, %ebx
        movq    8(%rbx), %rax           /* page tables; PCID 0 */
        movq    %rax, %cr3
        movq    %cr4, %rax
        andl    $CR4_AT_INIT, %eax
        movq    %rax, %cr4
        movl    $VP_INFO, %eax
        .byte   0x66, 0x0f, 0x01, 0xcc
        movl    %r9d, %ebp
wait_for_wakeup:
        movq    24(%rbx), %rbx          /* the mailbox */
1:      pause
        movzwl  (%rbx), %eax            /* the command, then whom it is for */
        subl    $WAKEUP, %eax
        cmpl    $TEST - WAKEUP, %eax
        ja      1b
        cmpl    %ebp, 4(%rbx)
        jne     1b
        movq    8(%rbx), %rcx
        movw    $0, (%rbx)
        testl   %eax, %eax
        jnz     1b                      /* only asked whether it is here */
        jmpq    *%rcx
fatal:
        movl    %eax, %r12d             /* the status is the error */
        xorl    %eax, %eax
        movl    $FATAL_SHOWN, %ecx
        xorl    %r10d, %r10d
        movl    $FATAL_ERROR, %r11d
        xorl    %r13d, %r13d
        .byte   0x66, 0x0f, 0x01, 0xcc
        jmp     fatal

        .org    tdx_shim_start + 0xfe0
        jmp     come_back
        .org    tdx_shim_start + 0xff0
        .code32
        jmp     start32
        .org    tdx_shim_start + 0x1000

        .section .note.GNU-stack, "", @progbits
