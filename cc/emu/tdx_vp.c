/* vCPUs: TDH.VP.*. ABI 5.3.66 to 5.3.73; BASE 13. */
#include "tdx_module.h"

#include "hv/string.h"

#define ENTER_FLAGS 3u /* bits 53:52: for L2 guests, and after a fault of another TD's */

TDX_HANDLER(tdh_vp_create)
{
    uint64_t at = c->r->rcx;
    uint64_t st = tdx_take_tdr(c, c->r->rdx, TDX_RDX, false, TDX_PT_TDR);
    struct tdx_pamt *e;
    struct tdx_vp *vp;

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    st = st == TDX_SUCCESS ? tdx_take_free(c, at, TDX_RCX, TDX_4K, &e) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    vp = emu_mem(pa(at));
    memset(vp, 0, PAGE_SIZE);
    vp->num_pages = 1;
    vp->page[0] = at;
    vp->tdvpr_pa = at;
    vp->tdr_pa = c->tdr_pa;
    vp->assoc_lp = NO_LP;
    tdx_own(c, e, TDX_PT_TDVPR, TDX_4K);
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_vp_addcx)
{
    uint64_t at = c->r->rcx;
    uint64_t st = tdx_take_vp(c, c->r->rdx, TDX_RDX, true);
    struct tdx_pamt *e;

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->vp->state != VP_UNINITIALIZED) {
        return tdx_error(TDX_VCPU_STATE_INCORRECT, 0);
    }
    if (c->vp->num_pages >= TDX_TDVPS_PAGES) {
        return tdx_error(TDX_TDCX_NUM_INCORRECT, 0);
    }
    st = tdx_take_free(c, at, TDX_RCX, TDX_4K, &e);
    if (st != TDX_SUCCESS) {
        return st;
    }
    memset(emu_mem(pa(at)), 0, PAGE_SIZE);
    c->vp->page[c->vp->num_pages++] = at;
    tdx_own(c, e, TDX_PT_TDCX, TDX_4K);
    return TDX_SUCCESS;
}

static void associate(struct tdx_call *c)
{
    c->vp->assoc_lp = emu_tdx_lp();
    (void)__atomic_fetch_add(&c->tdcs->num_assoc, 1, __ATOMIC_RELAXED);
}

/* BASE 13.3: what a vCPU starts with. */
static void reset_state(struct tdx_vp *vp, uint64_t rcx)
{
    uint32_t id[4];

    emu_tdx_cpuid(1, 0, id);
    vp->regs = (struct tdx_regs){.rbx = 48, .rcx = rcx, .r8 = rcx, .rdx = id[0], .rsi = vp->index};
    vp->shared_eptp = ~0ull;
    vp->posted_descriptor = ~0ull;
    vp->posted_vector = NO_VECTOR;
    vp->state = VP_READY;
}

TDX_HANDLER(tdh_vp_init)
{
    uint64_t rcx = c->r->rdx;
    uint64_t st = tdx_take_vp(c, c->r->rcx, TDX_RCX, true);

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->vp->num_pages < TDX_TDVPS_PAGES) {
        return tdx_error(TDX_TDCX_NUM_INCORRECT, 0);
    }
    if (c->vp->state != VP_UNINITIALIZED) {
        return tdx_error(TDX_VCPU_STATE_INCORRECT, 0);
    }
    c->vp->index = __atomic_fetch_add(&c->tdcs->num_vcpus, 1, __ATOMIC_RELAXED);
    if (c->vp->index >= c->tdcs->max_vcpus) {
        (void)__atomic_fetch_sub(&c->tdcs->num_vcpus, 1, __ATOMIC_RELAXED);
        return tdx_error(TDX_MAX_VCPUS_EXCEEDED, 0);
    }
    reset_state(c->vp, rcx);
    associate(c);
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_vp_flush)
{
    uint64_t st = tdx_take_vp(c, c->r->rcx, TDX_RCX, true);

    if (st != TDX_SUCCESS) {
        return st;
    }
    if (c->tdr->lifecycle != TDX_KEYS_CONFIGURED) {
        return tdx_error(TDX_TD_KEYS_NOT_CONFIGURED, 0);
    }
    c->tdcs = tdx_tdcs_of(c->tdr);
    if (c->vp->num_pages < TDX_TDVPS_PAGES) {
        return tdx_error(TDX_TDCX_NUM_INCORRECT, 0);
    }
    if (c->vp->assoc_lp != emu_tdx_lp()) {
        return tdx_error(TDX_VCPU_NOT_ASSOCIATED, 0);
    }
    emu_tdx_flush(c->vp);
    (void)__atomic_fetch_sub(&c->tdcs->num_assoc, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->vp->assoc_lp, NO_LP, __ATOMIC_RELEASE);
    return TDX_SUCCESS;
}

