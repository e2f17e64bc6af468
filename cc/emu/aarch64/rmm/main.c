/* The RMM on its CPUs: boot, the loop of requests, the two views of memory. */
#include "image.h"

#include "arch_impl/insn.h"
#include "hv/string.h"

#define UART_PA 0x09000000ull /* QEMU's virt: for last words only */

#define GRANULES_MAX (16ull << 18) /* 16 GiB */

extern const char _start[], _text_end[];

uint64_t rmm_tables[4][512] __attribute__((aligned(4096)));
static struct granule granules[GRANULES_MAX] __attribute__((section(".bss.later"))); /* rmm_boot */
static uint64_t shared_page;
static struct fp_state borrowed[RMM_CPUS];

void rmm_make_tables(void);
NORETURN void rmm_main(uint64_t cpu, uint64_t version, uint64_t cpus, uint64_t shared);
NORETURN void rmm_trap(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far);

#define BLOCK  0x741ull /* valid, AP[1], inner shareable, accessed; memory */
#define TABLE  3ull     /* at level 3: a page */
#define RO     BIT(7)
#define NS     BIT(5)
#define DEVICE BIT(2)
#define XN     BIT(54)

/*
 * The MMU is off. 1 GiB a block: ours as they are, and above them the host's. Of the image itself,
 * in its first 2 MiB, no page is writable and executable.
 */
void rmm_make_tables(void)
{
    volatile uint64_t *l0 = rmm_tables[0], *l1 = rmm_tables[1], *l2 = rmm_tables[2];
    uint64_t at = (uint64_t)_start, gib = at >> 30;

    for (uint64_t i = 0; i < 256; i++) {
        l1[i] = i << 30 | BLOCK | XN;
        l1[256 + i] = i << 30 | BLOCK | NS | XN | (i == 0 ? DEVICE : 0);
    }
    for (uint64_t i = 0; i < 512; i++) {
        bool text = at + (i << 12) < (uint64_t)_text_end;

        l2[i] = (gib << 30 | i << 21) | BLOCK | XN;
        rmm_tables[3][i] = (at + (i << 12)) | BLOCK | TABLE | (text ? RO : XN);
    }
    l0[0] = (uint64_t)l1 | TABLE;
    l1[gib] = (uint64_t)l2 | TABLE;
    l2[at >> 21 & 511] = (uint64_t)rmm_tables[3] | TABLE;
}

static void put(char c)
{
    *(volatile uint32_t *)(NS_ALIAS + UART_PA) = (uint32_t)c;
}

static void say(const char *text)
{
    while (*text != '\0') {
        put(*text++);
    }
}

void panic(const char *fmt, ...)
{
    say("\r\nRMM: broken: ");
    say(fmt);
    say("\r\n");
    for (;;) {
        wfi();
    }
}

static void say_hex(const char *name, uint64_t v)
{
    say(name);
    for (int shift = 60; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[v >> shift & 15]);
    }
}

void rmm_trap(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
    say_hex("\r\nRMM: exception, vector ", vector);
    say_hex(" esr ", esr);
    say_hex(" elr ", elr);
    say_hex(" far ", far);
    panic("exception");
}

/* Debian's libbearssl.a wants a stack guard. */
NORETURN void __stack_chk_fail(void);
uint64_t __stack_chk_guard = 0x00f1a5c0ffee1db7;

void __stack_chk_fail(void)
{
    panic("a stack was overwritten");
}

void *port_realm(uint64_t pa)
{
    return (void *)pa;
}

void *port_ns(uint64_t pa)
{
    return (void *)(NS_ALIAS + pa);
}

unsigned int rmm_cpu(void)
{
    uint64_t mpidr = sysreg_read(mpidr_el1);

    return (unsigned int)((mpidr & 15) | (mpidr >> 8 & 0xff) << 4);
}

/* The registers are somebody's: they are put aside while we compute. */
void port_fp_begin(void)
{
    fp_save(&borrowed[rmm_cpu()]);
}

void port_fp_end(void)
{
    fp_load(&borrowed[rmm_cpu()]);
}

static void smc(struct rmi_call *c)
{
    register uint64_t x0 __asm__("x0") = c->x[0];
    register uint64_t x1 __asm__("x1") = c->x[1];
    register uint64_t x2 __asm__("x2") = c->x[2];
    register uint64_t x3 __asm__("x3") = c->x[3];
    register uint64_t x4 __asm__("x4") = c->x[4];
    register uint64_t x5 __asm__("x5") = c->x[5];
    register uint64_t x6 __asm__("x6") = c->x[6];

    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6)
                     :
                     : "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "memory");
    *c = (struct rmi_call){{x0, x1, x2, x3, x4, x5, x6}};
}

