/*
 * A TD's nested tables: the SHARED bit is an address bit like any other, so its private half is in
 * the lower part of the top table, its shared half in the upper. They are a cache: filled by
 * faults, emptied by what ends translations.
 */
#include "tdx_core.h"

#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/cpu.h"

#define SHARED_HALF 256u

static struct emu_td tds[TDX_TDS];
static struct emu_lock tds_lock;
static uint64_t invepts;

struct emu_td *core_td(uint64_t tdr_pa)
{
    struct emu_td *td = NULL;

    emu_lock(&tds_lock);
    for (unsigned int i = 0; i < TDX_TDS && td == NULL; i++) {
        td = tds[i].tdr_pa == tdr_pa ? &tds[i] : NULL;
    }
    for (unsigned int i = 0; i < TDX_TDS && td == NULL; i++) {
        td = tds[i].tdr_pa == 0 ? &tds[i] : NULL;
    }
    CHECK(td != NULL); /* there are fewer keys than places */
    td->tdr_pa = tdr_pa;
    emu_unlock(&tds_lock);
    return td;
}

static void drop_all(struct emu_td *td)
{
    emu_stop_others(td->running);
    emu_table_drop(&td->root);
}

void emu_tdx_gone(uint64_t tdr_pa)
{
    struct emu_td *td = core_td(tdr_pa);

    emu_lock(&td->lock);
    drop_all(td);
    emu_unlock(&td->lock);
    td->tdr_pa = 0;
    emu_meter_tell();
}

void emu_tdx_forget(uint64_t tdr_pa, uint64_t gpa, uint64_t size)
{
    struct emu_td *td = core_td(tdr_pa);

    emu_lock(&td->lock);
    emu_table_forget(td->root, gpa, size);
    emu_unlock(&td->lock);
}

static void clear_leaves(pa_t table, unsigned int level, unsigned int from)
{
    uint64_t *entries = emu_mem(table);

    for (unsigned int i = from; i < PT_ENTRIES; i++) {
        if (!pte_present(entries[i])) {
            continue;
        }
        if (pte_is_leaf(entries[i], level)) {
            __atomic_store_n(&entries[i], 0, __ATOMIC_RELEASE);
        } else {
            clear_leaves(pte_pa(entries[i]), level - 1, 0);
        }
    }
}

/* What the host changed in its own tables is seen from now on; VMRUN empties the TLB itself. */
static void forget_shared(struct emu_td *td)
{
    if (td->root.v != 0) {
        clear_leaves(td->root, PT_LEVELS - 1, SHARED_HALF);
    }
}

void emu_tdx_flush(struct tdx_vp *vp)
{
    struct emu_td *td = core_td(vp->tdr_pa);

    emu_lock(&td->lock);
    forget_shared(td);
    emu_unlock(&td->lock);
}

/* Of all TDs, so it is left to the next entry of each. */
void core_invept(void)
{
    (void)__atomic_fetch_add(&invepts, 1, __ATOMIC_SEQ_CST);
}

uint64_t core_enter_tables(struct emu_td *td)
{
    uint64_t now, root;

    emu_lock(&td->lock);
    now = __atomic_load_n(&invepts, __ATOMIC_SEQ_CST);
    if (td->invepts != now) {
        td->invepts = now;
        forget_shared(td);
    }
    CHECK(td->root.v != 0 || emu_page_take(&td->root));
    root = td->root.v;
    store_release(&td->running[this_cpu()->index], 1u);
    emu_unlock(&td->lock);
    return root;
}

void core_leave_tables(struct emu_td *td)
{
    store_release(&td->running[this_cpu()->index], 0u);
}

/*
 * What else is there of the same 2 MiB, in small pages: most of a launch is, and a fault for each
 * costs more than all.
 */
static bool put_near(const struct tdx_vp *vp, pa_t root, uint64_t gpa)
{
    uint64_t base = ALIGN_DOWN(gpa, SIZE_2M), ignored;
    unsigned int level;
    const uint64_t *e = sept_walk(vp->tdr, base, TDX_4K, &level, &ignored);
    bool room = true;

    for (unsigned int i = 0; e != NULL && room && i < PT_ENTRIES; i++) {
        uint64_t now = sept_get(&e[i]);

        if (sept_state_of(now) == SEPT_MAPPED && !tdx_page_is_blank(now & SEPT_PA, TDX_4K)) {
            room = emu_table_put(root, base + i * PAGE_SIZE, 0, (now & SEPT_PA) | PTE_NESTED);
        }
    }
    return room;
}

static bool put_access(const struct tdx_vp *vp, pa_t root, uint64_t gpa, uint64_t at, uint64_t size)
{
    if (size >= SIZE_2M) {
        return emu_table_put(root, ALIGN_DOWN(gpa, SIZE_2M), 1,
                             ALIGN_DOWN(at, SIZE_2M) | PTE_NESTED | PTE_PS);
    }
    return emu_table_put(root, ALIGN_DOWN(gpa, PAGE_SIZE), 0,
                         ALIGN_DOWN(at, PAGE_SIZE) | PTE_NESTED) &&
           ((gpa & TDX_SHARED_BIT(false)) != 0 || put_near(vp, root, gpa));
}

/*
 * The look and the entry are one step under the lock: who takes a page away does that first, and
 * then has the entry cleared.
 */
void core_map(struct tdx_vp *vp, struct emu_td *td, uint64_t gpa, uint64_t violation)
{
    uint64_t at, size;

    emu_lock(&td->lock);
    if (td->root.v != 0 && tdx_access(vp, gpa, violation, &at, &size) == TDX_ACCESS_OK &&
        !put_access(vp, td->root, gpa, at, size)) {
        drop_all(td); /* the access faults again, and is mapped then */
    }
    emu_unlock(&td->lock);
}
