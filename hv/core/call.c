/* The guest ABI's calls: one table, made from the list, and one way in. */
#include "hv/call.h"

#include "hv/abi.h"
#include "hv/log.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define CALLS_MAX 32u /* bits of vm->abi_calls */

struct rule {
    uint64_t low, high;
    bool flags; /* high is a mask */
};

#define ABI_CALL(name, index, feature, arguments, values, meaning) INDEX_##name = index,
enum {
#include "abi/call.def"
};
#define ABI_CALL(name, index, feature, arguments, values, meaning)
#define ABI_ARG(call, n, name, low, high, meaning)  [INDEX_##call][n] = {low, high, false},
#define ABI_FLAGS(call, n, name, mask, meaning)     [INDEX_##call][n] = {0, mask, true},
static const struct rule rules[CALLS_MAX][4] = {
#include "abi/call.def"
};

static enum abi_status check_arguments(const struct rule *r, unsigned int n, const struct call *c)
{
    enum abi_status st = ABI_OK;

#pragma GCC unroll 4 /* so that each call compares with its own constants */
    for (unsigned int i = 0; i < n; i++, r++) {
        if (r->flags && (c->arg[i] & ~r->high) != 0) {
            st = ABI_RESERVED_BITS;
        } else if (!r->flags && (c->arg[i] < r->low || c->arg[i] > r->high)) {
            return ABI_BAD_ARG; /* before reserved bits, whichever argument has them */
        }
    }
    return st;
}

static void clear_values(struct call *c)
{
    c->value[0] = 0;
    c->value[1] = 0;
    c->value[2] = 0;
}

enum abi_status call_ABI_VERSION(struct vcpu *v, struct call *c)
{
    c->value[0] = v->vm->abi_version;
    return ABI_OK;
}

/* Not inlined: a call that succeeds needs none of the registers that these save. */
__attribute__((noinline)) static uint64_t no_call(struct vcpu *v, uint64_t number)
{
    log_vm(v->vm, LOG_DEBUG, "no call %lx", (unsigned long)number);
    return ABI_NO_CALL;
}

__attribute__((noinline)) static uint64_t failed(struct vcpu *v, const char *name, struct call *c,
                                                 enum abi_status st)
{
    clear_values(c);
    log_vm(v->vm, LOG_DEBUG, "call %s: status %u", name, (unsigned int)st);
    return st;
}

/* One way in for each call: its arguments' rules, its body, its failure. */
#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    static uint64_t enter_##name(struct vcpu *v, struct call *c)                                   \
    {                                                                                              \
        enum abi_status st = check_arguments(rules[index], arguments, c);                          \
                                                                                                   \
        st = LIKELY(st == ABI_OK) ? call_##name(v, c) : st;                                        \
        return LIKELY(st == ABI_OK) ? ABI_OK : failed(v, #name, c, st);                            \
    }
#include "abi/call.def"

typedef uint64_t enter_fn(struct vcpu *v, struct call *c);

#define ABI_CALL(name, index, feature, arguments, values, meaning) [index] = enter_##name,
static enter_fn *const calls[] = {
#include "abi/call.def"
};
_Static_assert(ARRAY_SIZE(calls) <= CALLS_MAX, "vm->abi_calls");

#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    [index] = ABI_FEATURE_##feature,
static const uint8_t call_feature[ARRAY_SIZE(calls)] = {
#include "abi/call.def"
};

uint64_t call_dispatch(struct vcpu *v, uint64_t number, struct call *c)
{
    uint64_t index = number - ABI_CALL_BASE;

    clear_values(c);
    if (UNLIKELY(index >= ARRAY_SIZE(calls) || (v->vm->abi_calls >> index & 1) == 0)) {
        return no_call(v, number);
    }
    return calls[index](v, c);
}

#define ABI_FEATURE(name, index, text, needs, since, standard, meaning) [index] = since,
static const uint32_t feature_since[] = {
#include "abi/feature.def"
};

#define ABI_LIMIT(name, index, value, since, meaning) [index] = {value, since},
static const struct {
    uint32_t value, since;
} limits[] = {
#include "abi/limit.def"
};

#define ABI_SOURCE(name, index, feature, meaning) [index] = 1 + ABI_FEATURE_##feature,
static const uint8_t source_feature[] = {
#include "abi/event.def"
};

uint32_t abi_calls_of(uint32_t features)
{
    uint32_t mask = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
        if (calls[i] != NULL && (features >> call_feature[i] & 1) != 0) {
            mask |= 1u << i;
        }
    }
    return mask;
}

