/* VMGEXIT: the GHCB MSR protocol, GHCB 2.3.1. */
#include "hv/log.h"
#include "snp.h"

static uint64_t cpuid_answer(struct vcpu *v, uint64_t msr)
{
    uint32_t out[4];
    unsigned int reg = msr >> 30 & 3;

    snp_cpuid(v, (uint32_t)(msr >> 32), 0, 1, out); /* it has no way to say its XCR0 */
    return GHCB_CPUID_RESP | (uint64_t)reg << 30 | (uint64_t)out[reg] << 32;
}

/* A guest that registers one page uses no other: 2.3.2. */
static uint64_t register_gpa(struct vcpu *v, uint64_t gfn)
{
    bool ok = snp_ghcb_use(v, gpa(gfn << PAGE_SHIFT));

    return GHCB_REGISTER_GPA_RESP | (ok ? gfn : GHCB_GFN_NONE) << 12;
}

static uint64_t page_state(struct vcpu *v, uint64_t msr)
{
    bool ok = snp_psc_one(v->vm, GHCB_GFN(msr) & 0xffffffffffull, msr >> 52 & 15, false);

    return GHCB_PSC_RESP | (ok ? 0 : GHCB_PSC_RESP_ERROR);
}

/* 2.3.1: reason set 0 is the specification's own, 1 Linux's (arch/x86/include/asm/sev-common.h) */
static const char *reason(unsigned int set, unsigned int code)
{
    static const char *const general[] = {"general", "GHCB protocol version", "no SNP features"};
    static const char *const linux_codes[] = {
        "security feature missing", "PSC failed", "PVALIDATE failed", "GHCB not registered",
        "VMPL0 needed", "no CPUID page", "CPUID page full or wrong", "unknown"};

    if (set == 0 && code < ARRAY_SIZE(general)) {
        return general[code];
    }
    if (set == 1 && code < ARRAY_SIZE(linux_codes)) {
        return linux_codes[code];
    }
    return "unknown reason";
}

static void terminate(struct vcpu *v, uint64_t msr)
{
    unsigned int set = msr >> 12 & 15;
    unsigned int code = msr >> 16 & 0xff;

    snp_end(v, "the guest gave up: %s (set %u, code %u)", reason(set, code), set, code);
}

void snp_vmgexit_msr(struct vcpu *v, uint64_t msr)
{
    struct vmcb *b = v->arch.vmcb;

    switch (GHCB_INFO(msr)) {
    case GHCB_SEV_INFO_REQ:
        b->ghcb_gpa = GHCB_SEV_INFO_RESP | (uint64_t)snp_platform.c_bit << 24 |
                      GHCB_VERSION_MIN << 32 | GHCB_VERSION_MAX << 48;
        break;
    case GHCB_CPUID_REQ:
        b->ghcb_gpa = cpuid_answer(v, msr);
        break;
    case GHCB_PREFERRED_GPA_REQ:
        b->ghcb_gpa = GHCB_PREFERRED_GPA_RESP | GHCB_GFN_NONE << 12;
        break;
    case GHCB_REGISTER_GPA_REQ:
        b->ghcb_gpa = register_gpa(v, GHCB_GFN(msr));
        break;
    case GHCB_PSC_REQ:
        b->ghcb_gpa = page_state(v, msr);
        break;
    case GHCB_FEATURES_REQ:
        b->ghcb_gpa = GHCB_FEATURES_RESP | (uint64_t)GHCB_FEATURES << 12;
        break;
    case GHCB_TERMINATE_REQ:
        terminate(v, msr);
        break;
    default:
        snp_end(v, "GHCB MSR request %x is not known", GHCB_INFO(msr));
    }
}
