/*
 * A TD's life: BASE 9. Its control pages and tables are noted, and go back to the hypervisor when
 * it is dead; what a failed call leaves half done is undone by tdx_td_destroy.
 */
#include "tdx.h"

#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

static struct {
    struct lock lock;
    const struct tdx_td *td; /* whose key is configured now */
    uint64_t packages;
    enum abi_status st;
} keying;

static bool note_page(struct tdx_td *td, pa_t at)
{
    struct tdx_page_list *l = td->pages;
    pa_t page;

    if (l == NULL || l->count == TDX_PAGE_LIST) {
        if (!page_alloc(ORDER_4K, PAGE_HV, td->owner, &page)) {
            return false;
        }
        l = pa_to_hva(page);
        l->next = td->pages;
        td->pages = l;
    }
    l->pa[l->count++] = at.v;
    return true;
}

/* The page has not become the module's: it is ours again. */
static void take_back(struct tdx_td *td, pa_t at)
{
    CHECK(page_move(at, ORDER_4K, PAGE_CHIP, PAGE_HV, td->owner) == ABI_OK);
    page_free(at, PAGE_HV, td->owner);
}

static enum abi_status new_page(struct tdx_td *td, pa_t *at)
{
    if (!page_alloc(ORDER_4K, PAGE_HV, td->owner, at)) {
        return ABI_NO_MEMORY;
    }
    return page_move(*at, ORDER_4K, PAGE_HV, PAGE_CHIP, td->owner);
}

/* Every leaf that takes a control page names it in RCX, and its parent in RDX. */
static enum abi_status give_page(struct tdx_td *td, enum tdh_leaf leaf, uint64_t rdx, pa_t *at)
{
    enum abi_status st = new_page(td, at);

    if (st != ABI_OK) {
        return st;
    }
    st = tdx_fail(td->name, leaf, tdx_call2(leaf, at->v, rdx));
    if (st != ABI_OK) {
        take_back(td, *at);
        return st;
    }
    CHECK(note_page(td, *at)); /* there is room: tdx_td_page looked */
    return ABI_OK;
}

/* Room for one more page in the list, so that noting it cannot fail afterwards. */
static bool make_room(struct tdx_td *td)
{
    if (td->pages != NULL && td->pages->count < TDX_PAGE_LIST) {
        return true;
    }
    if (!note_page(td, pa(0))) {
        return false;
    }
    td->pages->count--;
    return true;
}

static enum abi_status add_page(struct tdx_td *td, enum tdh_leaf leaf, uint64_t rdx, pa_t *at)
{
    return make_room(td) ? give_page(td, leaf, rdx, at) : ABI_NO_MEMORY;
}

enum abi_status tdx_td_page(struct tdx_td *td, pa_t *at)
{
    enum abi_status st = make_room(td) ? new_page(td, at) : ABI_NO_MEMORY;

    if (st == ABI_OK) {
        CHECK(note_page(td, *at));
    }
    return st;
}

void tdx_td_page_undo(struct tdx_td *td, pa_t at)
{
    uint64_t last;

    while (td->pages->count == 0) { /* its pages are noted behind: only the head may be empty */
        struct tdx_page_list *l = td->pages;

        td->pages = l->next;
        page_free(hva_to_pa(l), PAGE_HV, td->owner);
    }
    last = td->pages->pa[--td->pages->count];
    for (struct tdx_page_list *l = td->pages; last != at.v; l = l->next) {
        for (uint64_t i = 0; i < l->count && last != at.v; i++) {
            if (l->pa[i] == at.v) {
                l->pa[i] = last;
                last = at.v;
            }
        }
    }
    take_back(td, at);
}

static void configure_key(void)
{
    uint64_t bit = BIT(tdx_hw_package() % 64);
    enum abi_status st;

    if ((__atomic_fetch_or(&keying.packages, bit, __ATOMIC_RELAXED) & bit) != 0) {
        return;
    }
    st = tdx_fail(keying.td->name, TDH_MNG_KEY_CONFIG,
                  tdx_call2(TDH_MNG_KEY_CONFIG, keying.td->tdr.v, 0));
    if (st != ABI_OK) {
        keying.st = st;
    }
}

static enum abi_status configure_keys(const struct tdx_td *td)
{
    enum abi_status st;

    lock(&keying.lock);
    keying.td = td;
    keying.packages = 0;
    keying.st = ABI_OK;
    cpu_run_on_all(configure_key);
    st = keying.st;
    unlock(&keying.lock);
    return st;
}

static enum abi_status create_tdr(struct tdx_td *td)
{
    enum abi_status st;

    if (!tdx_key_take(&td->key)) {
        log_error("%s: all %u key ids for TDs are taken", td->name, tdx_platform.keys.count - 1);
        return ABI_LIMIT;
    }
    td->has_key = true;
    st = new_page(td, &td->tdr);
    if (st != ABI_OK) {
        return st;
    }
    st = tdx_fail(td->name, TDH_MNG_CREATE, tdx_call2(TDH_MNG_CREATE, td->tdr.v, td->key));
    td->created = st == ABI_OK;
    if (!td->created) {
        take_back(td, td->tdr);
    }
    return st;
}

