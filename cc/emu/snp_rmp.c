/*
 * The reverse map table: APM Vol. 2, 15.36.3-15.36.10; RMPUPDATE, PSMASH, PVALIDATE, RMPADJUST:
 * APM Vol. 3.
 *
 *   hypervisor --RMPUPDATE--> guest-invalid --PVALIDATE--> guest-valid --RMPUPDATE--> hypervisor
 *   hypervisor --RMPUPDATE(immutable)--> firmware (ASID 0), pre-guest (ASID of a guest)
 *   immutable states change by the firmware alone (emu_rmp_set).
 *
 * A 2 MiB page has one state in the first of its 512 entries, which say nothing of their own then.
 * One lock covers the 512 entries: it is a bit of the first. An instruction that takes a page from
 * a guest leaves the page busy while translations are forgotten, with no lock held.
 */
#include "snp_emu.h"

#include "hv/check.h"
#include "hv/string.h"

#define REGION_PAGES (SIZE_2M / PAGE_SIZE)

/* Entry bits below the guest page address (bits 51:12). */
#define E_ASSIGNED  BIT(0)
#define E_2M        BIT(1)
#define E_IMMUTABLE BIT(2)
#define E_VALIDATED BIT(3)
#define E_VMSA      BIT(4)
#define E_IN_USE    BIT(5)
#define E_BUSY      BIT(6)
#define E_LOCK      BIT(7)
#define E_BUSY_ALL  BIT(8) /* in the first: all 512, a 2 MiB page is changing */
#define E_GPA       0x000ffffffffff000ull
#define E_STATE     (E_ASSIGNED | E_2M | E_IMMUTABLE | E_VALIDATED | E_VMSA | E_IN_USE | E_GPA)

struct entry {
    uint64_t bits; /* E_*; atomic, because the lock and busy bits are */
    uint32_t asid;
    uint8_t perms[4];
};
_Static_assert(sizeof(struct entry) == 16, "as large as the chip's");

static struct {
    struct entry *e;
    uint64_t end;
    bool enabled;
} rmp;

uint64_t emu_rmp_bytes(uint64_t end)
{
    return ALIGN_UP(end, SIZE_2M) / PAGE_SIZE * sizeof(struct entry);
}

void emu_rmp_init(void *table, uint64_t end)
{
    REQUIRE(table != NULL && IS_ALIGNED(end, PAGE_SIZE));
    rmp.e = table;
    rmp.end = end;
    rmp.enabled = false;
    memset(table, 0, emu_rmp_bytes(end));
}

void emu_rmp_enable(void)
{
    REQUIRE(rmp.e != NULL);
    rmp.enabled = true;
}

void emu_rmp_disable(void)
{
    rmp.enabled = false;
}

bool emu_rmp_enabled(void)
{
    return rmp.enabled;
}

uint64_t emu_rmp_end(void)
{
    return rmp.end;
}

void emu_rmp_clear(void)
{
    REQUIRE(rmp.e != NULL);
    memset(rmp.e, 0, emu_rmp_bytes(rmp.end));
}

static bool covered(uint64_t at, uint64_t size)
{
    return rmp.e != NULL && at < rmp.end && size <= rmp.end - at;
}

static struct entry *region_of(uint64_t at)
{
    return &rmp.e[ALIGN_DOWN(at, SIZE_2M) / PAGE_SIZE];
}

static uint64_t bits(const struct entry *e)
{
    return __atomic_load_n(&e->bits, __ATOMIC_RELAXED);
}

static void set_bits(struct entry *e, uint64_t which)
{
    (void)__atomic_fetch_or(&e->bits, which, __ATOMIC_RELAXED);
}

static void clear_bits(struct entry *e, uint64_t which)
{
    (void)__atomic_fetch_and(&e->bits, ~which, __ATOMIC_RELEASE);
}

static void region_lock(struct entry *first)
{
    while ((__atomic_fetch_or(&first->bits, E_LOCK, __ATOMIC_ACQUIRE) & E_LOCK) != 0) {
        while ((bits(first) & E_LOCK) != 0) {
            __builtin_ia32_pause();
        }
    }
}

static void region_unlock(struct entry *first)
{
    clear_bits(first, E_LOCK);
}

/* The entry that rules pa: the region's first when that is a 2 MiB page. Lock held. */
static struct entry *ruling(struct entry *first, uint64_t at)
{
    return (bits(first) & E_2M) != 0 ? first : &rmp.e[at / PAGE_SIZE];
}

/* The lock bit survives: it may sit in this very entry. */
static void put(struct entry *e, uint64_t lo, uint32_t asid, const uint8_t perms[4])
{
    e->asid = asid;
    memcpy(e->perms, perms, sizeof(e->perms));
    __atomic_store_n(&e->bits, lo | (bits(e) & E_LOCK), __ATOMIC_RELAXED);
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
    struct entry *first;

    if (!covered(pa.v, 1)) {
        return false;
    }
    first = region_of(pa.v);
    region_lock(first);
    unpack(ruling(first, pa.v), e);
    region_unlock(first);
    return true;
}

