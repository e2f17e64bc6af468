/* VMGEXIT: the GHCB MSR protocol, GHCB 2.3.1. */
#include "hv/log.h"
#include "snp.h"

uint64_t snp_sev_info(void)
{
    return GHCB_SEV_INFO_RESP | (uint64_t)snp_platform.c_bit << 24 | GHCB_VERSION_MIN << 32 |
           GHCB_VERSION_MAX << 48;
}

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
    bool ok = snp_psc_one(v->vm, GHCB_GFN(msr) & 0xffffffffffull, msr >> 52 & 15);

    return GHCB_PSC_RESP | (ok ? 0 : GHCB_PSC_RESP_ERROR);
}

static const char *reason(unsigned int set, unsigned int code)
{
    static const char *const general[] = {
        [TERM_GENERAL] = "general",
        [TERM_VERSION] = "GHCB protocol version",
        [TERM_NO_SNP] = "an SNP feature that it does not have",
    };
    static const char *const of_linux[] = {
        [TERM_REGISTER] = "its GHCB was not registered",
        [TERM_PSC] = "a page state change failed",
        [TERM_PVALIDATE] = "PVALIDATE failed",
        [TERM_NOT_VMPL0] = "it is not at VMPL 0",
        [TERM_CPUID] = "the CPUID page is wrong",
        [TERM_CPUID_HV] = "the hypervisor answers no CPUID",
        [TERM_SECRETS_PAGE] = "the secrets page is wrong",
        [TERM_NO_SVSM] = "there is no SVSM",
        [TERM_SVSM_VMPL0] = "there is an SVSM, and it is at VMPL 0",
        [TERM_SVSM_CAA] = "the SVSM's calling area is not aligned",
        [TERM_SECURE_TSC] = "secure TSC",
        [TERM_SVSM_CA_REMAP] = "the SVSM's calling area cannot be mapped",
        [TERM_SAVIC] = "secure AVIC",
    };

    if (set == TERM_SET_GENERAL && code < ARRAY_SIZE(general)) {
        return general[code];
    }
    if (set == TERM_SET_LINUX && code < ARRAY_SIZE(of_linux)) {
        return of_linux[code];
    }
    return "unknown reason";
}

void snp_gave_up(struct vcpu *v, unsigned int set, unsigned int code, uint64_t info)
{
    if (info == 0) {
        vcpu_end(v, "the guest gave up: %s (set %u, code %u)", reason(set, code), set, code);
    } else {
        vcpu_end(v, "the guest gave up: %s (set %u, code %u): %lx", reason(set, code), set, code,
                 (unsigned long)info);
    }
}

void snp_vmgexit_msr(struct vcpu *v, uint64_t msr)
{
    struct vmcb *b = v->arch.vmcb;

    switch (GHCB_INFO(msr)) {
    case GHCB_SEV_INFO_REQ:
        b->ghcb_gpa = snp_sev_info();
        break;
    case GHCB_CPUID_REQ:
        b->ghcb_gpa = cpuid_answer(v, msr);
        break;
    case GHCB_AP_RESET_HOLD_REQ:
        b->ghcb_gpa = GHCB_AP_RESET_HOLD_RESP | 1ull << 12;
        snp_hold(v);
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
        snp_gave_up(v, msr >> 12 & 15, msr >> 16 & 0xff, 0);
        break;
    default:
        vcpu_end(v, "GHCB MSR request %x is not known", GHCB_INFO(msr));
    }
}
