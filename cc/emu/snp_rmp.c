/*
 * The reverse map table: APM Vol. 2, 15.36.3-15.36.10. Its instructions, here RMPUPDATE and PSMASH:
 * APM Vol. 3.
 *
 *   hypervisor --RMPUPDATE--> guest-invalid --PVALIDATE--> guest-valid --RMPUPDATE--> hypervisor
 *   hypervisor --RMPUPDATE(immutable)--> firmware (ASID 0), pre-guest (ASID of a guest)
 *   immutable states change by the firmware alone (emu_rmp_set).
 *
 * A 2 MiB page has one state in the first of its 512 entries, which say nothing of their own then.
 * An instruction that takes a page from a guest leaves the page busy while translations are
 * forgotten, with no lock held.
 */
#include "snp_rmp.h"

#include "hv/check.h"

struct rmp_table emu_rmp_table;

static uint64_t regions(uint64_t end)
{
    return ALIGN_UP(end, SIZE_2M) / SIZE_2M;
}

uint64_t emu_rmp_bytes(uint64_t end)
{
    return regions(end) * (REGION_PAGES * sizeof(struct entry) + sizeof(struct region));
}

void emu_rmp_init(void *table, uint64_t end)
{
    REQUIRE(table != NULL && IS_ALIGNED(end, PAGE_SIZE));
    emu_rmp_table.e = table;
    emu_rmp_table.region = (struct region *)(emu_rmp_table.e + regions(end) * REGION_PAGES);
    emu_rmp_table.end = end;
    emu_rmp_table.enabled = false;
    emu_rmp_clear();
}

void emu_rmp_enable(void)
{
    REQUIRE(emu_rmp_table.e != NULL);
    emu_rmp_table.enabled = true;
}

void emu_rmp_disable(void)
{
    emu_rmp_table.enabled = false;
}

bool emu_rmp_enabled(void)
{
    return emu_rmp_table.enabled;
}

uint64_t emu_rmp_end(void)
{
    return emu_rmp_table.end;
}

void emu_rmp_clear(void)
{
    REQUIRE(emu_rmp_table.e != NULL);
    memset(emu_rmp_table.region, 0, regions(emu_rmp_table.end) * sizeof(struct region));
}

static void unpack(const struct entry *e, struct emu_rmp *out)
{
    *out = (struct emu_rmp){
        .gpa = bits(e) & E_GPA,
        .asid = e->asid,
        .assigned = (bits(e) & E_ASSIGNED) != 0,
        .validated = (bits(e) & E_VALIDATED) != 0,
        .immutable = (bits(e) & E_IMMUTABLE) != 0,
        .vmsa = (bits(e) & E_VMSA) != 0,
        .in_use = (bits(e) & E_IN_USE) != 0,
        .page_size = (bits(e) & E_2M) != 0 ? RMP_2M : RMP_4K,
    };
    memcpy(out->perms, e->perms, sizeof(out->perms));
}

static uint64_t pack(const struct emu_rmp *e)
{
    return (e->assigned ? E_ASSIGNED : 0) | (e->validated ? E_VALIDATED : 0) |
           (e->immutable ? E_IMMUTABLE : 0) | (e->vmsa ? E_VMSA : 0) | (e->in_use ? E_IN_USE : 0) |
           (e->page_size == RMP_2M ? E_2M : 0) | (e->gpa & E_GPA);
}

bool emu_rmp_get(pa_t pa, struct emu_rmp *e)
{
    struct region *r;
    uint8_t state;

    if (!covered(pa.v, 1)) {
        return false;
    }
    r = region_with(region_of(pa.v));
    state = region_state(r);
    if ((state & R_WRITTEN) == 0) {
        unpack(&(struct entry){.bits = state}, e);
        return true;
    }
    region_wait(r);
    unpack(ruling(region_of(pa.v), pa.v), e);
    region_leave(r);
    return true;
}

