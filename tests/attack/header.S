/* A kernel by the boot protocol's letter: two sectors of setup, then 64-bit code at 2 MiB. */
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
        .long   0x100000        /* init_size */
        .org    0x400

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
