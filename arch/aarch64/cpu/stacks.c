/*
 * Every stack is the upper half of a window of 32 KiB, of which the lower half is not mapped:
 * entry.S sees by bit 14 of SP that a stack has overflowed.
 */
#include "../mm/paging.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"

#define WINDOW KiB(32)
#define HALF   KiB(16)
#define KINDS  2u

extern char _image_start[], _image_end[];

/* Of the boot CPU until its own stands; the lower half is never touched. */
uint8_t aarch64_boot_stack[WINDOW] __attribute__((aligned(32768)));

static const char *const kinds[KINDS] = {"the stack", "the emergency stack"};

static uint64_t window(unsigned int cpu, unsigned int kind)
{
    return STACK_BASE + (cpu * KINDS + kind) * WINDOW;
}

void stacks_create(struct cpu *c)
{
    for (unsigned int k = 0; k < KINDS; k++) {
        pa_t at;

        if (!page_alloc(2, PAGE_HV, 0, &at)) {
            panic("no memory for the stacks of CPU %u", c->index);
        }
        paging_map(window(c->index, k) + HALF, at, HALF, PT_W);
    }
    c->entry[0] = window(c->index, 1) + WINDOW; /* entry.S */
}

uint64_t stack_top(const struct cpu *c)
{
    return window(c->index, 0) + WINDOW;
}

const char *stack_guard_name(uint64_t va)
{
    if (va < STACK_BASE || va >= window(CPUS_MAX, 0) || va % WINDOW >= HALF) {
        return NULL;
    }
    return kinds[(va - STACK_BASE) / WINDOW % KINDS];
}

bool stack_readable(uint64_t va)
{
    if (va >= (uint64_t)_image_start && va < (uint64_t)_image_end - 16) {
        return true; /* the boot stack */
    }
    return va >= STACK_BASE && va < window(cpu_count(), 0) && va % WINDOW >= HALF &&
           va % WINDOW <= WINDOW - 16;
}
