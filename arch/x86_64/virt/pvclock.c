/*
 * KVM's paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst): the guest names a page of
 * its own memory, we write once how its TSC turns into nanoseconds.
 */
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch/timer.h"
#include "arch_impl/insn.h"
#include "hv/guestmem.h"
#include "hv/log.h"

struct time_info { /* pvclock_vcpu_time_info */
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad[2];
};
_Static_assert(sizeof(struct time_info) == 32, "msr.rst");

struct wall_clock {
    uint32_t version, sec, nsec;
};

#define FLAG_STABLE 1u
#define ENABLE      1u

/* An odd version says that the rest is being written. */
static bool publish(struct vm *vm, gpa_t at, uint32_t *version, const void *body, size_t len)
{
    return guestmem_store32(vm, at, 1) == ABI_OK && guestmem_write(vm, at, version, 4) == ABI_OK &&
           guestmem_write(vm, gpa(at.v + 4), body, len) == ABI_OK &&
           guestmem_store32(vm, at, 2) == ABI_OK;
}

void pvclock_write(struct vcpu *v, uint64_t value)
{
    struct time_info t = {.version = 1, .flags = FLAG_STABLE};

    v->arch.pvclock = value;
    if ((value & ENABLE) == 0) {
        return;
    }
    /* Guest time and guest TSC both start at 0. */
    arch_clock_scale(&t.mul, &t.shift);
    if (!publish(v->vm, gpa(value & ~3ull), &t.version, &t.pad0, sizeof(t) - 4)) {
        log_vm(v->vm, LOG_WARN, "clock page at %lx is not in its memory", (unsigned long)value);
    }
}

void pvwall_write(struct vcpu *v, uint64_t value)
{
    struct wall_clock w = {.version = 1};
    uint64_t guest_ns = clock_ns() - arch_vm_clock_zero(v->vm);

    v->arch.pvwall = value;
    w.sec = (uint32_t)(time_wall() - guest_ns / 1000000000u);
    if (!publish(v->vm, gpa(value & ~3ull), &w.version, &w.sec, sizeof(w) - 4)) {
        log_vm(v->vm, LOG_WARN, "wall clock at %lx is not in its memory", (unsigned long)value);
    }
}

uint64_t arch_vm_clock_zero(const struct vm *vm)
{
    return clock_from_count(0 - vm->arch.tsc_offset);
}
