/* The machine below the guest ABI: the instructions, or an encrypted guest's GHCB (snp.c). */
#include "boot.h"
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