void emu_rmp_set(pa_t pa, const struct emu_rmp *e)
{
    uint64_t size = e->page_size == RMP_2M ? SIZE_2M : PAGE_SIZE;
    struct entry *first = region_of(pa.v);

    REQUIRE(covered(pa.v, size) && IS_ALIGNED(pa.v, size));
    region_lock(first);
    put(&rmp.e[pa.v / PAGE_SIZE], pack(e), e->asid, e->perms);
    region_unlock(first);
}

bool emu_rmp_has_asid(uint32_t asid)
{
    for (uint64_t i = 0; i < rmp.end / PAGE_SIZE; i++) {
        if ((bits(&rmp.e[i]) & E_ASSIGNED) != 0 && rmp.e[i].asid == asid) {
            return true;
        }
    }
    return false;
}

/* ---- RMPUPDATE, PSMASH ---- */

static uint64_t size_of(unsigned int page_size)
{
    return page_size == RMP_2M ? SIZE_2M : PAGE_SIZE;
}

static bool update_input_ok(uint64_t at, const struct rmp_entry *n)
{
    return n->assigned <= 1 && n->immutable <= 1 && n->page_size <= RMP_2M && n->reserved == 0 &&
           covered(at, size_of(n->page_size)) && IS_ALIGNED(at, size_of(n->page_size)) &&
           (n->gpa & ~E_GPA) == 0 && IS_ALIGNED(n->gpa, size_of(n->page_size)) &&
           n->asid <= EMU_SNP_ASIDS && (n->assigned != 0 || n->asid == 0);
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
    if ((bits(e) & (E_IN_USE | E_BUSY)) != 0 || (bits(first) & E_BUSY_ALL) != 0) {
        return RMP_FAIL_INUSE;
    }
    return overlap(first, page_size);
}

