/*
 * The TDX driver over the emulated module, on the fake machine: the real page pool, memory that
 * faults when it is hidden, four CPUs in two packages.
 */
#ifndef TESTS_LIB_TDX_MACHINE_H
#define TESTS_LIB_TDX_MACHINE_H

#include "../../cc/tdx/tdx.h"
#include "tdx_cpu.h"

/* A boot with that memory map; the module waits for SYS.INIT. */
void machine_boot(const struct boot_range *ram, unsigned int count);
/* A PC of that size, and the platform started. */
void machine_ready(uint64_t memory);
/* Pages that are free now and were not when the platform had started. */
int64_t machine_leaked(void);

/* A TD with a vCPU, `added` measured pages from 0 and `late` 2 MiB pages from 1 GiB. */
struct machine_td {
    struct tdx_td td;
    pa_t tdvpr;
    pa_t ram; /* 2 MiB blocks of RAM, GUEST or PRIVATE */
    unsigned int blocks;
    unsigned int added, late;
};
enum abi_status machine_td(struct machine_td *m, unsigned int added, unsigned int late);
/* VP.FLUSH, kill, RAM reclaimed, the rest destroyed; also of one that was made in part. */
void machine_td_end(struct machine_td *m);
void machine_params(struct tdx_td_params *p);

#endif
