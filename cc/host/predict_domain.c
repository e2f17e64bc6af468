#include "predict_domain.h"

#include <cloister/predict.h>

#include "hv/string.h"

static bool fail(char *err, size_t size, const char *what, const char *name)
{
    snprintf(err, size, "%s%s%s", name, name[0] != '\0' ? ": " : "", what);
    return false;
}

bool predict_domain(const void *bundle, size_t len, const char *name, struct domain_config *cfg,
                    char *err, size_t err_size)
{
    struct bundle b;

    err[0] = '\0';
    if (bundle_open(&b, bundle, len, err, err_size) != ABI_OK) {
        return false;
    }
    for (uint32_t i = 0; i < b.domains; i++) {
        bundle_domain(&b, i, cfg);
        if (name == NULL ? b.domains == 1 : strcmp(cfg->name, name) == 0) {
            return true;
        }
    }
    return name == NULL ? fail(err, err_size, "the bundle has several domains: name one", "")
                        : fail(err, err_size, "no such domain in the bundle", name);
}

_Static_assert(PREDICT_DOMAINS_MAX == BUNDLE_DOMAINS_MAX, "predict.h knows how many there may be");
_Static_assert(sizeof(((struct predict_domain *)0)->name) == NAME_MAX_LEN + 1, "and their names");

uint32_t predict_list(const void *bundle, size_t len, const char *name,
                      struct predict_domain list[PREDICT_DOMAINS_MAX], char *err, size_t err_size)
{
    static const char *const kinds[] = {
#define CC_KIND_TEXT(kind, text) [kind] = text,
        CC_KIND_LIST(CC_KIND_TEXT)
#undef CC_KIND_TEXT
    };
    struct domain_config cfg;
    struct bundle b;
    uint32_t n = 0;

    err[0] = '\0';
    if (bundle_open(&b, bundle, len, err, err_size) != ABI_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < b.domains; i++) {
        bundle_domain(&b, i, &cfg);
        if (name == NULL || strcmp(cfg.name, name) == 0) {
            memcpy(list[n].name, cfg.name, sizeof(list[n].name));
            list[n++].cc = kinds[cfg.cc];
        }
    }
    if (n == 0) {
        (void)fail(err, err_size, "no such domain in the bundle", name != NULL ? name : "");
    }
    return n;
}

bool predict_config(const void *bundle, size_t len, const char *name, uint8_t hash[SHA256_SIZE],
                    char *err, size_t err_size)
{
    struct domain_config cfg;

    if (!predict_domain(bundle, len, name, &cfg, err, err_size)) {
        return false;
    }
    config_hash(&cfg, hash);
    return true;
}
