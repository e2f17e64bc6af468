/* What realm translation tables map: data, RIPAS, and the host's own memory (B4.3). */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

#define DESC_HOST (0x0000fffffffff000ull | 0xfc) /* address, MemAttr, S2AP */
#define DESC_NS   (BIT(55) | 3ull << 8 | BIT(10) | BIT(0))
#define DESC_PAGE BIT(1)

static uint64_t bad_level(const struct walk *w)
{
    return RMI_CODE(RMI_ERROR_RTT, w->level);
}

/* The page's entry for data at an IPA; it must be unassigned. */
static uint64_t find_page(const struct rd *rd, uint64_t ipa, struct walk *w)
{
    if (!IS_ALIGNED(ipa, GRANULE_SIZE) || !ipa_protected(rd, ipa)) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, ipa, 3, w);
    return w->level != 3 || rtte_is_live(*w->entry) ? bad_level(w) : RMI_SUCCESS;
}

static void assign(uint64_t data, struct walk *w)
{
    granule_to(data, G_DATA);
    granule_at(w->table)->refs++;
    __atomic_store_n(w->entry, rtte_assigned(data, 3, rtte_ripas(*w->entry)), __ATOMIC_RELEASE);
}

/* B4.3.1 */
uint64_t rmi_data_create(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    void *data = granule_as(c->x[2], G_DELEGATED);
    struct walk w;
    uint64_t st;

    if (rd == NULL || data == NULL || !IS_ALIGNED(c->x[4], GRANULE_SIZE) ||
        (c->x[5] & ~RMI_MEASURE_CONTENT) != 0) {
        return RMI_ERROR_INPUT;
    }
    if (rd->state != REALM_NEW) {
        return RMI_ERROR_REALM;
    }
    st = find_page(rd, c->x[3], &w);
    if (st != RMI_SUCCESS) {
        return st;
    }
    if (rtte_ripas(*w.entry) != RIPAS_RAM) {
        return bad_level(&w);
    }
    if (!ns_read(c->x[4], data, GRANULE_SIZE)) {
        return RMI_ERROR_INPUT;
    }
    measure_data(rd, c->x[3], c->x[5], data);
    assign(c->x[2], &w);
    return RMI_SUCCESS;
}

/* B4.3.2 */
uint64_t rmi_data_create_unknown(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    struct walk w;
    uint64_t st;

    if (rd == NULL || granule_as(c->x[2], G_DELEGATED) == NULL) {
        return RMI_ERROR_INPUT;
    }
    st = find_page(rd, c->x[3], &w);
    if (st == RMI_SUCCESS) {
        assign(c->x[2], &w);
    }
    return st;
}

/* B4.3.3: RAM that is taken away is DESTROYED, and stays so until the realm agrees. */
uint64_t rmi_data_destroy(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    uint64_t ipa = c->x[2], data;
    enum rmi_ripas ripas;
    struct walk w;

    if (rd == NULL || !IS_ALIGNED(ipa, GRANULE_SIZE) || !ipa_protected(rd, ipa)) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, ipa, 3, &w);
    c->x[2] = rtt_top(&w);
    if (w.level != 3 || !rtte_is_live(*w.entry)) {
        return bad_level(&w);
    }
    data = rtte_pa(*w.entry);
    ripas = rtte_ripas(*w.entry);
    __atomic_store_n(w.entry, rtte_unassigned(ripas == RIPAS_RAM ? RIPAS_DESTROYED : ripas),
                     __ATOMIC_RELEASE);
    realm_flush(rd);
    granule_at(w.table)->refs--;
    granule_release(data);
    c->x[1] = data;
    return RMI_SUCCESS;
}

/* B4.3.18 */
uint64_t rmi_rtt_map_unprotected(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    uint64_t ipa = c->x[2], level = c->x[3], desc = c->x[4];
    struct walk w;

    if (rd == NULL || level < 1 || level > 3 || ipa >= BIT(rd->ipa_bits) ||
        ipa_protected(rd, ipa) || !IS_ALIGNED(ipa, rtt_size((unsigned int)level)) ||
        (desc & ~DESC_HOST) != 0 || !IS_ALIGNED(rtte_pa(desc), rtt_size((unsigned int)level))) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, ipa, (unsigned int)level, &w);
    if (w.level != level || rtte_is_live(*w.entry)) {
        return bad_level(&w);
    }
    granule_at(w.table)->refs++;
    __atomic_store_n(w.entry, desc | DESC_NS | (level == 3 ? DESC_PAGE : 0), __ATOMIC_RELEASE);
    return RMI_SUCCESS;
}