void emu_rmp_set(pa_t pa, const struct emu_rmp *e)
{
    uint64_t size = e->page_size == RMP_2M ? SIZE_2M : PAGE_SIZE;
    struct entry *first = region_of(pa.v);

    REQUIRE(covered(pa.v, size) && IS_ALIGNED(pa.v, size));
    region_lock(first);
    put(&emu_rmp_table.e[pa.v / PAGE_SIZE], pack(e), e->asid, e->perms);
    region_unlock(first);
}

void emu_rmp_fill(uint64_t from, uint64_t to, const struct emu_rmp *e)
{
    uint64_t end = MIN(to, emu_rmp_table.end), size;

    REQUIRE(IS_ALIGNED(from, PAGE_SIZE) && IS_ALIGNED(to, PAGE_SIZE));
    REQUIRE(e->asid == 0 && (pack(e) & ~R_ALIKE) == 0);
    for (uint64_t at = from; at < end; at += size) {
        size = IS_ALIGNED(at, SIZE_2M) && end - at >= SIZE_2M ? SIZE_2M : PAGE_SIZE;
        if (size == SIZE_2M) {
            region_with(region_of(at))->state = (uint8_t)pack(e);
        } else {
            emu_rmp_set(pa(at), e);
        }
    }
}

static bool region_has_asid(const struct entry *first, uint32_t asid)
{
    for (uint64_t i = 0; i < REGION_PAGES; i++) {
        if ((bits(&first[i]) & E_ASSIGNED) != 0 &&
            __atomic_load_n(&first[i].asid, __ATOMIC_RELAXED) == asid) {
            return true;
        }
    }
    return false;
}

bool emu_rmp_has_asid(uint32_t asid)
{
    for (uint64_t at = 0; at < emu_rmp_table.end; at += SIZE_2M) {
        const struct entry *first = region_of(at);

        if ((region_state(region_with(first)) & R_WRITTEN) != 0 && region_has_asid(first, asid)) {
            return true;
        }
    }
    return false;
}

/* ---- RMPUPDATE, PSMASH ---- */

static bool update_input_ok(uint64_t at, const struct rmp_entry *n)
{
    return n->assigned <= 1 && n->immutable <= 1 && n->page_size <= RMP_2M && n->reserved == 0 &&
           covered(at, size_of(n->page_size)) && IS_ALIGNED(at, size_of(n->page_size)) &&
           (n->gpa & ~E_GPA) == 0 && IS_ALIGNED(n->gpa, size_of(n->page_size)) &&
           n->asid <= EMU_SNP_ASIDS && (n->assigned != 0 || n->asid == 0);
}

/* Nothing in it is assigned: what is not, is zero. */
static bool untouched(const struct entry *first)
{
    uint64_t any = 0;

    for (uint64_t i = 0; i < REGION_PAGES; i++) {
        any |= bits(&first[i]);
    }
    return any == 0;
}

/* May this become one page? The region's other entries decide. */
static uint32_t overlap(const struct entry *first, unsigned int page_size)
{
    if (page_size == RMP_4K) {
        return (bits(first) & E_2M) != 0 ? RMP_FAIL_OVERLAP : RMP_OK;
    }
    if ((bits(first) & E_2M) != 0) {
        return RMP_OK;
    }
    if (untouched(first)) {
        return RMP_OK;
    }
    for (uint64_t i = 0; i < REGION_PAGES; i++) {
        if ((bits(&first[i]) & E_IMMUTABLE) != 0) {
            return RMP_FAIL_PERMISSION;
        }
        if ((bits(&first[i]) & E_BUSY) != 0) {
            return RMP_FAIL_INUSE;
        }
        /* A 4 KiB page in the first entry may grow into the whole region (APM: no overlap). */
        if (i != 0 && (bits(&first[i]) & E_ASSIGNED) != 0) {
            return RMP_FAIL_OVERLAP;
        }
    }
    return RMP_OK;
}

static uint32_t update_allowed(struct entry *first, uint64_t at, unsigned int page_size)
{
    const struct entry *e = ruling(first, at);

    if ((bits(e) & E_IMMUTABLE) != 0) {
        return RMP_FAIL_PERMISSION;
    }
    if ((bits(e) & (E_IN_USE | E_BUSY)) != 0 ||
        __atomic_load_n(&region_with(first)->busy, __ATOMIC_RELAXED) != 0) {
        return RMP_FAIL_INUSE;
    }
    return overlap(first, page_size);
}

