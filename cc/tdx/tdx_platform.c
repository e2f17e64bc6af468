/*
 * The platform: the module is initialised, told what memory it may take, and given its key.
 * BASE 4; every size and limit is the module's word.
 */
#include "tdx.h"

#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

struct tdx_platform tdx_platform;

static struct {
    struct lock lock;
    uint64_t keys[16]; /* taken */
    uint64_t packages; /* that have done what is asked of each */
    unsigned int failed;
} state;

static struct {
    struct tdx_tdmr_info info[TDX_TDMRS];
    unsigned int count;
    struct tdx_pamt_block pamt[3 * TDX_TDMRS];
    unsigned int pamts;
} tdmr;

/* ---- something on each CPU, or once in each package ---- */

static void note(enum tdh_leaf leaf, uint64_t rax)
{
    if (tdx_fail("tdx", leaf, rax) != ABI_OK) {
        (void)__atomic_fetch_add(&state.failed, 1u, __ATOMIC_RELAXED);
    }
}

static bool first_in_package(void)
{
    uint64_t bit = BIT(tdx_hw_package() % 64);

    return (__atomic_fetch_or(&state.packages, bit, __ATOMIC_RELAXED) & bit) == 0;
}

static bool on_all(void (*fn)(void))
{
    state.failed = 0;
    state.packages = 0;
    cpu_run_on_all(fn);
    return state.failed == 0;
}

static void lp_init(void)
{
    note(TDH_SYS_LP_INIT, tdx_call2(TDH_SYS_LP_INIT, 0, 0));
}

static void key_config(void)
{
    if (first_in_package()) {
        note(TDH_SYS_KEY_CONFIG, tdx_call2(TDH_SYS_KEY_CONFIG, 0, 0));
    }
}

/* ABI 5.3.46: it may be interrupted, and goes on with RCX 1. */
static void write_back(void)
{
    uint64_t rax;

    if (!first_in_package()) {
        return;
    }
    rax = tdx_call2(TDH_PHYMEM_CACHE_WB, 0, 0);
    while (TDX_STATUS_OF(rax) == TDX_INTERRUPTED_RESUMABLE) {
        rax = tdx_call2(TDH_PHYMEM_CACHE_WB, 1, 0);
    }
    note(TDH_PHYMEM_CACHE_WB, rax);
}

enum abi_status tdx_write_back(const char *who)
{
    bool ok;

    lock(&state.lock);
    ok = on_all(write_back);
    unlock(&state.lock);
    if (!ok) {
        log_error("%s: a package did not write back its caches", who);
    }
    return ok ? ABI_OK : ABI_HARDWARE;
}

/* ---- what the module says of itself ---- */

static bool read_metadata(void)
{
    struct tdx_platform *p = &tdx_platform;
    uint64_t tdcs, tdvps, configs;
    bool ok = tdx_metadata(MD_MAJOR_VERSION, &p->version_major) &&
              tdx_metadata(MD_MINOR_VERSION, &p->version_minor) &&
              tdx_metadata(MD_ATTRIBUTES_FIXED0, &p->attributes0) &&
              tdx_metadata(MD_ATTRIBUTES_FIXED1, &p->attributes1) &&
              tdx_metadata(MD_XFAM_FIXED0, &p->xfam0) && tdx_metadata(MD_XFAM_FIXED1, &p->xfam1) &&
              tdx_metadata(MD_TDCS_SIZE, &tdcs) && tdx_metadata(MD_TDVPS_SIZE, &tdvps) &&
              tdx_metadata(MD_NUM_CPUID_CONFIG, &configs);

    if (!ok) {
        return false;
    }
    p->tdcs_pages = (uint32_t)(tdcs / PAGE_SIZE);
    p->tdvps_pages = (uint32_t)(tdvps / PAGE_SIZE);
    p->cpuid_configs = (uint32_t)configs;
    if (p->version_major != 1 || p->version_minor < 5 || configs > TDX_CPUID_CONFIGS_MAX) {
        log_error("tdx: module %lu.%lu: one of 1.5 is needed: update it",
                  (unsigned long)p->version_major, (unsigned long)p->version_minor);
        return false;
    }
    return true;
}

/* ---- TDMRs and PAMTs ---- */

static bool take_pamt(uint64_t bytes, uint64_t *base, uint64_t *size)
{
    unsigned int order = 0;
    pa_t at;

    while ((uint64_t)PAGE_SIZE << order < bytes) {
        order++;
    }
    if (order > PAGE_ORDER_MAX || !page_alloc(order, PAGE_HV, 0, &at)) {
        log_error("tdx: no memory for a PAMT of %lu KiB", (unsigned long)(bytes >> 10));
        return false;
    }
    CHECK(page_move(at, order, PAGE_HV, PAGE_CHIP, 0) == ABI_OK);
    *base = at.v;
    *size = (uint64_t)PAGE_SIZE << order;
    tdmr.pamt[tdmr.pamts++] = (struct tdx_pamt_block){*base, *size};
    return true;
}

static bool take_pamts(struct tdx_tdmr_info *t, const uint64_t entry[3])
{
    return take_pamt(t->size / TDX_LEVEL_SIZE(TDX_4K) * entry[0], &t->pamt_4k_base,
                     &t->pamt_4k_size) &&
           take_pamt(t->size / TDX_LEVEL_SIZE(TDX_2M) * entry[1], &t->pamt_2m_base,
                     &t->pamt_2m_size) &&
           take_pamt(t->size / TDX_LEVEL_SIZE(TDX_1G) * entry[2], &t->pamt_1g_base,
                     &t->pamt_1g_size);
}

