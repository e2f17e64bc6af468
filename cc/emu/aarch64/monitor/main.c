/* The monitor's start and its calls. */
#include "monitor.h"

#include "arch_impl/insn.h"
#include "hv/string.h"
#include "token.h"

struct monitor_cpu monitor_cpus[MONITOR_CPUS];
uint64_t monitor_l1[512] __attribute__((aligned(4096)));
static uint64_t monitor_l2[512] __attribute__((aligned(4096)));

void monitor_make_tables(void);
NORETURN void monitor_main(uint64_t cpu);

/* EL3's stage 1: NSE and NS choose the address space, 10 is Root. */
#define BLOCK  0x741ull
#define DEVICE BIT(2)
#define NS     BIT(5)
#define NSE    BIT(11)
#define XN     BIT(54)
#define REALM_GIB 384ull /* PCI's configuration space is below, at 256 GiB */

/* The MMU is off. The first GiB by 2 MiB: flash and secure RAM, devices; RAM is the host's,
 * and above that, from REALM_GIB on, as the Realm sees it. */
void monitor_make_tables(void)
{
    volatile uint64_t *t1 = monitor_l1, *t2 = monitor_l2;

    for (uint64_t i = 0; i < 512; i++) {
        uint64_t at = i << 21;
        bool ours = at < FLASH_SIZE || (at >= SECURE_RAM && at < SECURE_RAM + SECURE_RAM_SIZE);

        t2[i] = at | BLOCK | NSE | (ours ? 0 : DEVICE | XN);
        t1[i] = i < REALM_GIB ? i << 30 | BLOCK | NS | XN
                        : (i - REALM_GIB) << 30 | BLOCK | NS | NSE | XN; /* Realm */
    }
    t1[0] = (uint64_t)monitor_l2 | 3;
}

void *monitor_realm(uint64_t pa)
{
    return (void *)((REALM_GIB << 30) + pa);
}

unsigned int monitor_cpu(void)
{
    uint64_t mpidr = sysreg_read(mpidr_el1);

    return (unsigned int)((mpidr & 15) | (mpidr >> 8 & 0xff) << 4);
}

static void say(const char *text)
{
    while (*text != '\0') {
        mmio_write32((void *)UART, (uint32_t)*text++);
    }
}

void panic(const char *fmt, ...)
{
    say("\r\nmonitor: broken: ");
    say(fmt);
    say("\r\n");
    for (;;) {
        wfi();
    }
}

void __stack_chk_fail(void);
const uint64_t __stack_chk_guard = 0x00f1a5c0ffee1db7; /* libfdt's objects ask for it */
void __stack_chk_fail(void)
{
    panic("a stack was overwritten");
}

static void say_hex(const char *name, uint64_t v)
{
    char text[17] = {0};

    for (unsigned int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    }
    say(name);
    say(text);
}

void monitor_broken(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
    say_hex("\r\nmonitor: vector ", vector);
    say_hex(" esr ", esr);
    say_hex(" elr ", elr);
    say_hex(" far ", far);
    panic("exception");
}

/* IHI 0069: both security states; every interrupt is the host's. */
static void gic_init(void)
{
    mmio_write32((void *)GICD, 0x30);
    mmio_write32((void *)GICD, 0x37);
    for (uint64_t i = 4; i < 0x80; i += 4) {
        mmio_write32((void *)(GICD + 0x80 + i), UINT32_MAX);
    }
}

static void gic_cpu_init(unsigned int cpu)
{
    uint8_t *r = (uint8_t *)(GICR + cpu * GICR_STRIDE);

    mmio_write32(r + 0x14, 0);
    while ((mmio_read32(r + 0x14) & 4) != 0) {
    }
    mmio_write32(r + 0x10080, UINT32_MAX);
    sysreg_write(s3_6_c12_c12_5, 0xf); /* ICC_SRE_EL3 */
    isb();
}

static void cpu_init(unsigned int cpu)
{
    sysreg_write(cptr_el3, BIT(8) | BIT(12)); /* SVE and SME are the lower levels' */
    sysreg_write(mdcr_el3, 0);
    sysreg_write(s3_6_c1_c2_0, 0);   /* ZCR_EL3: 128 bits; QEMU cuts longer ones at each ERET */
    sysreg_write(s3_6_c1_c2_6, 0xc000000f); /* SMCR_EL3 */
    sysreg_write(scr_el3, BIT(0) | BIT(8) | BIT(10));
    gic_cpu_init(cpu);
    sysreg_write(s3_4_c12_c9_5, 0xf); /* ICC_SRE_EL2 */
    isb();
    gpt_cpu_init();
}

