/* Guests that must end, each by its own cause; do=NAME on the command line says how. */
#include "guest.h"

static void string_io(void)
{
    static uint8_t buffer[16];
    void *at = buffer;
    uint64_t n = sizeof(buffer);

    __asm__ volatile("rep outsb" : "+S"(at), "+c"(n) : "d"(0x3f8) : "memory");
}

static void triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

/* The page tables are thrown away under it. */
static void tables_gone(void)
{
    page_table4[0] = 0;
    write_cr3(read_cr3());
}

static void tables_outside(void)
{
    write_cr3(0xff00000000ull);
}

/* Its own tables lie in the last memory there is, then in what reads as ones. */
static void tables_in_holes(void)
{
    write_cr3(0xfed00000);
}

static void execute_outside(void)
{
    void (*nowhere)(void) = (void (*)(void))0xfee00000ull;

    nowhere();
}

/* A virtio function's MSI-X table is the hypervisor's page: data, no code. */
static void execute_msix(void)
{
    uint64_t at;

    outl_(0xcf8, 0x80000818);
    at = inl_(0xcfc) & ~15u;
    *(volatile uint8_t *)at = 0xc3;
    ((void (*)(void))at)();
}

static void touch_everything(void)
{
    for (uint64_t at = MiB(64); at < GiB(4); at += MiB(1)) {
        *(volatile uint8_t *)at = 1;
    }
}

static void touch_upwards(void)
{
    for (unsigned int bit = 21; bit < 52; bit++) {
        volatile uint8_t *p = map(1, BIT(bit), PTE_P | PTE_W);

        (void)TRY("movb (%0), %%al", : : "r"(p) : "rax");
        (void)TRY("movb $1, (%0)", : : "r"(p) : "memory");
    }
}

static void spin(void)
{
    say("ready");
    for (;;) {
        pause_cpu();
    }
}

static void spin_too(void *arg)
{
    (void)arg;
    for (;;) {
        pause_cpu();
    }
}

static void spin_all(void)
{
    expect(smp_start(4));
    for (unsigned int i = 1; i < 4; i++) {
        cpu_run(i, spin_too, NULL);
    }
    spin();
}

static void sleep_for_ever(void)
{
    say("ready");
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void flood(void)
{
    for (unsigned int i = 0; i < 150000; i++) {
        outb(0x3f8, i % 50 == 0 ? 7 : 'x');
    }
    outb(0x3f8, '\n');
    delay_us(500000); /* until it may speak again */
}

static void init_itself(void)
{
    say("ready");
    ipi(0, ICR_INIT_);
    fatal("INIT did not stop it");
}

/* Pausing takes nothing from it. */
static void pause_and_go_on(void)
{
    static volatile uint64_t count;
    uint64_t end;

    say("ready");
    end = rdtsc() + tsc_of_us(2500000);
    while (rdtsc() < end) {
        count++;
    }
    expect(count != 0);
}

static void reset_itself(void)
{
    outb(0x64, 0xfe);
    for (;;) {
        pause_cpu();
    }
}

/* Anything into the control registers: what VMRUN would refuse ends the domain, no more. */
static void control_registers(void)
{
    uint64_t seed = 0x2545f4914f6cdd1dull;

    say("ready");
    for (unsigned int i = 0; i < 3000; i++) {
        uint64_t cr4 = next_random(&seed) >> (i % 64);
        uint64_t bit = BIT(i % 64);

        (void)TRY("mov %0, %%cr4", : : "r"(cr4 | CR4_PAE | CR4_OSFXSR) : "memory");
        (void)TRY("mov %0, %%cr0", : : "r"(read_cr0() ^ (bit & ~(CR0_PG | CR0_PE))) : "memory");
        (void)wrmsr_fault(MSR_EFER, rdmsr(MSR_EFER) ^ bit);
        (void)TRY("mov %0, %%dr7", : : "r"(next_random(&seed) & ~0xffull) : "memory");
    }
    write_cr0(read_cr0() & ~CR0_PG);
    write_cr0(1);
}

/* Bytes at random as code, in ring 0; each exception goes on with the next piece. */
static uint8_t code[65536] __attribute__((aligned(4096)));
static uint64_t piece;

static void next_piece(struct frame *f)
{
    f->rip = (uint64_t)&code[piece++ % 512 * 128];
    f->cs = 0x08;
    f->rflags = 2;
    f->rsp = (uint64_t)&cpus[0].ist[1] - 2048;
    f->ss = 0x10;
}

static void random_code(void)
{
    uint64_t seed = option("seed", 1) * 0x9e3779b97f4a7c15ull;

    say("ready");
    for (unsigned int i = 0; i < sizeof(code); i++) {
        uint8_t byte = (uint8_t)(next_random(&seed) >> 32);

        /* string I/O and HLT would be its end too soon: two-byte instructions instead */
        code[i] = (byte >= 0x6c && byte <= 0x6f) || byte == 0xf4 ? 0x0f : byte;
    }
    for (unsigned int v = 0; v < 256; v++) {
        on[v] = next_piece;
    }
    ((void (*)(void))(void *)code)();
}

static void page_fault_storm(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) far = {0xfff, GiB(200)};

    __asm__ volatile("lidt %0; ud2" : : "m"(far));
}

static const struct {
    const char *name;
    void (*fn)(void);
} deeds[] = {
    {"string-io", string_io},
    {"triple-fault", triple_fault},
    {"tables-gone", tables_gone},
    {"tables-outside", tables_outside},
    {"tables-in-holes", tables_in_holes},
    {"execute-outside", execute_outside},
    {"execute-msix", execute_msix},
    {"touch-everything", touch_everything},
    {"touch-upwards", touch_upwards},
    {"pause", pause_and_go_on},
    {"spin", spin},
    {"spin-all", spin_all},
    {"sleep", sleep_for_ever},
    {"flood", flood},
    {"init-itself", init_itself},
    {"reset", reset_itself},
    {"control-registers", control_registers},
    {"random-code", random_code},
    {"far-idt", page_fault_storm},
};

static void the_deed_is_done(void)
{
    const char *cmdline = (const char *)start_info->cmdline;

    for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
        size_t len = strlen(deeds[i].name);

        if (strncmp(cmdline, "do=", 3) == 0 && strncmp(cmdline + 3, deeds[i].name, len) == 0 &&
            (cmdline[3 + len] == '\0' || cmdline[3 + len] == ' ')) {
            deeds[i].fn();
            return;
        }
    }
    fail(__FILE__, __LINE__, "no deed \"%s\"", cmdline);
}

const struct test tests[] = {TEST(the_deed_is_done), TEST_END};
