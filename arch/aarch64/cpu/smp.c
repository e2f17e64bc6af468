/* The CPUs: starting them, waking them, stopping them. */
#include "../boot/machine.h"
#include "../mm/paging.h"
#include "aarch64.h"
#include "arch/boot.h"
#include "arch/console.h"
#include "arch/panic.h"
#include "arch/timer.h"
#include "arch/vcpu.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/init.h"
#include "hv/log.h"
#include "hv/page.h"

#define AP_WAIT_NS  500000000u
#define PSCI_CPU_ON 0xc4000003ull /* DEN0022, 5.6 */

/* Read by head.S with the MMU off. */
static struct ap_start {
    uint64_t root, stack, cpu, vectors, entry;
} ap __attribute__((aligned(64)));

bool aarch64_stopping;

/* libfdt's objects come with the canary that programs have. */
uint64_t __stack_chk_guard = 0x00f1a5c0ffee1db7;

/* SMCCC: X0 to X17 may change. */
static int64_t psci(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

#define CHANGED                                                                                    \
    "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",    \
        "memory"
    if (machine.psci_hvc) {
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : CHANGED);
    } else {
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : CHANGED);
    }
#undef CHANGED
    return (int32_t)x0;
}

static void cpu_bring_up(void)
{
    gic_cpu_init();
    clock_cpu_init();
    arch_virt_init();
}

static void ap_main(struct cpu *c)
{
    (void)c;
    cpu_bring_up();
    cpu_main();
}

static bool wait_online(struct cpu *c)
{
    uint64_t end = clock_ns() + AP_WAIT_NS;

    while (!load_acquire(&c->online) && clock_ns() < end) {
        cpu_relax();
    }
    return load_acquire(&c->online);
}

static bool start_one(struct cpu *c)
{
    ap = (struct ap_start){
        .root = paging_root(),
        .stack = stack_top(c),
        .cpu = (uint64_t)c,
        .vectors = (uint64_t)aarch64_vectors,
        .entry = (uint64_t)ap_main,
    };
    __asm__ volatile("dc civac, %0" : : "r"(&ap) : "memory");
    dsb(sy);
    return psci(PSCI_CPU_ON, c->arch.mpidr, hva_to_pa((void *)(uint64_t)aarch64_ap_start).v,
                hva_to_pa(&ap).v) == 0 &&
           wait_online(c);
}

void arch_start_cpus(void)
{
    if (machine.cpus > 1 && !machine.psci_smc && !machine.psci_hvc) {
        log_warn("no PSCI: only one CPU is used");
        return;
    }
    for (unsigned int i = 1; i < machine.cpus; i++) {
        struct cpu *c = smp_new_cpu();

        c->arch.mpidr = machine.mpidr[i];
        if (!start_one(c)) {
            panic("CPU %lx does not start", (unsigned long)c->arch.mpidr);
        }
    }
}

void cpu_kick(struct cpu *c)
{
    gic_send(c, SGI_KICK);
}

void smp_call_others(void)
{
    gic_send_others(SGI_CALL);
}

void cpu_idle(void)
{
    dsb(sy);
    wfi(); /* a pending interrupt wakes it, masked or not */
    gic_take();
}

void cpu_stop(void)
{
    for (;;) {
        wfi();
    }
}

void aarch64_stop_here(void)
{
    cpu_stop();
}

void arch_stop_others(void)
{
    if (!__atomic_test_and_set(&aarch64_stopping, __ATOMIC_SEQ_CST) && cpu_count() > 1) {
        gic_send_others(SGI_STOP);
    }
}

static void on_own_stack(void)
{
    cpu_bring_up();
    clock_init();
    hv_main();
}

/* From head.S, on the boot mappings and the boot stack. */
void aarch64_start(uint64_t fdt, uint64_t loaded_at)
{
    aarch64_image_base = IMAGE_VA - loaded_at;
    fdt_read(pa(fdt));
    uart_boot(machine.uart[UART_CONSOLE].at);
    boot_cpu.arch.mpidr = machine.mpidr[0];
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        paging_boot_map(boot_info.ram[i].base, boot_info.ram[i].len);
    }
    page_init();
    arch_map_hypervisor();
    aarch64_load_root(paging_root(), aarch64_image_base);
    uart_map();
    page_init_high();
    cpu_init(&boot_cpu);
    boot_cpu.online = true;
    stacks_create(&boot_cpu);
    gic_init();
    aarch64_switch_stack(stack_top(&boot_cpu), on_own_stack);
}
