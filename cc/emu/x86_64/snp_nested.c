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

void emu_forget_all(struct emu_guest *g)
{
    emu_lock(&g->lock);
    stop_others(g);
    drop_roots(g);
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
                                struct emu_rmp *e, uint64_t *flags)
{
    switch (emu_rmp_access(to, gpa, g->asid, private, e)) {
    case RMP_OK:
        return EMU_MAPPED;
    case EMU_RMP_UNVALIDATED:
        return EMU_VC_NOT_VALIDATED;
    default:
        *flags |= NPF_RMP;
        return EMU_NPF;
    }
}

bool emu_make_roots(struct emu_guest *g)
{
    return (g->paged.v != 0 || emu_page_take(&g->paged)) &&
           (g->unpaged.v != 0 || emu_page_take(&g->unpaged));
}

enum emu_fault emu_map(struct emu_guest *g, uint64_t gpa, bool c_bit, bool walk, bool unpaged,
                       uint64_t *flags)
{
    bool private = c_bit || walk || unpaged; /* walks and unpaged accesses are always private */
    uint64_t alias = c_bit ? C_BIT : 0;
    struct emu_rmp e;
    enum emu_fault f;
    uint64_t size;
    bool large, ok;
    pa_t to;

    *flags |= private ? NPF_ENC : 0;
    if (!emu_host_translate(g, gpa, &to, &size)) {
        return EMU_NPF;
    }
    f = rmp_check(g, gpa, to, private, &e, flags);
    if (f != EMU_MAPPED) {
        return f;
    }
    large = size >= SIZE_2M && (private ? e.page_size == RMP_2M : false) &&
            IS_ALIGNED(to.v ^ gpa, SIZE_2M) && !walk;
    size = large ? SIZE_2M : PAGE_SIZE;
    emu_lock(&g->lock);
    ok = emu_make_roots(g) &&
         put(unpaged ? g->unpaged : g->paged, ALIGN_DOWN(gpa, size) | alias, large,
             ALIGN_DOWN(to.v, size) | PTE_NESTED | (large ? PTE_PS : 0));
    if (!ok) {
        stop_others(g);
        drop_roots(g);
        ok = emu_make_roots(g); /* the access faults again and is mapped then */
    }
    emu_unlock(&g->lock);
    CHECK(ok);
    return EMU_MAPPED;
}
