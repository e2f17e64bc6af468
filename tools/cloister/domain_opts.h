/* The options that describe guests (domain_opts.def), shared by `run` and `bundle make`. */
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
