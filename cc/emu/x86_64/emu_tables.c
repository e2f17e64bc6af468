/* The nested tables of the model's guests: see emu_core.h. */
#include "emu_core.h"

#include "../emu.h"
#include "hv/cpu.h"

uint64_t *emu_table_entry(pa_t table, uint64_t at, unsigned int level)
{
    uint64_t *entries = emu_mem(table);

    return &entries[at >> (PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1)];
}

bool emu_table_put(pa_t root, uint64_t at, unsigned int leaf, uint64_t pte)
{
    pa_t table = root;

    for (unsigned int level = PT_LEVELS - 1; level > leaf; level--) {
        uint64_t *e = emu_table_entry(table, at, level);

        if (!pte_present(*e) || pte_is_leaf(*e, level)) {
            if (!emu_page_take(&table)) {
                return false;
            }
            __atomic_store_n(e, table.v | PTE_NESTED, __ATOMIC_RELEASE);
        }
        table = pte_pa(*e);
    }
    __atomic_store_n(emu_table_entry(table, at, leaf), pte, __ATOMIC_RELEASE);
    return true;
}

void emu_table_forget(pa_t root, uint64_t gpa, uint64_t size)
{
    for (uint64_t at = gpa; root.v != 0 && at < gpa + size;) {
        unsigned int level = PT_LEVELS - 1;
        uint64_t *e = emu_table_entry(root, at, level);

        while (pte_present(*e) && !pte_is_leaf(*e, level)) {
            level--;
            e = emu_table_entry(pte_pa(*e), at, level);
        }
        if (pte_present(*e)) {
            __atomic_store_n(e, 0, __ATOMIC_RELEASE);
        }
        at = ALIGN_DOWN(at, BIT(PAGE_SHIFT + 9 * level)) + BIT(PAGE_SHIFT + 9 * level);
    }
}

static void drop(pa_t table, unsigned int level)
{
    const uint64_t *entries = emu_mem(table);

    for (unsigned int i = 0; level > 0 && i < PT_ENTRIES; i++) {
        if (pte_present(entries[i]) && !pte_is_leaf(entries[i], level)) {
            drop(pte_pa(entries[i]), level - 1);
        }
    }
    emu_page_give(table);
}

void emu_table_drop(pa_t *root)
{
    if (root->v != 0) {
        drop(*root, PT_LEVELS - 1);
    }
    *root = pa(0);
}

void emu_stop_others(const uint32_t running[CPUS_MAX])
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        bool kicked = false;

        while (cpu_at(i) != this_cpu() && load_acquire(&running[i]) != 0) {
            if (!kicked) {
                cpu_kick(cpu_at(i));
                kicked = true;
            }
            cpu_relax();
        }
    }
}
