/*
 * The nested tables that the CPU really walks. An encrypted guest's addresses have two aliases:
 * with the C-bit private, without it shared. Each alias is mapped here only while the hypervisor's
 * nested tables and the RMP both allow it; what they forbid stays unmapped, and faults.
 * The tables are a cache: they may be dropped at any time.
 */
#include "emu_x86_64.h"

#include "arch_impl/insn.h"
#include "hv/check.h"

#define C_BIT   BIT(EMU_C_BIT)
#define PTE_NESTED (PTE_P | PTE_W | PTE_U)
#define AROUND     KiB(256)

static struct emu_guest guests[EMU_ASIDS];

struct emu_guest *emu_guest_of(uint32_t asid)
{
    struct emu_guest *g;

    if (asid == 0 || asid >= EMU_ASIDS) {
        return NULL;
    }
    g = &guests[asid];
    g->asid = asid;
    return g;
}

static uint64_t *entry(pa_t table, uint64_t va, unsigned int level)
{
    uint64_t *entries = emu_mem(table);

    return &entries[va >> (PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1)];
}

bool emu_host_translate(const struct emu_guest *g, uint64_t gpa, pa_t *to, uint64_t *size)
{
    pa_t table = pa(g->ncr3);

    for (unsigned int level = PT_LEVELS - 1;; level--) {
        uint64_t pte = *entry(table, gpa, level);

        *size = BIT(PAGE_SHIFT + 9 * level);
        if (!pte_present(pte)) {
            return false;
        }
        if (pte_is_leaf(pte, level)) {
            *to = pa(pte_pa(pte).v + gpa % *size);
            return true;
        }
        table = pte_pa(pte);
    }
}

static void drop(pa_t table, unsigned int level)
{
    uint64_t *entries = emu_mem(table);

    for (unsigned int i = 0; level > 0 && i < PT_ENTRIES; i++) {
        if (pte_present(entries[i]) && !pte_is_leaf(entries[i], level)) {
            drop(pte_pa(entries[i]), level - 1);
        }
    }
    emu_page_give(table);
}

/* The lock is held, and nobody runs on them. */
static void drop_roots(struct emu_guest *g)
{
    if (g->paged.v != 0) {
        drop(g->paged, PT_LEVELS - 1);
    }
    if (g->unpaged.v != 0) {
        drop(g->unpaged, PT_LEVELS - 1);
    }
    g->paged = pa(0);
    g->unpaged = pa(0);
}

/* Every other CPU leaves the guest; this one is not in it. The lock is held: none comes back. */
static void stop_others(struct emu_guest *g)
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        bool kicked = false;

        while (cpu_at(i) != this_cpu() && load_acquire(&g->running[i]) != 0) {
            if (!kicked) {
                cpu_kick(cpu_at(i));
                kicked = true;
            }
            cpu_relax();
        }
    }
}

/*
 * A table's entries that the hypervisor's tables do not confirm go: at is the address of the first,
 * with its alias. What the RMP says is current already (emu_core_forget).
 */
static void confirm(const struct emu_guest *g, pa_t table, unsigned int level, uint64_t at)
{
    uint64_t *entries = emu_mem(table);
    uint64_t step = BIT(PAGE_SHIFT + 9 * level);

    for (unsigned int i = 0; i < PT_ENTRIES; i++, at += step) {
        uint64_t pte = entries[i], size;
        pa_t to;

        if (!pte_present(pte)) {
            continue;
        }
        if (!pte_is_leaf(pte, level)) {
            confirm(g, pte_pa(pte), level - 1, at);
        } else if (!emu_host_translate(g, at & ~C_BIT, &to, &size) || to.v != pte_pa(pte).v ||
                   size < step) {
            __atomic_store_n(&entries[i], 0, __ATOMIC_RELEASE);
        }
    }
}

void emu_flush(struct emu_guest *g)
{
    emu_lock(&g->lock);
    stop_others(g);
    if (g->paged.v != 0) {
        confirm(g, g->paged, PT_LEVELS - 1, 0);
    }
    if (g->unpaged.v != 0) {
        confirm(g, g->unpaged, PT_LEVELS - 1, 0);
    }
    emu_unlock(&g->lock);
}

static void clear_range(pa_t root, uint64_t gpa, uint64_t size)
{
    for (uint64_t at = gpa; root.v != 0 && at < gpa + size;) {
        unsigned int level = PT_LEVELS - 1;
        uint64_t *e = entry(root, at, level);

        while (pte_present(*e) && !pte_is_leaf(*e, level)) {
            level--;
            e = entry(pte_pa(*e), at, level);
        }
        if (pte_present(*e)) {
            __atomic_store_n(e, 0, __ATOMIC_RELEASE);
        }
        at = ALIGN_DOWN(at, BIT(PAGE_SHIFT + 9 * level)) + BIT(PAGE_SHIFT + 9 * level);
    }
}

