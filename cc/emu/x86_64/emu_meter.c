/*
 * What the hypervisor spends on encrypted guests' exits, seen from the silicon: the time from the
 * end of an entry to the next, less what it spends in here. Told when a guest is gone, at log level
 * debug; where a tick of the TSC is an instruction (QEMU -icount shift=0), these are instructions.
 */
#include "emu_meter.h"

#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/log.h"

static const char *const names[METER_KINDS] = {
    [METER_CPUID] = "cpuid",
    [METER_IOIO] = "ioio",
    [METER_MSR] = "msr",
    [METER_4K] = "convert-4k",
    [METER_2M] = "convert-2m",
    [METER_ACCEPT_4K] = "accept-4k",
    [METER_ACCEPT_2M] = "accept-2m",
};

#define SAMPLES 63u

/* exits: of that kind; units: what they asked for, conversions or the exit itself. */
static struct {
    uint64_t exits, units, ticks, most;
    uint32_t sample[SAMPLES]; /* ticks a unit of the first exits, in order */
} meter[METER_KINDS];

static struct {
    enum meter_kind kind;
    uint64_t left, inside, units;
} now[CPUS_MAX];

uint64_t emu_meter_in(void)
{
    return rdtsc();
}

void emu_meter_out(uint64_t from)
{
    now[this_cpu()->index].inside += rdtsc() - from;
}

void emu_meter_exit(enum meter_kind kind, uint64_t units)
{
    unsigned int cpu = this_cpu()->index;

    now[cpu].kind = kind;
    now[cpu].units = units;
    now[cpu].inside = 0;
    now[cpu].left = rdtsc();
}

static void keep_sample(enum meter_kind k, uint64_t ticks)
{
    uint64_t at = meter[k].exits;

    if (at < SAMPLES) {
        for (; at > 0 && meter[k].sample[at - 1] > ticks; at--) {
            meter[k].sample[at] = meter[k].sample[at - 1];
        }
        meter[k].sample[at] = (uint32_t)ticks;
    }
}

void emu_meter_entry(void)
{
    unsigned int cpu = this_cpu()->index;
    enum meter_kind k = now[cpu].kind;

    if (k != METER_NONE) {
        uint64_t ticks = rdtsc() - now[cpu].left - now[cpu].inside;

        now[cpu].kind = METER_NONE;
        keep_sample(k, ticks / now[cpu].units);
        meter[k].ticks += ticks;
        meter[k].exits++;
        meter[k].units += now[cpu].units;
        meter[k].most = MAX(meter[k].most, now[cpu].units);
    }
}

void emu_meter_tell(void)
{
    for (unsigned int k = METER_CPUID; k < METER_KINDS; k++) {
        if (meter[k].exits != 0) {
            log_debug("EMULATED: meter %s: %lu exits, %lu units, %lu at most, %lu ticks a unit, "
                      "%lu in the middle of the first",
                      names[k], (unsigned long)meter[k].exits, (unsigned long)meter[k].units,
                      (unsigned long)meter[k].most,
                      (unsigned long)(meter[k].ticks / meter[k].units),
                      (unsigned long)meter[k].sample[(MIN(meter[k].exits, SAMPLES) - 1) / 2]);
        }
    }
}