/*
 * An unassigned region falls back to 4 KiB entries: a 2 MiB page of nobody means nothing. The other
 * entries of a 2 MiB page are zero, before as after: nothing else may overlap it.
 */
static void write_new(uint64_t at, const struct rmp_entry *n)
{
    static const uint8_t none[4], vmpl0_all[4] = {EMU_PERM_ALL};
    uint64_t lo = E_BUSY | (n->assigned ? E_ASSIGNED : 0) | (n->immutable ? E_IMMUTABLE : 0) |
                  (n->assigned && n->page_size == RMP_2M ? E_2M : 0) | (n->assigned ? n->gpa : 0);

    put(&emu_rmp_table.e[at / PAGE_SIZE], lo, n->asid, n->asid != 0 ? vmpl0_all : none);
}

static void forget(const struct emu_rmp *e)
{
    if (e->assigned && e->asid != 0) {
        emu_core_forget(e->asid, e->gpa, size_of(e->page_size));
    }
}

/* What a hypervisor page was called in a guest is forgotten when that guest gets it. */
static void forget_both(const struct emu_rmp *was, const struct emu_rmp *is)
{
    forget(was);
    if (is->asid != was->asid || is->gpa != was->gpa || is->page_size != was->page_size) {
        forget(is);
    }
}

uint32_t emu_rmpupdate(pa_t pa, const struct rmp_entry *n)
{
    struct emu_rmp was, is;
    struct entry *first;
    uint32_t r = emu_fault_rmpupdate();

    if (r != RMP_OK) {
        return r;
    }
    if (!emu_rmp_table.enabled || !update_input_ok(pa.v, n)) {
        return RMP_FAIL_INPUT;
    }
    first = region_of(pa.v);
    region_lock(first);
    r = update_allowed(first, pa.v, n->page_size);
    if (r != RMP_OK) {
        region_unlock(first);
        return r;
    }
    unpack(ruling(first, pa.v), &was);
    write_new(pa.v, n);
    __atomic_store_n(&region_with(first)->busy, n->page_size == RMP_2M, __ATOMIC_RELAXED);
    unpack(&emu_rmp_table.e[pa.v / PAGE_SIZE], &is);
    region_unlock(first);
    forget_both(&was, &is);
    if (was.vmsa) {
        emu_core_forget_vmsa(pa.v);
    }
    clear_bits(&emu_rmp_table.e[pa.v / PAGE_SIZE], E_BUSY);
    if (n->page_size == RMP_2M) {
        __atomic_store_n(&region_with(first)->busy, 0, __ATOMIC_RELEASE);
    }
    return RMP_OK;
}

static uint32_t smash_allowed(const struct entry *e)
{
    if ((bits(e) & (E_ASSIGNED | E_2M)) != (E_ASSIGNED | E_2M)) {
        return RMP_FAIL_INPUT;
    }
    if ((bits(e) & E_IMMUTABLE) != 0) {
        return RMP_FAIL_PERMISSION;
    }
    return (bits(e) & (E_IN_USE | E_BUSY)) != 0 ? RMP_FAIL_INUSE : RMP_OK;
}

uint32_t emu_psmash(pa_t pa)
{
    struct entry *first;
    uint8_t perms[4];
    uint64_t lo;
    uint32_t r;

    if (!emu_rmp_table.enabled || !covered(pa.v, SIZE_2M) || !IS_ALIGNED(pa.v, SIZE_2M)) {
        return RMP_FAIL_INPUT;
    }
    first = region_of(pa.v);
    region_lock(first);
    r = smash_allowed(first);
    if (r == RMP_OK) {
        lo = bits(first) & E_STATE & ~E_2M;
        memcpy(perms, first->perms, sizeof(perms));
        for (uint64_t i = 0; i < REGION_PAGES; i++) {
            put(&first[i], lo + i * PAGE_SIZE, first->asid, perms);
        }
    }
    region_unlock(first);
    return r;
}
