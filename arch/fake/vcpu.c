/* Guests that want the CPU for a while, halt, wake for events; and that check the core's part. */
#include "arch/vcpu.h"

#include "arch/barrier.h"
#include "arch/timer.h"
#include "fake/fake.h"
#include "hv/cpu.h"
#include "hv/vm_priv.h"

#define DEAD ((struct cpu *)1)

static unsigned int fail_in;

void fake_fail_arch(unsigned int n)
{
    fail_in = n;
}

static bool fails(void)
{
    return fail_in != 0 && --fail_in == 0;
}

void arch_virt_init(void)
{
}

enum abi_status arch_vm_init(struct vm *vm)
{
    if (fails()) {
        return ABI_HARDWARE;
    }
    vm->arch.made = true;
    return ABI_OK;
}

enum abi_status arch_vcpu_init(struct vcpu *v)
{
    REQUIRE(v->vm->arch.made);
    v->arch.memory = vm_alloc_page(v->vm);
    if (v->arch.memory == NULL) {
        return ABI_NO_MEMORY;
    }
    return fails() ? ABI_HARDWARE : ABI_OK;
}

/* Of a VM that was made, or of one that arch_vm_init never saw. */
void arch_vm_destroy(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        struct cpu *none = NULL;

        REQUIRE(atomic_cas(&vm->vcpu[i]->arch.on, &none, DEAD));
    }
}

void arch_vcpu_set_entry(struct vcpu *v, const struct vcpu_entry *entry)
{
    v->arch.entry = entry;
}

void arch_vcpu_load(struct vcpu *v)
{
    struct cpu *none = NULL;
    struct cpu *c = this_cpu();

    REQUIRE(c->arch.loaded == NULL);
    REQUIRE(atomic_cas(&v->arch.on, &none, c));
    c->arch.loaded = v;
    v->arch.runs++;
}

void arch_vcpu_save(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    REQUIRE(c->arch.loaded == v);
    c->arch.loaded = NULL;
    REQUIRE(atomic_cas(&v->arch.on, &c, (struct cpu *)NULL));
}

bool arch_vcpu_wakeable(struct vcpu *v)
{
    return load_once(&v->arch.wakeable);
}

void arch_vm_flush(struct vm *vm)
{
    (void)atomic_add(&vm->arch.flushes, 1);
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        vcpu_request(vm->vcpu[i], REQ_FLUSH);
    }
}

static void event(struct arch_vcpu *a)
{
    a->events++;
    a->want += MIN(a->on_event, UINT64_MAX - a->want);
}

static bool take_requests(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);
    struct arch_vcpu *a = &v->arch;

    a->flushes += (bits & REQ_FLUSH) != 0;
    if ((bits & REQ_EVENT) != 0) {
        event(a);
    }
    if ((bits & REQ_SERVE) != 0) {
        vm_serve(v->vm);
    }
    a->stops += (bits & REQ_STOP) != 0;
    return (bits & REQ_STOP) != 0;
}

static void run_guest(struct arch_vcpu *a)
{
    uint64_t start = clock_ns();
    uint64_t ran;

    fake_wait(a->want == UINT64_MAX ? a->want : start + a->want);
    ran = clock_ns() - start;
    if (a->want != UINT64_MAX) {
        a->want -= MIN(ran, a->want);
    }
}

enum run_end arch_vcpu_run(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    struct cpu *c = this_cpu();

    REQUIRE(c->arch.loaded == v && load_once(&a->on) == c && c->current == v);
    if (a->run != NULL) {
        return a->run(v);
    }
    for (;;) {
        if (load_once(&v->requests) != 0 && take_requests(v)) {
            return RUN_STOPPED;
        }
        if (load_once(&c->resched)) {
            return RUN_RESCHED;
        }
        if (atomic_swap(&a->wakeable, false)) {
            event(a);
        }
        if (a->want == 0) {
            a->halts++;
            return RUN_BLOCKED;
        }
        run_guest(a);
    }
}

bool arch_vcpu_irq_valid(uint32_t irq)
{
    return irq >= 32 && irq <= 255;
}

void arch_vcpu_irq(struct vcpu *v, uint32_t irq)
{
    atomic_or(&v->arch.irqs[irq / 64], BIT(irq % 64));
    (void)atomic_add(&v->arch.raised, 1u);
    vcpu_request(v, REQ_EVENT);
}

void arch_vcpu_wait(struct vcpu *v)
{
    v->arch.waits++;
}

uint64_t arch_vm_clock_zero(const struct vm *vm)
{
    return vm->arch.clock_zero;
}

void arch_clock_scale(uint32_t *mul, int8_t *shift)
{
    *mul = 0x80000000u; /* a tick is a nanosecond */
    *shift = 1;
}
