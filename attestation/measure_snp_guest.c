/*
 * What a VMM launches from a firmware image, in its order: the image, the metadata's sections, the
 * VMSAs. SEV and SEV-ES are plain SHA-256 streams over the same parts.
 */
#include <attest/hash.h>
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <stdlib.h>
#include <string.h>

#define OBJECT      "guest"
#define FOUR_GIB    0x100000000ULL
#define BOOT_EIP    0xfffffff0U
#define VCPUS_MAX   4096
#define HASHES_SIZE 176 /* 18 + 3 * 50, padded to 16 */

struct layout {
    const struct snp_guest *g;
    struct snp_firmware fw;
    struct snp_firmware svsm;
    uint8_t hashes[HASHES_SIZE];
    uint8_t hashes_page[SNP_PAGE_SIZE];
    uint8_t boot_vmsa[SNP_PAGE_SIZE];
    uint8_t ap_vmsa[SNP_PAGE_SIZE];
    size_t count;
    struct snp_region *region; /* room for SNP_SECTIONS_MAX + VCPUS + 2 */
};

size_t snp_guest_digest_size(enum snp_mode mode)
{
    return mode == SNP_MODE_SNP ? SNP_LD_SIZE : 32;
}

static void add(struct layout *l, enum snp_page_type type, uint64_t gpa, uint64_t size,
                const uint8_t *data)
{
    l->region[l->count++] =
        (struct snp_region){.type = type, .gpa = gpa, .size = size, .data = data};
}

/* QEMU's table of hashes: header GUID, length, then GUID, length and SHA-256 for each part. */
static bool build_hashes(struct layout *l)
{
    static const uint8_t header[16] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                       0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
    static const uint8_t guid[3][16] = {
        {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab,
         0x2a},
        {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78,
         0x1d},
        {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04,
         0x5b},
    };
    const char *cmdline = l->g->cmdline != NULL ? l->g->cmdline : "";
    const struct attest_span parts[3] = {
        {cmdline, strlen(cmdline) + 1},
        {l->g->initrd, l->g->initrd != NULL ? l->g->initrd_len : 0},
        {l->g->kernel, l->g->kernel_len},
    };
    uint8_t *at = l->hashes + 18;

    memcpy(l->hashes, header, 16);
    st16le(l->hashes + 16, 18 + 3 * 50);
    for (size_t i = 0; i < 3; i++, at += 50) {
        memcpy(at, guid[i], 16);
        st16le(at + 16, 50);
        if (!attest_hash(ATTEST_SHA256, &parts[i], 1, at + 18)) {
            return false;
        }
    }
    return true;
}

static enum attest_status add_hashes(struct layout *l, const struct snp_section *s,
                                     struct attest_error *err)
{
    uint32_t offset = l->fw.hashes_gpa - s->gpa;

    if (l->g->kernel == NULL) {
        add(l, SNP_PAGE_ZERO, s->gpa, s->size, NULL);
        return ATTEST_OK;
    }
    if (!l->fw.has_hashes || s->size != SNP_PAGE_SIZE || l->fw.hashes_gpa < s->gpa ||
        offset > SNP_PAGE_SIZE - HASHES_SIZE) {
        return attest_fail(err, ATTEST_MALFORMED, "firmware image", "kernel hashes",
                           "a table inside its one-page section", "table %x, section %x",
                           l->fw.hashes_gpa, s->gpa);
    }
    memcpy(l->hashes_page + offset, l->hashes, HASHES_SIZE);
    add(l, SNP_PAGE_NORMAL, s->gpa, s->size, l->hashes_page);
    return ATTEST_OK;
}

