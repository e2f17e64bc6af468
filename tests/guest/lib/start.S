/*
 * Into 64-bit mode: the first vCPU from the PVH entry (32-bit flat, no paging, EBX the start info),
 * the others from a start-up IPI at page 8. Memory below 4 GiB maps to itself, for every ring.
 */
#define CPUS_MAX   8
#define STACK_SIZE 0x4000
#define AP_STATE   0xf00 /* on the page of the start-up code: struct entry_state, too */

        .section .note.Xen, "a", @note
        .balign 4
        .long   4, 4, 18                /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz  "Xen"
        .long   start32

        .section .text
        .code32
        .globl  start32
start32:
        /* What a vCPU starts with, before anything changes it: struct entry_state. */
        .set    at, 0
        .irp    reg, eax, ebx, ecx, edx, esi, edi, ebp, esp
        movl    %\reg, entry_state + at
        .set    at, at + 4
        .endr
        .irp    reg, cs, ds, es, fs, gs, ss
        movl    %\reg, %eax
        movl    %eax, entry_state + at
        .set    at, at + 4
        .endr
        .irp    reg, cr0, cr2, cr3, cr4, dr6, dr7
        movl    %\reg, %eax
        movl    %eax, entry_state + at
        .set    at, at + 4
        .endr
        str     %eax
        movl    %eax, entry_state + at
        sldt    %eax
        movl    %eax, entry_state + at + 4
        movl    $0xc0000080, %ecx
        rdmsr
        movl    %eax, entry_state + at + 8
        movl    $stacks + STACK_SIZE, %esp
        pushfl
        popl    entry_state + at + 12
        sgdt    entry_state + at + 16
        sidt    entry_state + at + 24
        movl    %ebx, start_info
enter64:
        lgdt    boot_gdtr
        movl    $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $page_table4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x901, %eax            /* NXE, LME, SCE */
        wrmsr
        movl    $0x80010033, %eax       /* PG, WP, NE, ET, MP, PE */
        movl    %eax, %cr0
        ljmp    $0x08, $start64

        .code64
start64:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $0x802, %ecx            /* the x2APIC id: which stack is ours */
        rdmsr
        movl    %eax, %edi
        incl    %eax
        imull   $STACK_SIZE, %eax
        leaq    stacks(%rax), %rsp
        xorl    %ebp, %ebp
        call    guest_start
        ud2

        /* Copied to ap_page. A start-up IPI enters here in real mode, CS:IP = 0800:0000. */
        .code16
        .globl  ap_trampoline, ap_trampoline_end
        .balign 16
ap_trampoline:
        .set    at, AP_STATE
        .irp    reg, eax, ebx, ecx, edx, esi, edi, ebp, esp
        movl    %\reg, %cs:at
        .set    at, at + 4
        .endr
        .irp    reg, cs, ds, es, fs, gs, ss
        movl    %\reg, %eax
        movl    %eax, %cs:at
        .set    at, at + 4
        .endr
        .irp    reg, cr0, cr2, cr3, cr4, dr6, dr7
        movl    %\reg, %eax
        movl    %eax, %cs:at
        .set    at, at + 4
        .endr
        movl    $0x8f00, %esp
        pushfl
        popl    %cs:at + 12
        cli
        lgdtl   %cs:(1f - ap_trampoline)
        movl    $0x11, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $ap32
        .balign 4
1:      .word   boot_gdt_end - boot_gdt - 1
        .long   boot_gdt
ap_trampoline_end:

        .code32
ap32:
        movl    $0x10, %eax
        movl    %eax, %ds
        jmp     enter64

        .section .data
        .balign 8
        .globl  boot_gdt
boot_gdt:
        .quad   0
        .quad   0x00af9b000000ffff      /* 08 code, 64 bits */
        .quad   0x00cf93000000ffff      /* 10 data */
        .quad   0x00cf9b000000ffff      /* 18 code, 32 bits */
        .quad   0x00cff3000000ffff      /* 20 data, ring 3 */
        .quad   0x00affb000000ffff      /* 28 code, 64 bits, ring 3 */
boot_gdt_end:
boot_gdtr:
        .word   boot_gdt_end - boot_gdt - 1
        .long   boot_gdt, 0

        .balign 4096
        .globl  page_table4, page_table3, page_table2
page_table4:
        .quad   page_table3 + 7
        .fill   511, 8, 0
page_table3:
        .set    i, 0
        .rept   4
        .quad   page_table2 + i * 4096 + 7
        .set    i, i + 1
        .endr
        .quad   window2 + 7             /* 4 GiB: guest.h, map() */
        .fill   507, 8, 0
window2:
        .quad   page_window + 7
        .fill   511, 8, 0
        .globl  page_window
page_window:
        .fill   512, 8, 0
page_table2:
        .set    i, 0
        .rept   2048
        .quad   i * 0x200000 + 0xe7
        .set    i, i + 1
        .endr

        .section .bss
        .balign 4096
        .globl  stacks, entry_state
entry_state:
        .skip   4096
stacks:
        .skip   CPUS_MAX * STACK_SIZE
        .section .note.GNU-stack, "", @progbits
