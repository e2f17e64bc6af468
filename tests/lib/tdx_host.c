#include "tdx_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hv/check.h"

#define FIRST_4K MiB(1)
#define FIRST_2M MiB(256)

_Thread_local unsigned int host_lp, host_interrupts;
_Thread_local struct tdx_regs host_regs;
struct host_core host_core;
void (*host_td_code)(struct tdx_vp *vp);

static uint8_t *memory;
static uint64_t next_4k, next_2m;

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

static void must(uint64_t st, const char *what)
{
    if (st != TDX_SUCCESS) {
        fprintf(stderr, "%s: %016lx\n", what, (unsigned long)st);
        abort();
    }
}

void *emu_mem(pa_t at)
{
    return at.v < HOST_MEMORY ? memory + at.v : NULL;
}

void *host_at(uint64_t at)
{
    return memory + at;
}

void emu_fpu_begin(void)
{
}

void emu_fpu_end(void)
{
}

unsigned int emu_tdx_lp(void)
{
    return host_lp;
}

unsigned int emu_tdx_package(unsigned int lp)
{
    return lp / 2;
}

bool emu_tdx_interrupt(void)
{
    if (host_interrupts == 0) {
        return false;
    }
    host_interrupts--;
    return true;
}

void emu_tdx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)subleaf;
    memset(out, 0xff, 16);
    if (leaf == 1) {
        out[0] = HOST_CPUID_1_EAX;
    } else if (leaf == 0x15) {
        out[2] = TDX_TSC_UNIT_HZ;
    }
}

void emu_tdx_forget(uint64_t tdr_pa, uint64_t gpa, uint64_t size)
{
    (void)tdr_pa;
    host_core.forgets++;
    host_core.forgot_gpa = gpa;
    host_core.forgot_size = size;
}

void emu_tdx_flush(struct tdx_vp *vp)
{
    (void)vp;
    host_core.flushes++;
}

uint64_t emu_tdx_tsc(void)
{
    return 1000;
}

bool emu_tdx_interruptible(struct tdx_vp *vp)
{
    return vp->posted_vector == 99;
}

void emu_tdx_gone(uint64_t tdr_pa)
{
    (void)tdr_pa;
}

void emu_tdx_run(struct tdx_vp *vp)
{
    if (host_td_code == NULL) {
        tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
    } else {
        host_td_code(vp);
    }
}

void tdx_host_reset(void)
{
    struct emu_tdx_machine m = {.lps = 4, .packages = 2, .cmrs = 1};

    m.cmr[0].size = HOST_MEMORY;
    if (memory == NULL) {
        memory = mmap(NULL, HOST_MEMORY, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (memory == MAP_FAILED || madvise(memory, HOST_MEMORY, MADV_DONTNEED) != 0) {
        abort();
    }
    memset(&host_core, 0, sizeof(host_core));
    host_td_code = NULL;
    host_lp = 0;
    host_interrupts = 0;
    next_4k = FIRST_4K;
    next_2m = FIRST_2M;
    emu_tdx_reset(&m);
}

uint64_t host_page(void)
{
    next_4k += PAGE_SIZE;
    return next_4k - PAGE_SIZE;
}

uint64_t host_page_2m(void)
{
    next_2m += SIZE_2M;
    return next_2m - SIZE_2M;
}

uint64_t host_call(enum tdh_leaf leaf, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9)
{
    host_regs = (struct tdx_regs){.rax = leaf, .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};
    return emu_tdx_seamcall(&host_regs);
}

static void lp_init_all(void)
{
    for (host_lp = 0; host_lp < 4; host_lp++) {
        must(host_call(TDH_SYS_LP_INIT, 0, 0, 0, 0), "SYS.LP.INIT");
    }
    host_lp = 0;
}

static void key_config_all(void)
{
    must(host_call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), "SYS.KEY.CONFIG");
    host_lp = 2;
    must(host_call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), "SYS.KEY.CONFIG");
    host_lp = 0;
}

void tdx_host_ready(void)
{
    struct tdx_tdmr_info *t;
    uint64_t *list;

    tdx_host_reset();
    t = host_at(0x1000);
    list = host_at(0x2000);
    *t = (struct tdx_tdmr_info){
        .size = SIZE_1G,
        .pamt_4k_base = HOST_PAMT,
        .pamt_4k_size = MiB(4),
        .pamt_2m_base = HOST_PAMT + MiB(4),
        .pamt_2m_size = KiB(8),
        .pamt_1g_base = HOST_PAMT + MiB(5),
        .pamt_1g_size = KiB(4),
    };
    list[0] = 0x1000;
    must(host_call(TDH_SYS_INIT, 0, 0, 0, 0), "SYS.INIT");
    lp_init_all();
    must(host_call(TDH_SYS_CONFIG, 0x2000, 1, EMU_TDX_KEY_FIRST, 0), "SYS.CONFIG");
    key_config_all();
    do {
        must(host_call(TDH_SYS_TDMR_INIT, 0, 0, 0, 0), "SYS.TDMR.INIT");
    } while (host_regs.rdx < SIZE_1G);
}