/* TD_PARAMS is read from memory of ours. */
static enum abi_status init(struct tdx_td *td, const struct tdx_td_params *p)
{
    enum abi_status st;
    pa_t at;

    if (!page_alloc(ORDER_4K, PAGE_HV, td->owner, &at)) {
        return ABI_NO_MEMORY;
    }
    memcpy(pa_to_hva(at), p, sizeof(*p));
    st = tdx_fail(td->name, TDH_MNG_INIT, tdx_call2(TDH_MNG_INIT, td->tdr.v, at.v));
    page_free(at, PAGE_HV, td->owner);
    return st;
}

enum abi_status tdx_td_create(struct tdx_td *td, const struct tdx_td_params *p)
{
    enum abi_status st = create_tdr(td);
    pa_t at;

    st = st == ABI_OK ? configure_keys(td) : st;
    for (uint32_t i = 0; i < tdx_platform.tdcs_pages && st == ABI_OK; i++) {
        st = add_page(td, TDH_MNG_ADDCX, td->tdr.v, &at);
    }
    return st == ABI_OK ? init(td, p) : st;
}

enum abi_status tdx_td_vcpu(struct tdx_td *td, pa_t *tdvpr)
{
    enum abi_status st = add_page(td, TDH_VP_CREATE, td->tdr.v, tdvpr);
    pa_t at;

    for (uint32_t i = 1; i < tdx_platform.tdvps_pages && st == ABI_OK; i++) {
        st = add_page(td, TDH_VP_ADDCX, tdvpr->v, &at);
    }
    return st;
}

enum abi_status tdx_td_vcpu_init(struct tdx_td *td, pa_t tdvpr, uint64_t rcx)
{
    return tdx_fail(td->name, TDH_VP_INIT, tdx_call2(TDH_VP_INIT, tdvpr.v, rcx));
}

enum abi_status tdx_td_finalize(struct tdx_td *td)
{
    return tdx_fail(td->name, TDH_MR_FINALIZE, tdx_call2(TDH_MR_FINALIZE, td->tdr.v, 0));
}

enum abi_status tdx_td_kill(struct tdx_td *td)
{
    enum abi_status st;

    if (!td->created || td->dead) {
        return ABI_OK;
    }
    st = tdx_fail(td->name, TDH_MNG_VPFLUSHDONE, tdx_call2(TDH_MNG_VPFLUSHDONE, td->tdr.v, 0));
    st = st == ABI_OK ? tdx_write_back(td->name) : st;
    if (st == ABI_OK) {
        st = tdx_fail(td->name, TDH_MNG_KEY_FREEID, tdx_call2(TDH_MNG_KEY_FREEID, td->tdr.v, 0));
    }
    td->dead = st == ABI_OK;
    return st;
}

/* BASE 7.3: nothing of the page may linger in a cache under the TD's key. TDR has the module's. */
static enum abi_status reclaim(struct tdx_td *td, pa_t at, uint32_t key)
{
    struct tdx_regs r = {.rcx = at.v};
    enum abi_status st = tdx_fail(td->name, TDH_PHYMEM_PAGE_RECLAIM,
                                  tdx_call(TDH_PHYMEM_PAGE_RECLAIM, &r));
    uint64_t with_key = at.v | (uint64_t)key << tdx_platform.keys.shift;

    if (st == ABI_OK && key != 0) {
        st = tdx_fail(td->name, TDH_PHYMEM_PAGE_WBINVD,
                      tdx_call2(TDH_PHYMEM_PAGE_WBINVD, with_key, 0));
    }
    return st;
}

enum abi_status tdx_td_reclaim(struct tdx_td *td, pa_t at)
{
    return reclaim(td, at, 0); /* CACHE.WB has seen to the caches */
}

/* A page that the module does not give back stays the chip's: lost, but nobody's. */
static void release(struct tdx_td *td, pa_t at, uint32_t key)
{
    if (reclaim(td, at, key) != ABI_OK) {
        return;
    }
    CHECK(page_move(at, ORDER_4K, PAGE_CHIP, PAGE_HV, td->owner) == ABI_OK);
    tdx_hw_clear_page(at);
    page_free(at, PAGE_HV, td->owner);
}

static void release_list(struct tdx_td *td)
{
    while (td->pages != NULL) {
        struct tdx_page_list *l = td->pages;

        for (uint64_t i = 0; td->dead && i < l->count; i++) {
            release(td, pa(l->pa[i]), 0);
        }
        td->pages = l->next;
        page_free(hva_to_pa(l), PAGE_HV, td->owner);
    }
}

void tdx_td_destroy(struct tdx_td *td)
{
    enum abi_status st = tdx_td_kill(td);

    if (st != ABI_OK) {
        log_error("%s: the module keeps its pages and its key id", td->name);
    }
    release_list(td);
    if (td->dead) {
        release(td, td->tdr, tdx_platform.keys.first);
    }
    if (td->has_key && (td->dead || !td->created)) {
        tdx_key_give(td->key);
    }
}
