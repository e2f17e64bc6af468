/* The core on the fake machine: a boot, VMs, allocations that fail, and nothing left behind. */
#ifndef TESTS_LIB_CORE_HOST_H
#define TESTS_LIB_CORE_HOST_H

#include "fake/fake.h"
#include "hv/cpu.h"
#include "hv/vm_priv.h"

/* A new boot of a machine with that much memory, and CPUs that are all online. */
void core_boot(uint64_t memory, unsigned int cpus);
/* The same with a map of the test's own, set by fake_ram(); CPUs from `online` on run no vCPUs. */
void core_boot_map(unsigned int cpus, unsigned int online);
/* Every page is back, every VM gone, no lock held. For CUnit programs. */
void core_done(void);
/* The same as a fact. */
bool core_is_clean(void);

/* The n-th page_alloc from now fails (0: none does), and all after it when `on` is set. */
void core_fail_alloc(unsigned int n, bool on);
unsigned int core_allocs(void); /* since the last call */

struct domain_config core_config(uint64_t memory, uint32_t vcpus);
/* A VM of 2 MiB whose vCPUs want the CPU for ever; created, not started. */
struct vm *core_vm(const char *name, uint32_t vcpus, uint32_t weight, uint64_t affinity);
/* Ends a VM that no CPU thread runs, and has it reaped by the CPU played. */
void core_end(struct vm *vm);
/* The same for all there are, whoever created them. */
void core_end_all(void);

/* What stands for the domain builder: called by the reaper for a restart, and at boot. */
extern enum abi_status (*core_domain_create)(const struct bundle *b, uint32_t i);
extern enum abi_status core_bundle_status;
extern uint32_t core_bundle_domains;
extern struct bundle core_bundle_seen; /* the last that was opened: where, and how long */
/* What domain_build makes, whatever the bundle says; "built", 4 MiB, after each boot. */
extern struct domain_config core_built;
extern bool core_built_by_content; /* its name is what the bundle begins with; for many CPUs */

#endif
