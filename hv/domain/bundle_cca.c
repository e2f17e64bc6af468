/* What a domain says to the RMM (DEN0137, RmiRealmParams): docs/bundle.md. */
#include "bundle_walk.h"
#include "hv/string.h"

static enum abi_status parse_hash(const struct walk *w, const struct prop *p,
                                  struct cca_config *c)
{
    const char *s = "sha-512";
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, &s);

    if (st != ABI_OK) {
        return st;
    }
    c->hash = strcmp(s, "sha-256") == 0 ? CCA_SHA_256 : CCA_SHA_512;
    if (c->hash == CCA_SHA_512 && strcmp(s, "sha-512") != 0) {
        return walk_fail(w, "%s: '%s' is neither sha-256 nor sha-512", p->name, s);
    }
    return ABI_OK;
}

enum abi_status cca_parse(const struct walk *w, const struct prop p[CCA_PROPS],
                          struct domain_config *cfg)
{
    enum abi_status st = props_only_for(w, p, CCA_PROPS, cfg->cc == CC_CCA, "cca");

    if (st == ABI_OK) {
        st = prop_sized(w, &p[CCA_RPV], CCA_RPV_SIZE, CCA_RPV_SIZE, &cfg->cca.rpv);
    }
    return st == ABI_OK ? parse_hash(w, &p[CCA_HASH], &cfg->cca) : st;
}