/* A ready vCPU becomes this CPU's: it may be nobody's, or this one's already. */
static uint64_t check_and_associate(struct tdx_call *c, bool *fresh)
{
    uint32_t was = NO_LP, me = emu_tdx_lp();

    if (c->vp->num_pages < TDX_TDVPS_PAGES) {
        return tdx_error(TDX_TDCX_NUM_INCORRECT, 0);
    }
    if (__atomic_load_n(&c->vp->state, __ATOMIC_ACQUIRE) != VP_READY) {
        return tdx_error(TDX_VCPU_STATE_INCORRECT, 0);
    }
    *fresh = __atomic_compare_exchange_n(&c->vp->assoc_lp, &was, me, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE);
    if (!*fresh && was != me) {
        return tdx_error(TDX_VCPU_ASSOCIATED, 0);
    }
    if (*fresh) {
        (void)__atomic_fetch_add(&c->tdcs->num_assoc, 1, __ATOMIC_RELAXED);
    }
    return TDX_SUCCESS;
}

static uint64_t take_for_access(struct tdx_call *c)
{
    bool fresh;
    uint64_t st = tdx_take_vp(c, c->r->rcx, TDX_RCX, false);

    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    return st == TDX_SUCCESS ? check_and_associate(c, &fresh) : st;
}

static bool vp_field(struct tdx_vp *vp, uint64_t id, uint64_t *value)
{
    if (id == MD_CODE(MD_VP_VMCS(VMCS_SHARED_EPTP))) {
        *value = vp->shared_eptp;
    } else if (id == MD_CODE(MD_VP_VMCS(VMCS_POSTED_DESCRIPTOR))) {
        *value = vp->posted_descriptor;
    } else if (id == MD_CODE(MD_VP_VMCS(VMCS_POSTED_VECTOR))) {
        *value = vp->posted_vector;
    } else if (id == MD_CODE(MD_VP_VMCS(VMCS_PIN_CONTROLS))) {
        *value = vp->posting ? PIN_POSTED_INTERRUPTS : 0;
    } else if (id == MD_CODE(MD_VP_PEND_NMI)) {
        *value = vp->pend_nmi;
    } else if (id == MD_CODE(MD_VP_STATE_DETAILS)) {
        *value = emu_tdx_interruptible(vp) ? VP_DETAILS_INTERRUPT : 0;
    } else {
        return false;
    }
    return true;
}

TDX_HANDLER(tdh_vp_rd)
{
    uint64_t field = c->r->rdx, value;
    uint64_t st;

    c->r->r8 = 0;
    st = take_for_access(c);
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!vp_field(c->vp, MD_CODE(field), &value)) {
        return tdx_error(TDX_METADATA_FIELD_ID_INCORRECT, 0);
    }
    c->r->r8 = value;
    return TDX_SUCCESS;
}

/* What is posted, and how that is told, come first. */
static enum tdx_status set_posting(struct tdx_vp *vp, bool on)
{
    if (on && (vp->posted_vector == NO_VECTOR || vp->posted_descriptor == ~0ull)) {
        return TDX_TD_VMCS_FIELD_NOT_INITIALIZED;
    }
    vp->posting = on;
    return TDX_SUCCESS;
}

/* The field that a status is about, where it is not the one of the call. */
static uint32_t missing(const struct tdx_vp *vp, enum tdx_status s)
{
    if (s != TDX_TD_VMCS_FIELD_NOT_INITIALIZED) {
        return 0;
    }
    return vp->posted_vector == NO_VECTOR ? VMCS_POSTED_VECTOR : VMCS_POSTED_DESCRIPTOR;
}

