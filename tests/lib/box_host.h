/*
 * The box's keeping of frames (hv/xenpv/box: page, table, descriptor, mmu) on the host: an arena of
 * frames in place of memory, a vCPU, and what must hold whatever a guest asks for.
 */
#ifndef TESTS_LIB_BOX_HOST_H
#define TESTS_LIB_BOX_HOST_H

#include "../../hv/xenpv/box/page.h"

#define HOST_FRAMES 64u /* 0 to 7 are the box's, one of 60 to 63 each the first tables */
#define HOST_OWN    8u
#define HOST_L4     63u
#define HOST_L3     62u
#define HOST_L2     61u
#define HOST_L1     60u

extern struct vcpu host_vcpu;

/* Frames as they are when a guest begins: its first PML4 pinned, and every frame of its but the
 * tables mapped writable, frame n at address n * 4096. */
void host_start(uint64_t c_mfn);
/* A machine frame number, with the C-bit. */
uint64_t host_mfn(uint64_t n);
uint64_t *host_table(uint64_t n);

/* All that the guest has where its pointers point, and the address of a copy in it. */
extern uint8_t host_memory[PAGE_SIZE];
uint64_t host_put(const void *from, size_t n);
/* A frame of the box's that the guest may map, as grant tables are: at most HOST_OWN of them. */
uint64_t frame_for_guest(void);

int64_t host_update(uint64_t at, uint64_t value);
int64_t host_map(uint64_t va, uint64_t entry);
int64_t host_extended(uint32_t cmd, uint64_t arg1, uint64_t arg2);

/*
 * NULL, or what is broken: a frame counted wrongly, a table or descriptor page that an entry makes
 * writable, an entry that maps what is not the guest's, a reserved slot that is not the box's.
 */
const char *host_broken(void);
/* How often TLBs were flushed for a frame that changed its use. */
extern unsigned int host_flushes;

#endif
