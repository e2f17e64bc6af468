/* Time from the TSC and KVM's clock page; that page would have to be shared, so confidential guests
 * ask for the guest ABI's. Xen's guests have no clock of KVM's: a leaf tells the TSC's rate. */
#include "abi/abi.h"
#include "guest.h"

#define XEN_LEAF 0x40000000u
#define XEN_EBX  0x566e6558u /* XenV */

static struct clock_page page __attribute__((aligned(64)));
static uint64_t tsc_khz;

/* msr.rst: ns = (ticks << shift) * mul >> 32. */
uint64_t clock_page_ns(const volatile struct clock_page *p, uint64_t tsc)
{
    uint64_t ticks = tsc - p->tsc;

    ticks = p->shift >= 0 ? ticks << p->shift : ticks >> -p->shift;
    return (uint64_t)((unsigned __int128)ticks * p->mul >> 32) + p->ns;
}

static void rate_from_time_page(void)
{
    static SHARED struct abi_time t;
    struct call_result r = call(ABI_CALL_BUF_REGISTER, (uint64_t)&t, sizeof(t), 0, 0);

    (void)call(ABI_CALL_TIME_SETUP, r.value[0], 0, 0, 0);
    if (t.mul == 0) {
        fatal("no time page");
    }
    tsc_khz = (1000000ull << 32) / t.mul;
    tsc_khz = t.shift >= 0 ? tsc_khz >> t.shift : tsc_khz << -t.shift;
    (void)call(ABI_CALL_BUF_UNREGISTER, r.value[0], 0, 0, 0);
}

void time_setup(void)
{
    uint64_t ticks = 1000000000;

    if (guest_kind != GUEST_PLAIN) {
        rate_from_time_page();
        return;
    }
    if (cpuid(XEN_LEAF, 0).ebx == XEN_EBX) {
        tsc_khz = cpuid(XEN_LEAF + 3, 0).ecx;
        return;
    }
    wrmsr(MSR_KVM_TIME, (uint64_t)&page | 1);
    tsc_khz = ticks * 1000000 / (clock_page_ns(&page, page.tsc + ticks) - page.ns);
}

uint64_t tsc_of_us(uint64_t us)
{
    return us * tsc_khz / 1000;
}

uint64_t us_of_tsc(uint64_t tsc)
{
    return tsc * 1000 / tsc_khz;
}

void delay_us(uint64_t us)
{
    uint64_t end = rdtsc() + tsc_of_us(us);

    while (rdtsc() < end) {
        for (unsigned int i = 0; i < 200; i++) { /* under TCG, cheaper than reading the counter */
            __asm__ volatile("");
        }
    }
}
