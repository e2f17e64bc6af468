#include "emu_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "hv/check.h"

#define COMMAND_PAGE PAGE_SIZE /* where psp_do puts buffers */
#define FIRST_PAGE   (2 * (uint64_t)PAGE_SIZE)

static uint8_t memory[HOST_MEMORY] __attribute__((aligned(PAGE_SIZE)));
static void *table;
static uint64_t next_4k, next_2m;
static _Thread_local int fpu;

_Thread_local struct host_forgotten host_forgotten;
_Thread_local uint64_t host_forgotten_vmsa;
_Thread_local void (*host_during_forget)(void);
uint32_t host_cpuid[4];
bool host_save_area;

bool emu_core_has_save_area(void)
{
    return host_save_area;
}
jmp_buf host_panic;
bool host_panic_expected;

void panic(const char *fmt, ...)
{
    va_list ap;

    if (host_panic_expected) {
        longjmp(host_panic, 1);
    }
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

void *emu_mem(pa_t at)
{
    return at.v < HOST_MEMORY ? memory + at.v : NULL;
}

void emu_random(void *buf, size_t len)
{
    if (getrandom(buf, len, 0) != (ssize_t)len) {
        abort();
    }
}

void emu_fpu_begin(void)
{
    fpu++;
}

void emu_fpu_end(void)
{
    fpu--;
}

bool host_fpu_balanced(void)
{
    return fpu == 0;
}

void emu_lock(struct emu_lock *l)
{
    while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE) != 0) {
    }
}

void emu_unlock(struct emu_lock *l)
{
    __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

void emu_core_forget(uint32_t asid, uint64_t gpa, uint64_t size)
{
    void (*during)(void) = host_during_forget;

    host_during_forget = NULL;
    host_forgotten = (struct host_forgotten){host_forgotten.calls + 1, asid, gpa, size};
    if (during != NULL) {
        during();
    }
}

void emu_core_forget_vmsa(uint64_t vmsa_pa)
{
    host_forgotten_vmsa = vmsa_pa;
}

void emu_core_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)leaf;
    (void)subleaf;
    memcpy(out, host_cpuid, sizeof(host_cpuid));
}

void emu_host_reset(void)
{
    free(table);
    table = malloc(emu_rmp_bytes(HOST_MEMORY));
    memset(table, 0xa5, emu_rmp_bytes(HOST_MEMORY)); /* as memory may be at reset */
    if (madvise(memory, sizeof(memory), MADV_DONTNEED) != 0) { /* zero, and cheap */
        abort();
    }
    memset(&host_forgotten, 0, sizeof(host_forgotten));
    host_forgotten_vmsa = 0;
    host_during_forget = NULL;
    memset(host_cpuid, 0xff, sizeof(host_cpuid));
    host_save_area = false;
    next_4k = FIRST_PAGE;
    next_2m = MiB(16);
    emu_rmp_init(table, HOST_MEMORY);
    emu_rmp_enable();
    emu_psp_init();
}

uint64_t host_page(unsigned int size)
{
    uint64_t *next = size == RMP_2M ? &next_2m : &next_4k;
    uint64_t at = *next;

    *next += size == RMP_2M ? SIZE_2M : PAGE_SIZE;
    if (*next > (size == RMP_2M ? HOST_MEMORY : MiB(16))) {
        abort();
    }
    return at;
}

void *host_at(uint64_t at)
{
    return memory + at;
}

uint32_t psp_do_addr(uint32_t id, uint64_t at)
{
    emu_psp_write(PSP_REG_ADDR_LOW, (uint32_t)at);
    emu_psp_write(PSP_REG_ADDR_HIGH, (uint32_t)(at >> 32));
    emu_psp_write(PSP_REG_CMDRESP, PSP_CMD(id));
    for (unsigned int i = 0; i < 1000; i++) {
        uint32_t v = emu_psp_read(PSP_REG_CMDRESP);

        if ((v & PSP_RESPONSE) != 0) {
            return PSP_STATUS(v);
        }
    }
    return ~0u;
}

uint32_t psp_do(uint32_t id, const void *cmd, size_t len)
{
    if (len > 0) {
        memcpy(memory + COMMAND_PAGE, cmd, len);
    }
    return psp_do_addr(id, COMMAND_PAGE);
}

uint32_t host_assign(uint64_t at, unsigned int size, uint64_t gpa, uint32_t asid, bool immutable)
{
    const struct rmp_entry e = {
        .gpa = gpa, .assigned = 1, .page_size = size, .immutable = immutable, .asid = asid};

    return emu_rmpupdate(pa(at), &e);
}

uint64_t host_firmware_page(void)
{
    uint64_t at = host_page(RMP_4K);

    if (host_assign(at, RMP_4K, 0, 0, true) != RMP_OK) {
        abort();
    }
    return at;
}

uint32_t host_init(void)
{
    const struct snp_init_ex init = {.flags = 1};
    uint32_t r = psp_do(SNP_CMD_INIT_EX, &init, sizeof(init));

    emu_psp_wbinvd(0);
    return r != SNP_SUCCESS ? r : psp_do(SNP_CMD_DF_FLUSH, NULL, 0);
}

uint32_t host_start_guest(struct host_guest *g, uint32_t asid, uint64_t policy)
{
    struct snp_launch_start start = {.policy = policy};
    struct snp_activate activate = {.asid = asid};
    uint32_t r;

    g->asid = asid;
    g->gctx = start.gctx = activate.gctx = host_firmware_page();
    r = psp_do(SNP_CMD_GCTX_CREATE, &g->gctx, sizeof(g->gctx));
    if (r == SNP_SUCCESS) {
        r = psp_do(SNP_CMD_LAUNCH_START, &start, sizeof(start));
    }
    return r == SNP_SUCCESS ? psp_do(SNP_CMD_ACTIVATE, &activate, 12) : r;
}

uint32_t host_load(const struct host_guest *g, enum snp_page_type type, uint64_t gpa,
                   const void *contents, uint64_t *at)
{
    uint64_t page = host_page(RMP_4K);
    const struct snp_launch_update u = {
        .gctx = g->gctx, .page = (uint32_t)type << 1, .address = page};

    if (contents != NULL) {
        memcpy(host_at(page), contents, PAGE_SIZE);
    }
    if (host_assign(page, RMP_4K, gpa, g->asid, true) != RMP_OK) {
        abort();
    }
    if (at != NULL) {
        *at = page;
    }
    return psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u));
}

uint32_t host_finish(const struct host_guest *g)
{
    struct snp_launch_finish f = {.gctx = g->gctx};

    memset(f.host_data, 0xda, sizeof(f.host_data));
    return psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f));
}

uint32_t host_run_guest(struct host_guest *g, struct snp_secrets_page *secrets)
{
    uint64_t at = 0;
    uint32_t r = host_start_guest(g, 1, HOST_POLICY);

    if (r == SNP_SUCCESS) {
        r = host_load(g, SNP_PAGE_ZERO, 0x1000, NULL, NULL);
    }
    if (r == SNP_SUCCESS) {
        r = host_load(g, SNP_PAGE_SECRETS, 0x2000, NULL, &at);
        memcpy(secrets, host_at(at), sizeof(*secrets));
    }
    return r == SNP_SUCCESS ? host_finish(g) : r;
}
