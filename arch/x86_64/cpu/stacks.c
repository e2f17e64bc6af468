/*
 * Every stack lies in a window of its own, above a page that is not mapped:
 * STACK_BASE + CPU * 64 KiB + kind * 16 KiB: guard, then up to three pages.
 */
#include "x86.h"

#include "../mm/paging.h"
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"

#define WINDOW KiB(16)
#define KINDS  4u

extern char _image_start[], _image_end[];

static const struct {
    const char *name;
    unsigned int pages;
} kinds[KINDS] = {
    {"the stack", 3},
    {"the NMI stack", 1},
    {"the double-fault stack", 2},
    {"the machine-check stack", 1},
};

static uint64_t window(unsigned int cpu, unsigned int kind)
{
    return STACK_BASE + (cpu * KINDS + kind) * WINDOW;
}

static uint64_t top(unsigned int cpu, unsigned int kind)
{
    return window(cpu, kind) + PAGE_SIZE * (1 + kinds[kind].pages);
}

void stacks_create(struct cpu *c)
{
    for (unsigned int k = 0; k < KINDS; k++) {
        for (unsigned int i = 0; i < kinds[k].pages; i++) {
            uint64_t va = window(c->index, k) + PAGE_SIZE * (1 + i);
            pa_t at;

            if (!page_alloc(ORDER_4K, PAGE_HV, 0, &at)) {
                panic("no memory for the stacks of CPU %u", c->index);
            }
            paging_map(va, at, PAGE_SIZE, PT_W);
        }
        if (k > 0) {
            c->arch.tss.ist[k - 1] = top(c->index, k);
        }
    }
}

uint64_t stack_top(const struct cpu *c)
{
    return top(c->index, 0);
}

const char *stack_guard_name(uint64_t va)
{
    if (va < STACK_BASE || va >= window(CPUS_MAX, 0) || va % WINDOW >= PAGE_SIZE) {
        return NULL;
    }
    return kinds[(va - STACK_BASE) / WINDOW % KINDS].name;
}

bool stack_readable(uint64_t va)
{
    uint64_t kind = (va - STACK_BASE) / WINDOW % KINDS;

    if (va >= (uint64_t)_image_start && va < (uint64_t)_image_end - 16) {
        return true; /* the boot stack */
    }
    return va >= STACK_BASE && va < window(cpu_count(), 0) && va % WINDOW >= PAGE_SIZE &&
           va % WINDOW <= PAGE_SIZE * (1 + kinds[kind].pages) - 16;
}
