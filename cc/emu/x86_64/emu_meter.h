/* emu_meter.c: around a guest's entry, and around everything else that is silicon. */
#ifndef EMU_METER_H
#define EMU_METER_H

#include "hv/types.h"

enum meter_kind {
    METER_NONE, /* nobody counts it */
    METER_CPUID,
    METER_IOIO,
    METER_MSR,
    METER_4K, /* conversions, by the size of what is converted */
    METER_2M,
    METER_ACCEPT_4K,
    METER_ACCEPT_2M,
    METER_KINDS
};

void emu_meter_entry(void);
/* What the guest left for, and how many of these. */
void emu_meter_exit(enum meter_kind kind, uint64_t units);
uint64_t emu_meter_in(void);
void emu_meter_out(uint64_t from);
void emu_meter_tell(void);

#endif