static enum attest_status add_section(struct layout *l, const struct snp_section *s,
                                      struct attest_error *err)
{
    switch (s->kind) {
    case SNP_SECTION_SEC_MEM:
        add(l, l->g->vmm == SNP_VMM_GCE ? SNP_PAGE_UNMEASURED : SNP_PAGE_ZERO, s->gpa, s->size,
            NULL);
        return ATTEST_OK;
    case SNP_SECTION_SECRETS:
        add(l, SNP_PAGE_SECRETS, s->gpa, s->size, NULL);
        return ATTEST_OK;
    case SNP_SECTION_CPUID:
        add(l, SNP_PAGE_CPUID, s->gpa, s->size, NULL);
        return ATTEST_OK;
    case SNP_SECTION_SVSM_CAA:
        add(l, SNP_PAGE_ZERO, s->gpa, s->size, NULL);
        return ATTEST_OK;
    case SNP_SECTION_KERNEL_HASHES:
        return add_hashes(l, s, err);
    default:
        return attest_fail(err, ATTEST_UNSUPPORTED, "firmware image", "SEV metadata section kind",
                           "1 to 4 or 10h", "%x", s->kind);
    }
}

/* In table order, but EC2 launches the CPUID page last. */
static enum attest_status add_sections(struct layout *l, const struct snp_firmware *fw,
                                       struct attest_error *err)
{
    bool cpuid_last = l->g->vmm == SNP_VMM_EC2;
    enum attest_status st = ATTEST_OK;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < fw->sections && st == ATTEST_OK; i++) {
            bool late = cpuid_last && fw->section[i].kind == SNP_SECTION_CPUID;

            st = late == (pass == 1) ? add_section(l, &fw->section[i], err) : ATTEST_OK;
        }
    }
    return st;
}

