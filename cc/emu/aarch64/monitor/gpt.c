/* The granule protection table (Arm ARM, D9): level 0 by GiB, level 1 sixteen granules a word. */
#include "monitor.h"

#include "arch_impl/insn.h"

#define AT_START  __attribute__((cold)) /* not in the page of the calls: monitor.ld */
#define GIBS_MAX  16u
#define L0_COUNT  1024u /* 40 bits */
#define L1_WORDS  (SIZE_1G / GRANULE_SIZE / 16)
#define L0_BLOCK(gpi) (1ull | (uint64_t)(gpi) << 4)
#define L0_TABLE(pa)  ((pa) | 3ull)
#define GPCCR     0x13502ull /* 40 bits, 4 KiB, tables cacheable and shareable, on */

static uint64_t l0[L0_COUNT] __attribute__((aligned(8192), section(".bss.gpt")));
static uint64_t l1[GIBS_MAX][L1_WORDS] __attribute__((aligned(131072), section(".bss.gpt")));
static uint64_t ram_start, ram_end;
static bool locked;
static uint32_t users; /* CPUs */
bool gpt_stale;

static uint64_t *word_of(uint64_t pa)
{
    return &l1[pa / SIZE_1G][pa % SIZE_1G / GRANULE_SIZE / 16];
}

static unsigned int shift_of(uint64_t pa)
{
    return pa / GRANULE_SIZE % 16 * 4;
}

static void set(uint64_t pa, enum pas pas)
{
    uint64_t *w = word_of(pa);

    *w = (*w & ~(15ull << shift_of(pa))) | (uint64_t)pas << shift_of(pa);
}

AT_START static void set_range(uint64_t from, uint64_t size, enum pas pas)
{
    for (uint64_t pa = from; pa < from + size; pa += GRANULE_SIZE) {
        set(pa, pas);
    }
}

AT_START static void fill(uint64_t gib, enum pas pas)
{
    for (uint64_t i = 0; i < L1_WORDS; i++) {
        l1[gib][i] = 0x1111111111111111ull * pas;
    }
    l0[gib] = L0_TABLE((uint64_t)l1[gib]);
}

/* Devices are anybody's: which of them are secure, the bus decides. */
AT_START void gpt_make(uint64_t ram, uint64_t size)
{
    uint64_t gibs = (ram + size + SIZE_1G - 1) / SIZE_1G;

    if (gibs > GIBS_MAX) {
        panic("more than 15 GiB of RAM");
    }
    for (uint64_t i = 0; i < L0_COUNT; i++) {
        l0[i] = L0_BLOCK(PAS_ANY);
    }
    fill(0, PAS_ANY);
    set_range(0, FLASH_SIZE, PAS_ROOT);
    set_range(SECURE_RAM, SECURE_RAM_SIZE, PAS_ROOT);
    for (uint64_t i = ram / SIZE_1G; i < gibs; i++) {
        fill(i, PAS_HOST);
    }
    set_range(RMM_BASE, RMM_SIZE, PAS_REALM);
    ram_start = ram;
    ram_end = ram + size;
    dsb(sy);
}

void gpt_forget_all(void)
{
    __asm__ volatile("sys #6, c8, c7, #4" : : : "memory");
    dsb(sy);
}

/* A granule's entry has changed. QEMU forgets all of a CPU for it; other CPUs it stops, too. A CPU
 * that comes later reads the table as it is by then. */
static void forget(uint64_t pa)
{
    dsb(sy);
    if (__atomic_load_n(&users, __ATOMIC_SEQ_CST) == 1) {
        gpt_stale = true;
    } else {
        /* TLBI RPALOS: a 4 KiB granule, last level */
        __asm__ volatile("sys #6, c8, c4, #7, %0" : : "r"(pa >> 12) : "memory");
        dsb(sy);
    }
}

AT_START void gpt_cpu_init(void)
{
    __atomic_fetch_add(&users, 1, __ATOMIC_SEQ_CST);
    dsb(sy);
    sysreg_write(s3_6_c2_c1_4, (uint64_t)l0 >> 12); /* GPTBR_EL3 */
    isb();
    sysreg_write(s3_6_c2_c1_6, GPCCR);              /* GPCCR_EL3 */
    isb();
    gpt_forget_all();
    isb();
}

int64_t gpt_move(uint64_t pa, enum pas from, enum pas to)
{
    int64_t st = RMM_EL3_OK;

    if (!IS_ALIGNED(pa, GRANULE_SIZE) || pa < ram_start || pa >= ram_end ||
        (pa >= RMM_BASE && pa < RMM_BASE + RMM_SIZE)) {
        return RMM_EL3_BAD_ADDR;
    }
    while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE)) {
    }
    if ((*word_of(pa) >> shift_of(pa) & 15) != from) {
        st = RMM_EL3_BAD_PAS;
    } else {
        set(pa, to);
        forget(pa);
    }
    __atomic_clear(&locked, __ATOMIC_RELEASE);
    return st;
}
