/* VMGEXIT: the GHCB MSR protocol, GHCB 2.3.1. */
#include "hv/log.h"
#include "snp.h"

#define INFO(msr) ((unsigned int)(msr) & 0xfff)
#define GFN(msr)  ((msr) >> 12)
#define GFN_NONE  0xfffffffffffffull

enum {
    SEV_INFO_RESP = 0x001,
    SEV_INFO_REQ = 0x002,
    CPUID_REQ = 0x004,
    CPUID_RESP = 0x005,
    PREFERRED_GPA_REQ = 0x010,
    PREFERRED_GPA_RESP = 0x011,
    REGISTER_GPA_REQ = 0x012,
    REGISTER_GPA_RESP = 0x013,
    PSC_REQ = 0x014,
    PSC_RESP = 0x015,
    FEATURES_REQ = 0x080,
    FEATURES_RESP = 0x081,
    TERMINATE_REQ = 0x100,
};

#define VERSION_MIN 2ull
#define VERSION_MAX 2ull

static uint64_t cpuid_answer(struct vcpu *v, uint64_t msr)
{
    uint32_t out[4];
    unsigned int reg = msr >> 30 & 3;

    snp_cpuid(v, (uint32_t)(msr >> 32), 0, out);
    return CPUID_RESP | (uint64_t)reg << 30 | (uint64_t)out[reg] << 32;
}

/* A guest that registers one page uses no other: 2.3.2. */
static uint64_t register_gpa(struct vcpu *v, uint64_t gfn)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    uint64_t run;
    void *hva;

    if (vm_mem_host(v->vm, gpa(gfn << PAGE_SHIFT), &hva, &run) != ABI_OK) {
        return REGISTER_GPA_RESP | GFN_NONE << 12;
    }
    sv->ghcb = gfn << PAGE_SHIFT;
    return REGISTER_GPA_RESP | gfn << 12;
}

static uint64_t page_state(struct vcpu *v, uint64_t msr)
{
    bool ok = snp_psc_one(v->vm, GFN(msr) & 0xffffffffffull, msr >> 52 & 15, false);

    return PSC_RESP | (ok ? 0 : 1ull << 32);
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

void snp_vmgexit(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;
    uint64_t msr = b->ghcb_gpa;

    switch (INFO(msr)) {
    case 0:
        snp_vmgexit_page(v, msr);
        break;
    case SEV_INFO_REQ:
        b->ghcb_gpa = SEV_INFO_RESP | (uint64_t)snp_platform.c_bit << 24 | VERSION_MIN << 32 |
                      VERSION_MAX << 48;
        break;
    case CPUID_REQ:
        b->ghcb_gpa = cpuid_answer(v, msr);
        break;
    case PREFERRED_GPA_REQ:
        b->ghcb_gpa = PREFERRED_GPA_RESP | GFN_NONE << 12;
        break;
    case REGISTER_GPA_REQ:
        b->ghcb_gpa = register_gpa(v, GFN(msr));
        break;
    case PSC_REQ:
        b->ghcb_gpa = page_state(v, msr);
        break;
    case FEATURES_REQ:
        b->ghcb_gpa = FEATURES_RESP | (uint64_t)SNP_HV_FEATURES << 12;
        break;
    case TERMINATE_REQ:
        terminate(v, msr);
        break;
    default:
        snp_end(v, "GHCB MSR request %x is not known", INFO(msr));
    }
}
