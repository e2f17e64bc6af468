/* Arm CCA: the platform, and a realm's beginning and end. */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

struct cca_platform cca_platform;

/* The revisions that this driver speaks, the best first. A new one is a row and its operations. */
static const struct cca_revision *const revisions[] = {&cca_rmi_1_0};

static bool negotiate(void)
{
    struct cca_result r = {0};

    for (size_t i = 0; i < ARRAY_SIZE(revisions); i++) {
        r = rmi(RMI_VERSION, revisions[i]->number, 0, 0, 0);
        if (rmi_ok(r)) {
            cca_platform.rmi = revisions[i];
            return true;
        }
    }
    if (r.code == RMI_ERROR_INPUT) {
        log_warn("cca: this RMM speaks RMI %lu.%lu to %lu.%lu, not %s",
                 (unsigned long)(r.value[0] >> 16), (unsigned long)(r.value[0] & 0xffff),
                 (unsigned long)(r.value[1] >> 16), (unsigned long)(r.value[1] & 0xffff),
                 revisions[0]->name);
    }
    return false;
}

static bool cca_start(void)
{
    struct cca_result r;

    if (!cca_hw_has_rme() || !negotiate()) {
        return false;
    }
    r = rmi(RMI_FEATURES, 0, 0, 0, 0);
    if (cca_fail("cca", "RMI_FEATURES", r) != ABI_OK) {
        return false;
    }
    cca_platform.features = r.value[0];
    cca_platform.lrs = MIN(RMI_F0_NUM_LRS(r.value[0]), RMI_LRS);
    if (RMI_F0_S2SZ(r.value[0]) < CCA_IPA_BITS || (r.value[0] & RMI_F0_HASH_SHA_512) == 0) {
        log_warn("cca: the RMM has no %u bits of address, or no SHA-512", CCA_IPA_BITS);
        return false;
    }
    log_info("cca: RMI %s, %u bits of address, %u list registers", cca_platform.rmi->name,
             RMI_F0_S2SZ(r.value[0]), cca_platform.lrs);
    return true;
}

/* The RMM starts and ends with the machine. */
static void cca_stop(void)
{
}

static void cca_configure(struct domain_config *cfg)
{
    cfg->realm = true;
}

enum abi_status cca_realm_create(struct vm *vm, const struct cca_config *c)
{
    struct cca_vm *s = cca_of(vm);
    struct rmi_realm_params *p = (struct rmi_realm_params *)s->bounce;
    enum abi_status st;

    if (c->hash == CCA_SHA_256 && (cca_platform.features & RMI_F0_HASH_SHA_256) == 0) {
        log_error("%s: the RMM has no SHA-256", vm->name);
        return ABI_HARDWARE;
    }
    memset(p, 0, sizeof(*p));
    cca_params(c, p);
    p->vmid = vm->id;
    p->rtt_base = s->root.v;
    p->rtt_level_start = CCA_START_LEVEL;
    p->rtt_num_start = 1;
    st = cca_fail(vm->name, "RMI_REALM_CREATE", cca_platform.rmi->realm_create(s->rd, p));
    s->made = st == ABI_OK;
    return st;
}

static enum abi_status cca_vm_create(struct vm *vm, const struct domain_config *cfg)
{
    struct cca_vm *s = vm_alloc(vm, sizeof(*s));

    (void)cfg;
    if (s == NULL) {
        return ABI_NO_MEMORY;
    }
    memset(s, 0, sizeof(*s));
    s->bounce = vm_alloc_page(vm);
    if (s->bounce == NULL) {
        return ABI_NO_MEMORY;
    }
    vm->cc_data = s;
    vm->shared_bit = CCA_SHARED_BIT;
    vm->arch.cntvoff = 0; /* a realm's counters are the machine's */
    return cca_page_alloc(vm->id, &s->rd) && cca_page_alloc(vm->id, &s->root) ? ABI_OK
                                                                              : ABI_NO_MEMORY;
}

static void cca_vm_destroy(struct vm *vm)
{
    struct cca_vm *s = cca_of(vm);

    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        cca_vcpu_destroy(vm->vcpu[i]);
    }
    if (s->made) {
        cca_mem_release(vm);
        s->made = cca_fail(vm->name, "RMI_REALM_DESTROY",
                           cca_platform.rmi->realm_destroy(s->rd)) != ABI_OK;
    }
    if (!s->made && s->root.v != 0) {
        cca_page_free(vm->id, s->root);
    }
    if (!s->made && s->rd.v != 0) {
        cca_page_free(vm->id, s->rd);
    }
    vm->cc_data = NULL;
}

const struct cc_ops cc_cca_ops = {
    .kind = CC_CCA,
    .start = cca_start,
    .stop = cca_stop,
    .configure = cca_configure,
    .vm_create = cca_vm_create,
    .vm_destroy = cca_vm_destroy,
    .vcpu_create = cca_vcpu_create,
    .launch = cca_launch,
    .shared = cca_shared,
    .forget = cca_forget,
};
