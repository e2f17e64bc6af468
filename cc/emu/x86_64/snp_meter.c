/*
 * What the hypervisor spends on its guests' exits, seen from the silicon: the time from the end of
 * a VMRUN to the next, less what it spends in here. Told when a save area is none any more, at log
 * level debug; where a tick of the TSC is an instruction (QEMU -icount shift=0), these are
 * instructions.
 */
#include "emu_x86_64.h"

#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/log.h"

#define GHCB_EXIT_CODE 0x390u
#define GHCB_PSC       0x800u /* u16 current, u16 last, u32, then an entry of 8 bytes each */
#define PSC_LARGE      BIT(56)
#define MSR_PSC        0x014u

enum kind { METER_NONE, METER_CPUID, METER_IOIO, METER_MSR, METER_4K, METER_2M, METER_KINDS };

static const char *const names[METER_KINDS] = {"", "cpuid", "ioio", "msr", "psc-4k", "psc-2m"};

/* exits: of that kind; units: what they asked for, conversions or the exit itself. */
static struct {
    uint64_t exits, units, ticks, most;
} meter[METER_KINDS];

static struct {
    enum kind kind;
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

/* A list whose entries are of one size is what it costs of. */
static enum kind list_of(const uint8_t *page, uint64_t *units)
{
    const uint16_t *header = (const uint16_t *)(page + GHCB_PSC);
    const uint64_t *entry = (const uint64_t *)(page + GHCB_PSC + 8);
    uint64_t first = header[0], last = header[1];
    uint64_t large = 0;

    if (last < first || last > 252) {
        return METER_NONE;
    }
    *units = last - first + 1;
    for (uint64_t i = first; i <= last; i++) {
        large += (entry[i] & PSC_LARGE) != 0;
    }
    return large == 0 ? METER_4K : large == *units ? METER_2M : METER_NONE;
}

static enum kind kind_of(const struct emu_vcpu *v, uint64_t *units)
{
    uint64_t msr = v->host->ghcb_gpa, size;
    const uint8_t *page;
    pa_t at;

    *units = 1;
    if (v->host->exit_code != EXIT_VMGEXIT) {
        return METER_NONE;
    }
    if ((msr & 0xfff) != 0) {
        return (msr & 0xfff) == MSR_PSC ? METER_4K : METER_NONE;
    }
    page = emu_host_translate(v->guest, msr, &at, &size) ? emu_mem(at) : NULL;
    if (page == NULL) {
        return METER_NONE;
    }
    switch (*(const uint64_t *)(page + GHCB_EXIT_CODE)) {
    case EXIT_CPUID:
        return METER_CPUID;
    case EXIT_IOIO:
        return METER_IOIO;
    case EXIT_MSR:
        return METER_MSR;
    case 0x80000010:
        return list_of(page, units);
    default:
        return METER_NONE;
    }
}

void emu_meter_exit(const struct emu_vcpu *v)
{
    unsigned int cpu = this_cpu()->index;

    now[cpu].kind = kind_of(v, &now[cpu].units);
    now[cpu].inside = 0;
    now[cpu].left = rdtsc();
}

void emu_meter_entry(void)
{
    unsigned int cpu = this_cpu()->index;
    enum kind k = now[cpu].kind;

    if (k != METER_NONE) {
        now[cpu].kind = METER_NONE;
        meter[k].ticks += rdtsc() - now[cpu].left - now[cpu].inside;
        meter[k].exits++;
        meter[k].units += now[cpu].units;
        meter[k].most = MAX(meter[k].most, now[cpu].units);
    }
}

void emu_meter_tell(void)
{
    for (unsigned int k = METER_CPUID; k < METER_KINDS; k++) {
        if (meter[k].exits != 0) {
            log_debug("EMULATED: meter %s: %lu exits, %lu units, %lu at most, %lu ticks a unit",
                      names[k], (unsigned long)meter[k].exits, (unsigned long)meter[k].units,
                      (unsigned long)meter[k].most,
                      (unsigned long)(meter[k].ticks / meter[k].units));
        }
    }
}
