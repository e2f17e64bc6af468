/*
 * The file looks like a Linux kernel (Linux, Documentation/arch/x86/boot.rst): so whatever starts
 * Linux in an ordinary VM, or in an encrypted one, starts the box. Entered in long mode on identity
 * tables of the first 4 GiB, RSI boot_params; moves to where the box lives.
 */
        .section .setup, "a"
        .org    0x1f1
        .byte   1               /* setup_sects */
        .org    0x1f4
        .long   box_paragraphs
        .org    0x1fe
        .word   0xaa55
        .byte   0xeb, 0x66      /* the header ends at 268h */
        .ascii  "HdrS"
        .word   0x020f
        .org    0x211
        .byte   1               /* loadflags: high */
        .org    0x22c
        .long   0x7fffffff
        .long   0x200000        /* kernel_alignment */
        .org    0x236
        .word   1               /* xloadflags: 64-bit entry */
        .long   1023            /* cmdline_size: what start_info has room for */
        .org    0x258
        .quad   0x200000        /* pref_address */
        .long   box_span        /* init_size */
        .org    0x400

        .section .entry, "ax"
        .code64
        .org    0x200
        .globl  box_entry
box_entry:
        cld
        leaq    box_data_end(%rip), %rdi
        leaq    box_end(%rip), %rcx
        subq    %rdi, %rcx
        xorl    %eax, %eax
        rep stosb
        movq    %cr3, %rax
        movl    %eax, %eax              /* they are below 4 GiB; above may be the C-bit */
        movq    (%rax), %rdx            /* PML4[0]: the identity map; above bit 31, the C-bit */
        movabsq $0x7fffffff00000000, %rcx
        andq    %rdx, %rcx
        leaq    boot_l4(%rip), %rdi     /* physical, as RIP is */
        leaq    boot_l3(%rip), %r8
        leaq    boot_l2(%rip), %r9
        movq    %rdx, (%rdi)
        leaq    3(%r8), %rax
        orq     %rcx, %rax
        movq    %rax, 261 * 8(%rdi)
        leaq    3(%r9), %rax
        orq     %rcx, %rax
        movq    %rax, (%r8)
        leaq    (box_load_address)(%rip), %rax
        andq    $~0x1fffff, %rax
        orq     $0x83, %rax
        orq     %rcx, %rax
        xorl    %ebx, %ebx
1:      movq    %rax, (%r9, %rbx, 8)
        addq    $0x200000, %rax
        incl    %ebx
        cmpl    $8, %ebx
        jne     1b
        orq     %rcx, %rdi
        movq    %rdi, %cr3
        movabsq $2f, %rax
        jmpq    *%rax
2:      leaq    boot_stack_end(%rip), %rsp
        movq    %rsi, %rdi
        movq    %rcx, %rsi              /* the C-bit */
        xorl    %ebp, %ebp
        call    box_main
        ud2

        .bss
        .balign 4096
        .globl  boot_l4
boot_l4: .skip  4096
boot_l3: .skip  4096
boot_l2: .skip  4096
        .skip   16384
boot_stack_end:
        .section .note.GNU-stack, "", @progbits