static bool plan_tdmrs(void)
{
    uint64_t max, areas, entry[3];
    bool ok = tdx_metadata(MD_MAX_TDMRS, &max) && tdx_metadata(MD_MAX_RESERVED, &areas) &&
              tdx_metadata(MD_PAMT_4K_ENTRY, &entry[0]) &&
              tdx_metadata(MD_PAMT_2M_ENTRY, &entry[1]) &&
              tdx_metadata(MD_PAMT_1G_ENTRY, &entry[2]);

    if (!ok) {
        return false;
    }
    tdmr.count = tdx_tdmr_ranges(boot_info.ram, boot_info.ram_count, (unsigned int)areas,
                                 (unsigned int)MIN(max, TDX_TDMRS), tdmr.info);
    if (tdmr.count == 0) {
        log_error("tdx: memory has too many holes for %lu TDMRs of %lu reserved areas",
                  (unsigned long)MIN(max, TDX_TDMRS), (unsigned long)areas);
        return false;
    }
    for (unsigned int i = 0; i < tdmr.count && ok; i++) {
        ok = take_pamts(&tdmr.info[i], entry);
    }
    for (unsigned int i = 0; i < tdmr.count && ok; i++) {
        ok = tdx_tdmr_reserve(boot_info.ram, boot_info.ram_count, tdmr.pamt, tdmr.pamts,
                              (unsigned int)areas, &tdmr.info[i]);
        if (!ok) {
            log_error("tdx: the TDMR at %lx has more than %lu holes",
                      (unsigned long)tdmr.info[i].base, (unsigned long)areas);
        }
    }
    return ok;
}

/* SYS.CONFIG takes a list of addresses, and the TDMR_INFOs: two blocks of ours for a moment. */
static bool configure(void)
{
    struct tdx_regs r = {.rdx = tdmr.count, .r8 = tdx_platform.keys.first};
    enum abi_status st;
    uint64_t *list;
    pa_t at;

    if (!page_alloc(3, PAGE_HV, 0, &at)) {
        return false;
    }
    list = pa_to_hva(at);
    for (unsigned int i = 0; i < tdmr.count; i++) {
        uint64_t place = at.v + PAGE_SIZE + i * sizeof(tdmr.info[0]);

        list[i] = place;
        memcpy(pa_to_hva(pa(place)), &tdmr.info[i], sizeof(tdmr.info[0]));
    }
    r.rcx = at.v;
    st = tdx_fail("tdx", TDH_SYS_CONFIG, tdx_call(TDH_SYS_CONFIG, &r));
    page_free(at, PAGE_HV, 0);
    return st == ABI_OK;
}
_Static_assert(TDX_TDMRS * sizeof(struct tdx_tdmr_info) <= 7 * PAGE_SIZE, "configure()");

static bool init_tdmr(const struct tdx_tdmr_info *t)
{
    struct tdx_regs r = {0};

    do {
        r = (struct tdx_regs){.rcx = t->base};
        if (tdx_fail("tdx", TDH_SYS_TDMR_INIT, tdx_call(TDH_SYS_TDMR_INIT, &r)) != ABI_OK) {
            return false;
        }
    } while (r.rdx < t->base + t->size);
    return true;
}

bool tdx_platform_start(void)
{
    memset(&state, 0, sizeof(state));
    memset(&tdmr, 0, sizeof(tdmr));
    if (!tdx_hw_find(&tdx_platform.keys)) {
        return false; /* most machines have none: no word of it */
    }
    if (tdx_platform.keys.count < 2) {
        log_error("tdx: %u key ids: two are needed", tdx_platform.keys.count);
        return false;
    }
    if (!tdx_seamldr_check() ||
        tdx_fail("tdx", TDH_SYS_INIT, tdx_call2(TDH_SYS_INIT, 0, 0)) != ABI_OK ||
        !on_all(lp_init) || !read_metadata() || !plan_tdmrs()) {
        return false;
    }
    cpu_run_on_all(tdx_hw_wbinvd); /* nothing of ours may be written into a PAMT later */
    if (!configure() || !on_all(key_config)) {
        return false;
    }
    for (unsigned int i = 0; i < tdmr.count; i++) {
        if (!init_tdmr(&tdmr.info[i])) {
            return false;
        }
    }
    return true;
}

/*
 * ABI 5.3 (SYS.SHUTDOWN): RCX is the version in which it hands over to a module after it. None
 * will come, but it refuses versions that it cannot make.
 */
void tdx_platform_stop(void)
{
    uint64_t features, version;

    if (!tdx_metadata(MD_TDX_FEATURES0, &features)) {
        return;
    }
    if ((features & TDX_FEATURES0_TD_PRESERVING) == 0) {
        log_info("tdx: the module has no SYS.SHUTDOWN: it stays until the machine is reset");
        return;
    }
    if (tdx_metadata(MD_MODULE_HV, &version) &&
        tdx_fail("tdx", TDH_SYS_SHUTDOWN, tdx_call2(TDH_SYS_SHUTDOWN, version, 0)) == ABI_OK) {
        log_info("tdx: the module is shut down");
    }
}

/* ---- key ids; the first is the module's ---- */

bool tdx_key_take(uint32_t *key)
{
    uint32_t count = MIN(tdx_platform.keys.count, 64u * (uint32_t)ARRAY_SIZE(state.keys));
    bool found = false;

    lock(&state.lock);
    for (uint32_t i = 1; i < count && !found; i++) {
        if ((state.keys[i / 64] & BIT(i % 64)) == 0) {
            state.keys[i / 64] |= BIT(i % 64);
            *key = tdx_platform.keys.first + i;
            found = true;
        }
    }
    unlock(&state.lock);
    return found;
}

void tdx_key_give(uint32_t key)
{
    uint32_t i = key - tdx_platform.keys.first;

    lock(&state.lock);
    state.keys[i / 64] &= ~BIT(i % 64);
    unlock(&state.lock);
}