/* An unassigned region falls back to 4 KiB entries: a 2 MiB page of nobody means nothing. */
static void write_new(struct entry *first, uint64_t at, const struct rmp_entry *n, uint64_t busy)
{
    static const uint8_t none[4], vmpl0_all[4] = {EMU_PERM_ALL};
    uint64_t lo = busy | (n->assigned ? E_ASSIGNED : 0) | (n->immutable ? E_IMMUTABLE : 0) |
                  (n->assigned && n->page_size == RMP_2M ? E_2M : 0) | (n->assigned ? n->gpa : 0);

    if (n->page_size == RMP_2M) {
        for (uint64_t i = 0; i < REGION_PAGES; i++) {
            put(&first[i], 0, 0, none);
        }
    }
    put(&rmp.e[at / PAGE_SIZE], lo, n->asid, n->asid != 0 ? vmpl0_all : none);
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
    const uint64_t busy = E_BUSY | (n->page_size == RMP_2M ? E_BUSY_ALL : 0);
    struct emu_rmp was, is;
    struct entry *first;
    uint32_t r = emu_fault_rmpupdate();

    if (r != RMP_OK) {
        return r;
    }
    if (!rmp.enabled || !update_input_ok(pa.v, n)) {
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
    write_new(first, pa.v, n, busy);
    unpack(&rmp.e[pa.v / PAGE_SIZE], &is);
    region_unlock(first);
    forget_both(&was, &is);
    clear_bits(&rmp.e[pa.v / PAGE_SIZE], busy);
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

    if (!rmp.enabled || !covered(pa.v, SIZE_2M) || !IS_ALIGNED(pa.v, SIZE_2M)) {
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

/* ---- what guests execute ---- */

/* Is this still that guest's page, in that size? EMU_RMP_*, RMP_FAIL_SIZEMISMATCH or RMP_OK. */
static uint32_t guest_access(const struct entry *e, uint64_t at, uint64_t gpa, uint32_t asid,
                             unsigned int size)
{
    uint64_t offset = (bits(e) & E_2M) != 0 ? at & (SIZE_2M - 1) : 0;

    if ((bits(e) & E_BUSY) != 0) {
        return EMU_RMP_AGAIN;
    }
    if ((bits(e) & E_ASSIGNED) == 0 || e->asid != asid || (bits(e) & E_GPA) + offset != gpa) {
        return EMU_RMP_FAULT;
    }
    if ((bits(e) & E_2M) == 0 && size == RMP_2M) {
        return RMP_FAIL_SIZEMISMATCH;
    }
    return (bits(e) & E_2M) != 0 && size == RMP_4K ? EMU_RMP_FAULT_SIZE : RMP_OK;
}

static bool guest_input_ok(uint64_t at, uint64_t gpa, uint32_t asid, unsigned int size)
{
    return rmp.enabled && asid != 0 && size <= RMP_2M && IS_ALIGNED(gpa, size_of(size)) &&
           IS_ALIGNED(at, size_of(size)) && covered(at, size_of(size));
}

/* Both directions start from VMPL 0 alone: APM 15.36.7. */
static void set_validated(struct entry *e, bool validate)
{
    static const uint8_t vmpl0_all[4] = {EMU_PERM_ALL};

    put(e, (bits(e) & ~E_VALIDATED) | (validate ? E_VALIDATED : 0), e->asid, vmpl0_all);
}

uint32_t emu_pvalidate(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       bool validate, bool *changed)
{
    struct entry *first, *e;
    uint32_t r;

    *changed = false;
    if (!guest_input_ok(pa.v, gpa, asid, size)) {
        return RMP_FAIL_INPUT;
    }
    if (vmpl != 0) {
        return RMP_FAIL_PERMISSION;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    r = guest_access(e, pa.v, gpa, asid, size);
    if (r == RMP_OK && (bits(e) & (E_IMMUTABLE | E_VMSA)) != 0) {
        r = RMP_FAIL_INPUT;
    }
    if (r == RMP_OK && ((bits(e) & E_VALIDATED) != 0) != validate) {
        set_validated(e, validate);
        set_bits(e, validate ? 0 : E_BUSY);
        *changed = true;
    }
    region_unlock(first);
    if (*changed && !validate) {
        emu_core_forget(asid, gpa, size_of(size));
        clear_bits(e, E_BUSY);
    }
    return r;
}

struct emu_adjust {
    unsigned int vmpl, size, target_vmpl;
    uint8_t perms;
    bool vmsa;
};

/* RMPADJUST's own rules: APM Vol. 3. A VMSA is a 4 KiB page, never twice in use. */
static uint32_t adjust_allowed(const struct entry *e, const struct emu_adjust *a)
{
    if ((bits(e) & E_VALIDATED) == 0) {
        return EMU_RMP_UNVALIDATED;
    }
    if ((bits(e) & E_IMMUTABLE) != 0 || (a->vmsa && a->size == RMP_2M)) {
        return RMP_FAIL_INPUT;
    }
    if ((bits(e) & E_IN_USE) != 0) {
        return RMP_FAIL_INUSE;
    }
    if (a->target_vmpl <= a->vmpl || (a->perms & ~e->perms[a->vmpl]) != 0) {
        return RMP_FAIL_PERMISSION;
    }
    /* The VMSA bit is VMPL 0's to give and to take. */
    return ((bits(e) & E_VMSA) != 0) != a->vmsa && a->vmpl != 0 ? RMP_FAIL_PERMISSION : RMP_OK;
}

static void adjust(struct entry *e, const struct emu_adjust *a)
{
    uint8_t perms[4];

    memcpy(perms, e->perms, sizeof(perms));
    perms[a->target_vmpl] = a->perms;
    put(e, (bits(e) & ~E_VMSA) | (a->vmsa ? E_VMSA : 0) | E_BUSY, e->asid, perms);
}

uint32_t emu_rmpadjust(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       unsigned int target_vmpl, uint8_t perms, bool vmsa)
{
    const struct emu_adjust a = {vmpl, size, target_vmpl, perms, vmsa};
    struct entry *first, *e;
    uint32_t r;

    if (!guest_input_ok(pa.v, gpa, asid, size) || vmpl > 3 || target_vmpl > 3 ||
        (perms & ~EMU_PERM_ALL) != 0) {
        return RMP_FAIL_INPUT;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    r = guest_access(e, pa.v, gpa, asid, size);
    if (r == RMP_OK) {
        r = adjust_allowed(e, &a);
    }
    if (r == RMP_OK) {
        adjust(e, &a);
    }
    region_unlock(first);
    if (r == RMP_OK) {
        emu_core_forget(asid, gpa, size_of(size));
        clear_bits(e, E_BUSY);
    }
    return r;
}

/* ---- VMRUN's claim on a VMSA ---- */

bool emu_rmp_use(pa_t pa, uint32_t asid)
{
    struct entry *first, *e;
    bool ok;

    if (!rmp.enabled || !IS_ALIGNED(pa.v, PAGE_SIZE) || !covered(pa.v, PAGE_SIZE)) {
        return false;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    ok = (bits(e) & (E_ASSIGNED | E_VALIDATED | E_VMSA | E_2M | E_IMMUTABLE | E_IN_USE | E_BUSY)) ==
             (E_ASSIGNED | E_VALIDATED | E_VMSA) &&
         e->asid == asid;
    if (ok) {
        set_bits(e, E_IN_USE);
    }
    region_unlock(first);
    return ok;
}

void emu_rmp_unuse(pa_t pa)
{
    struct entry *first = region_of(pa.v), *e;

    REQUIRE(covered(pa.v, PAGE_SIZE));
    region_lock(first);
    e = ruling(first, pa.v);
    CHECK((bits(e) & E_IN_USE) != 0);
    clear_bits(e, E_IN_USE);
    region_unlock(first);
}
