/* What a domain says to the SEV-SNP firmware (ABI 56860, 8.16-8.18): docs/bundle.md. */
#include "bundle_walk.h"

#define POLICY_ONE      BIT(17) /* ABI table 9: reserved, must be one */
#define POLICY_RESERVED (~0ull << 26)

static enum abi_status parse_policy(const struct walk *w, const struct prop *p, uint64_t *policy)
{
    enum abi_status st = prop_u64(w, p, policy);

    if (st == ABI_OK && ((*policy & POLICY_RESERVED) != 0 || (*policy & POLICY_ONE) == 0)) {
        return walk_fail(w, "%s: %lx: bit 17 must be set, and bits 63 to 26 not", p->name,
                         (unsigned long)*policy);
    }
    return st;
}

static enum abi_status parse_id(const struct walk *w, const struct prop *p, struct snp_config *c)
{
    enum abi_status st = prop_sized(w, &p[SNP_ID_BLOCK], SNP_ID_BLOCK_SIZE, SNP_ID_BLOCK_SIZE,
                                    &c->id_block);

    if (st == ABI_OK) {
        st = prop_sized(w, &p[SNP_ID_AUTH], SNP_ID_AUTH_SIZE, SNP_ID_AUTH_SIZE, &c->id_auth);
    }
    if (st == ABI_OK) {
        st = prop_empty(w, &p[SNP_AUTHOR_KEY], &c->author_key);
    }
    if (st != ABI_OK) {
        return st;
    }
    if ((c->id_block.len != 0) != (c->id_auth.len != 0)) {
        return walk_fail(w, "%s and %s go together", p[SNP_ID_BLOCK].name, p[SNP_ID_AUTH].name);
    }
    return c->author_key && c->id_auth.len == 0
               ? walk_fail(w, "%s: only with %s", p[SNP_AUTHOR_KEY].name, p[SNP_ID_AUTH].name)
               : ABI_OK;
}

enum abi_status snp_parse(const struct walk *w, const struct prop p[SNP_PROPS],
                          struct domain_config *cfg)
{
    struct snp_config *c = &cfg->snp;
    enum abi_status st = props_only_for(w, p, SNP_PROPS, cfg->cc == CC_SEV_SNP, "sev-snp");

    c->policy = SNP_POLICY_DEFAULT;
    if (st == ABI_OK) {
        st = parse_policy(w, &p[SNP_POLICY], &c->policy);
    }
    if (st == ABI_OK) {
        st = prop_sized(w, &p[SNP_HOST_DATA], SNP_HOST_DATA_SIZE, SNP_HOST_DATA_SIZE,
                        &c->host_data);
    }
    if (st == ABI_OK) {
        st = parse_id(w, p, c);
    }
    /* An end of the table at least: a GUID of zeros, an offset and a length (GHCB 4.1.8.1). */
    return st == ABI_OK ? prop_sized(w, &p[SNP_CERTS], 24, SNP_CERTS_MAX, &c->certs) : st;
}
