/* Time: the system counter, and EL2's own physical timer. Arm ARM, D12. */
#include "../boot/machine.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "arch/timer.h"
#include "arch/vcpu.h"
#include "arch_impl/insn.h"
#include "hv/check.h"

#define CTL_ENABLE 1u

uint64_t clock_now(void)
{
    isb(); /* the counter may be read early */
    return sysreg_read(cntpct_el0);
}

void clock_init(void)
{
    uint64_t hz = sysreg_read(cntfrq_el0) & UINT32_MAX, wall = 0;

    if (hz == 0) {
        panic("CNTFRQ_EL0 is 0: the firmware has not set the clock's frequency");
    }
    if (machine.rtc.len != 0) {
        wall = mmio_read32(arch_map_device(pa(machine.rtc.at), PAGE_SIZE)); /* RTCDR */
    }
    clock_start(hz, clock_now(), wall);
}

void clock_cpu_init(void)
{
    sysreg_write(cnthp_ctl_el2, 0);
    sysreg_write(cnthctl_el2, 3); /* guests have the counter and the physical timer */
    isb();
}

uint64_t clock_ns(void)
{
    return clock_from_count(clock_now());
}

void clock_set_alarm(uint64_t ns)
{
    if (ns == UINT64_MAX) {
        sysreg_write(cnthp_ctl_el2, 0);
    } else {
        sysreg_write(cnthp_cval_el2, clock_to_count(ns) + 1);
        sysreg_write(cnthp_ctl_el2, CTL_ENABLE);
    }
    isb();
}