int64_t rmm_el3(uint64_t fid, uint64_t a, uint64_t b, uint64_t c)
{
    struct rmi_call call = {{fid, a, b, c}};

    smc(&call);
    return (int64_t)call.x[0];
}

bool port_delegate(uint64_t pa)
{
    return rmm_el3(RMM_GTSI_DELEGATE, pa, 0, 0) == RMM_EL3_OK;
}

bool port_undelegate(uint64_t pa)
{
    return rmm_el3(RMM_GTSI_UNDELEGATE, pa, 0, 0) == RMM_EL3_OK;
}

/* With that VMID's VTTBR: stage 1 and 2, on every CPU. */
void port_flush(uint16_t vmid)
{
    uint64_t old = sysreg_read(vttbr_el2);

    sysreg_write(vttbr_el2, (uint64_t)vmid << 48);
    isb();
    dsb(ishst);
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    dsb(ish);
    sysreg_write(vttbr_el2, old);
    isb();
}

/* Tests have QEMU write it, before the page of the shared buffer: function id, then n. RAM is zero
 * when the machine starts. */
static void read_fault(uint64_t shared)
{
    const uint32_t *word = port_realm(shared - GRANULE_SIZE);

    if (word[1] != 0) {
        say("RMM: a call will fail on request\r\n");
        rmm_fail_nth(word[0], word[1]);
    }
}

/* The monitor computes with registers that are somebody's. */
static bool get_key(void)
{
    bool ok;

    port_fp_begin();
    ok = rmm_el3(RMM_ATTEST_GET_REALM_KEY, shared_page, GRANULE_SIZE, 0) == RMM_EL3_OK;
    port_fp_end();
    return ok;
}

/* The shared page is a buffer for one at a time: callers hold the lock. */
bool port_realm_key(uint8_t *key)
{
    bool ok = get_key();

    memcpy(key, port_realm(shared_page), 48);
    memset(port_realm(shared_page), 0, GRANULE_SIZE);
    return ok;
}

/* The next piece, which lies in the shared page; its length, 0: none. */
static uint32_t get_piece(size_t challenge, uint64_t *remaining)
{
    struct rmi_call c;

    do {
        c = (struct rmi_call){{RMM_ATTEST_GET_PLAT_TOKEN, shared_page, GRANULE_SIZE, challenge}};
        port_fp_begin();
        smc(&c);
        port_fp_end();
    } while ((int64_t)c.x[0] == RMM_EL3_AGAIN);
    *remaining = c.x[2];
    return c.x[0] == RMM_EL3_OK && c.x[1] <= GRANULE_SIZE ? (uint32_t)c.x[1] : 0;
}

uint32_t port_platform_token(const uint8_t challenge[32], void *to, size_t size)
{
    uint32_t n, len = 0;
    uint64_t remaining;

    memcpy(port_realm(shared_page), challenge, 32);
    do {
        n = get_piece(len == 0 ? 32 : 0, &remaining);
        if (n == 0 || n > size - len) {
            return 0;
        }
        memcpy((uint8_t *)to + len, port_realm(shared_page), n);
        len += n;
    } while (remaining != 0);
    return len;
}

/* A warm boot has X0 alone. */
static int64_t boot(const uint64_t x[4])
{
    int64_t st = RMM_BOOT_SUCCESS;

    run_cpu_init();
    if (x[0] == 0) {
        st = rmm_boot(x, granules, GRANULES_MAX, NS_ALIAS);
    }
    if (x[0] == 0 && st == RMM_BOOT_SUCCESS) {
        shared_page = x[3];
        id_init();
        read_fault(shared_page);
    }
    return st;
}

void rmm_main(uint64_t cpu, uint64_t version, uint64_t cpus, uint64_t shared)
{
    const uint64_t x[4] = {cpu, version, cpus, shared};
    struct rmi_call c = {{RMM_BOOT_COMPLETE, (uint64_t)boot(x)}};

    smc(&c);
    for (;;) {
        rmm_rmi(&c);
        for (unsigned int i = ARRAY_SIZE(c.x) - 1; i > 0; i--) {
            c.x[i] = c.x[i - 1];
        }
        c.x[0] = RMM_RMI_REQ_COMPLETE;
        smc(&c);
    }
}
