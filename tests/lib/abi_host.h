/* Guests that make calls, on the fake machine. */
#ifndef TESTS_LIB_ABI_HOST_H
#define TESTS_LIB_ABI_HOST_H

#include "core_host.h"

/* A VM with these features and at most one peer (or NULL); created, not started. */
static inline struct vm *abi_vm(const char *name, uint64_t memory, uint32_t vcpus,
                                uint32_t features, const char *peer)
{
    struct domain_config cfg = core_config(memory, vcpus);
    struct vm *vm = NULL;

    for (unsigned int i = 0; i < NAME_MAX_LEN && name[i] != '\0'; i++) {
        cfg.name[i] = name[i];
        cfg.name[i + 1] = '\0';
    }
    for (unsigned int i = 0; peer != NULL && peer[i] != '\0'; i++) {
        cfg.peer[0][i] = peer[i];
        cfg.peers = 1;
    }
    cfg.abi_features = features;
    REQUIRE(vm_create(&cfg, &vm) == ABI_OK);
    return vm;
}

/* One of ABI 1.1, or newer if its features are, that controls others, and may take so much for
 * them. */
static inline struct vm *abi_controller(const char *name, uint32_t features, uint64_t memory_max,
                                        uint32_t domains_max)
{
    struct domain_config cfg = core_config(MiB(4), 1);
    struct vm *vm = NULL;

    for (unsigned int i = 0; i < NAME_MAX_LEN && name[i] != '\0'; i++) {
        cfg.name[i] = name[i];
        cfg.name[i + 1] = '\0';
    }
    cfg.abi_version =
        (features >> ABI_FEATURE_CONTROL_PORT & 1) != 0 ? ABI_VERSION_1_2 : ABI_VERSION_1_1;
    cfg.abi_features = features;
    cfg.create_memory = memory_max;
    cfg.create_domains = domains_max;
    REQUIRE(vm_create(&cfg, &vm) == ABI_OK);
    return vm;
}

static inline uint64_t abi_call(struct vm *vm, struct call *c, uint64_t number, uint64_t a,
                                uint64_t b, uint64_t d, uint64_t e)
{
    *c = (struct call){.arg = {a, b, d, e}};
    return call_dispatch(vm->vcpu[0], number, c);
}

#endif
