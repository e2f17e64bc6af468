/*
 * An SEV-SNP guest's side of the GHCB (AMD 56421, revision 2.03; sections named below): the box
 * makes its requests itself, so that #VC comes from ring 3 alone.
 */
#include "ghcb.h"

#include "abi/guest.h"
#include "boot.h"

#define MSR_GHCB       0xc0010130u
#define MSR_SEV_STATUS 0xc0010131u

/* 2.3.1: the MSR protocol */
#define REGISTER_REQ  0x012u
#define REGISTER_RESP 0x013u
#define PSC_REQ       0x014u
#define PSC_RESP      0x015u
#define PSC_SHARED    (2ull << 52)
#define TERMINATE_REQ 0x100u
/* 4.1: events */
enum { EXIT_CPUID = 0x72, EXIT_IOIO = 0x7b, EXIT_MSR = 0x7c, EXIT_VMMCALL = 0x81 };
#define EXIT_AP_CREATION 0x80000013u
#define AP_CREATE        1ull
#define IOIO_SZ8         BIT(4)

/* 2.6: the page, by quadwords */
enum {
    Q_CPL = 0xc8 / 8,
    Q_RAX = 0x1f8 / 8,
    Q_RCX = 0x308 / 8,
    Q_RDX = 0x310 / 8,
    Q_RSI = 0x330 / 8,
    Q_RDI = 0x338 / 8,
    Q_R10 = 0x350 / 8,
    Q_CODE = 0x390 / 8,
    Q_INFO1 = 0x398 / 8,
    Q_INFO2 = 0x3a0 / 8,
    Q_VALID = 0x3f0 / 8,
    Q_VERSION = 0xff8 / 8, /* u16 at FFAh, usage at FFCh */
};
#define VERSION_2 (2ull << 16)

static uint64_t ghcb_pa[VCPUS_MAX];
static uint64_t *ghcb_of[VCPUS_MAX];

/* ABI 56860, 8.17.2.6: the CPUID page */
struct cpuid_entry {
    uint32_t leaf, subleaf;
    uint64_t xcr0, xss;
    uint32_t r[4];
    uint64_t reserved;
};
static struct {
    uint32_t count, reserved0;
    uint64_t reserved1;
    struct cpuid_entry entry[64];
} cpuids;
_Static_assert(sizeof(struct cpuid_entry) == 48, "a CPUID function");

static uint64_t vmgexit(uint64_t request)
{
    uint32_t low, high;

    __asm__ volatile("wrmsr; rep; vmmcall; rdmsr"
                     : "=a"(low), "=d"(high)
                     : "c"(MSR_GHCB), "a"((uint32_t)request), "d"((uint32_t)(request >> 32))
                     : "memory");
    return (uint64_t)high << 32 | low;
}

void ghcb_terminate(void)
{
    for (;;) {
        (void)vmgexit(TERMINATE_REQ);
    }
}

static bool pvalidate(uint64_t at, uint32_t validate)
{
    uint64_t rax = at;

    __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
                     : "+a"(rax)
                     : "c"(0), "d"(validate)
                     : "memory", "cc");
    return (uint32_t)rax == 0;
}

void ghcb_share(uint64_t pa, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = pa + i * PAGE_SIZE;

        if (!pvalidate(at, 0) || vmgexit(at | PSC_REQ | PSC_SHARED) != PSC_RESP) {
            ghcb_terminate();
        }
    }
}

void ghcb_register(uint32_t vcpu, uint64_t pa, void *ghcb)
{
    ghcb_pa[vcpu] = pa;
    ghcb_of[vcpu] = ghcb;
    if (vmgexit(pa | REGISTER_REQ) != (pa | REGISTER_RESP)) {
        ghcb_terminate();
    }
}

/* ---- events ---- */

static void put(uint64_t *g, unsigned int quad, uint64_t value)
{
    g[quad] = value;
    g[Q_VALID + quad / 64] |= BIT(quad % 64);
}

static uint64_t *begin(void)
{
    uint64_t *g = ghcb_of[vcpu_self()];

    memset(g, 0, PAGE_SIZE);
    return g;
}

