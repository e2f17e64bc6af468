/* An SEV-SNP guest: its own #VC handler, GHCBs, page-state changes, other vCPUs (GHCB, 2.03). */
#include "cc.h"

#include "../../../cc/snp/snp_ghcb.h"
#include "../../../cc/snp/snp_spec.h"

#define VEC_VC 29u
#define EXIT_VMMCALL_ 0x81u
#define HDR_SETUP_DATA 0x250
#define BLOB_CPUID     24u /* of struct cc_blob_sev_info */
#define RMPADJUST_VMSA (1ull << 16 | 1) /* of VMPL 1, which nobody uses */

static uint8_t ghcb_pages[CPUS_MAX][4096] SHARED;
static bool registered[CPUS_MAX];
static struct vmsa vmsas[CPUS_MAX] __attribute__((aligned(4096)));
static const struct snp_cpuid_page *cpuid_page;

static uint64_t by_msr(uint64_t request)
{
    uint32_t lo, hi;

    __asm__ volatile("wrmsr; rep; vmmcall; rdmsr"
                     : "=a"(lo), "=d"(hi)
                     : "c"(MSR_GHCB), "a"((uint32_t)request), "d"((uint32_t)(request >> 32))
                     : "memory");
    return (uint64_t)hi << 32 | lo;
}

static NORETURN void give_up(unsigned int why)
{
    for (;;) {
        (void)by_msr(GHCB_TERMINATE_REQ | 7u << 12 | (uint64_t)why << 16);
    }
}

/* CF: the page was so before. Then it is not the page that is meant, or somebody interferes. */
static bool pvalidate(volatile void *at, uint64_t validate)
{
    uint64_t rax = (uint64_t)at;
    bool unchanged;

    __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
                     : "+a"(rax), "=@ccc"(unchanged)
                     : "c"(0), "d"(validate)
                     : "memory");
    return (uint32_t)rax == 0 && !unchanged;
}

static bool change(uint64_t page, unsigned int to)
{
    uint64_t answer = by_msr(GHCB_PSC_REQ | page | (uint64_t)to << 52);

    return GHCB_INFO(answer) == GHCB_PSC_RESP && answer >> 32 == 0;
}

static bool snp_convert(const void *page, bool shared)
{
    uint64_t at = (uint64_t)page;

    if (shared) {
        return pvalidate(as_private(at), 0) && change(at, PSC_SHARED);
    }
    return change(at, PSC_PRIVATE) && pvalidate(as_private(at), 1);
}

/* ---- the GHCB ---- */

static struct ghcb *my_ghcb(void)
{
    uint8_t *page = ghcb_pages[me()->index];

    if (!registered[me()->index]) {
        registered[me()->index] = true;
        if (by_msr(GHCB_REGISTER_GPA_REQ | (uint64_t)page) !=
            (GHCB_REGISTER_GPA_RESP | (uint64_t)page)) {
            give_up(1);
        }
        *(uint16_t *)&page[0xffa] = GHCB_VERSION_MIN;
    }
    return (struct ghcb *)&page[GHCB_WINDOW];
}

#define GIVE(g, field, v)                                                                          \
    do {                                                                                           \
        (g)->field = (v);                                                                          \
        (g)->valid[GHCB_QUAD(field) / 64] |= 1ull << GHCB_QUAD(field) % 64;                        \
    } while (0)

/* RAX is given; what else the event takes, before. */
static void by_ghcb(struct ghcb *g, uint64_t code, uint64_t info1, uint64_t info2)
{
    GIVE(g, exit_code, code);
    GIVE(g, info1, info1);
    GIVE(g, info2, info2);
    (void)by_msr((uint64_t)g - GHCB_WINDOW);
    g->valid[0] = 0;
    g->valid[1] = 0;
    if (g->info1 != 0) {
        give_up(2);
    }
}

/* ---- #VC ---- */

static void on_cpuid(struct frame *f)
{
    uint32_t out[4] = {0};

    /* What is not in the page is zero: nobody else is asked. */
    for (uint32_t i = 0; i < cpuid_page->count; i++) {
        const struct snp_cpuid_function *fn = &cpuid_page->fn[i];

        if (fn->eax_in == (uint32_t)f->rax && (fn->ecx_in == (uint32_t)f->rcx || fn->ecx_in == 0)) {
            memcpy(out, &fn->eax, sizeof(out));
        }
    }
    f->rax = out[0];
    f->rbx = out[1];
    f->rcx = out[2];
    f->rdx = out[3];
    f->rip += 2;
}

