/* No confidential technology: a plain VM, all of whose memory the hypervisor may touch. */
#include "hv/cc_ops.h"

#include "hv/guestmem.h"
#include "hv/log.h"
#include "hv/vm_priv.h"

static bool none_start(void)
{
    return true;
}

static void none_stop(void)
{
}

static void none_configure(struct domain_config *cfg)
{
    (void)cfg;
}

static enum abi_status none_vm_create(struct vm *vm, const struct domain_config *cfg)
{
    (void)cfg;
    (void)vm;
    return ABI_OK;
}

static void none_vm_destroy(struct vm *vm)
{
    (void)vm;
}

static enum abi_status none_vcpu_create(struct vcpu *v)
{
    (void)v;
    return ABI_OK;
}

static enum abi_status none_launch(struct vm *vm, const struct layout *l)
{
    enum abi_status st = layout_write(vm, l);

    if (st == ABI_OK) {
        arch_vcpu_set_entry(vm->vcpu[0], &l->entry);
    }
    return st;
}

static bool none_shared(struct vm *vm, pa_t at)
{
    (void)vm;
    (void)at;
    return true;
}

static void none_forget(struct vm *vm, gpa_t at)
{
    (void)vm;
    (void)at;
}

const struct cc_ops cc_none_ops = {
    .kind = CC_NONE,
    .start = none_start,
    .stop = none_stop,
    .configure = none_configure,
    .vm_create = none_vm_create,
    .vm_destroy = none_vm_destroy,
    .vcpu_create = none_vcpu_create,
    .launch = none_launch,
    .shared = none_shared,
    .forget = none_forget,
};
