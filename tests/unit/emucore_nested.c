/* The nested tables of an emulated TD: a cache that is emptied when a CPU has to forget. */
#include "cu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../cc/emu/x86_64/tdx_core.h"
#include "hv/check.h"
#include "hv/cpu.h"

#define PAGES  64u /* of the chip's own */
#define SHARED TDX_SHARED_BIT(false)
#define GPA    (GiB(8) | SHARED)
#define WHERE  MiB(96)

static uint8_t memory[PAGES + 1][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static unsigned int used;
static struct cpu cpus[2];
_Thread_local struct cpu *test_cpu;
static struct tdx_vp vp = {.tdr_pa = 0x1000};
static struct emu_td *td;

/* What the host's tables say; and what else happens while the core reads them. */
static bool there;
static void (*meanwhile)(void);

/* ---- what the tables stand on ---- */

bool emu_page_take(pa_t *at)
{
    *at = pa(++used * PAGE_SIZE);
    memset(memory[used % (PAGES + 1)], 0, PAGE_SIZE);
    return used <= PAGES;
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
    while (__atomic_exchange_n(&l->taken, 1u, __ATOMIC_ACQUIRE) != 0) {
        (void)usleep(1);
    }
}

void emu_unlock(struct emu_lock *l)
{
    __atomic_store_n(&l->taken, 0u, __ATOMIC_RELEASE);
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
    (void)c;
}

void emu_meter_tell(void)
{
}

NORETURN void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

uint64_t sept_get(const uint64_t *at)
{
    return *at;
}

enum sept_state sept_state_of(uint64_t entry)
{
    (void)entry;
    return SEPT_FREE;
}

uint64_t *sept_walk(const struct tdx_tdr *tdr, uint64_t gpa, unsigned int want, unsigned int *level,
                    uint64_t *entry)
{
    (void)tdr;
    (void)gpa;
    *level = want;
    *entry = 0;
    return NULL;
}

bool tdx_page_is_blank(uint64_t at, unsigned int level)
{
    (void)at;
    (void)level;
    return false;
}

enum tdx_access tdx_access(struct tdx_vp *v, uint64_t gpa, uint64_t violation, uint64_t *at,
                           uint64_t *size)
{
    bool seen = __atomic_load_n(&there, __ATOMIC_ACQUIRE);
    void (*other)(void) = meanwhile;

    (void)v;
    (void)violation;
    meanwhile = NULL;
    if (other != NULL) {
        other();
    }
    *at = WHERE + gpa % PAGE_SIZE;
    *size = PAGE_SIZE;
    return seen ? TDX_ACCESS_OK : TDX_ACCESS_EXIT;
}

/* ---- */

static void be_cpu(unsigned int i)
{
    cpus[i].index = i;
    test_cpu = &cpus[i];
}

static void enter(void)
{
    (void)core_enter_tables(td);
    core_leave_tables(td);
}

/* Does the CPU find that page in the tables? */
static bool reaches(uint64_t gpa)
{
    pa_t table = td->root;

    for (unsigned int level = PT_LEVELS - 1; level > 0; level--) {
        uint64_t e = ((uint64_t *)emu_mem(table))[gpa >> (PAGE_SHIFT + 9 * level) & 511];

        if (!pte_present(e)) {
            return false;
        }
        table = pte_pa(e);
    }
    return pte_present(((uint64_t *)emu_mem(table))[gpa >> PAGE_SHIFT & 511]);
}

static void start(void)
{
    be_cpu(0);
    used = 0;
    meanwhile = NULL;
    td = core_td(vp.tdr_pa);
    enter();
    there = true;
    core_map(&vp, td, GPA, EPT_VIOLATION_READ);
    CU_ASSERT(reaches(GPA));
}

static void finish(void)
{
    emu_tdx_gone(vp.tdr_pa);
}

static void what_is_gone_from_the_hosts_tables_may_be_reached_until_invept(void)
{
    start();
    there = false;
    enter();
    CU_ASSERT(reaches(GPA)); /* so a driver that does not ask is found out */
    core_invept();
    enter();
    CU_ASSERT(!reaches(GPA));
    core_map(&vp, td, GPA, EPT_VIOLATION_READ);
    CU_ASSERT(!reaches(GPA));
    finish();
}

static void private_pages_stay(void)
{
    start();
    core_map(&vp, td, GPA & ~SHARED, EPT_VIOLATION_READ);
    core_invept();
    enter();
    CU_ASSERT(reaches(GPA & ~SHARED));
    CU_ASSERT(!reaches(GPA));
    emu_tdx_forget(vp.tdr_pa, GPA & ~SHARED, PAGE_SIZE);
    CU_ASSERT(!reaches(GPA & ~SHARED));
    finish();
}

static pthread_t other_cpu;

static void *takes_it_back_and_enters(void *unused)
{
    be_cpu(1);
    __atomic_store_n(&there, false, __ATOMIC_RELEASE);
    core_invept();
    enter();
    return unused;
}

/* The host is through with it, and the other CPU in the TD again, unless that has to wait. */
static void page_is_taken_back(void)
{
    REQUIRE(pthread_create(&other_cpu, NULL, takes_it_back_and_enters, NULL) == 0);
    (void)usleep(20000);
}

static void a_fault_that_read_them_before_leaves_nothing_behind(void)
{
    start();
    core_invept();
    enter();
    meanwhile = page_is_taken_back;
    core_map(&vp, td, GPA, EPT_VIOLATION_READ);
    REQUIRE(pthread_join(other_cpu, NULL) == 0);
    CU_ASSERT(!there);
    CU_ASSERT(!reaches(GPA));
    finish();
}

static const struct cu_test tests[] = {
    CU(what_is_gone_from_the_hosts_tables_may_be_reached_until_invept),
    CU(private_pages_stay),
    CU(a_fault_that_read_them_before_leaves_nothing_behind),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emucore_nested", tests, argc, argv);
}
