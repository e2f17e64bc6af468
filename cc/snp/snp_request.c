/* What an SNP guest asks for besides memory: other vCPUs, and messages to the firmware. */
#include "arch/boot.h"
#include "arch/timer.h"
#include "hv/guestmem.h"
#include "hv/log.h"
#include "hv/page.h"
#include "snp.h"

#define CERTS_END 24u /* an entry of the certificate table: GUID, offset, length */

static struct vcpu *by_apic_id(struct vm *vm, uint32_t id)
{
    return id < vm->vcpus ? vm->vcpu[id] : NULL;
}

/* INIT comes at once, or when the guest sends one: that vCPU's own CPU makes the change. */
static void set_next(struct vcpu *to, uint64_t vmsa, uint32_t request)
{
    struct snp_vm *s = snp_of(to->vm);

    lock(&s->lock);
    snp_vcpu_of(to)->next_vmsa = vmsa;
    unlock(&s->lock);
    if (request != AP_CREATE_ON_INIT) {
        vcpu_request(to, REQ_INIT);
    }
}

/* A save area never starts 2 MiB: by an erratum VMRUN may fault there. */
bool snp_ap_create(struct vcpu *v, uint64_t info1, uint64_t vmsa, uint64_t features)
{
    struct vcpu *to = by_apic_id(v->vm, AP_APIC_ID(info1));
    uint32_t request = AP_REQUEST(info1);

    if (to == NULL || to == v || AP_VMPL(info1) != 0 || AP_RESERVED(info1) != 0 ||
        request > AP_DESTROY) {
        return false;
    }
    if (request != AP_DESTROY && (features != SEV_FEATURE_SNP || !IS_ALIGNED(vmsa, PAGE_SIZE) ||
                                  IS_ALIGNED(vmsa, SIZE_2M))) {
        return false;
    }
    log_vm(v->vm, LOG_DEBUG, "vCPU %u: AP creation %u for %u, save area %lx", v->index, request,
           to->index, (unsigned long)vmsa);
    set_next(to, request == AP_DESTROY ? 0 : vmsa, request);
    return true;
}

/* A guest's share of the firmware, which serves all of them: so many at once, and then one in that
 * time. */
#define REQUESTS_AT_ONCE 16u
#define REQUEST_NS       100000000u

static bool may_ask(struct snp_vm *s)
{
    uint64_t now = clock_ns();
    bool yes;

    lock(&s->lock);
    s->requests_paid = MAX(s->requests_paid, now);
    yes = s->requests_paid - now < REQUESTS_AT_ONCE * (uint64_t)REQUEST_NS;
    s->requests_paid += yes ? REQUEST_NS : 0;
    unlock(&s->lock);
    return yes;
}

/* Request and answer pass through pages of ours: the guest's could change while they are read. */
static enum abi_status run(struct vcpu *v, uint64_t req, uint64_t rsp, pa_t in, pa_t out,
                           uint64_t *result)
{
    struct vm *vm = v->vm;
    struct snp_guest_request c = {snp_of(vm)->gctx.v, in.v, out.v};
    enum abi_status st = guestmem_read(vm, gpa(req), pa_to_hva(in), PAGE_SIZE);

    st = st == ABI_OK ? snp_page_to_firmware(vm->id, out) : st;
    if (st != ABI_OK) {
        return st;
    }
    *result = snp_psp(SNP_CMD_GUEST_REQUEST, &c, sizeof(c));
    st = snp_page_from_firmware(vm->id, out);
    return st == ABI_OK ? guestmem_write(vm, gpa(rsp), pa_to_hva(out), PAGE_SIZE) : st;
}

bool snp_guest_request(struct vcpu *v, uint64_t req, uint64_t rsp, uint64_t *result)
{
    struct vm *vm = v->vm;
    enum abi_status st;
    pa_t in, out;

    if (!IS_ALIGNED(req, PAGE_SIZE) || !IS_ALIGNED(rsp, PAGE_SIZE) || req == rsp) {
        return false;
    }
    *result = REQUEST_BUSY;
    if (!may_ask(snp_of(vm))) {
        return true;
    }
    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &in)) {
        return true;
    }
    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &out)) {
        page_free(in, PAGE_HV, vm->id);
        return true;
    }
    st = run(v, req, rsp, in, out, result);
    page_free(in, PAGE_HV, vm->id);
    if (page_state_of(out) == PAGE_HV) {
        page_free(out, PAGE_HV, vm->id);
    }
    return st == ABI_OK;
}

/* GHCB 4.1.8: without certificates a table that ends at once. */
enum abi_status snp_give_certs(struct vcpu *v, uint64_t at, uint64_t *pages)
{
    const struct blob *certs = &snp_of(v->vm)->certs;
    uint64_t need = ALIGN_UP(certs->len, PAGE_SIZE) / PAGE_SIZE;

    if (*pages < need) {
        *pages = need;
        return ABI_LIMIT;
    }
    if (*pages == 0) {
        return ABI_OK;
    }
    if (!IS_ALIGNED(at, PAGE_SIZE)) {
        return ABI_BAD_ADDRESS;
    }
    return certs->len != 0 ? guestmem_write(v->vm, gpa(at), certs->data, certs->len)
                           : guestmem_fill(v->vm, gpa(at), 0, CERTS_END);
}
