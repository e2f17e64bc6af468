/* What a realm says to its RMM: RMM 1.0 (DEN0137), chapter B5. And the two conduits. */
#include "guest.h"

enum {
    RSI_VERSION = 0xc4000190,
    RSI_REALM_CONFIG = 0xc4000196,
    RSI_IPA_STATE_SET = 0xc4000197,
    RSI_HOST_CALL = 0xc4000199,
};
#define RSI_1_0       0x10000u
#define RIPAS_EMPTY   0u
#define RIPAS_RAM     1u
#define RSI_RESPONSE_ACCEPT 0u
#define CLOBBERED "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory"

#define CALL(instruction)                                                                          \
    register uint64_t x0 __asm__("x0") = r->x[0];                                                  \
    register uint64_t x1 __asm__("x1") = r->x[1];                                                  \
    register uint64_t x2 __asm__("x2") = r->x[2];                                                  \
    register uint64_t x3 __asm__("x3") = r->x[3];                                                  \
    register uint64_t x4 __asm__("x4") = r->x[4];                                                  \
    __asm__ volatile(instruction                                                                   \
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4) : : CLOBBERED);            \
    *r = (struct regs){{x0, x1, x2, x3, x4}}

void smc(struct regs *r)
{
    CALL("smc #0");
}

void hvc(struct regs *r)
{
    CALL("hvc #0");
}

/* RsiHostCall: an immediate, 31 registers; not across a page. */
static struct {
    uint16_t immediate;
    uint64_t gprs[31];
} __attribute__((aligned(256))) host[CPUS_MAX];

void host_call(struct regs *r)
{
    unsigned int cpu = me()->index;
    struct regs call = {{RSI_HOST_CALL, (uint64_t)&host[cpu]}};

    memset(&host[cpu], 0, sizeof(host[cpu]));
    memcpy(host[cpu].gprs, r->x, sizeof(r->x));
    smc(&call);
    if (call.x[0] != 0) {
        fatal("RSI_HOST_CALL: %lx", (unsigned long)call.x[0]);
    }
    memcpy(r->x, host[cpu].gprs, sizeof(r->x));
}

static bool set_ripas(uint64_t from, uint64_t to, uint64_t ripas)
{
    while (from < to) {
        struct regs r = {{RSI_IPA_STATE_SET, from, to, ripas, 1}};

        smc(&r);
        if (r.x[0] != 0 || r.x[2] != RSI_RESPONSE_ACCEPT || r.x[1] <= from) {
            return false;
        }
        from = r.x[1];
    }
    return true;
}

bool convert(const void *page, bool shared)
{
    uint64_t at = (uint64_t)page & ~4095ull;

    return set_ripas(at, at + 4096, shared ? RIPAS_EMPTY : RIPAS_RAM);
}

void realm_begin(void)
{
    static uint64_t config[512] __attribute__((aligned(4096)));
    extern char shared_start[], shared_end[];
    struct regs r = {{RSI_VERSION, RSI_1_0}};

    smc(&r);
    if (r.x[0] != 0) {
        return;
    }
    guest_kind = GUEST_REALM;
    *(volatile uint64_t *)config = 0; /* the page is there */
    r = (struct regs){{RSI_REALM_CONFIG, (uint64_t)config}};
    smc(&r);
    shared_bit = 1ull << (config[0] - 1); /* ipa_width */
    if (!set_ripas((uint64_t)shared_start, (uint64_t)shared_end, RIPAS_EMPTY)) {
        fatal("cannot share");
    }
}
