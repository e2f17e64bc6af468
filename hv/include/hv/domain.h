/* From a bundle to domains: the only path that creates a VM. */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include "hv/device.h"
#include "hv/sha256.h"
#include "hv/types.h"

#define BUNDLE_DOMAINS_MAX 64u
#define BUNDLE_IMAGES_MAX  128u
#define DOMAIN_VCPUS_MAX   64u
#define DOMAIN_DEVICES_MAX 16u
#define CMDLINE_MAX_LEN    2047u
#define DOMAIN_PEERS_MAX   8u
#define DOMAIN_WEIGHT_NORMAL 100u

/* CC_KIND(name, text): the kinds of domain, as descriptions spell them. */
#define CC_KIND_LIST(CC_KIND)                                                                      \
    CC_KIND(CC_NONE, "none")                                                                       \
    CC_KIND(CC_SEV_SNP, "sev-snp")                                                                 \
    CC_KIND(CC_TDX, "tdx")                                                                         \
    CC_KIND(CC_CCA, "cca")

#define CC_KIND_NAME(name, text) name,
enum cc_kind { CC_KIND_LIST(CC_KIND_NAME) CC_KINDS };
#undef CC_KIND_NAME

struct controller;

struct blob {
    const uint8_t *data;
    size_t len;
};

/* cc = "sev-snp": what the firmware is to enforce, and to say of the guest in its reports. */
#define SNP_POLICY_DEFAULT 0x30000u /* SMT; bit 17 is always set */
#define SNP_HOST_DATA_SIZE 32u
#define SNP_ID_BLOCK_SIZE  96u
#define SNP_ID_AUTH_SIZE   4096u
#define SNP_CERTS_MAX      KiB(256)
struct snp_config {
    uint64_t policy;
    struct blob host_data;         /* SNP_HOST_DATA_SIZE bytes, or len 0: zeros */
    struct blob id_block, id_auth; /* both or none */
    bool author_key;               /* id_auth has an author's key, too */
    struct blob certs;             /* for extended guest requests: GUIDs and certificates */
};

/* cc = "tdx": what its reports carry for its owner; the module takes no notice of them. */
#define TDX_MR_SIZE 48u
struct tdx_config {
    struct blob mr[3]; /* MRCONFIGID, MROWNER, MROWNERCONFIG: TDX_MR_SIZE bytes, or len 0: zeros */
};

/* cc = "cca": what the RMM is to measure with, and to say of the realm in its tokens. */
#define CCA_RPV_SIZE 64u
struct cca_config {
    enum { CCA_SHA_512, CCA_SHA_256 } hash;
    struct blob rpv; /* CCA_RPV_SIZE bytes, or len 0: zeros */
};

/* One node of /domains (docs/bundle.md), validated. Blobs and strings point into the bundle. */
struct domain_config {
    char name[NAME_MAX_LEN + 1];
    enum cc_kind cc;
    uint32_t abi_version;  /* guest ABI: major in bits 31:16 */
    uint32_t abi_features; /* a bit each: abi/feature.def */
    uint32_t peers;        /* whom it may share and signal with; by name, alive or not */
    char peer[DOMAIN_PEERS_MAX][NAME_MAX_LEN + 1];
    uint64_t create_memory;  /* create: bytes that it may take for others, UINT64_MAX: all */
    uint32_t create_domains; /* how many it may have made, UINT32_MAX: all */
    const char *legacy_abi; /* NULL: ours, 1.0; else that of an optional module (guest_abi.h) */
    uint64_t memory;
    uint32_t vcpus;
    uint32_t weight;
    uint64_t affinity;
    struct blob kernel;
    struct blob ramdisk; /* len 0: none */
    const char *cmdline; /* never NULL */
    bool prefault;
    bool restart_on_reboot;
    struct snp_config snp;
    struct tdx_config tdx;
    struct cca_config cca;
    struct controller *creator; /* who had it made at run time, and pays; NULL: the boot bundle */
    bool building;  /* its builder goes on with it: it ends no sooner than vm_start or vm_built */
    bool realm;     /* cca: calls go to the firmware by SMC; set by cc_ops.configure */
    uint32_t c_bit; /* sev-snp: of this machine; not in the bundle, set by cc_ops.configure */
    uint8_t hash[SHA256_SIZE]; /* config_hash of all that is in the bundle; set by the builder */
    uint32_t devices;
    struct device_config device[DOMAIN_DEVICES_MAX];
};

/*
 * A bundle in memory. Checked once as a whole by bundle_open: a bundle with an error opens not at
 * all, and the message (written to err, NUL-terminated) names the node and the property.
 */
struct bundle {
    const void *fdt;
    size_t len;
    uint32_t domains;
    struct controller *creator; /* hv/control.h; NULL: the boot loader */
};
MUST_CHECK enum abi_status bundle_open(struct bundle *b, const void *fdt, size_t len, char *err,
                                       size_t err_size);
/* The i-th domain, i < b->domains. Cannot fail for a bundle that opened. */
void bundle_domain(const struct bundle *b, uint32_t i, struct domain_config *cfg);

/* SHA-256 of a configuration in its canonical form (docs/bundle.md); the same on every host. */
void config_hash(const struct domain_config *cfg, uint8_t hash[SHA256_SIZE]);

/* How the first vCPU starts. */
struct vcpu_entry {
    uint64_t rip;
    uint64_t boot_data; /* boot_params, hvm_start_info, a TD's HOBs: guest-physical */
    enum { ENTRY_LINUX64, ENTRY_PVH32 } mode;
    uint64_t page_tables; /* ENTRY_LINUX64: guest-physical address of a PML4 */
    uint64_t gdt;         /* ENTRY_LINUX64: of a GDT, limit 1Fh: code at 10h, data at 18h */
};

/*
 * Creates, loads and starts the i-th domain of the bundle. On failure everything is given back, and
 * the log names the domain and the cause.
 */
MUST_CHECK enum abi_status domain_create(const struct bundle *b, uint32_t i);

/*
 * Creates and loads it, and leaves it to vm_start_built. *id: it may be gone by now. On failure the
 * cause is in err, and not in the log. ABI_DENIED: asks for `control`, and is not from the boot
 * loader; ABI_EXISTS: a domain of that name lives; ABI_LIMIT: too many, or its creator's quota.
 */
MUST_CHECK enum abi_status domain_build(const struct bundle *b, uint32_t i, uint32_t *id, char *err,
                                        size_t err_size);

/* Lays the domain out and launches it: kernel, ramdisk, command line, ACPI tables, entry state. */
MUST_CHECK enum abi_status domain_load(struct vm *vm, const struct domain_config *cfg, char *err,
                                       size_t err_size);

#endif