/* ABI 3.4: what the host may set, and to what. */
static enum tdx_status set_field(struct tdx_vp *vp, uint64_t id, uint64_t v)
{
    if (id == MD_CODE(MD_VP_VMCS(VMCS_PIN_CONTROLS))) {
        return set_posting(vp, (v & PIN_POSTED_INTERRUPTS) != 0);
    }
    if (id == MD_CODE(MD_VP_VMCS(VMCS_SHARED_EPTP))) {
        vp->shared_eptp = v;
        return tdx_shared_hpa_ok(v, PAGE_SIZE) ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    if (id == MD_CODE(MD_VP_VMCS(VMCS_POSTED_DESCRIPTOR))) {
        vp->posted_descriptor = v;
        return tdx_shared_hpa_ok(v, 64) ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    if (id == MD_CODE(MD_VP_VMCS(VMCS_POSTED_VECTOR))) {
        vp->posted_vector = (uint32_t)v;
        return v <= 255 ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    if (id == MD_CODE(MD_VP_PEND_NMI)) {
        vp->pend_nmi = (v & 1) != 0;
        return v <= 1 ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    return TDX_METADATA_FIELD_NOT_WRITABLE;
}

TDX_HANDLER(tdh_vp_wr)
{
    uint64_t field = MD_CODE(c->r->rdx), value = c->r->r8, mask = c->r->r9, old;
    struct tdx_vp before;
    enum tdx_status s;
    uint64_t st;

    c->r->r8 = 0;
    st = take_for_access(c);
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!vp_field(c->vp, field, &old)) {
        return tdx_error(TDX_METADATA_FIELD_ID_INCORRECT, 0);
    }
    before = *c->vp;
    s = set_field(c->vp, field, (old & ~mask) | (value & mask));
    if (s != TDX_SUCCESS) {
        *c->vp = before;
        return tdx_error(s, missing(c->vp, s));
    }
    c->r->r8 = old;
    return TDX_SUCCESS;
}

/* BASE 8.8: who runs is counted in the epoch that it began in. */
static bool begin_epoch(struct tdx_call *c, bool fresh)
{
    struct tdx_tdcs *t = c->tdcs;
    uint64_t epoch;

    if (!tdx_hold(c, &t->epoch_lock, false)) {
        return false;
    }
    epoch = __atomic_load_n(&t->epoch, __ATOMIC_ACQUIRE);
    (void)__atomic_fetch_add(&t->refcount[epoch & 1], 1, __ATOMIC_ACQ_REL);
    tdx_drop(c, &t->epoch_lock);
    if (epoch != c->vp->epoch || fresh) {
        emu_tdx_flush(c->vp);
    }
    c->vp->epoch = epoch;
    return true;
}

/* GHCI 2.4: the registers that the guest chose come back into it. */
static void answer_tdvmcall(struct tdx_vp *vp, struct tdx_regs *r)
{
    uint64_t mask = vp->regs.rcx & 0xffff;

    for (unsigned int i = 2; i < 16; i++) {
        if ((mask & BIT(i)) != 0) {
            TDX_GPR(&vp->regs, i) = TDX_GPR(r, i);
        }
    }
    vp->regs.rax = TDX_SUCCESS;
}

static void show_tdvmcall(const struct tdx_vp *vp, struct tdx_regs *r)
{
    struct tdx_regs guest = vp->regs;
    uint64_t mask = guest.rcx & 0xffff;
    bool keep_rbp = (vp->tdcs->config_flags & TD_CONFIG_NO_RBP_MOD) != 0;

    for (unsigned int i = 2; i < 16; i++) {
        if ((mask & BIT(i)) != 0) {
            TDX_GPR(r, i) = TDX_GPR(&guest, i);
        } else if (i != 5 || !keep_rbp) {
            TDX_GPR(r, i) = 0;
        }
    }
    r->rcx = (uint32_t)guest.rcx;
}

static void show_async(const struct tdx_vp *vp, struct tdx_regs *r)
{
    uint64_t rbp = r->rbp;

    *r = (struct tdx_regs){
        .rcx = vp->exit.qualification,
        .rdx = vp->exit.extended,
        .r8 = vp->exit.gpa,
        .r9 = vp->exit.interrupt,
    };
    r->rbp = (vp->tdcs->config_flags & TD_CONFIG_NO_RBP_MOD) != 0 ? rbp : 0;
}

static void run(struct tdx_call *c)
{
    struct tdx_vp *vp = c->vp;

    vp->tdr = c->tdr;
    vp->tdcs = c->tdcs;
    if (vp->last_tdvmcall) {
        answer_tdvmcall(vp, c->r);
        vp->last_tdvmcall = false;
    }
    vp->exit = (struct tdx_exit_info){0};
    vp->state = VP_ACTIVE;
    emu_tdx_run(vp);
    if (vp->state == VP_ACTIVE) { /* not dead */
        __atomic_store_n(&vp->state, VP_READY, __ATOMIC_RELEASE);
        vp->last_tdvmcall = vp->exit.tdvmcall;
    }
    (void)__atomic_fetch_sub(&c->tdcs->refcount[vp->epoch & 1], 1, __ATOMIC_ACQ_REL);
    if (vp->exit.tdvmcall) {
        show_tdvmcall(vp, c->r);
    } else {
        show_async(vp, c->r);
    }
}

TDX_HANDLER(tdh_vp_enter)
{
    uint64_t at = c->r->rcx, st;
    bool fresh;

    if ((at >> 52 & ENTER_FLAGS) != 0 || !IS_ALIGNED(at, PAGE_SIZE)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    st = tdx_take_vp(c, at, TDX_RCX, false);
    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    st = st == TDX_SUCCESS ? check_and_associate(c, &fresh) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!begin_epoch(c, fresh)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_TD_EPOCH);
    }
    tdx_drop(c, &c->tdcs->op_lock);
    run(c);
    return c->vp->exit.rax;
}
