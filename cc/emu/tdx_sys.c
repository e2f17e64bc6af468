/* The module as a whole: TDH.SYS.*. ABI 5.3.48 to 5.3.64, BASE 4. */
#include "tdx_module.h"

#include "hv/check.h"
#include "hv/string.h"

#define XFAM_FIXED0 0xe7ull  /* x87, SSE, AVX, AVX-512 */
#define XFAM_FIXED1 0x03ull
#define HANDOFF_VERSION     1u /* not 0, which a host that asks for none would name */
#define MIN_HANDOFF_VERSION 1u

struct tdx_module tdx_module;

void emu_tdx_reset(const struct emu_tdx_machine *m)
{
    REQUIRE(m->lps > 0 && m->lps <= EMU_TDX_LPS && m->packages > 0 && m->packages <= m->lps &&
            m->cmrs <= EMU_TDX_CMRS);
    memset(&tdx_module, 0, sizeof(tdx_module));
    tdx_module.machine = *m;
    emu_tdx_fault_reset();
    emu_seamldr_reset();
}

static bool all_lps_ready(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < tdx_module.machine.lps; i++) {
        n += (tdx_module.lp_init & BIT(i)) != 0;
    }
    return n == tdx_module.machine.lps;
}

TDX_HANDLER(tdh_sys_init)
{
    if (!tdx_hold(c, &tdx_module.lock, true)) {
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    if (c->r->rcx != 0) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (tdx_module.state != SYS_PENDING) {
        return tdx_error(TDX_SYS_INIT_NOT_PENDING, 0);
    }
    tdx_module.state = SYS_INIT_DONE;
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_sys_lp_init)
{
    uint64_t bit = BIT(emu_tdx_lp());

    if (!tdx_hold(c, &tdx_module.lock, false)) {
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    c->r->rcx = c->r->rdx = c->r->r8 = 0;
    if (tdx_module.state != SYS_INIT_DONE) {
        return tdx_error(TDX_SYS_LP_INIT_NOT_PENDING, 0);
    }
    if ((__atomic_fetch_or(&tdx_module.lp_init, bit, __ATOMIC_RELAXED) & bit) != 0) {
        return tdx_error(TDX_SYS_LP_INIT_DONE, 0);
    }
    return TDX_SUCCESS;
}

/* Of older modules; 1.5 accepts it, and does nothing. */
TDX_HANDLER(tdh_sys_lp_shutdown)
{
    (void)c;
    return TDX_SUCCESS;
}

/* TDs need not be gone: the next module could take them over, were there one. */
TDX_HANDLER(tdh_sys_shutdown)
{
    uint64_t version = c->r->rcx;

    if (version < MIN_HANDOFF_VERSION || version > HANDOFF_VERSION) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (!tdx_hold(c, &tdx_module.lock, true)) {
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    __atomic_store_n(&tdx_module.state, SYS_SHUT_DOWN, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&tdx_module.inside, __ATOMIC_SEQ_CST) > 1) {
        __atomic_store_n(&tdx_module.state, SYS_READY, __ATOMIC_SEQ_CST);
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    return TDX_SUCCESS;
}

static const struct {
    uint64_t field, value;
} constants[] = {
    {MD_MINOR_VERSION, TDX_VERSION_MINOR},
    {MD_MAJOR_VERSION, TDX_VERSION_MAJOR},
    {MD_UPDATE_VERSION, 0},
    {MD_TDX_FEATURES0, TDX_FEATURES0_TD_PRESERVING | TDX_FEATURES0_NO_RBP_MOD},
    {MD_MODULE_HV, HANDOFF_VERSION},
    {MD_MIN_UPDATE_HV, MIN_HANDOFF_VERSION},
    {MD_NO_DOWNGRADE, 0},
    {MD_MAX_TDMRS, TDX_TDMRS_MAX},
    {MD_MAX_RESERVED, TDX_MAX_RESERVED},
    {MD_PAMT_4K_ENTRY, sizeof(struct tdx_pamt)},
    {MD_PAMT_2M_ENTRY, sizeof(struct tdx_pamt)},
    {MD_PAMT_1G_ENTRY, sizeof(struct tdx_pamt)},
    {MD_TDR_SIZE, PAGE_SIZE},
    {MD_TDCS_SIZE, TDX_TDCS_PAGES * PAGE_SIZE},
    {MD_TDVPS_SIZE, TDX_TDVPS_PAGES * PAGE_SIZE},
    {MD_ATTRIBUTES_FIXED0, TD_ATTR_DEBUG | TD_ATTR_SEPT_VE_DISABLE},
    {MD_ATTRIBUTES_FIXED1, 0},
    {MD_XFAM_FIXED0, XFAM_FIXED0},
    {MD_XFAM_FIXED1, XFAM_FIXED1},
};

static bool cmr_field(uint64_t field, uint64_t *value)
{
    uint64_t i = field & 0x7f;

    if (field == MD_NUM_CMRS) {
        *value = tdx_module.machine.cmrs;
        return true;
    }
    if (i >= tdx_module.machine.cmrs) {
        return false;
    }
    if (field - i == MD_CMR_BASE) {
        *value = tdx_module.machine.cmr[i].base;
        return true;
    }
    *value = tdx_module.machine.cmr[i].size;
    return field - i == MD_CMR_SIZE;
}

/* Lists of fields (RDX: the next) are for hosts that read all; here none follows. */
TDX_HANDLER(tdh_sys_rd)
{
    uint64_t field = c->r->rdx, value = 0;
    bool known = false;

    c->r->rdx = ~0ull;
    c->r->r8 = 0;
    if ((tdx_module.lp_init & BIT(emu_tdx_lp())) == 0) {
        return tdx_error(TDX_SYS_LP_INIT_NOT_DONE, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(constants) && !known; i++) {
        known = constants[i].field == field;
        value = constants[i].value;
    }
    known = known || cmr_field(field, &value) || tdx_cpuid_metadata(field, &value);
    if (!known) {
        return tdx_error(TDX_METADATA_FIELD_ID_INCORRECT, 0);
    }
    c->r->r8 = value;
    return TDX_SUCCESS;
}

static uint64_t take_tdmrs(const uint64_t *list, unsigned int count)
{
    static struct tdx_tdmr_info copy[TDX_TDMRS_MAX]; /* the module's lock is held */
    uint64_t st = TDX_SUCCESS;

    for (unsigned int i = 0; i < count && st == TDX_SUCCESS; i++) {
        if (!tdx_shared_hpa_ok(list[i], sizeof(copy[0]))) {
            return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
        }
        memcpy(&copy[i], emu_mem(pa(list[i])), sizeof(copy[0]));
        st = tdx_tdmr_check(copy, i);
    }
    for (unsigned int i = 0; i < count && st == TDX_SUCCESS; i++) {
        tdx_module.tdmr[i] = (struct tdx_tdmr){.info = copy[i], .initialized = copy[i].base};
    }
    return st;
}

TDX_HANDLER(tdh_sys_config)
{
    uint64_t list = c->r->rcx, count = c->r->rdx, key = c->r->r8;
    uint64_t st;

    if (!tdx_hold(c, &tdx_module.lock, true)) {
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    if (tdx_module.state != SYS_INIT_DONE || !all_lps_ready()) {
        return tdx_error(TDX_SYS_CONFIG_NOT_PENDING, 0);
    }
    if (!tdx_shared_hpa_ok(list, 512)) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (count < 1 || count > TDX_TDMRS_MAX) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RDX);
    }
    if (key < EMU_TDX_KEY_FIRST || key >= EMU_TDX_KEYS) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_R8);
    }
    st = take_tdmrs(emu_mem(pa(list)), (unsigned int)count);
    if (st == TDX_SUCCESS) {
        tdx_module.key[key].state = KEY_RESERVED;
        tdx_module.hkid = (uint32_t)key;
        tdx_module.tdmrs = (unsigned int)count;
        tdx_module.state = SYS_CONFIG_DONE;
    }
    return st;
}

TDX_HANDLER(tdh_sys_key_config)
{
    uint64_t bit = BIT(emu_tdx_package(emu_tdx_lp()));
    unsigned int n = 0;

    if (!tdx_hold(c, &tdx_module.lock, true)) {
        return tdx_error(TDX_SYS_BUSY, 0);
    }
    if (tdx_module.state != SYS_CONFIG_DONE) {
        return tdx_error(TDX_SYS_KEY_CONFIG_NOT_PENDING, 0);
    }
    if ((tdx_module.pkg_config & bit) != 0) {
        return tdx_error(TDX_KEY_CONFIGURED, 0);
    }
    tdx_module.pkg_config |= bit;
    for (unsigned int i = 0; i < tdx_module.machine.packages; i++) {
        n += (tdx_module.pkg_config & BIT(i)) != 0;
    }
    if (n == tdx_module.machine.packages) {
        tdx_module.state = SYS_READY;
    }
    return TDX_SUCCESS;
}

TDX_HANDLER(tdh_sys_tdmr_init)
{
    uint64_t base = c->r->rcx;
    struct tdx_tdmr *t = NULL;

    c->r->rdx = 0;
    for (unsigned int i = 0; i < tdx_module.tdmrs; i++) {
        if (tdx_module.tdmr[i].info.base == base) {
            t = &tdx_module.tdmr[i];
        }
    }
    if (t == NULL) {
        return tdx_error(TDX_OPERAND_INVALID, TDX_RCX);
    }
    if (!tdx_hold(c, &t->lock, true)) {
        return tdx_error(TDX_OPERAND_BUSY, TDX_RCX);
    }
    if (t->initialized >= t->info.base + t->info.size) {
        return tdx_error(TDX_TDMR_ALREADY_INITIALIZED, 0);
    }
    tdx_tdmr_init_step(t);
    c->r->rdx = ALIGN_DOWN(t->initialized, SIZE_1G);
    return TDX_SUCCESS;
}
