/*
 * The way in: a Linux Image header (Documentation/arch/arm64/booting.rst), so that whoever loads
 * arm64 Linux loads us. X0 has the physical address of the Device Tree, the MMU is off, all is at
 * whatever multiple of 2 MiB it was put. Everything here fits into the image's first page, which is
 * mapped at its own physical address, too: the MMU is switched on here and nowhere else.
 */
#define TCR_RES1  0x80800000
#define TCR_BITS  (TCR_RES1 | 16 | 1 << 8 | 1 << 10 | 3 << 12) /* 48 bits, cacheable, shareable */
#define SCTLR_OFF 0x30c50830                    /* RES1 */
#define SCTLR_ON  (SCTLR_OFF | 1 | 4 | 8 | 1 << 12) /* M, C, SA, I */
#define SCTLR_WXN (1 << 19)
#define CPTR_OFF  0x33ff /* RES1, and SVE and SME trapped; floating point is not */

#define BLOCK 0x741 /* valid, AF, inner shareable, normal, AP[1] */

    .section .boot.text, "ax"
    .globl _start
_start:
    ccmp    x18, #0, #13, pl /* changes nothing that matters; its bytes begin with "MZ" */
    b       primary
    .quad   0           /* text offset */
    .quad   _image_size
    .quad   0xa         /* little endian, 4 KiB pages, anywhere */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   pe_header - _start

/*
 * A PE32+ executable for UEFI, too (PE/COFF specification, revision 11): text, and the rest. It is
 * position-independent as far as it runs there, so it has no relocations.
 */
    .balign 8
pe_header:
    .ascii  "PE\0\0"
    .short  0xaa64      /* ARM64 */
    .short  2           /* sections */
    .long   0, 0, 0
    .short  pe_sections - pe_optional
    .short  0x206       /* executable, no line numbers, no debug information */
pe_optional:
    .short  0x20b       /* PE32+ */
    .byte   2, 20
    .long   _text_size - 0x1000
    .long   _rest_size
    .long   0
    .long   _efi_offset
    .long   0x1000      /* base of code */
    .quad   0           /* image base */
    .long   0x1000, 0x200 /* alignment of sections, in memory and in the file */
    .short  0, 0, 1, 0, 0, 0 /* image version 1: takes its module as a file, says Linux */
    .long   0
    .long   _image_size
    .long   0x1000      /* headers: no code of this page runs there */
    .long   0
    .short  10, 0x100   /* an EFI application, which executes no data */
    .quad   0, 0, 0, 0
    .long   0, 0        /* no data directories */
pe_sections:
    .ascii  ".text\0\0\0"
    .long   _text_size - 0x1000, 0x1000, _text_size - 0x1000, 0x1000
    .long   0, 0, 0
    .long   0x60000020  /* code, execute, read */
    .ascii  ".data\0\0\0"
    .long   _rest_size, _text_size, _rest_in_file, _text_size
    .long   0, 0, 0
    .long   0xc0000040  /* data, read, write */

/* X1 = root of the tables, X2 = SCTLR_EL2. Returns to X30. */
enable_mmu:
    mov     x3, #0x04ff
    msr     mair_el2, x3
    mrs     x3, id_aa64mmfr0_el1
    and     x3, x3, #15
    cmp     x3, #5
    mov     x4, #5
    csel    x3, x3, x4, lo      /* at most 48 bits */
    ldr     x4, =TCR_BITS
    orr     x4, x4, x3, lsl #16
    msr     tcr_el2, x4
    msr     ttbr0_el2, x1
    dsb     ish
    tlbi    alle2
    dsb     nsh
    ic      iallu
    dsb     nsh
    isb
    msr     sctlr_el2, x2
    isb
    ret

primary:
    mrs     x1, CurrentEL
    cmp     x1, #8
    b.ne    dead                /* not EL2: there is nothing that we could do, or say */
    mov     x20, x0
    msr     daifset, #15
    msr     spsel, #1
    ldr     x2, =SCTLR_OFF
    msr     sctlr_el2, x2
    mov     x2, #0
    msr     hcr_el2, x2
    ldr     x2, =CPTR_OFF
    msr     cptr_el2, x2
    isb
    bl      make_tables
    adrp    x1, boot_l0
    ldr     x2, =SCTLR_ON
    bl      enable_mmu
    ldr     x1, =1f
    br      x1
1:  bti     j
    adrp    x0, _bss_start
    adrp    x1, _image_end
2:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    2b
    adrp    x0, aarch64_boot_stack + 0x8000
    mov     sp, x0
    mov     x29, xzr
    adrp    x0, boot_cpu
    add     x0, x0, :lo12:boot_cpu
    msr     tpidr_el2, x0
    adrp    x0, aarch64_vectors
    add     x0, x0, :lo12:aarch64_vectors
    msr     vbar_el2, x0
    isb
    mov     x0, x20
    adr     x1, physical        /* where the image was loaded, before the MMU was on */
    ldr     x1, [x1]
    bl      aarch64_start
