/* A unikernel in a plain domain: an ELF file that the PVH protocol starts. */
#include "machine.h"

/* PVH entry (Xen, docs/misc/pvh.pandoc), then 64-bit mode with 2 GiB mapped to themselves. */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
        "        .long   4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
        "        .asciz  \"Xen\"\n"
        "        .long   start32\n"
        "        .popsection\n"
        "        .code32\n"
        "        .globl  start32\n"
        "start32:\n"
        "        lgdt    gdtr\n"
        "        movl    $0x20, %eax\n" /* PAE */
        "        movl    %eax, %cr4\n"
        "        movl    $table4, %eax\n"
        "        movl    %eax, %cr3\n"
        "        movl    $0xc0000080, %ecx\n"
        "        rdmsr\n"
        "        orl     $0x100, %eax\n" /* LME */
        "        wrmsr\n"
        "        movl    $0x80000011, %eax\n" /* PG, ET, PE */
        "        movl    %eax, %cr0\n"
        "        ljmp    $0x08, $start64\n"
        "        .code64\n"
        "start64:\n"
        "        xorl    %eax, %eax\n"
        "        movl    %eax, %ds\n"
        "        movl    %eax, %es\n"
        "        movl    %eax, %ss\n"
        "        leaq    stack_end, %rsp\n"
        "        call    unikernel\n"
        "        .pushsection .data\n"
        "        .balign 4096\n"
        "table4: .quad   table3 + 3\n"
        "        .fill   511, 8, 0\n"
        "table3: .quad   table2 + 3, table2 + 4096 + 3\n"
        "        .fill   510, 8, 0\n"
        "table2: .set    i, 0\n"
        "        .rept   1024\n"
        "        .quad   i * 0x200000 + 0x83\n"
        "        .set    i, i + 1\n"
        "        .endr\n"
        "gdt:    .quad   0, 0x00af9b000000ffff\n"
        "gdtr:   .word   15\n"
        "        .long   gdt, 0\n"
        "        .popsection\n"
        "        .pushsection .bss\n"
        "        .balign 16\n"
        "        .skip   8192\n"
        "stack_end:\n"
        "        .popsection\n");

int machine_has_abi(void)
{
    return abi_present();
}

void machine_off(void)
{
    for (;;) {
        __asm__ volatile("outb %0, %1"
                         :
                         : "a"((uint8_t)PM_SLEEP_VALUE), "Nd"((uint16_t)PM_SLEEP_PORT));
    }
}

/* Nothing measures a plain domain but its host. */
void machine_attest(void)
{
    static uint8_t evidence[4096];
    struct abi_result r = abi_do_BUF_REGISTER((uint64_t)evidence, sizeof(evidence), 0);

    r = abi_do_HOST_EVIDENCE(r.value[0], 0, sizeof(evidence));
    if (r.status == ABI_NOT_BUILT) {
        print("the host has no evidence to give\n");
    } else {
        must("no evidence: ", r.status);
        print_number("bytes of evidence: ", r.value[0]);
    }
}
