/* Time: the system counter, and EL2's own physical timer. Arm ARM, D12. */
#include "../boot/machine.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "arch/timer.h"
#include "arch/vcpu.h"
#include "arch_impl/insn.h"
#include "hv/check.h"

#define CTL_ENABLE 1u

static struct {
    uint64_t start;        /* count */
    uint64_t ns_per_tick;  /* 32.32 fixed point */
    uint64_t ticks_per_ns; /* 32.32 */
    uint64_t wall;
} clock;

static uint64_t mul32(uint64_t v, uint64_t fixed)
{
    return (uint64_t)(((unsigned __int128)v * fixed) >> 32);
}

uint64_t clock_now(void)
{
    isb(); /* the counter may be read early */
    return sysreg_read(cntpct_el0);
}

void clock_init(void)
{
    uint64_t hz = sysreg_read(cntfrq_el0) & UINT32_MAX;

    if (hz == 0) {
        panic("CNTFRQ_EL0 is 0: the firmware has not set the clock's frequency");
    }
    clock.ns_per_tick = (1000000000ull << 32) / hz;
    clock.ticks_per_ns = (hz << 32) / 1000000000u;
    if (machine.rtc.len != 0) {
        clock.wall = mmio_read32(arch_map_device(pa(machine.rtc.at), PAGE_SIZE)); /* RTCDR */
    }
    clock.start = clock_now();
}

void clock_cpu_init(void)
{
    sysreg_write(cnthp_ctl_el2, 0);
    sysreg_write(cnthctl_el2, 3); /* guests have the counter and the physical timer */
    isb();
}

uint64_t clock_ns(void)
{
    return clock.start == 0 ? 0 : mul32(clock_now() - clock.start, clock.ns_per_tick);
}

uint64_t clock_from_count(uint64_t count)
{
    return count <= clock.start ? 0 : mul32(count - clock.start, clock.ns_per_tick);
}

uint64_t clock_wall_at_boot(void)
{
    return clock.wall;
}

void clock_set_alarm(uint64_t ns)
{
    if (ns == UINT64_MAX) {
        sysreg_write(cnthp_ctl_el2, 0);
    } else {
        sysreg_write(cnthp_cval_el2, clock.start + mul32(ns, clock.ticks_per_ns) + 1);
        sysreg_write(cnthp_ctl_el2, CTL_ENABLE);
    }
    isb();
}

void arch_clock_scale(uint32_t *mul, int8_t *shift)
{
    uint64_t scaled = clock.ns_per_tick;

    for (*shift = 0; scaled > UINT32_MAX; (*shift)++) {
        scaled >>= 1;
    }
    *mul = (uint32_t)scaled;
}
