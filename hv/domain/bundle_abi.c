/* What a domain has of the guest ABI: abi, features, peers (docs/bundle.md). Frozen from here. */
#include "abi/abi.h"
#include "bundle_walk.h"
#include "hv/string.h"

#define ABI_FEATURE(name, index, text, needs, since, standard, meaning)                            \
    [index] = {text, needs, since, standard},
static const struct {
    const char *text;
    uint32_t needs;
    uint32_t since;
    bool standard;
} features[] = {
#include "abi/feature.def"
};

/* The versions of our own ABI that this hypervisor has. Each stays as it was released. */
static const struct {
    const char *text;
    uint32_t version;
} versions[] = {{"1.0", ABI_VERSION_1_0}, {"1.1", ABI_VERSION_1_1}, {"1.2", ABI_VERSION_1_2}};

/* The next string of a list; false at its end, with *st what was wrong. */
static bool next_string(const struct walk *w, const struct prop *p, size_t *at, const char **s,
                        enum abi_status *st)
{
    const uint8_t *nul;

    if (p->data == NULL || *at == p->len) {
        return false;
    }
    nul = memchr(p->data + *at, 0, p->len - *at);
    if (nul == NULL) {
        *st = walk_fail(w, "%s: not an ended string", p->name);
        return false;
    }
    *s = (const char *)p->data + *at;
    *at = (size_t)(nul - p->data) + 1;
    return true;
}

static uint32_t standard_set(uint32_t version)
{
    uint32_t set = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
        set |= features[i].standard && features[i].since <= version ? 1u << i : 0;
    }
    return set;
}

static enum abi_status add_feature(const struct walk *w, const struct prop *p, const char *s,
                                   struct domain_config *cfg)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
        if (strcmp(features[i].text, s) != 0) {
            continue;
        }
        if (features[i].since > cfg->abi_version) {
            return walk_fail(w, "%s: '%s' is not in ABI %u.%u", p->name, s,
                             cfg->abi_version >> 16, cfg->abi_version & 0xffff);
        }
        if ((cfg->abi_features >> i & 1) != 0) {
            return walk_fail(w, "%s: '%s' given twice", p->name, s);
        }
        cfg->abi_features |= 1u << i;
        return ABI_OK;
    }
    return walk_fail(w, "%s: '%.31s' is no feature of the guest ABI", p->name, s);
}

static enum abi_status check_needs(const struct walk *w, const struct prop *p, uint32_t set)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
        uint32_t lacks = (set >> i & 1) != 0 ? features[i].needs & ~set : 0;

        if (lacks != 0) {
            return walk_fail(w, "%s: '%s' needs '%s'", p->name, features[i].text,
                             features[__builtin_ctz(lacks)].text);
        }
    }
    return ABI_OK;
}

static enum abi_status parse_features(const struct walk *w, const struct prop *p,
                                      struct domain_config *cfg)
{
    enum abi_status st = ABI_OK;
    const char *s;
    size_t at = 0;

    if (p->data == NULL) {
        cfg->abi_features = standard_set(cfg->abi_version);
        return ABI_OK;
    }
    cfg->abi_features = 0;
    while (st == ABI_OK && next_string(w, p, &at, &s, &st)) {
        st = add_feature(w, p, s, cfg);
    }
    cfg->abi_features |= 1u << ABI_FEATURE_CORE;
    return st == ABI_OK ? check_needs(w, p, cfg->abi_features) : st;
}

static enum abi_status add_peer(const struct walk *w, const struct prop *p, const char *s,
                                struct domain_config *cfg)
{
    if (!name_is_valid(s)) {
        return walk_fail(w, "%s: '%.31s': a name is 1 to 31 of [a-z0-9._-]", p->name, s);
    }
    if (strcmp(s, cfg->name) == 0) {
        return walk_fail(w, "%s: '%s' is this domain itself", p->name, s);
    }
    for (uint32_t i = 0; i < cfg->peers; i++) {
        if (strcmp(s, cfg->peer[i]) == 0) {
            return walk_fail(w, "%s: '%s' given twice", p->name, s);
        }
    }
    if (cfg->peers == DOMAIN_PEERS_MAX) {
        return walk_fail(w, "%s: more than %u", p->name, DOMAIN_PEERS_MAX);
    }
    memcpy(cfg->peer[cfg->peers++], s, strlen(s) + 1);
    return ABI_OK;
}

static enum abi_status parse_version(const struct walk *w, const struct prop *p, uint32_t *version)
{
    const char *s = NULL;
    enum abi_status st = prop_string(w, p, NAME_MAX_LEN, &s);

    if (st != ABI_OK) {
        return st;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].text, s) == 0) {
            *version = versions[i].version;
            return ABI_OK;
        }
    }
    return walk_fail(w, "%s: '%s': this hypervisor has 1.0, 1.1, 1.2 and xen", p->name, s);
}

enum abi_status abi_parse(const struct walk *w, const struct prop *version,
                          const struct prop *feature_list, const struct prop *peers,
                          struct domain_config *cfg)
{
    enum abi_status st = parse_version(w, version, &cfg->abi_version);
    const char *s = NULL;
    size_t at = 0;

    st = st == ABI_OK ? parse_features(w, feature_list, cfg) : st;
    while (st == ABI_OK && next_string(w, peers, &at, &s, &st)) {
        st = add_peer(w, peers, s, cfg);
    }
    return st;
}

enum abi_status quota_parse(const struct walk *w, const struct prop *memory,
                            const struct prop *domains, struct domain_config *cfg)
{
    const struct prop *given = memory->data != NULL ? memory : domains;
    enum abi_status st;

    if (given->data != NULL && (cfg->abi_features >> ABI_FEATURE_CREATE & 1) == 0) {
        return walk_fail(w, "%s: only with the feature 'create'", given->name);
    }
    st = prop_u64(w, memory, &cfg->create_memory);
    return st == ABI_OK ? prop_u32(w, domains, 0, BUNDLE_DOMAINS_MAX, &cfg->create_domains) : st;
}