/* B4.3.21 */
uint64_t rmi_rtt_unmap_unprotected(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    uint64_t ipa = c->x[2], level = c->x[3];
    struct walk w;

    if (rd == NULL || level < 1 || level > 3 || ipa >= BIT(rd->ipa_bits) ||
        ipa_protected(rd, ipa) || !IS_ALIGNED(ipa, rtt_size((unsigned int)level))) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, ipa, (unsigned int)level, &w);
    c->x[1] = rtt_top(&w);
    if (w.level != level || !rtte_is_live(*w.entry) || rtte_is_table(*w.entry, w.level)) {
        return bad_level(&w);
    }
    __atomic_store_n(w.entry, 0, __ATOMIC_RELEASE);
    realm_flush(rd);
    granule_at(w.table)->refs--;
    return RMI_SUCCESS;
}

/* A range of whole granules in the protected half. */
static bool bad_range(const struct rd *rd, uint64_t base, uint64_t top)
{
    return base >= top || !IS_ALIGNED(base | top, GRANULE_SIZE) || !ipa_protected(rd, top - 1);
}

/* What was destroyed is not RAM again by the host's word alone. */
static bool may_begin_as_ram(uint64_t e)
{
    return !rtte_is_live(e) && rtte_ripas(e) != RIPAS_DESTROYED;
}

/* B4.3.17: one table's entries at most; each is measured. */
uint64_t rmi_rtt_init_ripas(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    uint64_t base = c->x[2], top = c->x[3];
    struct walk w;

    if (rd == NULL || bad_range(rd, base, top)) {
        return RMI_ERROR_INPUT;
    }
    if (rd->state != REALM_NEW) {
        return RMI_ERROR_REALM;
    }
    rtt_walk(rd, base, 3, &w);
    if (w.base != base || top - base < w.size || !may_begin_as_ram(*w.entry)) {
        return bad_level(&w);
    }
    do {
        measure_ripas(rd, base, base + w.size);
        *w.entry++ = rtte_unassigned(RIPAS_RAM);
        base += w.size;
    } while (base / w.size % 512 != 0 && top - base >= w.size && may_begin_as_ram(*w.entry));
    c->x[1] = base;
    return RMI_SUCCESS;
}

/* One entry for the realm's request; false: not without its consent. */
static bool change_ripas(const struct rec *rec, const struct walk *w)
{
    enum rmi_ripas from = rtte_ripas(*w->entry), to = (enum rmi_ripas)rec->ripas_value;

    if (from == RIPAS_DESTROYED && (rec->ripas_flags & RSI_CHANGE_DESTROYED) == 0) {
        return false;
    }
    __atomic_store_n(w->entry,
                     rtte_is_live(*w->entry) ? rtte_assigned(rtte_pa(*w->entry), w->level, to)
                                             : rtte_unassigned(to),
                     __ATOMIC_RELEASE);
    return true;
}

/* The entries of one table, up to top; where it stopped. */
static uint64_t change_entries(const struct rec *rec, struct walk *w, uint64_t top)
{
    while (top - w->base >= w->size && !rtte_is_table(*w->entry, w->level) &&
           change_ripas(rec, w)) {
        w->base += w->size;
        w->entry++;
        if (w->base / w->size % 512 == 0 || w->base == top) {
            break;
        }
    }
    return w->base;
}

/* B4.3.19 */
uint64_t rmi_rtt_set_ripas(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);
    struct rec *rec = granule_as(c->x[2], G_REC);
    uint64_t base = c->x[3], top = c->x[4];
    struct walk w;

    if (rd == NULL || rec == NULL || rec->running) {
        return rd == NULL || rec == NULL ? RMI_ERROR_INPUT : RMI_ERROR_REC;
    }
    if (rec->rd != c->x[1]) {
        return RMI_ERROR_REC;
    }
    if (!rec->ripas_pending || base != rec->ripas_addr || top > rec->ripas_top ||
        bad_range(rd, base, top)) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, base, 3, &w);
    if (w.base != base || top - base < w.size) {
        return bad_level(&w);
    }
    c->x[1] = change_entries(rec, &w, top);
    if (c->x[1] == base) {
        return bad_level(&w);
    }
    rec->ripas_addr = c->x[1];
    realm_flush(rd);
    return RMI_SUCCESS;
}