void host_params(struct tdx_td_params *p)
{
    *p = (struct tdx_td_params){
        .attributes = TD_ATTR_SEPT_VE_DISABLE,
        .xfam = 3,
        .max_vcpus = 2,
        .eptp_controls = TD_EPTP_4_LEVELS,
        .config_flags = TD_CONFIG_NO_RBP_MOD,
        .tsc_frequency = 100,
    };
    memset(p->mrconfigid, 0x11, sizeof(p->mrconfigid));
    memset(p->mrowner, 0x22, sizeof(p->mrowner));
    memset(p->mrownerconfig, 0x33, sizeof(p->mrownerconfig));
}

void host_td_create(struct host_td *td, unsigned int key)
{
    memset(td, 0, sizeof(*td));
    host_params(&td->params);
    td->tdr = host_page();
    must(host_call(TDH_MNG_CREATE, td->tdr, key, 0, 0), "MNG.CREATE");
    for (host_lp = 0; host_lp < 4; host_lp += 2) {
        must(host_call(TDH_MNG_KEY_CONFIG, td->tdr, 0, 0, 0), "MNG.KEY.CONFIG");
    }
    host_lp = 0;
    for (unsigned int i = 0; i < TDX_TDCS_PAGES; i++) {
        td->tdcx[i] = host_page();
        must(host_call(TDH_MNG_ADDCX, td->tdcx[i], td->tdr, 0, 0), "MNG.ADDCX");
    }
}

uint64_t host_td_init(struct host_td *td)
{
    memcpy(host_at(0x3000), &td->params, sizeof(td->params));
    return host_call(TDH_MNG_INIT, td->tdr, 0x3000, 0, 0);
}

void host_td_vcpu(struct host_td *td, uint64_t rcx)
{
    uint64_t at = host_page();

    td->tdvpr[td->vcpus++] = at;
    must(host_call(TDH_VP_CREATE, at, td->tdr, 0, 0), "VP.CREATE");
    for (unsigned int i = 1; i < TDX_TDVPS_PAGES; i++) {
        must(host_call(TDH_VP_ADDCX, host_page(), at, 0, 0), "VP.ADDCX");
    }
    must(host_call(TDH_VP_INIT, at, rcx, 0, 0), "VP.INIT");
}

void host_td_tables(struct host_td *td, uint64_t gpa, unsigned int leaf)
{
    for (unsigned int level = TDX_512G; level > leaf; level--) {
        uint64_t at = ALIGN_DOWN(gpa, TDX_LEVEL_SIZE(level));
        uint64_t st = host_call(TDH_MEM_SEPT_ADD, TDX_PAGE(at, level), td->tdr, host_page(), 0);

        if (st != ST(EPT_ENTRY_STATE_INCORRECT, TDX_RCX)) { /* it is there already */
            must(st, "MEM.SEPT.ADD");
        }
    }
}

uint64_t host_td_add(struct host_td *td, uint64_t gpa, const void *contents, size_t len)
{
    uint64_t at = host_page(), source = 0x4000;

    memset(host_at(source), 0, PAGE_SIZE);
    if (len > 0) {
        memcpy(host_at(source), contents, len);
    }
    must(host_call(TDH_MEM_PAGE_ADD, gpa, td->tdr, at, source), "MEM.PAGE.ADD");
    for (uint64_t i = 0; i < PAGE_SIZE; i += TDX_EXTEND_CHUNK) {
        must(host_call(TDH_MR_EXTEND, gpa + i, td->tdr, 0, 0), "MR.EXTEND");
    }
    return at;
}

void host_td_make(struct host_td *td, unsigned int key, bool finalize)
{
    host_td_create(td, key);
    must(host_td_init(td), "MNG.INIT");
    host_td_vcpu(td, 0);
    host_td_tables(td, 0, TDX_4K);
    if (finalize) {
        must(host_call(TDH_MR_FINALIZE, td->tdr, 0, 0, 0), "MR.FINALIZE");
    }
}

struct tdx_vp *host_vp(const struct host_td *td, unsigned int i)
{
    return host_at(td->tdvpr[i]);
}

uint64_t host_enter(const struct host_td *td, unsigned int i)
{
    return host_call(TDH_VP_ENTER, td->tdvpr[i], 0, 0, 0);
}

uint64_t host_td_kill(struct host_td *td)
{
    for (unsigned int i = 0; i < td->vcpus; i++) {
        (void)host_call(TDH_VP_FLUSH, td->tdvpr[i], 0, 0, 0);
    }
    must(host_call(TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0, 0), "MNG.VPFLUSHDONE");
    for (host_lp = 0; host_lp < 4; host_lp += 2) {
        must(host_call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), "PHYMEM.CACHE.WB");
    }
    host_lp = 0;
    return host_call(TDH_MNG_KEY_FREEID, td->tdr, 0, 0, 0);
}
