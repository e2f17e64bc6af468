/* Guest contexts, ASIDs and pages: ABI 8.4-8.7, 8.10-8.12, 8.20. */
#include "snp_psp.h"

#include "hv/check.h"
#include "hv/string.h"

#define GUESTS 64

static struct psp_guest guests[GUESTS];

/*
 * An ASID that lost its guest is dirty until every CPU wrote back its caches (WBINVD) and then
 * DF_FLUSH ran. `written` has a bit for each CPU that did since the last ASID became dirty.
 */
static struct {
    uint64_t dirty[EMU_SNP_ASIDS / 64 + 1];
    uint64_t written, cpus;
} flush;

void emu_psp_cpus(unsigned int count)
{
    REQUIRE(count >= 1 && count <= 64);
    flush.cpus = count == 64 ? ~0ull : BIT(count) - 1;
}

void emu_psp_wbinvd(unsigned int cpu)
{
    REQUIRE(cpu < 64);
    (void)__atomic_fetch_or(&flush.written, BIT(cpu), __ATOMIC_RELAXED);
}

void psp_flush_demand(void)
{
    memset(flush.dirty, 0xff, sizeof(flush.dirty));
    __atomic_store_n(&flush.written, 0, __ATOMIC_RELAXED);
}

/* An ASID in use is not clean, either. */
bool psp_flush_needed(void)
{
    for (size_t i = 0; i < GUESTS; i++) {
        if (guests[i].page != 0 && guests[i].asid != 0) {
            return true;
        }
    }
    return !psp_is_zero(flush.dirty, sizeof(flush.dirty));
}

void psp_guests_reset(void)
{
    memset(guests, 0, sizeof(guests));
    memset(flush.dirty, 0, sizeof(flush.dirty));
}

uint32_t psp_guests_count(void)
{
    uint32_t n = 0;

    for (size_t i = 0; i < GUESTS; i++) {
        n += guests[i].page != 0 && guests[i].state != GSTATE_INIT;
    }
    return n;
}

uint32_t psp_guest_of(uint64_t page, struct psp_guest **g)
{
    if (!IS_ALIGNED(page, PAGE_SIZE)) {
        return SNP_INVALID_PARAM;
    }
    if (emu_mem(pa(page)) == NULL) {
        return SNP_INVALID_ADDRESS;
    }
    for (size_t i = 0; i < GUESTS; i++) {
        if (page != 0 && guests[i].page == page) {
            *g = &guests[i];
            return SNP_SUCCESS;
        }
    }
    return SNP_INVALID_GUEST;
}

uint32_t psp_guest_in(uint64_t page, enum psp_guest_state state, struct psp_guest **g)
{
    uint32_t r = psp_guest_of(page, g);

    return r == SNP_SUCCESS && (*g)->state != state ? (uint32_t)SNP_INVALID_GUEST_STATE : r;
}

static struct psp_guest *free_context(void)
{
    for (size_t i = 0; i < GUESTS; i++) {
        if (guests[i].page == 0) {
            return &guests[i];
        }
    }
    return NULL;
}

/* ABI 8.12: firmware page -> context page */
uint32_t psp_gctx_create(const void *cmd)
{
    uint64_t page = *(const uint64_t *)cmd;
    struct psp_guest *g = free_context();
    struct emu_rmp e;
    uint32_t r = psp_page(page, RMP_4K, &e);

    if (r != SNP_SUCCESS || page == 0) {
        return r != SNP_SUCCESS ? r : (uint32_t)SNP_INVALID_ADDRESS;
    }
    if (!psp_is_firmware(&e)) {
        return SNP_INVALID_PAGE_STATE;
    }
    if (g == NULL) {
        return SNP_RESOURCE_LIMIT;
    }
    e.vmsa = true; /* ABI chapter 5: what tells a context page from a firmware page */
    emu_rmp_set(pa(page), &e);
    memset(g, 0, sizeof(*g));
    g->page = page;
    return SNP_SUCCESS;
}

