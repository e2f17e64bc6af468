/* Where the box starts, and how it says so. */
#include "boot.h"
#include "grant.h"
#include "outside.h"

struct box box;
uintptr_t __stack_chk_guard;
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
    panic("stack overrun");
}

void say(const char *fmt, ...)
{
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    n = MIN(n, (int)sizeof(line) - 2); /* its length, had there been room */
    line[n++] = '\n';
    console_write(line, (size_t)n);
}

void panic(const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say("box: %s", text);
    outside_fail();
}

void guest_crash(struct vcpu *v, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say("box: the guest's vCPU %u %s", v->index, text);
    outside_fail();
}

static void check_cpu(void)
{
    uint32_t r[4];

    box_cpuid_host(7, 0, r);
    if ((r[1] & BIT(7)) == 0 || (r[1] & BIT(20)) == 0) {
        panic("this CPU lacks SMEP or SMAP");
    }
}

/* NX before any table has it. */
static void enable_nx(void)
{
    __asm__ volatile("rdmsr; or $0x800, %%eax; wrmsr" : : "c"(0xc0000080) : "eax", "edx");
}

static void choose_guard(void)
{
    uint64_t r = 0;

    __asm__ volatile("1: rdrand %0; jnc 1b" : "=r"(r) : : "cc");
    __stack_chk_guard = r & ~0xffull;
}

/* The identity map goes once the guest is built. */
static void use_own_tables(void)
{
    map_top[0] = *boot_l4;
    __asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)(uintptr_t)map_top | boot.c_bit) : "memory");
    map_top = (uint64_t *)(DIRECT_VIRT + (uint64_t)(uintptr_t)map_top);
}

static void reserve_slots(void)
{
    for (unsigned int i = 0; i < RESERVED_SLOTS; i++) {
        table_reserved[i] = map_top[RESERVED_SLOT + i];
    }
}

uint64_t frame_for_guest(void)
{
    uint64_t mfn = ((uint64_t)(uintptr_t)boot_pages(1) >> PAGE_SHIFT) | box.c_mfn;

    pages[mfn & ~box.c_mfn].guest = true;
    CHECK(page_use(mfn, USE_WRITABLE));
    return mfn;
}

static void shared_create(void)
{
    box.shared_mfn = frame_for_guest();
    box.shared = page_data(box.shared_mfn);
    memset(box.shared->mask, 0xff, sizeof(box.shared->mask));
    time_publish_wall();
    grant_create();
}

NORETURN __attribute__((no_stack_protector)) void box_main(uint64_t boot_params, uint64_t c_bit)
{
    enable_nx();
    choose_guard();
    boot_read(boot_params, c_bit);
    box.vcpus = boot_count_cpus();
    map_create();
    use_own_tables();
    outside_create();
    check_cpu();
    shared_create();
    cpu_create();
    for (uint32_t i = 0; i < box.vcpus; i++) {
        box.vcpu[i] = vcpu_create(i);
    }
    reserve_slots();
    build_guest(box.vcpu[0]);
    map_top[0] = 0;
    vcpu_begin(box.vcpu[0]);
}
