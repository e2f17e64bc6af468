/* The machine below the guest ABI: the instructions, or an encrypted guest's GHCB (ghcb.c). */
#include "boot.h"
#include "offsets.h"
#include "outside.h"
#include "ghcb.h"

static uint64_t shared_pa, ghcbs_at;

/* `count` pages to share with the hypervisor, and behind them a GHCB for each vCPU. */
void *machine_create(uint64_t count)
{
    uint64_t all = count + (boot.cc_blob != 0 ? box.vcpus : 0);

    shared_pa = (uint64_t)(uintptr_t)boot_pages(all);
    if (boot.cc_blob != 0) {
        ghcb_create(boot.cc_blob);
        ghcb_share(shared_pa, all);
    }
    for (uint64_t i = 0; i < all; i++) {
        map_shared(SHARED_VIRT + i * PAGE_SIZE, shared_pa + i * PAGE_SIZE);
    }
    ghcbs_at = count;
    memset((void *)SHARED_VIRT, 0, all * PAGE_SIZE);
    machine_begin(0);
    return (void *)SHARED_VIRT;
}

uint64_t machine_pa(const void *shared)
{
    return (uint64_t)(uintptr_t)shared - SHARED_VIRT + shared_pa;
}

void machine_begin(uint32_t vcpu)
{
    uint64_t offset = (ghcbs_at + vcpu) * PAGE_SIZE;

    if (boot.cc_blob != 0) {
        ghcb_register(vcpu, shared_pa + offset, (void *)(SHARED_VIRT + offset));
    }
}

bool machine_private(void)
{
    return boot.cc_blob != 0;
}

void machine_wrmsr(uint32_t msr, uint64_t value)
{
    if (boot.cc_blob != 0) {
        ghcb_wrmsr(msr, value);
        return;
    }
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void machine_outb(uint16_t port, uint8_t value)
{
    if (boot.cc_blob != 0) {
        ghcb_outb(port, value);
        return;
    }
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

#define X2APIC_ICR   0x830u
#define ICR_INIT     0x4500u
#define ICR_START_UP 0x4600u

extern const char smp_entry[];
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
        ghcb_start_vcpu(v->index, (uint64_t)(uintptr_t)smp_entry, smp_table, smp_stack);
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
        ghcb_terminate();
    }
    for (;;) {
        __asm__ volatile("lidt %0; ud2" : : "m"(none));
    }
}
