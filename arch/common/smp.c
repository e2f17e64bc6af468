/* The table of CPUs, and calls to all of them. */
#include "arch/boot.h"
#include "arch/panic.h"
#include "common.h"
#include "hv/check.h"
#include "hv/page.h"

struct cpu boot_cpu = {.self = &boot_cpu, .canary = 0x00f1a5c0ffee1db7};
static struct cpu *cpus[CPUS_MAX] = {&boot_cpu};
static unsigned int count = 1;

struct cpu *cpu_at(unsigned int index)
{
    CHECK(index < count);
    return cpus[index];
}

unsigned int cpu_count(void)
{
    return count;
}

struct cpu *smp_new_cpu(void)
{
    struct cpu *c;
    unsigned int order = 0;
    pa_t at;

    while ((PAGE_SIZE << order) < sizeof(*c)) {
        order++;
    }
    if (!page_alloc(order, PAGE_HV, 0, &at)) {
        panic("no memory for CPU %u", count);
    }
    c = pa_to_hva(at);
    c->self = c;
    c->canary = boot_cpu.canary;
    c->index = count;
    cpu_init(c);
    stacks_create(c);
    cpus[count++] = c;
    return c;
}

static struct {
    void (*fn)(void);
    uint32_t left;
} call;

void smp_called(void)
{
    load_acquire(&call.fn)();
    (void)atomic_sub(&call.left, 1u);
}

void cpu_run_on_all(void (*fn)(void))
{
    store_once(&call.left, count - 1);
    store_release(&call.fn, fn);
    if (count > 1) {
        smp_call_others();
    }
    fn();
    while (load_acquire(&call.left) != 0) {
        cpu_relax();
    }
}
