#ifndef ARCH_IMPL_PTE_H
#define ARCH_IMPL_PTE_H

/*
 * Arm ARM (DDI 0487), D8.3: VMSAv8-64 descriptors, 4 KiB granule; our level n is theirs 3 - n.
 * Stage 1 of EL2: AP[2] read-only, one XN bit, attributes by index. Stage 2: S2AP, and MemAttr as
 * FEAT_S2FWB has it (D8.6.6): memory is cacheable whatever the guest says.
 */
#define PTE_VALID     BIT(0)
#define PTE_TABLE     BIT(1) /* a table; at level 0, a page */
#define PTE_INDEX(n)  ((uint64_t)(n) << 2)
#define PTE_AP1       BIT(6) /* RES1 in EL2's own tables */
#define PTE_READ_ONLY BIT(7)
#define PTE_SH_INNER  (3ull << 8)
#define PTE_AF        BIT(10)
#define PTE_GP        BIT(50) /* indirect branches must meet a BTI */
#define PTE_XN        BIT(54)
#define PTE_GUEST     BIT(55) /* for software: an entry of the second stage */
#define PTE_PA        0x0000fffffffff000ull

#define S2_MEMATTR (15ull << 2)
#define S2_NORMAL (6ull << 2)
#define S2_DEVICE (1ull << 2) /* nGnRE */
#define S2_READ   BIT(6)
#define S2_WRITE  BIT(7)

/* MAIR_EL2: 0 write-back, 1 device nGnRE. */
#define MAIR_VALUE 0x04ffull

static inline uint64_t pte_stage2(unsigned int attr)
{
    return PTE_GUEST | S2_READ | ((attr & PT_W) != 0 ? S2_WRITE : 0) |
           ((attr & PT_DEVICE) != 0 ? S2_DEVICE : S2_NORMAL);
}

static inline uint64_t pte_stage1(unsigned int attr)
{
    return PTE_AP1 | ((attr & PT_W) != 0 ? 0 : PTE_READ_ONLY) |
           PTE_INDEX((attr & PT_DEVICE) != 0 ? 1 : 0) | ((attr & PT_X) != 0 ? PTE_GP : 0);
}

static inline uint64_t pte_leaf(pa_t pa, unsigned int level, unsigned int attr)
{
    uint64_t pte = pa.v | PTE_VALID | PTE_AF | PTE_SH_INNER;

    pte |= level == 0 ? PTE_TABLE : 0;
    pte |= (attr & PT_X) != 0 ? 0 : PTE_XN;
    return pte | ((attr & PT_GUEST) != 0 ? pte_stage2(attr) : pte_stage1(attr));
}

static inline uint64_t pte_table(pa_t table, unsigned int attr)
{
    (void)attr;
    return table.v | PTE_VALID | PTE_TABLE;
}

static inline bool pte_present(uint64_t pte)
{
    return (pte & PTE_VALID) != 0;
}

static inline bool pte_is_leaf(uint64_t pte, unsigned int level)
{
    return level == 0 || (pte & PTE_TABLE) == 0;
}

static inline pa_t pte_pa(uint64_t pte)
{
    return pa(pte & PTE_PA);
}

static inline unsigned int pte_attr(uint64_t pte)
{
    bool guest = (pte & PTE_GUEST) != 0;
    unsigned int attr = guest ? PT_GUEST : 0;

    attr |= (guest ? (pte & S2_WRITE) != 0 : (pte & PTE_READ_ONLY) == 0) ? PT_W : 0;
    attr |= (pte & PTE_XN) != 0 ? 0 : PT_X;
    attr |= (guest ? (pte & S2_MEMATTR) == S2_DEVICE : (pte & PTE_INDEX(7)) != 0) ? PT_DEVICE : 0;
    return attr;
}

#endif