/* What is newer than the ABI of the description is unknown, as it was on an older host. */
static void tell(const struct vm *vm, uint32_t since, uint64_t value, struct call *c)
{
    if (since <= vm->abi_version) {
        c->value[0] = value;
        c->value[1] = since;
    }
}

static void query_feature(const struct vm *vm, uint64_t feature, struct call *c)
{
    tell(vm, feature_since[feature], vm->abi_features >> feature & 1, c);
}

static uint64_t config_word(const struct vm *vm, uint64_t i)
{
    uint64_t word = 0;

    if (i < sizeof(vm->config_hash) / sizeof(word)) {
        memcpy(&word, &vm->config_hash[i * sizeof(word)], sizeof(word));
    }
    return word;
}

enum abi_status call_ABI_QUERY(struct vcpu *v, struct call *c)
{
    const struct vm *vm = v->vm;
    uint64_t i = c->arg[1];

    switch (c->arg[0]) {
    case ABI_QUERY_CALL:
        if (i < ARRAY_SIZE(calls) && calls[i] != NULL) {
            query_feature(vm, call_feature[i], c);
        }
        break;
    case ABI_QUERY_FEATURE:
        if (i < ARRAY_SIZE(feature_since)) {
            query_feature(vm, i, c);
        }
        break;
    case ABI_QUERY_LIMIT:
        if (i < ARRAY_SIZE(limits)) {
            tell(vm, limits[i].since, limits[i].value, c);
        }
        break;
    case ABI_QUERY_SOURCE:
        if (i < ARRAY_SIZE(source_feature) && source_feature[i] != 0) {
            query_feature(vm, source_feature[i] - 1u, c);
        }
        break;
    case ABI_QUERY_PEER:
        tell(vm, ABI_VERSION_1_0, i < vm->abi->peers, c);
        break;
    default: /* ABI_QUERY_CONFIG, which 1.0 does not have */
        if (vm->abi_version < ABI_VERSION_1_1) {
            return ABI_BAD_ARG;
        }
        tell(vm, ABI_VERSION_1_1, config_word(vm, i), c);
    }
    return ABI_OK;
}

static enum abi_status join_controllers(struct abi_vm *a, const struct domain_config *cfg)
{
    if ((cfg->abi_features >> ABI_FEATURE_CONTROL & 1) == 0) {
        return ABI_OK;
    }
    a->own.old = true;
    a->journal = &a->own;
    if (cfg->abi_version >= ABI_VERSION_1_1) {
        a->controller = controller_of(cfg);
        if (a->controller == NULL) {
            return ABI_LIMIT;
        }
        a->journal = &a->controller->journal;
    }
    return ABI_OK;
}

enum abi_status abi_vm_init(struct vm *vm, const struct domain_config *cfg)
{
    enum abi_status st;

    vm->abi = vm_alloc(vm, sizeof(*vm->abi));
    if (vm->abi == NULL) {
        return ABI_NO_MEMORY;
    }
    vm->abi_version = cfg->abi_version;
    vm->abi_features = cfg->abi_features;
    vm->abi_calls = abi_calls_of(cfg->abi_features);
    memcpy(vm->config_hash, cfg->hash, sizeof(vm->config_hash));
    vm->abi->peers = cfg->peers;
    memcpy(vm->abi->peer, cfg->peer, sizeof(vm->abi->peer));
    st = join_controllers(vm->abi, cfg);
    return st == ABI_OK ? control_port_init(vm) : st;
}

void abi_vm_destroy(struct vm *vm)
{
    if (vm->abi != NULL) {
        control_destroy_all(vm);
        event_destroy_all(vm);
        share_destroy_all(vm);
        buf_destroy_all(vm);
    }
}
