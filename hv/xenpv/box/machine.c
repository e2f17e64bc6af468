/* The machine below the guest ABI: the instructions, or an encrypted guest's GHCB (snp.c). */
#include "boot.h"
#include "offsets.h"
#include "outside.h"
#include "snp.h"

void machine_create(void *shared, size_t len)
{
    if (boot.cc_blob != 0) {
        snp_create(boot.cc_blob);
        snp_share(shared, len);
    }
}

void machine_wrmsr(uint32_t msr, uint64_t value)
{
    if (boot.cc_blob != 0) {
        snp_wrmsr(msr, value);
        return;
    }
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void machine_outb(uint16_t port, uint8_t value)
{
    if (boot.cc_blob != 0) {
        snp_outb(port, value);
        return;
    }
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

#define X2APIC_ICR   0x830u
#define ICR_INIT     0x4500u
#define ICR_START_UP 0x4600u

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_table[];

/* By its x2APIC, as on a PC; vCPUs' APIC ids are their numbers. */
static void start_by_icr(const struct vcpu *v)
{
    uint8_t *to = (uint8_t *)(DIRECT_VIRT + TRAMPOLINE_PHYS);
    uint64_t table = own_pa(boot_l4);

    memcpy(to, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    memcpy(to + (trampoline_table - trampoline_start), &table, sizeof(table));
    machine_wrmsr(X2APIC_ICR, (uint64_t)v->index << 32 | ICR_INIT);
    machine_wrmsr(X2APIC_ICR,
                  (uint64_t)v->index << 32 | ICR_START_UP | TRAMPOLINE_PHYS >> PAGE_SHIFT);
}

void machine_start_vcpu(struct vcpu *v)
{
    if (boot.cc_blob != 0) {
        snp_start_vcpu(v);
    } else {
        start_by_icr(v);
    }
}

/* A write of DR7 exits from an encrypted guest: its breakpoints are kept, but not armed. */
void outside_dr7(uint64_t value)
{
    if (boot.cc_blob == 0) {
        __asm__ volatile("mov %0, %%dr7" : : "r"(value));
    }
}

/* Nothing is left to say: a fault without a table of handlers ends an ordinary VM. */
void machine_fail(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    if (boot.cc_blob != 0) {
        snp_terminate();
    }
    for (;;) {
        __asm__ volatile("lidt %0; ud2" : : "m"(none));
    }
}
