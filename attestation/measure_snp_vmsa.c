/*
 * Initial VMSAs, by VMM: APM volume 2, Table B-4 for the layout; the values are the ones that each
 * VMM's guests show in their launch digests.
 */
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <string.h>
#include <strings.h>

/* Offsets in the VMSA. */
enum {
    VMSA_ES = 0x00,
    VMSA_CS = 0x10,
    VMSA_SS = 0x20,
    VMSA_DS = 0x30,
    VMSA_FS = 0x40,
    VMSA_GS = 0x50,
    VMSA_GDTR = 0x60,
    VMSA_LDTR = 0x70,
    VMSA_IDTR = 0x80,
    VMSA_TR = 0x90,
    VMSA_EFER = 0xd0,
    VMSA_CR4 = 0x148,
    VMSA_CR0 = 0x158,
    VMSA_DR7 = 0x160,
    VMSA_DR6 = 0x168,
    VMSA_RFLAGS = 0x170,
    VMSA_RIP = 0x178,
    VMSA_RSP = 0x1d8,
    VMSA_G_PAT = 0x268,
    VMSA_RDX = 0x310,
    VMSA_RBP = 0x328,
    VMSA_RSI = 0x330,
    VMSA_SEV_FEATURES = 0x3b0,
    VMSA_XCR0 = 0x3e8,
    VMSA_MXCSR = 0x408,
    VMSA_FCW = 0x410,
};

#define BOOT_EIP  0xfffffff0U
#define PAT_RESET 0x7040600070406ULL

/* How VMMs differ. */
static const struct flavour {
    uint16_t boot_cs_attr;
    uint16_t cs_attr;
    uint16_t ss_attr;
    uint16_t tr_attr;
    uint64_t pat;
    uint64_t rdx; /* 0: the CPU signature */
    uint32_t mxcsr;
    uint16_t fcw;
} flavours[SNP_VMM_COUNT] = {
    [SNP_VMM_QEMU] = {0x9b, 0x9b, 0x93, 0x8b, PAT_RESET, 0, 0x1f80, 0x37f},
    [SNP_VMM_EC2] = {0x9a, 0x9b, 0x92, 0x83, PAT_RESET, 0x600, 0, 0},
    [SNP_VMM_GCE] = {0x9b, 0x9b, 0x93, 0x8b, 0x70106, 0x600, 0, 0},
    [SNP_VMM_KRUN] = {0x9a, 0x9a, 0x92, 0x83, PAT_RESET, 0, 0, 0},
};

static const char *const vmm_names[SNP_VMM_COUNT] = {
#define SNP_VMM(id, name) name,
#include <attest/measure_snp.def>
};

static const struct {
    const char *name;
    uint16_t family;
    uint8_t model;
    uint8_t stepping;
} cpus[] = {
#define SNP_CPU(name, family, model, stepping) {name, family, model, stepping},
#include <attest/measure_snp.def>
};

