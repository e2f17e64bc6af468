/*
 * The nested tables that the CPU really walks. An encrypted guest's addresses have two aliases:
 * with the C-bit private, without it shared. Each alias is mapped here only while the hypervisor's
 * nested tables and the RMP both allow it; what they forbid stays unmapped, and faults.
 * The tables are a cache: they may be dropped at any time.
 */
#include "snp_core.h"

#include "arch_impl/insn.h"
#include "hv/check.h"

#define C_BIT  BIT(EMU_C_BIT)
#define AROUND KiB(256)

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

bool emu_host_translate(const struct emu_guest *g, uint64_t gpa, pa_t *to, uint64_t *size)
{
    pa_t table = pa(g->ncr3);

    for (unsigned int level = PT_LEVELS - 1;; level--) {
        uint64_t pte = *emu_table_entry(table, gpa, level);

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

static void drop_roots(struct emu_guest *g)
{
    for (unsigned int vmpl = 0; vmpl < EMU_VMPLS; vmpl++) {
        emu_table_drop(&g->paged[vmpl]);
        emu_table_drop(&g->unpaged[vmpl]);
    }
}

/* A leaf of the hypervisor's tables, or a hole in them: the one that was looked at last. */
struct host_leaf {
    uint64_t from, size; /* size 0: none yet */
    pa_t to;
    bool there;
};

/* Do the hypervisor's tables still say that all of these bytes are there? */
static bool says(const struct emu_guest *g, struct host_leaf *h, uint64_t gpa, uint64_t size,
                 pa_t there)
{
    if (gpa - h->from >= h->size) {
        h->to = pa(0);
        h->there = emu_host_translate(g, gpa, &h->to, &h->size);
        h->from = ALIGN_DOWN(gpa, h->size);
        h->to.v -= gpa - h->from;
    }
    return h->there && size <= h->size && there.v == h->to.v + (gpa - h->from);
}

/*
 * A table's entries that the hypervisor's tables do not confirm go: at is the address of the first,
 * with its alias. What the RMP says is current already (emu_core_forget). True: one has gone.
 */
static bool drop_unconfirmed(const struct emu_guest *g, struct host_leaf *h, pa_t table,
                             unsigned int level, uint64_t at)
{
    uint64_t *entries = emu_mem(table);
    uint64_t step = BIT(PAGE_SHIFT + 9 * level);
    bool gone = false;

    for (unsigned int i = 0; i < PT_ENTRIES; i++, at += step) {
        uint64_t pte = entries[i];

        if (!pte_present(pte)) {
            continue;
        }
        if (!pte_is_leaf(pte, level)) {
            gone |= drop_unconfirmed(g, h, pte_pa(pte), level - 1, at);
        } else if (!says(g, h, at & ~C_BIT, step, pte_pa(pte))) {
            __atomic_store_n(&entries[i], 0, __ATOMIC_RELEASE);
            gone = true;
        }
    }
    return gone;
}

static bool drop_unconfirmed_of(const struct emu_guest *g, pa_t root)
{
    struct host_leaf h = {0};

    return root.v != 0 && drop_unconfirmed(g, &h, root, PT_LEVELS - 1, 0);
}

/* Mostly a vCPU has only come to another CPU, and all is still true: then nobody is disturbed. */
void emu_flush(struct emu_guest *g)
{
    bool gone = false;

    emu_lock(&g->lock);
    for (unsigned int vmpl = 0; vmpl < EMU_VMPLS; vmpl++) {
        gone |= drop_unconfirmed_of(g, g->paged[vmpl]);
        gone |= drop_unconfirmed_of(g, g->unpaged[vmpl]);
    }
    if (gone) {
        emu_stop_others(g->running);
    }
    emu_unlock(&g->lock);
}

void emu_core_forget(uint32_t asid, uint64_t gpa, uint64_t size)
{
    struct emu_guest *g = emu_guest_of(asid);

    if (g == NULL) {
        return;
    }
    emu_lock(&g->lock);
    for (unsigned int vmpl = 0; vmpl < EMU_VMPLS; vmpl++) {
        emu_table_forget(g->paged[vmpl], gpa, size);
        emu_table_forget(g->paged[vmpl], gpa | C_BIT, size);
        emu_table_forget(g->unpaged[vmpl], gpa, size);
        emu_table_forget(g->unpaged[vmpl], gpa | C_BIT, size);
    }
    emu_stop_others(g->running);
    emu_unlock(&g->lock);
}

bool emu_make_roots(struct emu_guest *g, unsigned int vmpl)
{
    return (g->paged[vmpl].v != 0 || emu_page_take(&g->paged[vmpl])) &&
           (g->unpaged[vmpl].v != 0 || emu_page_take(&g->unpaged[vmpl]));
}

/*
 * What the RMP gives, as an entry of a nested table can say it: that knows one right to execute,
 * not one for each CPL, so both must be there. Shared memory is never executed: fetches are
 * private, whatever the C-bit (APM 15.34.5).
 */
static uint64_t rights(const struct emu_access *a, bool private, const struct emu_rmp *e)
{
    uint8_t perms = e->perms[a->vmpl];

    if (!private) {
        return PTE_P | PTE_W | PTE_U | PTE_NX;
    }
    return PTE_P | PTE_U | ((perms & EMU_PERM_WRITE) != 0 ? PTE_W : 0) |
           ((perms & (EMU_PERM_USER | EMU_PERM_EXEC)) != (EMU_PERM_USER | EMU_PERM_EXEC) ? PTE_NX
                                                                                         : 0);
}

/* Maps the 4 KiB pages around a fault that may be mapped as it: they are wanted next. */
static bool map_around(struct emu_guest *g, pa_t root, const struct emu_access *a, bool private)
{
    uint64_t from = ALIGN_DOWN(a->gpa, AROUND);
    struct emu_touch t = {0, g->asid, private, a->vmpl, EMU_PERM_READ};
    struct emu_rmp e;
    uint64_t size;
    bool ok = true;
    pa_t to;

    for (t.gpa = from; t.gpa < from + AROUND && ok; t.gpa += PAGE_SIZE) {
        if (emu_host_translate(g, t.gpa, &to, &size) && emu_rmp_access(to, &t, &e) == RMP_OK) {
            ok = emu_table_put(root, t.gpa | (a->c_bit ? C_BIT : 0), 0,
                               to.v | rights(a, private, &e));
        }
    }
    return ok;
}

/* False: no page is left for tables. */
static bool map_access(struct emu_guest *g, const struct emu_access *a, bool private, pa_t to,
                       const struct emu_rmp *e, bool large)
{
    uint64_t alias = a->c_bit ? C_BIT : 0;
    pa_t root;

    if (!emu_make_roots(g, a->vmpl)) {
        return false;
    }
    root = a->unpaged ? g->unpaged[a->vmpl] : g->paged[a->vmpl];
    if (private && !a->c_bit && !a->unpaged) { /* an alias that is the other one's otherwise */
        return emu_table_put(root, a->gpa, 0, to.v | rights(a, private, e));
    }
    if (!large) {
        return map_around(g, root, a, private);
    }
    return emu_table_put(root, ALIGN_DOWN(a->gpa, SIZE_2M) | alias, 1,
                         ALIGN_DOWN(to.v, SIZE_2M) | rights(a, private, e) | PTE_PS);
}

/* Rights that the RMP gives and no entry can: the model refuses them. */
static bool expressible(const struct emu_access *a, bool private, const struct emu_rmp *e)
{
    return !private || ((e->perms[a->vmpl] & EMU_PERM_READ) != 0 &&
                        (!a->fetch || (rights(a, private, e) & PTE_NX) == 0));
}

/* The check and the entry are one step under the lock: a change of the RMP clears it after that. */
static enum emu_fault map_locked(struct emu_guest *g, const struct emu_access *a, uint64_t *flags)
{
    bool private = a->c_bit || a->walk || a->unpaged || a->fetch; /* the last three always are */
    const struct emu_touch t = {a->gpa, g->asid, private, a->vmpl, a->need};
    struct emu_rmp e;
    uint64_t size;
    uint32_t r;
    pa_t to;

    *flags |= private ? NPF_ENC : 0;
    if (!emu_host_translate(g, a->gpa, &to, &size)) {
        return EMU_NPF;
    }
    r = emu_rmp_access(to, &t, &e);
    if (r == EMU_RMP_UNVALIDATED) {
        return EMU_VC_NOT_VALIDATED;
    }
    if (r != RMP_OK || !expressible(a, private, &e)) {
        *flags |= NPF_RMP | (r == RMP_OK || r == EMU_RMP_FAULT_VMPL ? NPF_VMPL : 0);
        return EMU_NPF;
    }
    if (!map_access(g, a, private, to, &e, private && size >= SIZE_2M && e.page_size == RMP_2M)) {
        emu_stop_others(g->running);
        drop_roots(g);
        CHECK(emu_make_roots(g, a->vmpl)); /* the access faults again and is mapped then */
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
