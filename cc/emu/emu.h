/*
 * Below the silicon line: what the parts of the emulated chips say to each other. Nothing above
 * the line includes this, and nothing here includes hv/ but types, check, string and log.
 */
#ifndef EMU_H
#define EMU_H

#include "hv/types.h"

/* The chip reaches all of memory, whatever the hypervisor has mapped. NULL: not RAM. */
void *emu_mem(pa_t at);

/* Entropy of the chip. */
void emu_random(void *buf, size_t len);

/* The chip's crypto uses SSE registers: they belong to a guest, so they are put aside. */
void emu_fpu_begin(void);
void emu_fpu_end(void);

/* One lock for each chip: emu_lock may be taken on any CPU with interrupts off. */
struct emu_lock {
    uint32_t taken;
};
void emu_lock(struct emu_lock *l);
void emu_unlock(struct emu_lock *l);

#endif