bool snp_vmm_named(const char *name, enum snp_vmm *out)
{
    for (enum snp_vmm i = 0; i < SNP_VMM_COUNT; i++) {
        if (strcasecmp(vmm_names[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *snp_cpu_name(size_t i)
{
    return i < sizeof(cpus) / sizeof(cpus[0]) ? cpus[i].name : NULL;
}

/* CPUID Fn0000_0001_EAX: extended family and model above the base ones. */
static uint32_t cpu_signature(uint32_t family, uint32_t model, uint32_t stepping)
{
    uint32_t base = family > 0xf ? 0xf : family;

    return (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 0xf) << 4 | stepping;
}

bool snp_cpu_named(const char *name, uint32_t *signature)
{
    for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
        if (strcasecmp(cpus[i].name, name) == 0) {
            *signature = cpu_signature(cpus[i].family, cpus[i].model, cpus[i].stepping);
            return true;
        }
    }
    return false;
}

static void segment(uint8_t *page, size_t at, uint16_t selector, uint16_t attr, uint32_t limit,
                    uint64_t base)
{
    st16le(page + at, selector);
    st16le(page + at + 2, attr);
    st32le(page + at + 4, limit);
    st64le(page + at + 8, base);
}

/* Real mode as after INIT; the caller changes what differs. */
static void common_state(uint8_t *page)
{
    memset(page, 0, SNP_PAGE_SIZE);
    segment(page, VMSA_ES, 0, 0x93, 0xffff, 0);
    segment(page, VMSA_DS, 0, 0x93, 0xffff, 0);
    segment(page, VMSA_FS, 0, 0x93, 0xffff, 0);
    segment(page, VMSA_GS, 0, 0x93, 0xffff, 0);
    segment(page, VMSA_GDTR, 0, 0, 0xffff, 0);
    segment(page, VMSA_IDTR, 0, 0, 0xffff, 0);
    segment(page, VMSA_LDTR, 0, 0x82, 0xffff, 0);
    segment(page, VMSA_TR, 0, 0x8b, 0xffff, 0);
    st64le(page + VMSA_EFER, 0x1000); /* SVME, which KVM sets */
    st64le(page + VMSA_CR4, 0x40);    /* MCE, which KVM sets */
    st64le(page + VMSA_CR0, 0x10);
    st64le(page + VMSA_DR7, 0x400);
    st64le(page + VMSA_DR6, 0xffff0ff0);
    st64le(page + VMSA_RFLAGS, 2);
    st64le(page + VMSA_G_PAT, PAT_RESET);
    st64le(page + VMSA_XCR0, 1);
}

/*
 * libkrun enters its kernel's stub with a stack and the zero page; APs wait at 91000h. Unlike the
 * others' this state has no known answer from hardware to be checked against.
 */
static void krun_state(uint8_t *page, bool boot)
{
    if (boot) {
        st64le(page + VMSA_RSI, 0x7000);
        st64le(page + VMSA_RBP, 0x8ff0);
        st64le(page + VMSA_RSP, 0x8ff0);
        return;
    }
    segment(page, VMSA_CS, 0x9100, 0x9a, 0xffff, 0x91000);
    st64le(page + VMSA_RIP, 0);
}

void snp_vmsa_build(const struct snp_vcpu *vcpu, uint8_t page[SNP_PAGE_SIZE])
{
    const struct flavour *f = &flavours[vcpu->vmm];
    bool reset = vcpu->eip == BOOT_EIP;

    common_state(page);
    segment(page, VMSA_CS, 0xf000, reset ? f->boot_cs_attr : f->cs_attr, 0xffff,
            vcpu->eip & 0xffff0000);
    segment(page, VMSA_SS, 0, f->ss_attr, 0xffff, 0);
    segment(page, VMSA_TR, 0, f->tr_attr, 0xffff, 0);
    st64le(page + VMSA_RIP, vcpu->eip & 0xffff);
    st64le(page + VMSA_G_PAT, f->pat);
    st64le(page + VMSA_RDX, vcpu->vmm == SNP_VMM_QEMU ? vcpu->signature : f->rdx);
    st64le(page + VMSA_SEV_FEATURES, vcpu->sev_features);
    st32le(page + VMSA_MXCSR, f->mxcsr);
    st16le(page + VMSA_FCW, f->fcw);
    if (vcpu->vmm == SNP_VMM_KRUN) {
        krun_state(page, vcpu->boot);
    }
}

void snp_vmsa_build_svsm(uint32_t eip, uint32_t signature, uint8_t page[SNP_PAGE_SIZE])
{
    static const size_t flat[] = {VMSA_ES, VMSA_SS, VMSA_DS, VMSA_FS};

    common_state(page);
    segment(page, VMSA_CS, 0x08, 0xc9b, 0xffffffff, 0);
    for (size_t i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        segment(page, flat[i], 0x10, 0xc93, 0xffffffff, 0);
    }
    st64le(page + VMSA_CR0, 0x11); /* protected mode */
    st64le(page + VMSA_RIP, eip);
    st64le(page + VMSA_RDX, signature);
    st64le(page + VMSA_SEV_FEATURES, 1);
    st32le(page + VMSA_MXCSR, 0x1f80);
}
