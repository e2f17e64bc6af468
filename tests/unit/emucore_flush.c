/* The nested tables of an emulated SNP guest when the hypervisor flushes. */
#include "cu.h"

#include <stdlib.h>
#include <string.h>

#include "../../cc/emu/x86_64/snp_core.h"
#include "hv/check.h"
#include "hv/cpu.h"

#define PAGES 64u /* of the chip's own, and of the hypervisor's tables */
#define ASID  1u
#define GPA   GiB(8)
#define WHERE MiB(96)
#define C_BIT BIT(EMU_C_BIT)

static uint8_t memory[PAGES + 1][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static unsigned int used;
static struct cpu cpus[2];
_Thread_local struct cpu *test_cpu;
static struct emu_guest *guest;
static pa_t host; /* the hypervisor's tables */
static unsigned int kicks;
static bool stale_at_kick; /* was the page of GPA still mapped when another CPU was stopped? */

static bool reaches(uint64_t at);

/* ---- what the tables stand on ---- */

bool emu_page_take(pa_t *at)
{
    *at = pa(++used * PAGE_SIZE);
    REQUIRE(used <= PAGES);
    memset(memory[used], 0, PAGE_SIZE);
    return true;
}

void emu_page_give(pa_t at)
{
    (void)at;
}

void *emu_mem(pa_t at)
{
    return memory[at.v / PAGE_SIZE];
}

void emu_lock(struct emu_lock *l)
{
    CU_ASSERT_EQUAL(l->taken, 0);
    l->taken = 1;
}

void emu_unlock(struct emu_lock *l)
{
    l->taken = 0;
}

unsigned int cpu_count(void)
{
    return ARRAY_SIZE(cpus);
}

struct cpu *cpu_at(unsigned int i)
{
    return &cpus[i];
}

void cpu_kick(struct cpu *c)
{
    kicks++;
    stale_at_kick = reaches(GPA);
    guest->running[c->index] = 0;
}

NORETURN void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

/* Every page is the guest's, in 4 KiB. */
uint32_t emu_rmp_access(pa_t at, const struct emu_touch *t, struct emu_rmp *e)
{
    (void)at;
    *e = (struct emu_rmp){.gpa = t->gpa, .asid = ASID, .assigned = true, .validated = true};
    memset(e->perms, EMU_PERM_ALL, sizeof(e->perms));
    return RMP_OK;
}

/* ---- */

/* Does the CPU find that page in the tables? */
static bool reaches(uint64_t at)
{
    pa_t table = guest->paged[0];

    for (unsigned int level = PT_LEVELS - 1; level > 0; level--) {
        uint64_t e = *emu_table_entry(table, at, level);

        if (!pte_present(e)) {
            return false;
        }
        table = pte_pa(e);
    }
    return pte_present(*emu_table_entry(table, at, 0));
}

static void host_maps(uint64_t at, unsigned int level, uint64_t to)
{
    REQUIRE(emu_table_put(host, at, level, pte_leaf(pa(to), level, PT_W | PT_X | PT_GUEST)));
}

static void fault(uint64_t at, bool c_bit)
{
    const struct emu_access a = {.gpa = at, .c_bit = c_bit, .need = EMU_PERM_READ};
    uint64_t flags = 0;

    CU_ASSERT_EQUAL(emu_map(guest, &a, &flags), EMU_MAPPED);
}

/* 2 MiB of the hypervisor's, of which some is mapped here; the other CPU runs the guest. */
static void start(void)
{
    used = 0;
    kicks = 0;
    cpus[1].index = 1;
    test_cpu = &cpus[0];
    guest = emu_guest_of(ASID);
    memset(guest, 0, sizeof(*guest));
    REQUIRE(emu_page_take(&host));
    guest->ncr3 = host.v;
    host_maps(GPA, 1, WHERE);
    fault(GPA, true);
    fault(GPA, false);
    guest->running[1] = 1;
    CU_ASSERT(reaches(GPA | C_BIT));
    CU_ASSERT(reaches(GPA));
}

/* The large leaf becomes pages, all of them where they were. */
static void split(void)
{
    for (uint64_t at = 0; at < SIZE_2M; at += PAGE_SIZE) {
        host_maps(GPA + at, 0, WHERE + at);
    }
}

static void a_flush_that_takes_nothing_away_stops_nobody(void)
{
    start();
    emu_flush(guest);
    CU_ASSERT(reaches(GPA | C_BIT));
    CU_ASSERT(reaches(GPA));
    split();
    emu_flush(guest);
    CU_ASSERT(reaches(GPA | C_BIT));
    CU_ASSERT(reaches(GPA + PAGE_SIZE));
    CU_ASSERT_EQUAL(kicks, 0);
}

static void what_the_hypervisor_took_away_is_gone_before_others_are_stopped(void)
{
    start();
    host_maps(GPA + WHERE, 1, WHERE); /* as far from the first in the guest as from 0 here */
    fault(GPA + WHERE, false);
    *emu_table_entry(host, GPA, PT_LEVELS - 1) = 0;
    emu_flush(guest);
    CU_ASSERT_EQUAL(kicks, 1);
    CU_ASSERT(!stale_at_kick);
    CU_ASSERT(!reaches(GPA | C_BIT));
    CU_ASSERT(!reaches(GPA + PAGE_SIZE));
    CU_ASSERT(!reaches(GPA + WHERE));
}

static void one_page_that_moved_goes_alone(void)
{
    start();
    split();
    host_maps(GPA + PAGE_SIZE, 0, WHERE + SIZE_2M);
    emu_flush(guest);
    CU_ASSERT_EQUAL(kicks, 1);
    CU_ASSERT(reaches(GPA));
    CU_ASSERT(!reaches(GPA + PAGE_SIZE));
    CU_ASSERT(!reaches((GPA + PAGE_SIZE) | C_BIT));
    CU_ASSERT(reaches(GPA + 2 * PAGE_SIZE));
}

static void a_large_leaf_that_moved_takes_all_with_it(void)
{
    start();
    host_maps(GPA, 1, WHERE + SIZE_2M);
    emu_flush(guest);
    CU_ASSERT_EQUAL(kicks, 1);
    for (uint64_t at = 0; at < KiB(256); at += PAGE_SIZE) {
        CU_ASSERT(!reaches(GPA + at));
        CU_ASSERT(!reaches((GPA + at) | C_BIT));
    }
}

static const struct cu_test tests[] = {
    CU(a_flush_that_takes_nothing_away_stops_nobody),
    CU(what_the_hypervisor_took_away_is_gone_before_others_are_stopped),
    CU(one_page_that_moved_goes_alone),
    CU(a_large_leaf_that_moved_takes_all_with_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emucore_flush", tests, argc, argv);
}
