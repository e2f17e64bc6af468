/* A TD's fields, as the host and the TD itself may read and write them: ABI 3.3. */
#include "tdx_module.h"

#define NOTIFY_EPT_FAULTS BIT(0)
#define TD_CTLS_NO_VE     BIT(0)

bool tdx_td_field(const struct tdx_tdcs *t, uint64_t id, bool host, uint64_t *value)
{
    const struct {
        uint64_t id, value;
        bool host, guest;
    } fields[] = {
        {MD_TD_ATTRIBUTES, t->attributes, true, true},
        {MD_TD_XFAM, t->xfam, true, true},
        {MD_TD_GPAW, (t->config_flags & TD_CONFIG_GPAW) != 0, true, true},
        {MD_TD_TSC_OFFSET, t->tsc_offset, true, true},
        {MD_TD_CONFIG_FLAGS, t->config_flags, true, true},
        {MD_TD_TD_CTLS, t->td_ctls, false, true},
        {MD_TD_NOTIFY_ENABLES, t->notify_enables, false, true},
        {MD_TD_NUM_VCPUS, t->num_vcpus, true, true},
        {MD_TD_OP_STATE, t->op_state, true, false},
        {MD_TD_EPOCH, t->epoch, true, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (MD_CODE(fields[i].id) == MD_CODE(id) && (host ? fields[i].host : fields[i].guest)) {
            *value = fields[i].value;
            return true;
        }
    }
    return false;
}

/* By the TD. The host may not choose for it: it only decides whether the TD may. */
enum tdx_status tdx_td_write(struct tdx_tdcs *t, uint64_t id, uint64_t value, uint64_t mask,
                             uint64_t *old)
{
    uint64_t *field, may;

    if (MD_CODE(id) == MD_CODE(MD_TD_NOTIFY_ENABLES)) {
        field = &t->notify_enables;
        may = NOTIFY_EPT_FAULTS;
    } else if (MD_CODE(id) == MD_CODE(MD_TD_TD_CTLS)) {
        field = &t->td_ctls;
        may = (t->config_flags & TD_CONFIG_FLEXIBLE_VE) != 0 ? TD_CTLS_NO_VE : 0;
    } else {
        return TDX_METADATA_FIELD_NOT_WRITABLE;
    }
    *old = *field;
    if ((value & mask & ~may) != (*old & mask & ~may)) {
        return may == 0 ? TDX_METADATA_FIELD_NOT_WRITABLE : TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    *field = (*old & ~(mask & may)) | (value & mask & may);
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_mng_rd)
{
    uint64_t field = c->r->rdx, value;
    uint64_t st;

    c->r->r8 = 0;
    st = tdx_take_tdr(c, c->r->rcx, TDX_RCX, false, TDX_PT_TDR);
    st = st == TDX_SUCCESS ? tdx_take_tdcs(c, true) : st;
    if (st != TDX_SUCCESS) {
        return st;
    }
    if (!tdx_td_field(c->tdcs, field, true, &value)) {
        return tdx_error(TDX_METADATA_FIELD_NOT_READABLE, 0);
    }
    c->r->r8 = value;
    return TDX_SUCCESS;
}
