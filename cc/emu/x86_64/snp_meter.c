/* What an SNP guest leaves for, as the meter counts it (emu_meter.h). */
#include "snp_core.h"

#define GHCB_EXIT_CODE 0x390u
#define GHCB_PSC       0x800u /* u16 current, u16 last, u32, then an entry of 8 bytes each */
#define PSC_LARGE      BIT(56)
#define MSR_PSC        0x014u

/* A list whose entries are of one size is what it costs of. */
static enum meter_kind list_of(const uint8_t *page, uint64_t *units)
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

enum meter_kind emu_meter_kind(const struct emu_vcpu *v, uint64_t *units)
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
