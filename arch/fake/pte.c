/* Page-table entries that tell nobody anything but through the contract. */
#include "arch/pte.h"

#include "fake/fake.h"
#include "hv/check.h"

#define LEVEL_TABLE 0xfu

static unsigned int max_leaf = 2;

void fake_max_leaf(unsigned int level)
{
    max_leaf = level;
}

unsigned int pte_max_leaf(void)
{
    return max_leaf;
}

static uint64_t encode(pa_t at, unsigned int attr, unsigned int level, unsigned int kind)
{
    return at.v >> PAGE_SHIFT << 24 | (uint64_t)attr << 8 | level << 4 | kind;
}

uint64_t fake_pte_leaf(pa_t at, unsigned int level, unsigned int attr)
{
    REQUIRE(level <= max_leaf && IS_ALIGNED(at.v, BIT(PAGE_SHIFT + 9 * level)) && attr < 256);
    return encode(at, attr, level, FAKE_PTE_LEAF);
}

uint64_t fake_pte_table(pa_t table, unsigned int attr)
{
    REQUIRE(IS_ALIGNED(table.v, PAGE_SIZE) && attr < 256);
    return encode(table, attr, LEVEL_TABLE, FAKE_PTE_TABLE);
}

bool fake_pte_present(uint64_t pte)
{
    REQUIRE(pte == 0 || (pte & 0xf) == FAKE_PTE_LEAF || (pte & 0xf) == FAKE_PTE_TABLE);
    return pte != 0;
}

bool fake_pte_is_leaf(uint64_t pte, unsigned int level)
{
    bool leaf = (pte & 0xf) == FAKE_PTE_LEAF;

    REQUIRE(fake_pte_present(pte) && level < PT_LEVELS);
    REQUIRE(leaf ? (pte >> 4 & 0xf) == level : level > 0);
    return leaf;
}

pa_t fake_pte_pa(uint64_t pte)
{
    REQUIRE(fake_pte_present(pte));
    return pa(pte >> 24 << PAGE_SHIFT);
}

unsigned int fake_pte_attr(uint64_t pte)
{
    REQUIRE((pte & 0xf) == FAKE_PTE_LEAF);
    return (unsigned int)(pte >> 8) & 0xff;
}
