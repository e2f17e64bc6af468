/*
 * Prediction of AMD launch digests.
 * Source: SEV-SNP Firmware ABI (56860), SNP_LAUNCH_UPDATE, "PAGE_INFO Structure"; APM volume 2
 * (24593), Table B-4 (VMSA); the OVMF reset vector's GUIDed table and SEV metadata.
 */
#ifndef ATTEST_MEASURE_SNP_H
#define ATTEST_MEASURE_SNP_H

#include <attest/error.h>

#include <openssl/evp.h>
#include <stdbool.h>

#define SNP_LD_SIZE   48
#define SNP_PAGE_SIZE 4096
/* Where the firmware measures VMSAs that have no guest address: KVM's choice. */
#define SNP_VMSA_GPA 0xfffffffff000ULL

/* PAGE_TYPE of SNP_LAUNCH_UPDATE. */
enum snp_page_type {
    SNP_PAGE_NORMAL = 1,
    SNP_PAGE_VMSA = 2,
    SNP_PAGE_ZERO = 3,
    SNP_PAGE_UNMEASURED = 4,
    SNP_PAGE_SECRETS = 5,
    SNP_PAGE_CPUID = 6,
};

/* VMPL permission bits in PAGE_INFO. */
enum { SNP_PERM_READ = 1, SNP_PERM_WRITE = 2, SNP_PERM_EXEC_USER = 4, SNP_PERM_EXEC_KERNEL = 8 };

/* Pages in a row that are launched alike, in the order of the launch. */
struct snp_region {
    uint64_t gpa;  /* multiple of 4096 */
    uint64_t size; /* bytes, multiple of 4096, not 0 */
    enum snp_page_type type;
    uint8_t vmpl1_perms; /* SNP_PERM_*; 0 as KVM and most hypervisors launch */
    uint8_t vmpl2_perms;
    uint8_t vmpl3_perms;
    bool imi;            /* IMI_PAGE: part of an initial migration image */
    const uint8_t *data; /* size bytes for NORMAL and VMSA, else NULL */
};

/*
 * The launch digest of regions launched in this order: what a direct-boot layout (kernel, ramdisk,
 * tables as NORMAL pages, then secrets, CPUID and VMSA pages) measures to.
 * threads: how many may hash pages; 0: as many as there are processors.
 */
enum attest_status snp_launch_digest(const struct snp_region *regions, size_t count,
                                     unsigned int threads, uint8_t ld[SNP_LD_SIZE],
                                     struct attest_error *err);

enum snp_vmm {
#define SNP_VMM(id, name) SNP_VMM_##id,
#include <attest/measure_snp.def>
    SNP_VMM_COUNT
};

/* By name, any case; false when there is none of that name. */
bool snp_vmm_named(const char *name, enum snp_vmm *out);
/* CPUID Fn0000_0001_EAX of a QEMU CPU type. */
bool snp_cpu_named(const char *name, uint32_t *signature);
/* Row i's name, NULL past the end. */
const char *snp_cpu_name(size_t i);

/* A vCPU as its VMM starts it: eip is FFFFFFF0h for the boot vCPU, else the AP reset address. */
struct snp_vcpu {
    enum snp_vmm vmm;
    uint32_t eip;
    uint32_t signature; /* CPUID Fn0000_0001_EAX, shown in RDX by QEMU */
    uint64_t sev_features;
    bool boot; /* the first vCPU */
};
void snp_vmsa_build(const struct snp_vcpu *vcpu, uint8_t page[SNP_PAGE_SIZE]);
/* A vCPU that enters an SVSM in flat 32-bit mode. */
void snp_vmsa_build_svsm(uint32_t eip, uint32_t signature, uint8_t page[SNP_PAGE_SIZE]);

enum snp_section_kind {
    SNP_SECTION_SEC_MEM = 1,
    SNP_SECTION_SECRETS = 2,
    SNP_SECTION_CPUID = 3,
    SNP_SECTION_SVSM_CAA = 4,
    SNP_SECTION_KERNEL_HASHES = 0x10,
};

struct snp_section {
    uint32_t gpa;
    uint32_t size;
    uint32_t kind; /* enum snp_section_kind */
};

#define SNP_SECTIONS_MAX 64

/* What a firmware image says about itself in its GUIDed table and SEV metadata. */
struct snp_firmware {
    const uint8_t *data; /* borrowed */
    size_t size;
    bool has_reset_eip;
    uint32_t reset_eip; /* where APs start */
    bool has_hashes;
    uint32_t hashes_gpa; /* table of kernel hashes; 0: the firmware does not use it */
    uint32_t hashes_size;
    bool has_svsm_entry;
    uint32_t svsm_entry; /* offset of an SVSM's entry in its image */
    size_t sections;
    struct snp_section section[SNP_SECTIONS_MAX];
};

enum attest_status snp_firmware_parse(const uint8_t *p, size_t len, struct snp_firmware *out,
                                      struct attest_error *err);

enum snp_mode { SNP_MODE_SEV, SNP_MODE_SEV_ES, SNP_MODE_SNP };

/* A guest that a VMM launches from a firmware image. Everything is borrowed. */
struct snp_guest {
    enum snp_mode mode;
    const uint8_t *firmware;
    size_t firmware_len;
    const uint8_t *svsm; /* NULL: none; the image then runs below an SVSM */
    size_t svsm_len;
    uint32_t vars_size; /* bytes that the VMM maps between SVSM and firmware (SVSM only) */
    enum snp_vmm vmm;
    unsigned int vcpus; /* 1..4096 */
    uint32_t signature;
    uint64_t guest_features; /* SEV_FEATURES of the VMSAs (SNP only) */
    const uint8_t *kernel;   /* NULL: no kernel hashes */
    size_t kernel_len;
    const uint8_t *initrd;
    size_t initrd_len;
    const char *cmdline; /* NULL: empty */
    unsigned int threads;
};

/* Bytes of the digest: 48 for SNP (SHA-384), 32 for SEV and SEV-ES (SHA-256). */
size_t snp_guest_digest_size(enum snp_mode mode);
enum attest_status snp_guest_measure(const struct snp_guest *g, uint8_t *digest,
                                     struct attest_error *err);

/* ---- ID block: 56860, "ID Block Structure" and "ID Authentication Information Structure" ---- */

#define SNP_ID_BLOCK_SIZE 96
#define SNP_ID_AUTH_SIZE  4096
#define SNP_ID_KEY_SIZE   1028

struct snp_id {
    uint8_t ld[SNP_LD_SIZE];
    uint8_t family_id[16];
    uint8_t image_id[16];
    uint32_t guest_svn;
    uint64_t policy;
};

struct snp_id_result {
    uint8_t block[SNP_ID_BLOCK_SIZE];
    uint8_t auth[SNP_ID_AUTH_SIZE];
    uint8_t id_key_digest[48];
    uint8_t author_key_digest[48]; /* zeros without an author key */
};

/* Both keys are EC P-384 private keys; author may be NULL. */
enum attest_status snp_id_sign(const struct snp_id *id, EVP_PKEY *id_key, EVP_PKEY *author,
                               struct snp_id_result *out, struct attest_error *err);
/* The digest that a report shows for a key, from its public half. */
enum attest_status snp_id_key_digest(EVP_PKEY *key, uint8_t digest[48], struct attest_error *err);
/* Does the block carry a good signature by its id key, and that one by its author key if any? */
enum attest_status snp_id_check(const uint8_t block[SNP_ID_BLOCK_SIZE],
                                const uint8_t auth[SNP_ID_AUTH_SIZE], bool author,
                                struct attest_error *err);

#endif
