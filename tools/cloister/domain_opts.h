/* The options that describe guests, shared by `run` and `bundle make`. */
#ifndef CLOISTER_DOMAIN_OPTS_H
#define CLOISTER_DOMAIN_OPTS_H

#include "bundle.h"
#include "opts.h"

struct domain_opts {
    const char *arch; /* NULL: x86_64 */
    const char *cc;
    const char *abi;   /* NULL: 1.0 */
    const char *guest; /* of abi xen; NULL: pvh */
    const char *kernel;
    const char *ramdisk;
    const char *cmdline;
    const char *append;
    uint64_t memory;
    uint32_t vcpus;
    uint32_t count;
    struct opt_list disks;
    struct opt_list writable_disks;
    const char *network;
    const char *on_reboot;
    bool prefault;
    const char *snp_policy;
    const char *snp_host_data;
    const char *snp_id_block;
    const char *snp_id_auth;
    bool snp_author_key;
    const char *snp_certs;
    const char *tdx_mrconfigid;
    const char *tdx_mrowner;
    const char *tdx_mrownerconfig;
    const char *cca_rpv;
    const char *cca_hash;
};

/* Rows for a table of options, for a target that has a struct domain_opts called `member`. */
#define DOMAIN_OPTS(type, member)                                                                  \
    {                                                                                              \
        "cc", "KIND", "none, sev-snp, tdx or cca (none)", OPT_STRING, offsetof(type, member.cc),   \
        0,    0},                                                                                  \
        {"arch",                                                                                   \
         "NAME",                                                                                   \
         "of the machine and its guests: x86_64 or aarch64 (x86_64)",                              \
         OPT_STRING,                                                                               \
         offsetof(type, member.arch),                                                              \
         0,                                                                                        \
         0},                                                                                       \
        {"abi",                                                                                    \
         "NAME",                                                                                   \
         "what guests call the hypervisor by: 1.0, 1.1 or xen (1.0)",                                  \
         OPT_STRING,                                                                               \
         offsetof(type, member.abi),                                                               \
         0,                                                                                        \
         0},                                                                                       \
        {"guest",                                                                                  \
         "KIND",                                                                                   \
         "with --abi xen: pvh or pv64 (pvh)",                                                      \
         OPT_STRING,                                                                               \
         offsetof(type, member.guest),                                                             \
         0,                                                                                        \
         0},                                                                                       \
        {"kernel",                                                                                 \
         "FILE",                                                                                   \
         "bzImage, PVH ELF or arm64 Image (Debian's cloud kernel 6.12)",                           \
         OPT_STRING,                                                                               \
         offsetof(type, member.kernel),                                                            \
         0,                                                                                        \
         0},                                                                                       \
        {"ramdisk",                                                                                \
         "FILE",                                                                                   \
         "ramdisk; '' for none (busybox and the guest agent)",                                     \
         OPT_STRING,                                                                               \
         offsetof(type, member.ramdisk),                                                           \
         0,                                                                                        \
         0},                                                                                       \
        {"cmdline",                                                                                \
         "TEXT",                                                                                   \
         "the whole kernel command line (default: consoles; encrypted guests share 32 MiB)",       \
         OPT_STRING,                                                                               \
         offsetof(type, member.cmdline),                                                           \
         0,                                                                                        \
         0},                                                                                       \
        {"append",                                                                                 \
         "TEXT",                                                                                   \
         "more words for the kernel command line",                                                 \
         OPT_STRING,                                                                               \
         offsetof(type, member.append),                                                            \
         0,                                                                                        \
         0},                                                                                       \
        {"vcpus",                                                                                  \
         "N",                                                                                      \
         "virtual CPUs of each guest (1)",                                                         \
         OPT_COUNT,                                                                                \
         offsetof(type, member.vcpus),                                                             \
         1,                                                                                        \
         BUNDLE_VCPUS_MAX},                                                                        \
        {"memory",                                                                                 \
         "SIZE",                                                                                   \
         "memory of each guest (512M)",                                                            \
         OPT_SIZE,                                                                                 \
         offsetof(type, member.memory),                                                            \
         BUNDLE_MEMORY_STEP,                                                                       \
         BUNDLE_MEMORY_MAX},                                                                       \
        {"count",                                                                                  \
         "N",                                                                                      \
         "guests like this, called guest0, guest1, ... (1)",                                       \
         OPT_COUNT,                                                                                \
         offsetof(type, member.count),                                                             \
         1,                                                                                        \
         BUNDLE_DOMAINS_MAX},                                                                      \
        {"disk",                                                                                   \
         "FILE",                                                                                   \
         "a read-only disk; may be repeated",                                                      \
         OPT_LIST,                                                                                 \
         offsetof(type, member.disks),                                                             \
         0,                                                                                        \
         0},                                                                                       \
        {"disk-rw",                                                                                \
         "FILE",                                                                                   \
         "a disk with a private writable copy; may be repeated",                                   \
         OPT_LIST,                                                                                 \
         offsetof(type, member.writable_disks),                                                    \
         0,                                                                                        \
         0},                                                                                       \
        {"network",                                                                                \
         "NAME",                                                                                   \
         "a network card on that network",                                                         \
         OPT_STRING,                                                                               \
         offsetof(type, member.network),                                                           \
         0,                                                                                        \
         0},                                                                                       \
        {"on-reboot",                                                                              \
         "WHAT",                                                                                   \
         "restart or destroy (run: destroy)",                                                      \
         OPT_STRING,                                                                               \
         offsetof(type, member.on_reboot),                                                         \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-policy",                                                                             \
         "BITS",                                                                                   \
         "SEV-SNP: the guest policy (0x30000)",                                                    \
         OPT_STRING,                                                                               \
         offsetof(type, member.snp_policy),                                                        \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-host-data",                                                                          \
         "FILE",                                                                                   \
         "SEV-SNP: 32 bytes for the report",                                                       \
         OPT_STRING,                                                                               \
         offsetof(type, member.snp_host_data),                                                     \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-id-block",                                                                           \
         "FILE",                                                                                   \
         "SEV-SNP: ID block that the launch must match",                                           \
         OPT_STRING,                                                                               \
         offsetof(type, member.snp_id_block),                                                      \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-id-auth",                                                                            \
         "FILE",                                                                                   \
         "SEV-SNP: its signatures and keys",                                                       \
         OPT_STRING,                                                                               \
         offsetof(type, member.snp_id_auth),                                                       \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-certs",                                                                              \
         "FILE",                                                                                   \
         "SEV-SNP: certificate table for extended guest requests",                                 \
         OPT_STRING,                                                                               \
         offsetof(type, member.snp_certs),                                                         \
         0,                                                                                        \
         0},                                                                                       \
        {"tdx-mrconfigid",                                                                         \
         "FILE",                                                                                   \
         "TDX: 48 bytes for the TD's reports",                                                     \
         OPT_STRING,                                                                               \
         offsetof(type, member.tdx_mrconfigid),                                                    \
         0,                                                                                        \
         0},                                                                                       \
        {"tdx-mrowner",                                                                            \
         "FILE",                                                                                   \
         "TDX: 48 bytes for the TD's reports",                                                     \
         OPT_STRING,                                                                               \
         offsetof(type, member.tdx_mrowner),                                                       \
         0,                                                                                        \
         0},                                                                                       \
        {"tdx-mrownerconfig",                                                                      \
         "FILE",                                                                                   \
         "TDX: 48 bytes for the TD's reports",                                                     \
         OPT_STRING,                                                                               \
         offsetof(type, member.tdx_mrownerconfig),                                                 \
         0,                                                                                        \
         0},                                                                                       \
        {"cca-rpv",                                                                                \
         "FILE",                                                                                   \
         "CCA: 64 bytes for the realm's tokens",                                                   \
         OPT_STRING,                                                                               \
         offsetof(type, member.cca_rpv),                                                           \
         0,                                                                                        \
         0},                                                                                       \
        {"cca-hash",                                                                               \
         "NAME",                                                                                   \
         "CCA: sha-256 or sha-512 (sha-512)",                                                      \
         OPT_STRING,                                                                               \
         offsetof(type, member.cca_hash),                                                          \
         0,                                                                                        \
         0},                                                                                       \
        {"snp-author-key",                                                                         \
         NULL,                                                                                     \
         "SEV-SNP: the ID block has an author's key, too",                                         \
         OPT_FLAG,                                                                                 \
         offsetof(type, member.snp_author_key),                                                    \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "prefault", NULL, "back all memory at creation", OPT_FLAG,                                 \
            offsetof(type, member.prefault), 0, 0                                                  \
    }

/* Do architecture, technology and ABI go together? What the bundle checks is left to it. */
bool domain_opts_good(const struct domain_opts *o, struct bundle_error *error);
bool domain_opts_aarch64(const struct domain_opts *o);
/* Where Debian's kernel for it is, and the ramdisk: below the build folder. */
const char *domain_opts_kernel(const struct domain_opts *o);
const char *domain_opts_ramdisk(const struct domain_opts *o);
/* Is any of them given, the architecture aside? */
bool domain_opts_given(const struct domain_opts *o);
bool domain_opts_xen(const struct domain_opts *o);
bool domain_opts_pv64(const struct domain_opts *o);
/* Of good ones, before domain_opts_describe: unpacks the kernel of a Xen guest. */
bool domain_opts_prepare(struct domain_opts *o, struct bundle_error *error);
/* A new description (bundle.h) of what the options ask for. */
json_t *domain_opts_describe(const struct domain_opts *o);

#endif