/* ABI 8.6: context page -> firmware page; the guest and its keys are gone */
uint32_t psp_decommission(const void *cmd)
{
    const struct emu_rmp firmware = {.assigned = true, .immutable = true};
    struct psp_guest *g;
    uint32_t r = psp_guest_of(*(const uint64_t *)cmd, &g);

    if (r != SNP_SUCCESS) {
        return r;
    }
    if (g->asid != 0 && g->state == GSTATE_RUNNING) { /* one that never ran left no trace */
        flush.dirty[g->asid / 64] |= BIT(g->asid % 64);
        __atomic_store_n(&flush.written, 0, __ATOMIC_RELAXED);
    }
    emu_rmp_set(pa(g->page), &firmware);
    memset(g, 0, sizeof(*g));
    return SNP_SUCCESS;
}

static bool asid_owned(uint32_t asid)
{
    for (size_t i = 0; i < GUESTS; i++) {
        if (guests[i].page != 0 && guests[i].asid == asid) {
            return true;
        }
    }
    return false;
}

/* ABI 8.4 */
uint32_t psp_activate(const void *cmd)
{
    const struct snp_activate *c = cmd;
    struct psp_guest *g;
    uint32_t r = psp_guest_of(c->gctx, &g);

    if (r != SNP_SUCCESS) {
        return r;
    }
    if (g->state == GSTATE_INIT) {
        return SNP_INVALID_GUEST_STATE;
    }
    if (c->asid == 0 || c->asid > EMU_SNP_ASIDS) {
        return SNP_INVALID_ASID;
    }
    if (emu_rmp_has_asid(c->asid)) {
        return SNP_INVALID_CONFIG;
    }
    if (asid_owned(c->asid)) {
        return SNP_ASID_OWNED;
    }
    if (g->asid != 0) {
        return SNP_ACTIVE;
    }
    if ((flush.dirty[c->asid / 64] & BIT(c->asid % 64)) != 0) {
        return SNP_DFFLUSH_REQUIRED;
    }
    g->asid = c->asid;
    return SNP_SUCCESS;
}

/* ABI 8.11 */
uint32_t psp_guest_status(const void *cmd)
{
    const uint64_t *c = cmd; /* context, buffer */
    struct {
        uint64_t policy;
        uint32_t asid;
        uint8_t state, reserved0[3];
        uint32_t flags, reserved1; /* bit 0: no VCEK */
        uint64_t reserved2;
    } out = {0};
    struct psp_guest *g;
    uint32_t r = psp_guest_of(c[0], &g);

    if (r == SNP_SUCCESS) {
        r = psp_writable(c[1], sizeof(out));
    }
    if (r != SNP_SUCCESS) {
        return r;
    }
    out.policy = g->policy;
    out.asid = g->asid;
    out.state = (uint8_t)g->state;
    out.flags = g->vcek_disabled;
    return psp_write(c[1], &out, sizeof(out)) ? SNP_SUCCESS : SNP_INVALID_ADDRESS;
}

/* ABI 8.7 */
uint32_t psp_df_flush(const void *cmd)
{
    (void)cmd;
    if ((__atomic_load_n(&flush.written, __ATOMIC_RELAXED) & flush.cpus) != flush.cpus) {
        return SNP_WBINVD_REQUIRED;
    }
    memset(flush.dirty, 0, sizeof(flush.dirty));
    return SNP_SUCCESS;
}

/* ABI 8.20: an immutable page goes back to those who can change it with RMPUPDATE. */
uint32_t psp_page_reclaim(const void *cmd)
{
    uint64_t arg = *(const uint64_t *)cmd;
    struct emu_rmp e;
    uint32_t r;

    if ((arg & (PAGE_SIZE - 1) & ~1ull) != 0) {
        return SNP_INVALID_PARAM;
    }
    r = psp_page(arg & PAGE_MASK, (arg & 1) != 0 ? RMP_2M : RMP_4K, &e);
    if (r != SNP_SUCCESS) {
        return r;
    }
    if (!e.immutable) {
        return SNP_SUCCESS; /* nothing to do */
    }
    /* Firmware, metadata, pre-guest or pre-swap; not HV-fixed, not a context, not the RMP. */
    if (!e.assigned || e.vmsa || psp_in_rmp(arg)) {
        return SNP_INVALID_PAGE_STATE;
    }
    e.immutable = false;
    emu_rmp_set(pa(arg & PAGE_MASK), &e);
    return SNP_SUCCESS;
}