dead:
    wfi
    b       dead
    .balign 8
physical:
    .quad   0

/* Both views of the image, in blocks of 2 MiB: three tables each, of which they share the last. */
make_tables:
    adrp    x0, boot_l0
    add     x1, x0, #(5 * 4096)
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    1b
    adrp    x5, _start          /* physical */
    adr     x6, physical
    str     x5, [x6]
    dc      civac, x6
    adrp    x0, boot_l0
    add     x1, x0, #4096       /* level 1 for the image's virtual address */
    add     x2, x0, #8192       /* level 2 for it */
    add     x3, x0, #12288      /* levels 1 and 2 for its physical one */
    add     x4, x0, #16384
    ldr     x7, =_start         /* virtual */
    mov     x8, x1
    mov     x9, x2
    mov     x10, x30
    bl      link
    mov     x7, x5
    mov     x8, x3
    mov     x9, x4
    bl      link
    mov     x30, x10
    adrp    x0, boot_l0
    add     x1, x0, #(5 * 4096)
2:  dc      ivac, x0            /* written around the caches, read through them */
    add     x0, x0, #64
    cmp     x0, x1
    b.lo    2b
    dsb     sy
    ret

/* Root X0: address X7 goes by tables X8 and X9 to blocks from X5 on. */
link:
    orr     x11, x8, #3
    ubfx    x12, x7, #39, #9
    str     x11, [x0, x12, lsl #3]
    orr     x11, x9, #3
    ubfx    x12, x7, #30, #9
    str     x11, [x8, x12, lsl #3]
    ubfx    x12, x7, #21, #9
    mov     x13, #BLOCK & 0xfff
    orr     x13, x13, x5
    ldr     x14, =_image_size
3:  str     x13, [x9, x12, lsl #3]
    add     x13, x13, #0x200000
    add     x12, x12, #1
    subs    x14, x14, #0x200000
    b.hi    3b
    ret

/* void aarch64_load_root(uint64_t root, uint64_t image_base): the MMU is off in between. */
    .globl aarch64_load_root
aarch64_load_root:
    bti     c
    mov     x9, x30
    adr     x3, 1f
    sub     x3, x3, x1          /* the same place at its physical address */
    mov     x1, x0
    ldr     x2, =SCTLR_ON | SCTLR_WXN
    br      x3
1:  bti     j
    ldr     x4, =SCTLR_OFF
    msr     sctlr_el2, x4
    isb
    bl      enable_mmu
    ret     x9

/* Another CPU starts. X0 = physical address of its struct ap_start (smp.c). */
    .globl aarch64_ap_start
aarch64_ap_start:
    msr     daifset, #15
    msr     spsel, #1
    mov     x20, x0
    mov     x2, #0
    msr     hcr_el2, x2
    ldr     x2, =CPTR_OFF
    msr     cptr_el2, x2
    ldr     x1, [x20]           /* root */
    ldr     x2, =SCTLR_ON | SCTLR_WXN
    ldp     x21, x22, [x20, #8] /* stack, struct cpu */
    ldp     x23, x24, [x20, #24] /* vectors, where to go on */
    bl      enable_mmu
    mov     sp, x21
    msr     tpidr_el2, x22
    msr     vbar_el2, x23
    isb
    mov     x0, x22
    mov     x29, xzr
    blr     x24
    b       dead
    .ltorg

/*
 * UEFI's entry, X0 = our handle, X1 = system table: the MMU is on, everything is mapped at its own
 * address. What returns goes back to the firmware, with a status.
 */
    .section .text.efi, "ax"
    .globl efi_entry
efi_entry:
    bti     c
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    adrp    x2, _start
    add     x3, sp, #16         /* struct efi_start */
    bl      efi_main
    cbnz    x0, 2f
    ldp     x19, x20, [sp, #16]
    msr     daifset, #15
    adrp    x1, _start
    adrp    x2, _data_end
    sub     x2, x2, x1
    mov     x1, x19
    add     x2, x2, x19
1:  dc      cvac, x1            /* what it copied is fetched around the caches */
    add     x1, x1, #16         /* the smallest line there is */
    cmp     x1, x2
    b.lo    1b
    adr     x1, efi_entry       /* and so is what is left of this */
    adr     x2, efi_entry_end
3:  dc      cvac, x1
    add     x1, x1, #16
    cmp     x1, x2
    b.lo    3b
    dsb     sy
    mrs     x1, sctlr_el2
    bic     x1, x1, #1 << 12    /* I, C, M */
    bic     x1, x1, #1 << 2
    bic     x1, x1, #1
    msr     sctlr_el2, x1
    isb
    ic      iallu
    dsb     sy
    isb
    mov     x0, x20
    br      x19
2:  ldp     x29, x30, [sp], #32
    ret
efi_entry_end:

    .section .boot.tables, "aw", %nobits
    .balign 4096
    .globl boot_l0
boot_l0:
    .space  5 * 4096
