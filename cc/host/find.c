#include "find.h"

#include <cloister/predict.h>

#include "hv/string.h"

bool predict_find(const void *bundle, size_t len, const char *name, struct domain_config *cfg,
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
    if (name == NULL) {
        snprintf(err, err_size, "the bundle has several domains: name one");
    } else {
        snprintf(err, err_size, "%s: no such domain in the bundle", name);
    }
    return false;
}

const char *predict_cc(const void *bundle, size_t len, const char *name, char *err,
                       size_t err_size)
{
#define CC_KIND_TEXT(kind, text) [kind] = text,
    static const char *const names[CC_KINDS] = {CC_KIND_LIST(CC_KIND_TEXT)};
#undef CC_KIND_TEXT
    struct domain_config cfg;

    return predict_find(bundle, len, name, &cfg, err, err_size) ? names[cfg.cc] : NULL;
}
