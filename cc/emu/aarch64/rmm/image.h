/* The RMM's image, its files to each other. */
#ifndef RMM_IMAGE_H
#define RMM_IMAGE_H

#include "../../cca/rmm_port.h"
#include "hv/check.h"

#define NS_ALIAS (256ull << 30) /* virtual: the Non-secure view of all below 256 GiB */

struct fp_state {
    uint8_t bytes[528] __attribute__((aligned(16)));
};

/* start.S */
uint64_t rmm_enter(struct rec *rec);
/* arch/aarch64/virt/fpu.S: the same that the hypervisor has */
void fp_save(void *at);
void fp_load(const void *at);

/* main.c */
int64_t rmm_el3(uint64_t fid, uint64_t a, uint64_t b, uint64_t c);
unsigned int rmm_cpu(void);

/* run.c: what stays as it is on this CPU */
void run_cpu_init(void);

/* id.c */
void id_init(void);

#endif
