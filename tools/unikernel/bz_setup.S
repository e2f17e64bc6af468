/*
 * The two sectors of setup that make a file a bzImage (Linux, Documentation/arch/x86/boot.rst), for
 * code at 2 MiB; code_paragraphs and init_size are the linker script's.
 */
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