void emu_core_forget(uint32_t asid, uint64_t gpa, uint64_t size)
{
    struct emu_guest *g = emu_guest_of(asid);

    if (g == NULL) {
        return;
    }
    emu_lock(&g->lock);
    clear_range(g->paged, gpa, size);
    clear_range(g->paged, gpa | C_BIT, size);
    clear_range(g->unpaged, gpa, size);
    clear_range(g->unpaged, gpa | C_BIT, size);
    stop_others(g);
    emu_unlock(&g->lock);
}

/* False: no page left; the caller drops everything and tries again. */
static bool put(pa_t root, uint64_t at, unsigned int leaf, uint64_t pte)
{
    pa_t table = root;

    for (unsigned int level = PT_LEVELS - 1; level > leaf; level--) {
        uint64_t *e = entry(table, at, level);

        if (!pte_present(*e) || pte_is_leaf(*e, level)) {
            if (!emu_page_take(&table)) {
                return false;
            }
            __atomic_store_n(e, table.v | PTE_NESTED, __ATOMIC_RELEASE);
        }
        table = pte_pa(*e);
    }
    __atomic_store_n(entry(table, at, leaf), pte, __ATOMIC_RELEASE);
    return true;
}

static enum emu_fault rmp_check(const struct emu_guest *g, uint64_t gpa, pa_t to, bool private,
                                struct emu_rmp *e)
{
    switch (emu_rmp_access(to, gpa, g->asid, private, e)) {
    case RMP_OK:
        return EMU_MAPPED;
    case EMU_RMP_UNVALIDATED:
        return EMU_VC_NOT_VALIDATED;
    default:
        return EMU_NPF;
    }
}

bool emu_make_roots(struct emu_guest *g)
{
    return (g->paged.v != 0 || emu_page_take(&g->paged)) &&
           (g->unpaged.v != 0 || emu_page_take(&g->unpaged));
}

/* Maps the 4 KiB pages around a fault that may be mapped as it: they are wanted next. */
static bool map_around(struct emu_guest *g, pa_t root, const struct emu_access *a, bool private)
{
    uint64_t from = ALIGN_DOWN(a->gpa, AROUND);
    uint64_t size;
    struct emu_rmp e;
    bool ok = true;
    pa_t to;

    for (uint64_t at = from; at < from + AROUND && ok; at += PAGE_SIZE) {
        if (emu_host_translate(g, at, &to, &size) &&
            rmp_check(g, at, to, private, &e) == EMU_MAPPED) {
            ok = put(root, at | (a->c_bit ? C_BIT : 0), 0, to.v | PTE_NESTED);
        }
    }
    return ok;
}

/* False: no page is left for tables. */
static bool map_access(struct emu_guest *g, const struct emu_access *a, bool private, pa_t to,
                       bool large)
{
    pa_t root;

    if (!emu_make_roots(g)) {
        return false;
    }
    root = a->unpaged ? g->unpaged : g->paged;
    if (a->walk) { /* of an alias that is the other one's otherwise: this page alone */
        return put(root, a->gpa | (a->c_bit ? C_BIT : 0), 0, to.v | PTE_NESTED);
    }
    if (!large) {
        return map_around(g, root, a, private);
    }
    return put(root, ALIGN_DOWN(a->gpa, SIZE_2M) | (a->c_bit ? C_BIT : 0), 1,
               ALIGN_DOWN(to.v, SIZE_2M) | PTE_NESTED | PTE_PS);
}

/* The check and the entry are one step under the lock: a change of the RMP clears it after that. */
static enum emu_fault map_locked(struct emu_guest *g, const struct emu_access *a, uint64_t *flags)
{
    bool private = a->c_bit || a->walk || a->unpaged; /* walks and unpaged accesses always are */
    enum emu_fault f = EMU_NPF;
    struct emu_rmp e;
    uint64_t size;
    pa_t to;

    *flags |= private ? NPF_ENC : 0;
    if (!emu_host_translate(g, a->gpa, &to, &size)) {
        return EMU_NPF;
    }
    f = rmp_check(g, a->gpa, to, private, &e);
    if (f != EMU_MAPPED) {
        *flags |= f == EMU_NPF ? NPF_RMP : 0;
        return f;
    }
    if (!map_access(g, a, private, to, private && size >= SIZE_2M && e.page_size == RMP_2M)) {
        stop_others(g);
        drop_roots(g);
        CHECK(emu_make_roots(g)); /* the access faults again and is mapped then */
    }
    return EMU_MAPPED;
}

enum emu_fault emu_map(struct emu_guest *g, const struct emu_access *a, uint64_t *flags)
{
    enum emu_fault f;

    emu_lock(&g->lock);
    f = map_locked(g, a, flags);
    emu_unlock(&g->lock);
    return f;
}
