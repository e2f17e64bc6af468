#ifndef ARCH_IMPL_PTE_H
#define ARCH_IMPL_PTE_H

/* APM Vol. 2, 5.3 and 15.25: nested tables have the format of long mode; every nested access is a
 * user access, so PT_GUEST sets U. */
#define PTE_P   BIT(0)
#define PTE_W   BIT(1)
#define PTE_U   BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_PS  BIT(7)
#define PTE_NX  BIT(63)
#define PTE_PA  0x000ffffffffff000ull

static inline uint64_t pte_leaf(pa_t pa, unsigned int level, unsigned int attr)
{
    uint64_t pte = pa.v | PTE_P;

    pte |= level > 0 ? PTE_PS : 0;
    pte |= (attr & PT_W) != 0 ? PTE_W : 0;
    pte |= (attr & PT_X) != 0 ? 0 : PTE_NX;
    pte |= (attr & PT_DEVICE) != 0 ? PTE_PCD | PTE_PWT : 0;
    pte |= (attr & PT_GUEST) != 0 ? PTE_U : 0;
    return pte;
}

static inline uint64_t pte_table(pa_t table, unsigned int attr)
{
    return table.v | PTE_P | PTE_W | ((attr & PT_GUEST) != 0 ? PTE_U : 0);
}

static inline bool pte_present(uint64_t pte)
{
    return (pte & PTE_P) != 0;
}

static inline bool pte_is_leaf(uint64_t pte, unsigned int level)
{
    return level == 0 || (pte & PTE_PS) != 0;
}

static inline pa_t pte_pa(uint64_t pte)
{
    return pa(pte & PTE_PA);
}

static inline unsigned int pte_attr(uint64_t pte)
{
    unsigned int attr = 0;

    attr |= (pte & PTE_W) != 0 ? PT_W : 0;
    attr |= (pte & PTE_NX) != 0 ? 0 : PT_X;
    attr |= (pte & PTE_PCD) != 0 ? PT_DEVICE : 0;
    attr |= (pte & PTE_U) != 0 ? PT_GUEST : 0;
    return attr;
}

#endif
