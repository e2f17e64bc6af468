#include "emu_firmware.h"

#include <attest/measure_snp.h>

#define PAGE 4096u

/* QEMU: the image below 4 GiB, the metadata in table order, one VMSA for each vCPU. */
static int section_type(uint32_t kind)
{
    switch (kind) {
    case SNP_SECTION_SEC_MEM:
    case SNP_SECTION_SVSM_CAA:
    case SNP_SECTION_KERNEL_HASHES: /* without a kernel */
        return SNP_PAGE_ZERO;
    case SNP_SECTION_SECRETS:
        return SNP_PAGE_SECRETS;
    case SNP_SECTION_CPUID:
        return SNP_PAGE_CPUID;
    default:
        return -1;
    }
}

size_t fw_parts(const struct fw_case *c, struct fw_part *out, size_t max)
{
    static uint8_t boot[PAGE], ap[PAGE];
    static struct snp_firmware fw;
    struct snp_vcpu v = {.eip = 0xfffffff0, .sev_features = c->features, .boot = true};
    struct attest_error err = {0};
    size_t n = 0;

    if (!snp_vmm_named("QEMU", &v.vmm) || !snp_cpu_named(c->cpu, &v.signature) ||
        snp_firmware_parse(c->image, c->len, &fw, &err) != ATTEST_OK ||
        max < 1 + fw.sections + c->vcpus) {
        return 0;
    }
    snp_vmsa_build(&v, boot);
    v.boot = false;
    v.eip = fw.reset_eip;
    snp_vmsa_build(&v, ap);
    out[n++] = (struct fw_part){0x100000000ull - c->len, c->len, SNP_PAGE_NORMAL, c->image};
    for (size_t i = 0; i < fw.sections; i++) {
        out[n++] = (struct fw_part){fw.section[i].gpa, fw.section[i].size,
                                    section_type(fw.section[i].kind), NULL};
    }
    for (unsigned int i = 0; i < c->vcpus; i++) {
        out[n++] = (struct fw_part){SNP_VMSA_GPA, PAGE, SNP_PAGE_VMSA, i == 0 ? boot : ap};
    }
    return n;
}
