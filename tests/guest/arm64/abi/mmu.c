/* Stage 1 with the granule that the command line names: all that is used maps to itself by pages. */
#include "guest.h"

#include "hv/mmio_map.h"

#define VA_BITS   39u
#define POOL_SIZE (1u << 20)
#define PTE_PAGE  3ull
#define PTE_AF    (1ull << 10)
#define PTE_INNER (3ull << 8)
#define PTE_DEVICE (1ull << 2) /* attribute 1 of MAIR */
#define PTE_XN    (3ull << 53)
#define MAIR      0x04ffull
#define SCTLR     0x30d0181dull /* M, C, I, SA, SA0, and what was RES1 in Armv8.0 */

static uint8_t pool[POOL_SIZE] __attribute__((aligned(65536)));
static uint64_t used, root, tcr;
static unsigned int shift; /* of the granule */

static uint64_t new_table(void)
{
    uint64_t at = (uint64_t)pool + used;

    used += 1ull << shift;
    if (used > POOL_SIZE) {
        fatal("no room for its page tables");
    }
    return at;
}

static void map(uint64_t va, uint64_t to, uint64_t attr)
{
    unsigned int bits = shift - 3, levels = (VA_BITS - shift + bits - 1) / bits;
    uint64_t table = root;

    for (unsigned int at = shift + bits * (levels - 1); at > shift; at -= bits) {
        uint64_t *e = &((uint64_t *)table)[va >> at & ((1u << bits) - 1)];

        if (*e == 0) {
            *e = new_table() | PTE_PAGE;
        }
        table = *e & ~0xfffull;
    }
    ((uint64_t *)table)[va >> shift & ((1u << bits) - 1)] = to | attr | PTE_PAGE | PTE_AF;
}

static void map_range(uint64_t from, uint64_t end, uint64_t bit, uint64_t attr)
{
    for (uint64_t at = from; at < end; at += 1ull << shift) {
        map(at, at | bit, attr);
    }
}

volatile void *map_shared(uint64_t at)
{
    map_range(at, at + 65536, shared_bit, PTE_INNER | PTE_XN);
    __asm__ volatile("dsb ish; isb" : : : "memory");
    return (volatile void *)at;
}

void mmu_begin(void)
{
    extern char shared_start[], shared_end[];
    uint64_t granule = option("granule", 4), ram = option("mib", 32) << 20;

    shift = granule == 64 ? 16 : granule == 16 ? 14 : 12;
    root = new_table();
    map_range(0, (uint64_t)shared_start, 0, PTE_INNER);
    map_range((uint64_t)shared_start, (uint64_t)shared_end, shared_bit, PTE_INNER | PTE_XN);
    map_range((uint64_t)shared_end, ram, 0, PTE_INNER);
    map_range(MMIO_UART, MMIO_UART + 65536, shared_bit, PTE_DEVICE | PTE_XN);
    map_range(MMIO_GIC_DIST, MMIO_GIC_DIST + 65536, shared_bit, PTE_DEVICE | PTE_XN);
    map_range(MMIO_GIC_REDIST, MMIO_GIC_REDIST + CPUS_MAX * MMIO_GIC_REDIST_SIZE, shared_bit,
              PTE_DEVICE | PTE_XN);
    tcr = (64 - VA_BITS) | 5u << 8 | 3u << 12 | 1u << 23 | 2ull << 32 |
          (uint64_t)(granule == 64 ? 1 : granule == 16 ? 2 : 0) << 14;
}

void mmu_on(void)
{
    write_sysreg(mair_el1, MAIR);
    write_sysreg(tcr_el1, tcr);
    write_sysreg(ttbr0_el1, root);
    __asm__ volatile("dsb ish; tlbi vmalle1; dsb ish; isb" : : : "memory");
    write_sysreg(sctlr_el1, SCTLR);
}
