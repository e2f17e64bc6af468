/* TDH.MNG.INIT: what a TD is, and will be for life. ABI 5.3.35, 3.6.1. */
#include "tdx_module.h"

#include "hv/string.h"

static bool is_zero(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++) {
        if (b[i] != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t invalid(enum tdx_operand what)
{
    return tdx_error(TDX_OPERAND_INVALID, what);
}

/* The bits of 0 in FIXED0 must be 0, those of 1 in FIXED1 must be 1: SYS.RD tells. */
static bool fixed_ok(uint64_t value, uint64_t field0, uint64_t field1)
{
    struct tdx_regs r = {.rdx = field0};
    struct tdx_call c = {.r = &r};
    uint64_t may;

    if (tdh_sys_rd(&c) != TDX_SUCCESS) {
        return false;
    }
    may = r.r8;
    r.rdx = field1;
    return tdh_sys_rd(&c) == TDX_SUCCESS && (value & ~may) == 0 && (value & r.r8) == r.r8;
}

static uint64_t check_controls(const struct tdx_td_params *p)
{
    const uint64_t flags = TD_CONFIG_FLEXIBLE_VE | TD_CONFIG_NO_RBP_MOD;

    if (!fixed_ok(p->attributes, MD_ATTRIBUTES_FIXED0, MD_ATTRIBUTES_FIXED1)) {
        return invalid(TDX_ATTRIBUTES);
    }
    if (!fixed_ok(p->xfam, MD_XFAM_FIXED0, MD_XFAM_FIXED1)) {
        return invalid(TDX_XFAM);
    }
    if (p->max_vcpus == 0) {
        return invalid(TDX_MAX_VCPUS);
    }
    if (p->num_l2_vms != 0) {
        return invalid(TDX_NUM_L2_VMS);
    }
    /* This module's CPUs walk four levels: no GPAW of 52. */
    if ((p->config_flags & ~flags) != 0) {
        return invalid(TDX_EXEC_CONTROLS);
    }
    if (p->eptp_controls != TD_EPTP_4_LEVELS) {
        return invalid(TDX_EPTP_CONTROLS);
    }
    if (p->tsc_frequency < TDX_TSC_UNITS_MIN || p->tsc_frequency > TDX_TSC_UNITS_MAX) {
        return invalid(TDX_TSC_FREQUENCY);
    }
    if (p->msr_config_ctls != 0 || p->arch_capabilities_config != 0 ||
        !is_zero(p->reserved0, sizeof(p->reserved0)) ||
        !is_zero(p->reserved1, sizeof(p->reserved1)) ||
        !is_zero(p->reserved2, sizeof(p->reserved2))) {
        return invalid(TDX_RDX);
    }
    return TDX_SUCCESS;
}

static void take_params(struct tdx_tdcs *t, const struct tdx_td_params *p)
{
    memset(t, 0, sizeof(*t));
    t->attributes = p->attributes;
    t->xfam = p->xfam;
    t->max_vcpus = p->max_vcpus;
    t->config_flags = p->config_flags;
    t->tsc_frequency = p->tsc_frequency;
    t->td_ctls = (p->attributes & TD_ATTR_SEPT_VE_DISABLE) != 0 ? 1 : 0;
    t->epoch = 1;
    t->tsc_offset = 0 - emu_tdx_tsc();
    memcpy(t->mrconfigid, p->mrconfigid, sizeof(t->mrconfigid));
    memcpy(t->mrowner, p->mrowner, sizeof(t->mrowner));
    memcpy(t->mrownerconfig, p->mrownerconfig, sizeof(t->mrownerconfig));
    emu_fpu_begin();
    emu_sha384_start(&t->mrtd_hash);
    emu_fpu_end();
    t->op_state = TDX_OP_INITIALIZED;
}

TDX_HANDLER(tdh_mng_init)
{
    uint64_t tdr = c->r->rcx, from = c->r->rdx;
    struct tdx_td_params p;
    uint64_t st;

    c->r->rcx = 0;
    st = tdx_take_tdr(c, tdr, TDX_RCX, true, TDX_PT_TDR);
    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, false) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!tdx_shared_hpa_ok(from, sizeof(p))) {
        return invalid(TDX_RDX);
    }
    memcpy(&p, emu_mem(pa(from & (BIT(EMU_TDX_KEY_SHIFT) - 1))), sizeof(p));
    st = check_controls(&p);
    st = st == TDX_SUCCESS ? tdx_cpuid_configure(c, &p) : st;
    if (st == TDX_SUCCESS) {
        take_params(c->tdcs, &p);
    }
    return st;
}
