/*
 * The CPUs below the TDX driver on the fake machine: two in a package; TDs are played by the test.
 * tdx_hw_find() is for whoever knows the machine.
 */
#ifndef TESTS_LIB_TDX_CPU_H
#define TESTS_LIB_TDX_CPU_H

#include "../../cc/emu/tdx_module.h"
#include "../../cc/tdx/tdx_hw.h"

/* What a TD does when it is entered, up to its exit; NULL: an interrupt ends it. */
extern void (*tdx_cpu_code)(struct tdx_vp *vp);
/* NMIs that the host took after they ended a VP.ENTER. */
extern unsigned int tdx_cpu_nmis;
/* The interrupt that the host sent its own CPU before it entered; 0: none. It is over then. */
uint8_t tdx_cpu_notified(void);
/* No page that the module says is a TD's is anybody else's. */
bool tdx_pages_agree(void);

/*
 * Where the TD gets with a write to that page: by a translation that the CPU has cached, whatever
 * the tables say by now, else by the tables. False: an exit.
 */
bool tdx_cpu_reaches(struct tdx_vp *vp, uint64_t gpa, uint64_t *at);

#endif
