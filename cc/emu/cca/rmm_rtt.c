/*
 * Realm translation tables (A5.5): stage 2 tables of Arm's own format, levels 0 to 3. An entry that
 * is not valid to the CPU keeps RIPAS and, if it is assigned, its address in bits that the CPU
 * ignores then.
 */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

#define E_VALID    BIT(0)
#define E_TABLE    BIT(1) /* at level 3: a page */
#define E_ASSIGNED BIT(4) /* of entries that are not valid */
#define E_RIPAS    5
#define E_PA       0x0000fffffffff000ull
#define E_NS       BIT(55)
/* Write-back as FEAT_S2FWB has it, read and write, inner shareable, accessed. */
#define E_RAM      (6ull << 2 | 3ull << 6 | 3ull << 8 | BIT(10))
#define ENTRIES    512u

uint64_t rtt_size(unsigned int level)
{
    return BIT(12 + 9 * (3 - level));
}

bool ipa_protected(const struct rd *rd, uint64_t ipa)
{
    return ipa < BIT(rd->ipa_bits - 1);
}

bool rtte_is_table(uint64_t e, unsigned int level)
{
    return level < 3 && (e & (E_VALID | E_TABLE)) == (E_VALID | E_TABLE);
}

bool rtte_is_live(uint64_t e)
{
    return (e & (E_VALID | E_ASSIGNED)) != 0;
}

uint64_t rtte_unassigned(enum rmi_ripas ripas)
{
    return (uint64_t)ripas << E_RIPAS;
}

uint64_t rtte_assigned(uint64_t pa, unsigned int level, enum rmi_ripas ripas)
{
    return ripas == RIPAS_RAM ? pa | E_VALID | (level == 3 ? E_TABLE : 0) | E_RAM
                              : pa | E_ASSIGNED | rtte_unassigned(ripas);
}

enum rmi_ripas rtte_ripas(uint64_t e)
{
    return (e & E_VALID) != 0 ? RIPAS_RAM : (enum rmi_ripas)(e >> E_RIPAS & 3);
}

uint64_t rtte_pa(uint64_t e)
{
    return e & E_PA;
}

enum rmi_rtte rtte_state(uint64_t e, unsigned int level)
{
    return rtte_is_table(e, level) ? RMI_TABLE : rtte_is_live(e) ? RMI_ASSIGNED : RMI_UNASSIGNED;
}

/* As deep as the tables go, and no deeper than `level`. The root may be several granules. */
void rtt_walk(const struct rd *rd, uint64_t ipa, unsigned int level, struct walk *w)
{
    uint64_t index;

    w->level = rd->start_level;
    index = ipa / rtt_size(w->level);
    w->table = rd->rtt_base + index / ENTRIES * GRANULE_SIZE;
    w->entry = (uint64_t *)port_realm(w->table) + index % ENTRIES;
    while (w->level < level && rtte_is_table(*w->entry, w->level)) {
        w->table = rtte_pa(*w->entry);
        w->level++;
        w->entry = (uint64_t *)port_realm(w->table) + ipa / rtt_size(w->level) % ENTRIES;
    }
    w->size = rtt_size(w->level);
    w->base = ALIGN_DOWN(ipa, w->size);
}

uint64_t rtt_top(const struct walk *w)
{
    unsigned int index = w->base / w->size % ENTRIES;
    const uint64_t *table = w->entry - index;
    unsigned int next = index + 1;

    while (next < ENTRIES && !rtte_is_live(table[next])) {
        next++;
    }
    return w->base + (next - index) * w->size;
}

void *realm_memory(const struct rd *rd, uint64_t ipa, size_t len)
{
    struct walk w;

    if (!ipa_protected(rd, ipa) || ipa % GRANULE_SIZE + len > GRANULE_SIZE) {
        return NULL;
    }
    rtt_walk(rd, ipa, 3, &w);
    if ((*w.entry & E_VALID) == 0) {
        return NULL;
    }
    ipa -= w.base;
    return (uint8_t *)port_realm(rtte_pa(*w.entry) + ALIGN_DOWN(ipa, GRANULE_SIZE)) +
           ipa % GRANULE_SIZE;
}

static uint64_t bad_level(const struct walk *w)
{
    return RMI_CODE(RMI_ERROR_RTT, w->level);
}

/* Checks what the three commands on a table have in common, and finds its parent's entry. */
static uint64_t find_parent(struct rmi_call *c, uint64_t ipa, uint64_t level, struct rd **rd,
                            struct walk *w)
{
    *rd = rd_at(c->x[1]);
    if (*rd == NULL || level > 3 || level <= (*rd)->start_level ||
        !IS_ALIGNED(ipa, rtt_size((unsigned int)level - 1)) || ipa >= BIT((*rd)->ipa_bits)) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(*rd, ipa, (unsigned int)level - 1, w);
    return w->level == level - 1 ? RMI_SUCCESS : bad_level(w);
}

/* A block becomes a table of the same: its entries are as its own was. */
static void unfold(uint64_t *table, uint64_t parent, unsigned int level)
{
    bool valid = (parent & E_VALID) != 0;

    for (unsigned int i = 0; i < ENTRIES; i++) {
        table[i] = parent;
        if (rtte_is_live(parent)) {
            table[i] += i * rtt_size(level);
            table[i] |= valid && level == 3 ? E_TABLE : 0;
        }
    }
}

