/* The CPUs: starting them, waking them, stopping them. */
#include "x86.h"

#include "../boot/acpi.h"
#include "../boot/mbi.h"
#include "../mm/paging.h"
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
#include "hv/string.h"

#define AP_WAIT_NS 500000000u

struct ap_data { /* at ap_data in head.S */
    uint64_t cr3, stack, cpu, entry;
    uint32_t jump_offset;
    uint16_t jump_selector, reserved;
    uint16_t gdt_limit;
    uint32_t gdt_base;
} __attribute__((packed));

extern const uint8_t ap_start[], ap_data[], ap_end[];
extern uint8_t boot_stack_end[];

static uint32_t apic_ids[CPUS_MAX];
static unsigned int apic_count = 1;
static bool stopping;

static void read_ids(void)
{
    apic_count = acpi_cpus(lapic_id(), apic_ids, CPUS_MAX);
    acpi_read_tpm();
    boot_cpu.arch.apic_id = apic_ids[0];
}

static void cpu_bring_up(struct cpu *c)
{
    paging_load();
    features_enable();
    cpu_tables_init(c);
    lapic_init();
    arch_virt_init();
}

/* On its boot stack is nothing to come back to. */
static void ap_main(struct cpu *c)
{
    cpu_bring_up(c);
    x86_switch_stack(stack_top(c), cpu_main);
}

static void wait_ns(uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (clock_ns() < end) {
        cpu_relax();
    }
}

static bool wait_online(struct cpu *c, uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    while (!load_acquire(&c->online) && clock_ns() < end) {
        cpu_relax();
    }
    return load_acquire(&c->online);
}

static void prepare_page(uint64_t at)
{
    struct ap_data *d = pa_to_hva(pa(at + (uint64_t)(ap_data - ap_start)));

    memcpy(pa_to_hva(pa(at)), ap_start, (size_t)(ap_end - ap_start));
    d->cr3 = paging_boot_root();
    d->entry = (uint64_t)ap_main;
    d->jump_offset += (uint32_t)at;
    d->gdt_base += (uint32_t)at;
}

/* APM Vol. 2, 15.27.8 and the MP specification, B.4: INIT, then start-up twice. */
static bool start_one(struct cpu *c, uint64_t page)
{
    struct ap_data *d = pa_to_hva(pa(page + (uint64_t)(ap_data - ap_start)));
    uint32_t startup = ICR_STARTUP | (uint32_t)(page >> PAGE_SHIFT);

    d->cpu = (uint64_t)c;
    d->stack = (uint64_t)boot_stack_end; /* one CPU at a time uses it */
    full_barrier();
    lapic_send(c->arch.apic_id, ICR_INIT);
    wait_ns(10000000);
    lapic_send(c->arch.apic_id, startup);
    if (wait_online(c, 1000000)) {
        return true;
    }
    lapic_send(c->arch.apic_id, startup);
    return wait_online(c, AP_WAIT_NS);
}

void arch_start_cpus(void)
{
    uint64_t page = boot_info.low.base;

    if (apic_count > 1 && boot_info.low.len == 0) {
        log_warn("no free page below 1 MiB: only one CPU is used");
        return;
    }
    if (apic_count > 1) {
        prepare_page(page);
    }
    for (unsigned int i = 1; i < apic_count; i++) {
        struct cpu *c = smp_new_cpu();

        c->arch.apic_id = apic_ids[i];
        if (!start_one(c, page)) {
            panic("CPU with APIC id %u does not start", apic_ids[i]);
        }
    }
}

void cpu_kick(struct cpu *c)
{
    lapic_send(c->arch.apic_id, ICR_FIXED | VECTOR_KICK);
}

void smp_call_others(void)
{
    lapic_send_others(ICR_FIXED | VECTOR_CALL);
}

void cpu_idle(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    nmi_tell(); /* one ends HLT, too */
}

void cpu_stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void arch_stop_others(void)
{
    if (!__atomic_test_and_set(&stopping, __ATOMIC_SEQ_CST) && cpu_count() > 1) {
        lapic_send_others(ICR_NMI);
    }
}

bool nmi_says_stop(void)
{
    return load_acquire(&stopping);
}

static void x86_main(void)
{
    clock_init();
    hv_main();
}

/* From head.S, on the boot mappings and the boot stack. */
void x86_start(uint32_t magic, uint32_t info)
{
    (void)uart_init(UART_CONSOLE);
    idt_init();
    cpu_tables_init(&boot_cpu);
    features_read();
    mbi_read(magic, info);
    read_ids(); /* ACPI tables are only reachable on the boot mappings */
    silicon_early();
    page_init();
    arch_map_hypervisor();
    page_init_high();
    silicon_late();
    cpu_init(&boot_cpu);
    boot_cpu.online = true;
    stacks_create(&boot_cpu);
    cpu_bring_up(&boot_cpu);
    x86_switch_stack(stack_top(&boot_cpu), x86_main);
}
