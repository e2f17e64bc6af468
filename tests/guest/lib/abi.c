/* What the guest ABI's tests need of this CPU: guest.h. */
#include "abi/abi.h"
#include "guest.h"

#define WAKE_TIMER 0x70u

static void (*handlers[256])(void);

struct abi_found discover(void)
{
    struct cpuid_regs base = cpuid(ABI_CPUID_BASE, 0);

    if (base.eax < ABI_CPUID_FEATURES) {
        return (struct abi_found){{0}, 0, 0};
    }
    return (struct abi_found){
        .signature = {base.ebx, base.ecx, base.edx},
        .version = cpuid(ABI_CPUID_VERSION, 0).eax,
        .features = cpuid(ABI_CPUID_FEATURES, 0).eax,
    };
}

static void taken(struct frame *f)
{
    if (handlers[f->vector] != NULL) {
        handlers[f->vector]();
    }
    eoi();
}

void on_interrupt(unsigned int n, void (*fn)(void))
{
    handlers[n] = fn;
    on[n] = taken;
}

/* Every vector is ended: one that is not would hold back the timer. */
void wake_in_us(uint64_t us)
{
    if (on[WAKE_TIMER] == NULL) {
        for (unsigned int i = INTERRUPT_LOW; i < INTERRUPT_END; i++) {
            on[i] = on[i] == NULL ? taken : on[i];
        }
    }
    apic_write(APIC_LVT_TIMER, LVT_TSC | WAKE_TIMER);
    irqs_window();
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_of_us(us));
}
