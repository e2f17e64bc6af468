#include "hv/call.h"

#include "abi/call.h"
#include "hv/log.h"
#include "hv/vm_priv.h"

typedef enum abi_status handler(struct vcpu *v, struct call *c);

static enum abi_status call_ABI_VERSION(struct vcpu *v, struct call *c)
{
    (void)v;
    c->value[0] = ABI_VERSION_1_0;
    return ABI_OK;
}

#define ABI_CALL(name, index, arguments, values, meaning) [index] = {call_##name, #name},
static const struct {
    handler *fn;
    const char *name;
} calls[] = {
#include "abi/call.def"
};
#undef ABI_CALL

uint64_t call_dispatch(struct vcpu *v, uint64_t number, struct call *c)
{
    uint64_t index = number - ABI_CALL_BASE;
    enum abi_status st;

    c->value[0] = 0;
    c->value[1] = 0;
    c->value[2] = 0;
    if (UNLIKELY(index >= ARRAY_SIZE(calls) || calls[index].fn == NULL)) {
        log_vm(v->vm, LOG_DEBUG, "no call %lx", (unsigned long)number);
        return ABI_NO_CALL;
    }
    st = calls[index].fn(v, c);
    if (UNLIKELY(st != ABI_OK)) {
        log_vm(v->vm, LOG_DEBUG, "call %s: status %u", calls[index].name, (unsigned int)st);
    }
    return st;
}
