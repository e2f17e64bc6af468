/* What the bundle parser's files share: the walk's state, its one way to fail, properties. */
#ifndef HV_DOMAIN_BUNDLE_WALK_H
#define HV_DOMAIN_BUNDLE_WALK_H

#include "hv/domain.h"

struct walk {
    const void *fdt;
    int images; /* offset of /images */
    char *err;
    size_t err_size;
    char path[96]; /* the node at hand: "domains/guest0/devices/disk" */
};

/* Writes "domains/guest0: ..." to err and answers ABI_BAD_FORMAT. */
MUST_CHECK enum abi_status walk_fail(const struct walk *w, const char *fmt, ...) PRINTF(2, 3);
void walk_path(struct walk *w, const char *fmt, ...) PRINTF(2, 3);

/* One property that a node may have. data is NULL when the node has none. */
struct prop {
    const char *name;
    bool needed;
    const uint8_t *data;
    size_t len;
};

/* Reads a node's properties into p[n]; unknown, repeated and missing ones are errors. */
MUST_CHECK enum abi_status props_read(const struct walk *w, int node, struct prop *p, size_t n);

/* Values. An absent property leaves *v as it is. */
MUST_CHECK enum abi_status prop_string(const struct walk *w, const struct prop *p, size_t max,
                                       const char **v);
MUST_CHECK enum abi_status prop_name(const struct walk *w, const struct prop *p, const char **v);
MUST_CHECK enum abi_status prop_u32(const struct walk *w, const struct prop *p, uint32_t min,
                                    uint32_t max, uint32_t *v);
MUST_CHECK enum abi_status prop_u64(const struct walk *w, const struct prop *p, uint64_t *v);
MUST_CHECK enum abi_status prop_empty(const struct walk *w, const struct prop *p, bool *v);

/* 1 to 31 characters of [a-z0-9._-]? */
bool name_is_valid(const char *name);

/* abi, features and peers, of a domain whose name is set. */
MUST_CHECK enum abi_status abi_parse(const struct walk *w, const struct prop *version,
                                     const struct prop *feature_list, const struct prop *peers,
                                     struct domain_config *cfg);

/* What a domain with `create` may take for others. */
MUST_CHECK enum abi_status quota_parse(const struct walk *w, const struct prop *memory,
                                       const struct prop *domains, struct domain_config *cfg);

/* A property that names an image, found in /images. */
MUST_CHECK enum abi_status prop_image(const struct walk *w, const struct prop *p, struct blob *v);
/* The same, of min to max bytes. */
MUST_CHECK enum abi_status prop_sized(const struct walk *w, const struct prop *p, size_t min,
                                      size_t max, struct blob *v);
/* None of p[n] may be there unless the domain's cc is that kind, which text names. */
MUST_CHECK enum abi_status props_only_for(const struct walk *w, const struct prop *p, size_t n,
                                          bool is_kind, const char *text);

/* Checks the names of node's subnodes, that each is unique, and that there are at most max. */
MUST_CHECK enum abi_status subnodes_check(const struct walk *w, int node, uint32_t max,
                                          uint32_t *count);
MUST_CHECK enum abi_status no_subnodes(const struct walk *w, int node);

/* Reads one node of /domains, whose name is valid. */
MUST_CHECK enum abi_status domain_parse(struct walk *w, int node, struct domain_config *cfg);

/* Properties of a sev-snp domain, behind a domain's other ones: bundle_snp.c. */
enum {
    SNP_POLICY,
    SNP_HOST_DATA,
    SNP_ID_BLOCK,
    SNP_ID_AUTH,
    SNP_AUTHOR_KEY,
    SNP_CERTS,
    SNP_PROPS,
};
#define SNP_PROP_LIST(at)                                                                          \
    [(at) + SNP_POLICY] = {"snp-policy", false, NULL, 0},                                          \
    [(at) + SNP_HOST_DATA] = {"snp-host-data", false, NULL, 0},                                    \
    [(at) + SNP_ID_BLOCK] = {"snp-id-block", false, NULL, 0},                                      \
    [(at) + SNP_ID_AUTH] = {"snp-id-auth", false, NULL, 0},                                        \
    [(at) + SNP_AUTHOR_KEY] = {"snp-author-key", false, NULL, 0},                                  \
    [(at) + SNP_CERTS] = {"snp-certs", false, NULL, 0}
MUST_CHECK enum abi_status snp_parse(const struct walk *w, const struct prop p[SNP_PROPS],
                                     struct domain_config *cfg);

/* Properties of a cca domain, behind those: bundle_cca.c. */
enum { CCA_RPV, CCA_HASH, CCA_PROPS };
#define CCA_PROP_LIST(at)                                                                          \
    [(at) + CCA_RPV] = {"cca-rpv", false, NULL, 0},                                                \
    [(at) + CCA_HASH] = {"cca-hash", false, NULL, 0}
MUST_CHECK enum abi_status cca_parse(const struct walk *w, const struct prop p[CCA_PROPS],
                                     struct domain_config *cfg);

#endif