static bool has_section(const struct snp_firmware *fw, uint32_t kind)
{
    for (size_t i = 0; i < fw->sections; i++) {
        if (fw->section[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void build_vmsas(struct layout *l, uint64_t features)
{
    struct snp_vcpu v = {.vmm = l->g->vmm,
                         .eip = BOOT_EIP,
                         .signature = l->g->signature,
                         .sev_features = features,
                         .boot = true};

    snp_vmsa_build(&v, l->boot_vmsa);
    v.eip = l->fw.reset_eip;
    v.boot = false;
    snp_vmsa_build(&v, l->ap_vmsa);
}

static void add_vmsas(struct layout *l)
{
    for (unsigned int i = 0; i < l->g->vcpus; i++) {
        add(l, SNP_PAGE_VMSA, SNP_VMSA_GPA, SNP_PAGE_SIZE, i == 0 ? l->boot_vmsa : l->ap_vmsa);
    }
}

/* The SVSM lies below the firmware and its variables; all vCPUs enter it. */
static enum attest_status add_svsm(struct layout *l, struct attest_error *err)
{
    const struct snp_guest *g = l->g;
    uint64_t base = FOUR_GIB - g->firmware_len - g->vars_size - g->svsm_len;
    enum attest_status st = snp_firmware_parse(g->svsm, g->svsm_len, &l->svsm, err);

    if (st != ATTEST_OK) {
        return st;
    }
    if (!l->svsm.has_svsm_entry || base % SNP_PAGE_SIZE != 0 || base > FOUR_GIB ||
        l->svsm.svsm_entry >= g->svsm_len) {
        return attest_fail(err, ATTEST_MALFORMED, "SVSM image", "entry",
                           "an entry offset, and room below the firmware", "base %llx",
                           (unsigned long long)base);
    }
    add(l, SNP_PAGE_NORMAL, base, g->svsm_len, g->svsm);
    st = add_sections(l, &l->svsm, err);
    snp_vmsa_build_svsm((uint32_t)base + l->svsm.svsm_entry, g->signature, l->boot_vmsa);
    memcpy(l->ap_vmsa, l->boot_vmsa, SNP_PAGE_SIZE);
    return st;
}

static enum attest_status build_snp(struct layout *l, struct attest_error *err)
{
    const struct snp_guest *g = l->g;
    enum attest_status st;

    if (g->kernel != NULL && !has_section(&l->fw, SNP_SECTION_KERNEL_HASHES)) {
        return attest_fail(err, ATTEST_UNSUPPORTED, "firmware image", "SEV metadata",
                           "a kernel hashes section, since a kernel is given", "none");
    }
    add(l, SNP_PAGE_NORMAL, FOUR_GIB - g->firmware_len, g->firmware_len, g->firmware);
    if (g->svsm != NULL) {
        st = add_svsm(l, err);
    } else {
        build_vmsas(l, g->guest_features);
        st = add_sections(l, &l->fw, err);
    }
    add_vmsas(l);
    return st;
}

static enum attest_status measure_snp(struct layout *l, uint8_t *digest, struct attest_error *err)
{
    enum attest_status st;

    l->region = calloc(SNP_SECTIONS_MAX + l->g->vcpus + 2, sizeof(*l->region));
    if (l->region == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    st = build_snp(l, err);
    if (st == ATTEST_OK) {
        st = snp_launch_digest(l->region, l->count, l->g->threads, digest, err);
    }
    free(l->region);
    return st;
}

/* SEV LAUNCH_MEASURE's digest part (55766): SHA-256 over what was launched, in order. */
static enum attest_status measure_legacy(struct layout *l, uint8_t *digest,
                                         struct attest_error *err)
{
    const struct snp_guest *g = l->g;
    struct attest_span *spans = calloc(2 + g->vcpus, sizeof(*spans));
    size_t n = 0;
    bool ok;

    if (spans == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    if (g->kernel != NULL && !l->fw.has_hashes) {
        free(spans);
        return attest_fail(err, ATTEST_UNSUPPORTED, "firmware image", "GUIDed table",
                           "a kernel hashes entry, since a kernel is given", "none");
    }
    spans[n++] = (struct attest_span){g->firmware, g->firmware_len};
    if (g->kernel != NULL) {
        spans[n++] = (struct attest_span){l->hashes, sizeof(l->hashes)};
    }
    build_vmsas(l, 0);
    for (unsigned int i = 0; i < g->vcpus && g->mode == SNP_MODE_SEV_ES; i++) {
        spans[n++] = (struct attest_span){i == 0 ? l->boot_vmsa : l->ap_vmsa, SNP_PAGE_SIZE};
    }
    ok = attest_hash(ATTEST_SHA256, spans, n, digest);
    free(spans);
    return ok ? ATTEST_OK : attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-256", NULL, NULL);
}

static enum attest_status check_guest(const struct snp_guest *g, struct attest_error *err)
{
    if (g->firmware_len % SNP_PAGE_SIZE != 0 || g->firmware_len == 0 ||
        g->firmware_len > FOUR_GIB / 2) {
        return attest_fail(err, ATTEST_MALFORMED, "firmware image", "size",
                           "whole pages, at most 2 GiB", "%zu", g->firmware_len);
    }
    if (g->vcpus < 1 || g->vcpus > VCPUS_MAX) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "vcpus", "1 to 4096", "%u", g->vcpus);
    }
    if (g->svsm != NULL && (g->mode != SNP_MODE_SNP || g->kernel != NULL ||
                            g->svsm_len % SNP_PAGE_SIZE != 0 || g->svsm_len > FOUR_GIB / 2)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "SVSM",
                           "SNP, no kernel, an image of whole pages", "%zu bytes", g->svsm_len);
    }
    return ATTEST_OK;
}

enum attest_status snp_guest_measure(const struct snp_guest *g, uint8_t *digest,
                                     struct attest_error *err)
{
    enum attest_status st = check_guest(g, err);
    struct layout *l;

    if (st != ATTEST_OK) {
        return st;
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return attest_no_memory(err, OBJECT);
    }
    l->g = g;
    st = snp_firmware_parse(g->firmware, g->firmware_len, &l->fw, err);
    if (st == ATTEST_OK && !l->fw.has_reset_eip && g->vcpus > 1 && g->mode != SNP_MODE_SEV) {
        st = attest_fail(err, ATTEST_UNSUPPORTED, "firmware image", "GUIDed table",
                         "an SEV-ES reset block, since there are APs", "none");
    }
    if (st == ATTEST_OK && g->kernel != NULL && !build_hashes(l)) {
        st = attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-256", NULL, NULL);
    }
    if (st == ATTEST_OK) {
        st = g->mode == SNP_MODE_SNP ? measure_snp(l, digest, err) : measure_legacy(l, digest, err);
    }
    free(l);
    return st;
}
