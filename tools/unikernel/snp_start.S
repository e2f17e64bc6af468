/* A bzImage (Linux, Documentation/arch/x86/boot.rst): two sectors of setup, code at 2 MiB. */
        .section .setup, "a"
        .org    0x1f1
        .byte   1               /* setup_sects */
        .org    0x1f4
        .long   code_paragraphs
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
        .long   255             /* cmdline_size */
        .org    0x258
        .quad   0x200000        /* pref_address */
        .long   init_size
        .org    0x400

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