/* B4.3.15 */
uint64_t rmi_rtt_create(struct rmi_call *c)
{
    uint64_t *table = granule_as(c->x[2], G_DELEGATED);
    unsigned int level = (unsigned int)c->x[4];
    struct rd *rd;
    struct walk w;
    uint64_t st;

    st = table == NULL ? RMI_ERROR_INPUT : find_parent(c, c->x[3], c->x[4], &rd, &w);
    if (st != RMI_SUCCESS) {
        return st;
    }
    if (rtte_is_table(*w.entry, w.level)) {
        return bad_level(&w);
    }
    granule_to(c->x[2], G_RTT);
    unfold(table, *w.entry, level);
    if (rtte_is_live(*w.entry)) {
        granule_at(c->x[2])->refs = ENTRIES;
        *w.entry = 0;
        realm_flush(rd);
    } else {
        granule_at(w.table)->refs++;
    }
    __atomic_store_n(w.entry, c->x[2] | E_VALID | E_TABLE, __ATOMIC_RELEASE);
    return RMI_SUCCESS;
}

static void drop_table(struct rmi_call *c, struct rd *rd, struct walk *w, uint64_t entry)
{
    uint64_t table = rtte_pa(*w->entry);

    *w->entry = 0;
    realm_flush(rd);
    __atomic_store_n(w->entry, entry, __ATOMIC_RELEASE);
    if (!rtte_is_live(entry)) {
        granule_at(w->table)->refs--;
    }
    granule_release(table);
    c->x[1] = table;
}

/* B4.3.16 */
uint64_t rmi_rtt_destroy(struct rmi_call *c)
{
    struct rd *rd;
    struct walk w;
    uint64_t st = find_parent(c, c->x[2], c->x[3], &rd, &w);

    if (st == RMI_ERROR_INPUT) {
        return st;
    }
    c->x[2] = rtt_top(&w);
    if (st != RMI_SUCCESS) {
        return st;
    }
    if (!rtte_is_table(*w.entry, w.level)) {
        return bad_level(&w);
    }
    if (granule_at(rtte_pa(*w.entry))->refs != 0) {
        return RMI_CODE(RMI_ERROR_RTT, w.level + 1);
    }
    drop_table(c, rd, &w, ipa_protected(rd, w.base) ? rtte_unassigned(RIPAS_DESTROYED) : 0);
    return RMI_SUCCESS;
}

/* A5.5.6: all alike, and what is assigned in one piece. */
static bool homogeneous(const uint64_t *table, unsigned int level)
{
    for (unsigned int i = 0; i < ENTRIES; i++) {
        uint64_t step = rtte_is_live(table[0]) ? i * rtt_size(level) : 0;

        if (rtte_is_table(table[i], level) || table[i] != table[0] + step) {
            return false;
        }
    }
    return !rtte_is_live(table[0]) || IS_ALIGNED(rtte_pa(table[0]), rtt_size(level - 1));
}

/* B4.3.17 */
uint64_t rmi_rtt_fold(struct rmi_call *c)
{
    unsigned int level = (unsigned int)c->x[3];
    const uint64_t *table;
    struct rd *rd;
    struct walk w;
    uint64_t st = find_parent(c, c->x[2], c->x[3], &rd, &w);

    if (st != RMI_SUCCESS) {
        return st;
    }
    if (!rtte_is_table(*w.entry, w.level)) {
        return bad_level(&w);
    }
    table = port_realm(rtte_pa(*w.entry));
    if (!homogeneous(table, level) || (rtte_is_live(table[0]) && level == 1)) {
        return RMI_CODE(RMI_ERROR_RTT, level);
    }
    st = (table[0] & E_VALID) != 0 ? table[0] & ~E_TABLE : table[0];
    granule_at(rtte_pa(*w.entry))->refs = 0;
    drop_table(c, rd, &w, st);
    return RMI_SUCCESS;
}

/* B4.3.20 */
uint64_t rmi_rtt_read_entry(struct rmi_call *c)
{
    const struct rd *rd = rd_at(c->x[1]);
    uint64_t ipa = c->x[2], level = c->x[3];
    struct walk w;

    if (rd == NULL || level > 3 || level < rd->start_level || ipa >= BIT(rd->ipa_bits) ||
        !IS_ALIGNED(ipa, rtt_size((unsigned int)level))) {
        return RMI_ERROR_INPUT;
    }
    rtt_walk(rd, ipa, (unsigned int)level, &w);
    c->x[1] = w.level;
    c->x[2] = rtte_state(*w.entry, w.level);
    c->x[3] = rtte_is_live(*w.entry) ? rtte_pa(*w.entry) : 0;
    c->x[3] |= (*w.entry & E_NS) != 0 ? *w.entry & 0xfc : 0;
    c->x[4] = ipa_protected(rd, ipa) && c->x[2] != RMI_TABLE ? rtte_ripas(*w.entry) : 0;
    return RMI_SUCCESS;
}
