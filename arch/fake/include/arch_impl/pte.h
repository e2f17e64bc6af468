#ifndef ARCH_IMPL_PTE_H
#define ARCH_IMPL_PTE_H

/*
 * Nothing is where x86 or Arm have it, every entry knows its level and its kind, and whoever asks
 * an entry something it cannot answer panics. Bits 63:24 page number, 15:8 attributes, 7:4 level
 * (F: table), 3:0 kind.
 */
#define FAKE_PTE_LEAF  0xau
#define FAKE_PTE_TABLE 0x6u

uint64_t fake_pte_leaf(pa_t pa, unsigned int level, unsigned int attr);
uint64_t fake_pte_table(pa_t table, unsigned int attr);
bool fake_pte_present(uint64_t pte);
bool fake_pte_is_leaf(uint64_t pte, unsigned int level);
pa_t fake_pte_pa(uint64_t pte);
unsigned int fake_pte_attr(uint64_t pte);

static inline uint64_t pte_leaf(pa_t pa, unsigned int level, unsigned int attr)
{
    return fake_pte_leaf(pa, level, attr);
}

static inline uint64_t pte_table(pa_t table, unsigned int attr)
{
    return fake_pte_table(table, attr);
}

static inline bool pte_present(uint64_t pte)
{
    return fake_pte_present(pte);
}

static inline bool pte_is_leaf(uint64_t pte, unsigned int level)
{
    return fake_pte_is_leaf(pte, level);
}

static inline pa_t pte_pa(uint64_t pte)
{
    return fake_pte_pa(pte);
}

static inline unsigned int pte_attr(uint64_t pte)
{
    return fake_pte_attr(pte);
}

#endif
