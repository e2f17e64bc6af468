/* The TD's shim as data: linked by itself (tdx_shim.ld), for where it runs. */
        .section .rodata
        .balign 16
        .globl tdx_shim_start, tdx_shim_end
tdx_shim_start:
        .incbin "tdx_shim.bin"
tdx_shim_end:

        .section .note.GNU-stack, "", @progbits