/* Through the Realm's eyes: the shared page is in the RMM's part of the RAM, which is no bank. */
static void write_manifest(const struct rmm_dram_bank *ram)
{
    const struct rmm_dram_bank banks[] = {
        {ram->base, RMM_BASE - ram->base},
        {RMM_BASE + RMM_SIZE, ram->base + ram->size - (RMM_BASE + RMM_SIZE)},
    };
    struct rmm_manifest *m = (void *)RMM_SHARED;
    uint64_t sum = 0;

    memset(m, 0, GRANULE_SIZE);
    m->version = RMM_MANIFEST_VERSION;
    m->dram.count = ARRAY_SIZE(banks);
    m->dram.entries = RMM_SHARED + sizeof(*m);
    memcpy(m + 1, banks, sizeof(banks));
    for (size_t i = 0; i < ARRAY_SIZE(banks); i++) {
        sum += banks[i].base + banks[i].size;
    }
    m->dram.checksum = 0 - (m->dram.count + m->dram.entries + sum);
}

/* Of ours, as many bytes as it says; of another one, all up to the last that is not zero. */
static uint64_t rmm_length(void)
{
    const uint64_t *first = (const uint64_t *)RMM_BASE;
    const uint64_t *end = (const uint64_t *)(RMM_SHARED - GRANULE_SIZE);

    if (memcmp((const char *)first + 4, "CLOISTER-RMM", 12) == 0) {
        return first[2];
    }
    while (end > first && end[-1] == 0) {
        end--;
    }
    return (uint64_t)end - RMM_BASE;
}

/* Two words that tests have QEMU write behind the RMM's own: that call of the RMM fails, once. */
static struct {
    uint32_t fid, left;
} fault;

static void read_fault(void)
{
    const uint32_t *word = (const uint32_t *)(RMM_SHARED - GRANULE_SIZE);

    fault.fid = word[2];
    fault.left = word[3];
    if (fault.left != 0) {
        say("monitor: a call will fail on request\r\n");
    }
}

bool monitor_fails(uint64_t fid)
{
    return fault.left != 0 && fault.fid == fid &&
           __atomic_sub_fetch(&fault.left, 1, __ATOMIC_RELAXED) == 0;
}

void monitor_no_rmm(uint64_t code)
{
    say_hex("\r\nmonitor: RMM_BOOT_COMPLETE says ", code);
    panic("the RMM does not boot");
}

static void start_machine(struct monitor_cpu *c)
{
    struct rmm_dram_bank ram;

    say("EMULATED root world and RMM: what realms attest here is worth nothing\r\n");
    if (rmm_length() == 0) {
        panic("no RMM at 42000000: QEMU's -device loader puts it there");
    }
    platform_measure((void *)RMM_BASE, rmm_length());
    read_fault();
    gic_init();
    boot_host(&c->entry, &c->argument, &ram);
    write_manifest(&ram);
    gpt_make(ram.base, ram.size);
}

void monitor_main(uint64_t cpu)
{
    struct monitor_cpu *c = &monitor_cpus[cpu];

    if (cpu == 0) {
        start_machine(c);
    } else {
        monitor_pen((unsigned int)cpu);
    }
    cpu_init((unsigned int)cpu);
    world_init(WORLD_HOST, c->entry);
    c->context[WORLD_HOST].frame.x[0] = c->argument;
    world_init(WORLD_REALM, RMM_BASE);
    c->context[WORLD_REALM].frame.x[0] = cpu;
    if (cpu == 0) {
        c->context[WORLD_REALM].frame.x[1] = RMM_EL3_VERSION;
        c->context[WORLD_REALM].frame.x[2] = MONITOR_CPUS;
        c->context[WORLD_REALM].frame.x[3] = RMM_SHARED;
    }
    c->context[WORLD_REALM].guests = true; /* until it has booted */
    world_enter(&c->context[WORLD_REALM]);
}
