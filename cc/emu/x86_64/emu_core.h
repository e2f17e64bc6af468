/* What both cores stand on, on a CPU that only knows plain guests. */
#ifndef EMU_CORE_H
#define EMU_CORE_H

#include "arch_impl/svm.h"

/* emu_x86_64.c: pages of the chip's own; false when they are used up. */
MUST_CHECK bool emu_page_take(pa_t *at);
void emu_page_give(pa_t at);

/* emu_vmcb.c: what guests of both exit for. Rights: 1 read, 2 write */
void emu_set_controls(struct vmcb *b, const uint8_t *msrpm);
void emu_msrpm_pass(uint8_t *map, uint32_t first, uint32_t last, unsigned int rights);
bool emu_msrpm_intercepts(const uint8_t *map, uint32_t msr, bool write);

/*
 * emu_tables.c: the nested tables that the CPU really walks. They are a cache: filled by faults,
 * emptied by what ends translations. The caller has a lock around them.
 */
#define PTE_NESTED (PTE_P | PTE_W | PTE_U) /* all rights */
uint64_t *emu_table_entry(pa_t table, uint64_t at, unsigned int level);
/* Makes the tables down to that level. False: no page is left. */
MUST_CHECK bool emu_table_put(pa_t root, uint64_t at, unsigned int level, uint64_t pte);
/* What is mapped of a range goes; root may be 0. */
void emu_table_forget(pa_t root, uint64_t at, uint64_t size);
/* All goes, and nobody runs on it; *root is 0 then. */
void emu_table_drop(pa_t *root);
/* Every other CPU leaves the guest, which it says by 0; this one is not in it. */
void emu_stop_others(const uint32_t running[CPUS_MAX]);

#endif
