#include "hv/cc.h"

#include "hv/cc_ops.h"
#include "hv/log.h"
#include "hv/string.h"
#include "hv/types.h"

static const struct cc_ops *usable[CC_KINDS];

const char *cc_name(enum cc_kind kind)
{
#define CC_KIND_TEXT(name, text) [name] = text,
    static const char *const names[] = {CC_KIND_LIST(CC_KIND_TEXT)};
#undef CC_KIND_TEXT

    return names[kind];
}

void cc_start(void)
{
    for (unsigned int i = 0; i < cc_registry_count; i++) {
        const struct cc_ops *ops = cc_registry[i];

        if (ops->start()) {
            usable[ops->kind] = ops;
            log_debug("%s guests can run", cc_name(ops->kind));
        }
    }
}

void cc_stop(void)
{
    for (unsigned int i = 0; i < CC_KINDS; i++) {
        if (usable[i] != NULL) {
            usable[i]->stop();
        }
    }
}

void cc_list(char *buf, size_t size)
{
    size_t n = 0;

    buf[0] = '\0';
    for (unsigned int i = 0; i < CC_KINDS && n < size; i++) {
        if (usable[i] != NULL) {
            n += (size_t)snprintf(&buf[n], size - n, "%s\"%s\"", n > 0 ? "," : "",
                                  cc_name((enum cc_kind)i));
        }
    }
}

const struct cc_ops *cc_ops_of(enum cc_kind kind)
{
    return usable[kind];
}

void cc_configure(struct domain_config *cfg)
{
    usable[cfg->cc]->configure(cfg);
}

bool cc_present(enum cc_kind kind)
{
    return usable[kind] != NULL;
}
