/*
 * Sequences of every hypercall with any argument, over page tables, rings and structures that the
 * input writes, too: the guest may only hurt itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core_ops.h"
#include "xenpv_host.h"

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Where things are, near their ends, or anything. */
static uint64_t address(struct ops *o)
{
    static const uint64_t near[] = {
        GPA_ARGUMENT, GPA_SHARED, VA_ABSENT, VA_READ_ONLY, VA_USER, VA_OUTSIDE, VA_LARGE, VA_LOOP,
        VA_NOWHERE, GPA_XEN_CONSOLE, GPA_XEN_STORE, XEN_MEMORY, 1ull << 47, 0x1000};
    uint64_t which = ops_take(o, 1) % 20;

    if (which < ARRAY_SIZE(near)) {
        return near[which] + ops_take(o, 1) - 128;
    }
    return which < 18 ? GPA_ARGUMENT : ops_take(o, 8);
}

/* A word of the guest's memory: a structure's, a ring's, or a page table's. */
static void scribble(struct ops *o, struct vm *vm)
{
    static const uint32_t at[] = {GPA_ARGUMENT, GPA_ARGUMENT, GPA_XEN_CONSOLE + CONSOLE_OUT_CONS,
                                  GPA_XEN_STORE + STORE_REQ_CONS, GPA_XEN_STORE, GPA_SHARED, 0x4000,
                                  GPA_SHARED + 2048};
    uint64_t where = at[ops_take(o, 1) % ARRAY_SIZE(at)] + ops_take(o, 1) % 64 * 4;
    uint64_t wide = ops_take(o, 1);
    uint32_t value = (uint32_t)ops_take(o, wide % 3 == 0 ? 4 : 1);

    memcpy(xen_ram(vm, where), &value, sizeof(value));
}

static void call(struct ops *o, struct vm *vm)
{
    static const uint8_t numbers[] = {12, 15, 17, 18, 20, 24, 29, 32, 33, 34, 32, 12, 24};
    uint64_t which = ops_take(o, 1) % (ARRAY_SIZE(numbers) + 1);
    uint64_t number = which < ARRAY_SIZE(numbers) ? numbers[which] : ops_take(o, 2);
    uint64_t op = ops_take(o, 1) % 32;
    uint64_t arg[5] = {op, address(o), 0, 0, 0};

    arg[2] = number == HC_VCPU_OP || number == HC_CONSOLE_IO ? address(o) : ops_take(o, 1) % 3;
    if (number == HC_VCPU_OP || number == HC_CONSOLE_IO) {
        arg[1] = ops_take(o, 2) % 5000 >> ops_take(o, 1) % 12;
    }
    (void)vm->legacy_abi->call(vm->vcpu[ops_take(o, 1) % vm->vcpus], number, arg);
}

static void other(struct ops *o, struct vm *vm)
{
    uint32_t out[4];
    uint64_t value;

    switch (ops_take(o, 1) % 5) {
    case 0:
        fake_advance(ops_take(o, 4));
        break;
    case 1:
        (void)vm->legacy_abi->wrmsr(vm->vcpu[0], GUEST_ABI_BASE, ops_take(o, 2) << 12);
        break;
    case 2:
        vm->legacy_abi->cpuid(vm->vcpu[0], GUEST_ABI_BASE + (uint32_t)ops_take(o, 1), 0, out);
        (void)vm->legacy_abi->rdmsr(vm->vcpu[0], GUEST_ABI_BASE + (uint32_t)ops_take(o, 1), &value);
        break;
    case 3:
        stream_input(vm, STREAM_CONSOLE, o->data, o->size % 64);
        break;
    default:
        xen_paging.cr4 ^= ops_take(o, 1) % 2 == 0 ? BIT(12) : BIT(21);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, size};
    struct vm *vm = xen_vm(2), *neighbour = xen_vm_again(1);

    xen_bring_up(vm);
    xen_bring_up(neighbour);
    while (o.size > 0) {
        switch (ops_take(&o, 1) % 4) {
        case 0:
            scribble(&o, vm);
            break;
        case 1:
            other(&o, vm);
            break;
        default:
            call(&o, vm);
            break;
        }
        require(xen_interrupts() == 0 || xen_last_vcpu->vm == vm);
    }
    vm_destroy(neighbour);
    vm_destroy(vm);
    require(core_is_clean());
    return 0;
}
