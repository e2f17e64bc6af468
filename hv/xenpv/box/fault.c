/* Faults of the box's own: where it touches the guest's memory or selectors, and elsewhere. */
#include "box.h"

struct fixup {
    int32_t at, to; /* from the field itself */
};
extern const struct fixup box_fixup_start[], box_fixup_end[];

enum { DB = 1, NMI = 2 };

void box_own_fault(struct frame *f);

void box_own_fault(struct frame *f)
{
    uint64_t cr2;

    if (f->vector == DB || f->vector == NMI) { /* a watchpoint that MOV SS put off until here */
        __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
        return;
    }
    for (const struct fixup *x = box_fixup_start; x < box_fixup_end; x++) {
        if ((uint64_t)(uintptr_t)&x->at + (uint64_t)(int64_t)x->at == f->rip) {
            f->rip = (uint64_t)(uintptr_t)&x->to + (uint64_t)(int64_t)x->to;
            return;
        }
    }
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    panic("exception %u, error %x, at %lx, CR2 %lx", f->vector, f->error, (unsigned long)f->rip,
          (unsigned long)cr2);
}

bool copy_guest(void *to, const void *from, size_t n);

bool guest_get(void *to, uint64_t va, size_t n)
{
    return guest_range(va, n) && copy_guest(to, (const void *)(uintptr_t)va, n);
}

bool guest_put(uint64_t va, const void *from, size_t n)
{
    return guest_range(va, n) && copy_guest((void *)(uintptr_t)va, from, n);
}
