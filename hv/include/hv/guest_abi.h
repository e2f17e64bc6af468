/*
 * A guest ABI beside ours, of an optional module: it registers itself in a linker section, and
 * serves plain VMs whose description names it.
 */
#ifndef HV_GUEST_ABI_H
#define HV_GUEST_ABI_H

#include "hv/domain.h"
#include "hv/types.h"

struct vm;
struct vcpu;

/* What the vCPU that exited asks. `arg` is undefined unless the caller was 64-bit code. */
struct guest_abi {
    const char *name; /* `abi` of a domain description */
    /* The VM's devices exist, its vCPUs do not run yet. On failure the VM is destroyed. */
    enum abi_status (*create)(struct vm *vm, const struct domain_config *cfg);
    uint64_t (*call)(struct vcpu *v, uint64_t number, const uint64_t arg[5]);
    /*
     * Leaves and MSRs of 40000000h to 400000FFh are all its own: nobody else answers there. A leaf
     * that it does not have is zero. False: there is no such MSR, and the guest gets #GP.
     */
    void (*cpuid)(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
    bool (*rdmsr)(struct vcpu *v, uint32_t msr, uint64_t *value);
    bool (*wrmsr)(struct vcpu *v, uint32_t msr, uint64_t value);
};

#define GUEST_ABI_BASE 0x40000000u
#define GUEST_ABI_LAST 0x400000ffu

/* Calls of other ABIs are numbers below this one, where none of ours is. */
#define GUEST_ABI_CALLS 0x1000u

#define GUEST_ABI_REGISTER(abi)                                                                    \
    static const struct guest_abi *const registered                                               \
        __attribute__((used, section("guest_abis"))) = &(abi)

/* Is it in this image? NULL, our own, always is. */
bool guest_abi_present(const char *name);

/* Gives the VM the ABI that its description names; ours: nothing to do. The device lock is held. */
MUST_CHECK enum abi_status guest_abi_adopt(struct vm *vm, const struct domain_config *cfg);

#endif
