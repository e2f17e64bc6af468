/* The other vCPUs: INIT, start-up IPI, work. */
#include "guest.h"

extern const char ap_trampoline[], ap_trampoline_end[];

unsigned int vcpu_count(void)
{
    return cpuid(0xb, 1).ebx;
}

bool cpu_wait_online(unsigned int index)
{
    return within_ms(20000, load_acquire(&cpus[index].online));
}

static void wake(struct frame *f)
{
    (void)f;
    eoi();
}

static void startup(unsigned int index)
{
    memcpy((void *)(AP_PAGE * 4096ull), ap_trampoline,
           (size_t)(ap_trampoline_end - ap_trampoline));
    ipi(index, ICR_INIT_);
    ipi(index, ICR_SIPI | AP_PAGE);
}

void (*vcpu_start)(unsigned int index) = startup;

bool smp_start(unsigned int n)
{
    on[WAKE_VECTOR] = wake;
    for (unsigned int i = 1; i < n; i++) {
        if (!load_acquire(&cpus[i].online)) {
            vcpu_start(i);
            if (!cpu_wait_online(i)) {
                return false;
            }
        }
    }
    return true;
}

void cpu_run(unsigned int index, void (*fn)(void *arg), void *arg)
{
    cpu_join(index);
    cpus[index].work_arg = arg;
    store_release(&cpus[index].work, fn);
    ipi(index, WAKE_VECTOR);
}

void cpu_join(unsigned int index)
{
    if (!within_ms(60000, load_acquire(&cpus[index].work) == NULL)) {
        fatal("vCPU %u does not finish its work", index);
    }
}
