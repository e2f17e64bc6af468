/*
 * Where GRUB (Multiboot2), QEMU -kernel (Multiboot1) and the start-up interrupt come in.
 * The image is linked at its load address plus IMAGE_BASE and loaded as a flat file.
 */
#define IMAGE_BASE  0xffffffff80000000
#define PHYS(x)     ((x) - IMAGE_BASE)

#define CR0_PE      0x1
#define CR0_ET      0x10
#define CR0_WP      0x10000
#define CR0_PG      0x80000000
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_LME    0x100
#define EFER_NXE    0x800
#define MSR_FS_BASE 0xc0000100
#define PTE_PW      0x3
#define PTE_PWPS    0x83

        .macro  enter_long_mode cr3     /* at the next far jump */
        movl    $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    \cr3, %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        movl    $(EFER_LME | EFER_NXE), %eax
        xorl    %edx, %edx
        wrmsr
        movl    $(CR0_PG | CR0_WP | CR0_ET | CR0_PE), %eax
        movl    %eax, %cr0
        .endm

        .macro  no_segments
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        .endm

        .section .boot.header, "a"
        /* Multiboot 1, 3.1.1: page-aligned modules, memory map, addresses given here. */
        .balign 4
mb1_header:
        .long 0x1badb002
        .long 0x00010003
        .long -(0x1badb002 + 0x00010003)
        .long PHYS(mb1_header)
        .long PHYS(_image_start)
        .long PHYS(_data_end)
        .long PHYS(_image_end)
        .long PHYS(start32)

        /* Multiboot 2, 3.1.1. */
        .balign 8
mb2_header:
        .long 0xe85250d6, 0, mb2_end - mb2_header
        .long -(0xe85250d6 + (mb2_end - mb2_header))
        .balign 8
        .short 2, 0             /* addresses */
        .long 24
        .long PHYS(mb2_header), PHYS(_image_start), PHYS(_data_end), PHYS(_image_end)
        .balign 8
        .short 3, 0             /* entry */
        .long 12
        .long PHYS(start32)
        .balign 8
        .short 6, 0             /* page-aligned modules */
        .long 8
        .balign 8
        .short 0, 0
        .long 8
mb2_end:

        .section .boot.text, "ax"
        .code32
        .globl start32
start32:
        cli
        cld
        movl    $PHYS(boot_stack_end), %esp
        movl    %eax, %edi              /* the loader's magic, and its information */
        movl    %ebx, %esi

        movl    $0x80000001, %eax       /* long mode and NX, or nothing to do here */
        cpuid
        andl    $0x20100000, %edx
        cmpl    $0x20100000, %edx
        jne     stop32

        /* The first 4 GiB by 2 MiB pages: as they are, and in the direct map. */
        movl    $PHYS(boot_pd), %ebx
        movl    $PTE_PWPS, %eax
1:      movl    %eax, (%ebx)
        movl    $0, 4(%ebx)
        addl    $0x200000, %eax
        addl    $8, %ebx
        cmpl    $PHYS(boot_pd) + 4 * 4096, %ebx
        jne     1b
        movl    $PHYS(boot_pd) + PTE_PW, %eax
        movl    $PHYS(boot_pdpt_low), %ebx
        movl    $4, %ecx
2:      movl    %eax, (%ebx)
        addl    $4096, %eax
        addl    $8, %ebx
        loop    2b
        /* The image: its first GiB at IMAGE_BASE. */
        movl    $PHYS(boot_pd) + PTE_PW, PHYS(boot_pdpt_high) + 510 * 8
        movl    $PHYS(boot_pdpt_low) + PTE_PW, PHYS(boot_pml4)
        movl    $PHYS(boot_pdpt_low) + PTE_PW, PHYS(boot_pml4) + 256 * 8
        movl    $PHYS(boot_pdpt_high) + PTE_PW, PHYS(boot_pml4) + 511 * 8

        enter_long_mode $PHYS(boot_pml4)
        lgdt    PHYS(boot_gdtr)
        ljmp    $0x08, $PHYS(start64)

stop32: hlt
        jmp     stop32

        .code64
start64:
        movabsq $1f, %rax
        jmp     *%rax
1:      no_segments
        movq    $boot_stack_end, %rsp
        movq    $boot_cpu, %rax
        movq    %rax, (%rax)            /* struct cpu: self */
        movq    %rax, %rdx
        shrq    $32, %rdx
        movl    $MSR_FS_BASE, %ecx
        wrmsr
        xorl    %ebp, %ebp
        call    x86_start
        ud2

/* void x86_switch_stack(void *top, void (*fn)(void)): fn does not return. */
        .section .text
        .globl x86_switch_stack
x86_switch_stack:
        movq    %rdi, %rsp
        xorl    %ebp, %ebp
        call    *%rsi
        ud2

/*
 * The other CPUs start here, in real mode, in a copy at a page below 1 MiB. x86_start_cpus fills
 * in what follows ap_data.
 */
        .section .rodata
        .balign 16
        .code16
        .globl ap_start, ap_data, ap_end
ap_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   ap_gdtr - ap_start
        enter_long_mode "ap_cr3 - ap_start"
        ljmpl   *(ap_jump - ap_start)
        .code64
ap64:
        no_segments
        movq    ap_boot_stack(%rip), %rsp
        movq    ap_cpu(%rip), %rdi
        movq    ap_entry(%rip), %rax
        movq    %rdi, %rdx
        pushq   %rax
        movq    %rdi, %rax
        shrq    $32, %rdx
        movl    $MSR_FS_BASE, %ecx
        wrmsr
        popq    %rax
        xorl    %ebp, %ebp
        jmp     *%rax
        .balign 8
        /* struct ap_data in smp.c */
ap_data:
ap_cr3: .quad 0
ap_boot_stack:
        .quad 0
ap_cpu: .quad 0
ap_entry:
        .quad 0
ap_jump:
        .long ap64 - ap_start           /* plus the page's address */
        .short 0x08, 0
ap_gdtr:
        .short 2 * 8 - 1
        .long ap_gdt - ap_start         /* plus the page's address */
        .short 0
ap_gdt: .quad 0, 0x00af9b000000ffff
ap_end:

        .section .data
        .balign 8
boot_gdt:
        .quad 0, 0x00af9b000000ffff
boot_gdtr:
        .short 2 * 8 - 1
        .long PHYS(boot_gdt)

        .section .bss
        .balign 4096
        .globl boot_pml4, boot_stack_end
boot_pml4:
        .skip 4096
boot_pdpt_low:
        .skip 4096
boot_pdpt_high:
        .skip 4096
boot_pd:
        .skip 4 * 4096
boot_stack:
        .skip 16384
boot_stack_end:

        .section .note.GNU-stack, "", @progbits
