/* What is remembered of domains that control others: their answers, and what theirs take. */
#include "hv/control.h"
#include "hv/string.h"

static struct {
    struct lock lock;
    struct controller controller[ABI_MAX_CONTROLLERS];
} all;

/* The lock is held. An entry without a name is free, and so is all behind it. */
static struct controller *find(const char *name)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(all.controller); i++) {
        struct controller *c = &all.controller[i];

        if (c->name[0] == '\0' || strcmp(c->name, name) == 0) {
            return c;
        }
    }
    return NULL;
}

struct controller *controller_of(const struct domain_config *cfg)
{
    struct controller *c;

    lock(&all.lock);
    c = find(cfg->name);
    if (c != NULL) {
        (void)str_copy(c->name, sizeof(c->name), cfg->name);
        lock(&c->lock);
        c->memory_max = cfg->create_memory;
        c->domains_max = cfg->create_domains;
        unlock(&c->lock);
    }
    unlock(&all.lock);
    return c;
}

/* Neither sum wraps: what is taken exists, and 64 bits count it. */
static bool fits(const struct controller *c, uint64_t bytes, uint32_t domains)
{
    return c->memory <= c->memory_max && bytes <= c->memory_max - c->memory &&
           c->domains <= c->domains_max && domains <= c->domains_max - c->domains;
}

enum abi_status controller_take(struct controller *c, uint64_t bytes, uint32_t domains)
{
    enum abi_status st = ABI_LIMIT;

    if (c == NULL) {
        return ABI_OK;
    }
    lock(&c->lock);
    if (fits(c, bytes, domains)) {
        c->memory += bytes;
        c->domains += domains;
        st = ABI_OK;
    }
    unlock(&c->lock);
    return st;
}

void controller_give(struct controller *c, uint64_t bytes, uint32_t domains)
{
    if (c == NULL) {
        return;
    }
    lock(&c->lock);
    CHECK(c->memory >= bytes && c->domains >= domains);
    c->memory -= bytes;
    c->domains -= domains;
    unlock(&c->lock);
}

const struct answer *journal_find(const struct journal *j, uint64_t id)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(j->answer); i++) {
        if (j->answer[i].id == id) {
            return &j->answer[i];
        }
    }
    return NULL;
}

void journal_add(struct journal *j, const struct answer *a)
{
    j->answer[j->next] = *a;
    j->next = j->old ? 0 : (j->next + 1) % ARRAY_SIZE(j->answer);
}
