/* Intel TDX: the technology's operations. */
#include "tdx_vm.h"

#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"


static bool tdx_start(void)
{
    if (!tdx_platform_start()) {
        return false;
    }
    log_info("tdx: module %lu.%lu, %u key ids for TDs",
             (unsigned long)tdx_platform.version_major,
             (unsigned long)tdx_platform.version_minor, tdx_platform.keys.count - 1);
    return true;
}

static void tdx_configure(struct domain_config *cfg)
{
    (void)cfg;
}

static bool fill_params(struct tdx_td_params *p, const struct tdx_config *cfg)
{
    uint8_t *const mr[] = {p->mrconfigid, p->mrowner, p->mrownerconfig};
    uint64_t units = (tsc_hz() + TDX_TSC_UNIT_HZ / 2) / TDX_TSC_UNIT_HZ;

    memset(p, 0, sizeof(*p));
    /* Linux will have no #VE for memory that it has not accepted: the host could send one at any
     * instruction. */
    p->attributes = TD_ATTR_SEPT_VE_DISABLE | tdx_platform.attributes1;
    p->xfam = tdx_platform.xfam1;
    p->max_vcpus = DOMAIN_VCPUS_MAX;
    p->eptp_controls = TD_EPTP_4_LEVELS;
    /* Not NO_RBP_MOD: firmware up to edk2 2023 shows RBP in its TDVMCALLs, which that forbids. */
    p->tsc_frequency = (uint16_t)units;
    for (size_t i = 0; i < ARRAY_SIZE(mr); i++) {
        if (cfg->mr[i].len != 0) {
            memcpy(mr[i], cfg->mr[i].data, TDX_MR_SIZE);
        }
    }
    return tdx_cpuid_fill(p);
}

static enum abi_status tdx_vm_create(struct vm *vm, const struct domain_config *cfg)
{
    struct tdx_vm *s = vm_alloc(vm, sizeof(*s));
    struct tdx_regs r = {.rdx = MD_TD_TSC_OFFSET};
    struct tdx_td_params p;
    enum abi_status st;

    if (s == NULL) {
        return ABI_NO_MEMORY;
    }
    vm->cc_data = s;
    s->td.name = vm->name;
    s->td.owner = vm->id;
    vm->host_answer = tdx_quote_answer;
    s->chunk = vm_alloc(vm, vm_memory(vm) / SIZE_2M);
    s->blank = vm_alloc_page(vm);
    if (s->chunk == NULL || s->blank == NULL || !tdx_ept_init(&s->ept, vm->id)) {
        return ABI_NO_MEMORY;
    }
    if (!fill_params(&p, &cfg->tdx)) {
        return ABI_HARDWARE;
    }
    st = tdx_td_create(&s->td, &p);
    if (st != ABI_OK) {
        return st;
    }
    r.rcx = s->td.tdr.v;
    st = tdx_fail(vm->name, TDH_MNG_RD, tdx_call(TDH_MNG_RD, &r));
    vm->arch.tsc_offset = r.r8; /* its deadlines are by its own TSC */
    return st;
}

static void tdx_vm_destroy(struct vm *vm)
{
    struct tdx_vm *s = tdx_of(vm);

    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        if (vm->vcpu[i] != NULL && tdx_vcpu_of(vm->vcpu[i]) != NULL &&
            tdx_vcpu_flush(vm->vcpu[i]) != ABI_OK) {
            log_vm(vm, LOG_ERROR, "vCPU %u is not flushed", i);
        }
    }
    if (tdx_td_kill(&s->td) != ABI_OK) {
        log_vm(vm, LOG_ERROR, "the module keeps it");
    }
    tdx_mem_release(vm);
    tdx_td_destroy(&s->td);
    tdx_ept_destroy(&s->ept);
    vm->cc_data = NULL;
}

/* ---- launch: the layout's pieces become pages, in its order; what the TD does not measure itself
 * is measured here ---- */

static void copy_page(const struct piece *q, uint64_t at, uint8_t *page)
{
    uint64_t offset = at - q->at;
    uint64_t have = offset < q->len ? MIN(q->len - offset, PAGE_SIZE) : 0;

    memset(page, 0, PAGE_SIZE);
    if (have > 0) {
        memcpy(page, q->data + offset, have);
    }
}

/* The page that a TD starts in is at the end of 4 GiB, where there is no RAM. */
static enum abi_status add_outside(struct vm *vm, uint64_t gpa, pa_t source, bool extend)
{
    struct tdx_vm *s = tdx_of(vm);
    enum abi_status st;
    pa_t at;

    lock(&s->td.lock);
    st = tdx_td_page(&s->td, &at);
    if (st == ABI_OK) {
        st = tdx_sept_add(&s->td, gpa, at, source);
        if (st != ABI_OK) {
            tdx_td_page_undo(&s->td, at);
        }
    }
    st = st == ABI_OK && extend ? tdx_sept_measure(&s->td, gpa) : st;
    unlock(&s->td.lock);
    return st;
}

static enum abi_status launch_piece(struct vm *vm, const struct piece *q, pa_t source, bool extend)
{
    uint64_t end = piece_launched_end(q);
    enum abi_status st = ABI_OK;

    if (!IS_ALIGNED(q->at, PAGE_SIZE)) {
        log_error("%s: a piece at %lx is not page aligned", vm->name, (unsigned long)q->at);
        return ABI_NOT_SUPPORTED;
    }
    for (uint64_t at = q->at; at < end && st == ABI_OK; at += PAGE_SIZE) {
        copy_page(q, at, pa_to_hva(source));
        st = at < vm->ram_low ? tdx_mem_add(vm, at, source, extend)
                              : add_outside(vm, at, source, extend);
    }
    return st;
}

static enum abi_status tdx_launch(struct vm *vm, const struct layout *l)
{
    enum abi_status st = ABI_OK;
    pa_t source;

    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &source)) {
        return ABI_NO_MEMORY;
    }
    for (uint32_t i = 0; i < l->pieces && st == ABI_OK; i++) {
        st = launch_piece(vm, &l->piece[i], source, (l->self_measured & BIT(i)) == 0);
    }
    page_free(source, PAGE_HV, vm->id);
    for (uint32_t i = 0; i < vm->vcpus && st == ABI_OK; i++) {
        st = tdx_vcpu_init(vm->vcpu[i], l->entry.boot_data);
    }
    st = st == ABI_OK ? tdx_td_finalize(&tdx_of(vm)->td) : st;
    for (uint32_t i = 0; i < vm->vcpus && st == ABI_OK; i++) {
        vm->vcpu[i]->arch.wait = WAIT_NONE; /* all start where the TD starts, and sort it out */
    }
    return st;
}

const struct cc_ops cc_tdx_ops = {
    .kind = CC_TDX,
    .start = tdx_start,
    .stop = tdx_platform_stop,
    .configure = tdx_configure,
    .vm_create = tdx_vm_create,
    .vm_destroy = tdx_vm_destroy,
    .vcpu_create = tdx_vcpu_create,
    .launch = tdx_launch,
    .shared = tdx_shared,
    .forget = tdx_forget,
};