/* IN and OUT, of AL, AX or EAX, with an immediate port or DX. */
static void on_io(struct frame *f)
{
    const uint8_t *insn = (const uint8_t *)f->rip;
    bool word = insn[0] == 0x66;
    uint8_t op = insn[word];
    bool immediate = (op & 8) == 0, in = (op & 2) == 0;
    unsigned int size = (op & 1) == 0 ? 1 : word ? 2 : 4;
    uint64_t port = immediate ? insn[word + 1] : f->rdx & 0xffff;
    uint64_t mask = size == 4 ? UINT32_MAX : (1ull << size * 8) - 1;
    struct ghcb *g = my_ghcb();

    GIVE(g, rax, f->rax & mask);
    by_ghcb(g, 0x7b, port << 16 | 1u << 9 | (uint64_t)size << 4 | in, 0);
    if (in) {
        f->rax = size == 4 ? (uint32_t)g->rax : (f->rax & ~mask) | (g->rax & mask);
    }
    f->rip += word + 1u + immediate;
}

static void on_msr(struct frame *f)
{
    bool write = ((const uint8_t *)f->rip)[1] == 0x30;
    struct ghcb *g = my_ghcb();

    GIVE(g, rcx, f->rcx);
    GIVE(g, rax, f->rax);
    GIVE(g, rdx, f->rdx);
    by_ghcb(g, 0x7c, write, 0);
    if (!write) {
        f->rax = g->rax;
        f->rdx = g->rdx;
    }
    f->rip += 2;
}

static void on_vmmcall(struct frame *f)
{
    struct ghcb *g = my_ghcb();

    GIVE(g, rax, f->rax);
    GIVE(g, rdi, f->rdi);
    GIVE(g, rsi, f->rsi);
    GIVE(g, rdx, f->rdx);
    GIVE(g, r10, f->r10);
    by_ghcb(g, EXIT_VMMCALL_, 0, 0);
    f->rax = g->rax;
    f->rdi = g->rdi;
    f->rsi = g->rsi;
    f->rdx = g->rdx;
    f->rip += 3;
}

static void on_vc(struct frame *f)
{
    switch (f->error) {
    case 0x72:
        on_cpuid(f);
        break;
    case 0x7b:
        on_io(f);
        break;
    case 0x7c:
        on_msr(f);
        break;
    case EXIT_VMMCALL_:
        on_vmmcall(f);
        break;
    default:
        give_up((unsigned int)f->error);
    }
}

/* ---- other vCPUs: GHCB 4.1.9 ---- */

static void start_vcpu(unsigned int index)
{
    const struct vmcb_segment data = {0x10, 0xc93, 0xffffffff, 0};
    struct vmsa *v = &vmsas[index];
    uint64_t rax = (uint64_t)v;
    struct ghcb *g = my_ghcb();

    memset(v, 0, sizeof(*v));
    v->es = v->ss = v->ds = v->fs = v->gs = data;
    v->cs = (struct vmcb_segment){0x08, 0xa9b, 0xffffffff, 0};
    v->ldtr = (struct vmcb_segment){0, 0x82, 0, 0};
    v->tr = (struct vmcb_segment){0, 0x8b, 0x67, 0};
    v->efer = 0x1500; /* SVME, LMA, LME */
    v->cr4 = read_cr4();
    v->cr3 = (uint64_t)page_table4 | private_pte;
    v->cr0 = 0x80000031;
    v->dr7 = 0x400;
    v->dr6 = 0xffff0ff0;
    v->rflags = 2;
    v->g_pat = 0x0007040600070406ull;
    v->rip = (uint64_t)guest_start;
    v->rsp = (uint64_t)&stacks[index + 1] - 8;
    v->rdi = index;
    v->sev_features = SEV_FEATURE_SNP;
    v->xcr0 = 1;
    v->mxcsr = 0x1f80;
    v->x87_fcw = 0x37f;
    __asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfe" /* RMPADJUST */
                     : "+a"(rax)
                     : "c"(0), "d"(RMPADJUST_VMSA)
                     : "memory", "cc");
    if ((uint32_t)rax != 0) {
        give_up(3);
    }
    GIVE(g, rax, v->sev_features);
    by_ghcb(g, NAE_AP_CREATION, (uint64_t)index << 32 | AP_CREATE, (uint64_t)v);
}

/* On the given tables: nothing here exits but by the MSR protocol. */
void snp_begin(const uint8_t *boot_params)
{
    const uint8_t *setup = (const uint8_t *)*(const uint64_t *)(boot_params + HDR_SETUP_DATA);
    const uint8_t *blob = (const uint8_t *)(uint64_t)*(const uint32_t *)(setup + 16);

    cpuid_page = (const struct snp_cpuid_page *)*(const uint64_t *)(blob + BLOB_CPUID);
    for (uint8_t *at = shared_start; at < shared_end; at += 4096) {
        if (!pvalidate(at, 0) || !change((uint64_t)at, PSC_SHARED)) {
            give_up(4);
        }
    }
    on[VEC_VC] = on_vc;
    convert = snp_convert;
    vcpu_start = start_vcpu;
}
