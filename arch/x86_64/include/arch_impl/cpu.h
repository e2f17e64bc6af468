#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

/* Tables and stacks that a CPU needs to take exceptions. AMD64 APM Vol. 2, 12.2.5: the TSS. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "APM Vol. 2, figure 12-8");

struct arch_cpu {
    uint64_t gdt[8];
    struct tss tss;
    uint32_t apic_id;
    uint64_t host_vmcb;  /* physical: VMLOAD state of the hypervisor */
    uint64_t asid_next;
    uint64_t asid_generation;
    bool asid_flush;     /* the next entry flushes every ASID */
    bool ibpb;
    uint64_t last_vcpu;  /* its number; 0: none ran here */
};

/* FS points at struct cpu: its first word is its own address, 28h is the stack protector's. */
static ALWAYS_INLINE struct cpu *this_cpu(void)
{
    struct cpu *c;

    __asm__("mov %%fs:0, %0" : "=r"(c));
    return c;
}

static ALWAYS_INLINE void cpu_relax(void)
{
    __asm__ volatile("pause");
}

#endif