/* False: the hypervisor refuses it, or would have an exception raised. */
static bool event(uint64_t *g, uint64_t code, uint64_t info1, uint64_t info2)
{
    g[Q_VERSION] = VERSION_2;
    put(g, Q_CODE, code);
    put(g, Q_INFO1, info1);
    put(g, Q_INFO2, info2);
    (void)vmgexit(ghcb_pa[vcpu_self()]);
    return (uint32_t)g[Q_INFO1] == 0;
}

void ghcb_wrmsr(uint32_t msr, uint64_t value)
{
    uint64_t *g = begin();

    put(g, Q_RCX, msr);
    put(g, Q_RAX, (uint32_t)value);
    put(g, Q_RDX, value >> 32);
    if (!event(g, EXIT_MSR, 1, 0)) {
        panic("MSR %x cannot be written", msr);
    }
}

void ghcb_outb(uint16_t port, uint8_t value)
{
    uint64_t *g = begin();

    put(g, Q_RAX, value);
    (void)event(g, EXIT_IOIO, (uint64_t)port << 16 | IOIO_SZ8, 0);
}

/* abi_transport */
static struct abi_result call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t *g = begin();

    put(g, Q_CPL, 0);
    put(g, Q_RAX, number);
    put(g, Q_RDI, a);
    put(g, Q_RSI, b);
    put(g, Q_RDX, c);
    put(g, Q_R10, d);
    if (!event(g, EXIT_VMMCALL, 0, 0)) {
        return (struct abi_result){ABI_NO_CALL, {0}};
    }
    return (struct abi_result){g[Q_RAX], {g[Q_RDI], g[Q_RSI], g[Q_RDX]}};
}

/* Of this guest's own save area (APM Vol. 2, 15.34.10): what others must have, too. */
uint64_t ghcb_features(void)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_SEV_STATUS));
    return ((uint64_t)high << 32 | low) >> 2;
}

bool ghcb_create_vcpu(uint32_t vcpu, uint64_t save_area)
{
    uint64_t *g = begin();

    put(g, Q_RAX, ghcb_features());
    return event(g, EXIT_AP_CREATION, (uint64_t)vcpu << 32 | AP_CREATE, save_area);
}

/* ---- CPUID ---- */

/* Leaves that have an index (APM Vol. 3, appendix E). */
static bool has_subleaf(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
}

bool ghcb_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    for (uint32_t i = 0; i < MIN(cpuids.count, (uint32_t)ARRAY_SIZE(cpuids.entry)); i++) {
        const struct cpuid_entry *e = &cpuids.entry[i];

        if (e->leaf == leaf && (!has_subleaf(leaf) || e->subleaf == subleaf)) {
            memcpy(r, e->r, sizeof(e->r));
            if (leaf == 1) {
                r[1] = (r[1] & 0xffffff) | vcpu_self() << 24;
            }
            return true;
        }
    }
    return false;
}

/* Linux, arch/x86/include/asm/sev.h: cc_blob_sev_info */
void ghcb_create(uint64_t blob)
{
    uint64_t at;

    memcpy(&at, (const void *)(uintptr_t)(blob + 24), sizeof(at));
    memcpy(&cpuids, (const void *)(uintptr_t)at, sizeof(cpuids));
    abi_call = call;
}

/* User space asks the processor itself; nothing else in ring 3 is the hypervisor's to do. */
bool emulate_vc(struct vcpu *v, struct frame *f)
{
    static const uint8_t cpuid[] = {0x0f, 0xa2};
    uint8_t b[sizeof(cpuid)];
    uint32_t r[4];

    (void)v;
    if (f->error != EXIT_CPUID || !guest_get(b, f->rip, sizeof(b)) ||
        memcmp(b, cpuid, sizeof(b)) != 0) {
        return false;
    }
    box_cpuid((uint32_t)f->rax, (uint32_t)f->rcx, r);
    f->rax = r[0];
    f->rbx = r[1];
    f->rcx = r[2];
    f->rdx = r[3];
    f->rip += sizeof(b);
    return true;
}
