/* An authentic token against the policy: every difference is a refusal of its own. */
#include "cca_evidence.h"

#include <attest/hex.h>

#include <stdio.h>
#include <string.h>

#define REALM "CCA realm token"
#define PLATFORM "CCA platform token"

struct ctx {
    const struct cca_token *t;
    const struct cca_policy *p;
    struct attest_verdict *v;
};

static void refuse_bytes(const struct ctx *c, enum attest_status st, const char *object,
                         const char *field, const uint8_t *want, size_t want_len,
                         const struct attest_span *s)
{
    struct attest_error err;

    if (attest_fail_bytes(&err, st, object, field, want, want_len, s->p, s->len) != ATTEST_OK) {
        attest_refuse(c->v, &err);
    }
}

static void check_digests(const struct ctx *c, const char *field, const struct cca_digests *d,
                          const struct attest_span *s)
{
    if (d->count == 0 || cca_digests_contain(d, s)) {
        return;
    }
    /* A single reference value is worth showing. */
    refuse_bytes(c, ATTEST_MEASUREMENT, REALM, field, d->count == 1 ? d->v[0].v : NULL,
                 d->count == 1 ? d->v[0].len : 0, s);
}

static void check_values(const struct ctx *c, enum attest_status st, const char *object,
                         const char *field, const struct pj_values *list,
                         const struct attest_span *s)
{
    if (list->count == 0 || pj_values_contain(list, s->p)) {
        return;
    }
    refuse_bytes(c, st, object, field, list->count == 1 ? list->v : NULL,
                 list->count == 1 ? list->len : 0, s);
}

static void check_realm(const struct ctx *c)
{
    static const char *const names[CCA_REMS] = {
        "cca-realm-extensible-measurements[0]", "cca-realm-extensible-measurements[1]",
        "cca-realm-extensible-measurements[2]", "cca-realm-extensible-measurements[3]"};
    const struct cca_realm *r = &c->t->realm;

    check_digests(c, "cca-realm-initial-measurement", &c->p->rim, &r->rim);
    for (size_t i = 0; i < CCA_REMS; i++) {
        check_digests(c, names[i], &c->p->rem[i], &r->rem[i]);
    }
    check_values(c, ATTEST_POLICY, REALM, "cca-realm-personalization-value",
                 &c->p->personalization, &r->personalization);
    check_values(c, ATTEST_POLICY, REALM, "cca-realm-challenge", &c->p->challenge, &r->challenge);
}

static bool text_fits(const char *want, const struct attest_span *s)
{
    return want == NULL ||
           (s->p != NULL && s->len == strlen(want) && memcmp(s->p, want, s->len) == 0);
}

static bool component_fits(const struct cca_reference *r, const struct cca_component *k)
{
    return r->measurement_len == k->measurement.len &&
           memcmp(r->measurement, k->measurement.p, k->measurement.len) == 0 &&
           (r->signer_len == 0 || (r->signer_len == k->signer.len &&
                                   memcmp(r->signer, k->signer.p, k->signer.len) == 0)) &&
           text_fits(r->type, &k->type) && text_fits(r->version, &k->version);
}

/* Every component that runs must be known; which of the known ones run is the platform's affair. */
static void check_components(const struct ctx *c)
{
    for (size_t i = 0; i < c->t->platform.components; i++) {
        const struct cca_component *k = &c->t->platform.component[i];
        char field[80];
        size_t r = 0;

        while (r < c->p->references && !component_fits(&c->p->reference[r], k)) {
            r++;
        }
        if (r == c->p->references) {
            snprintf(field, sizeof(field), "cca-platform-sw-components[%zu] %.*s", i,
                     k->type.len < 32 ? (int)k->type.len : 32,
                     k->type.p != NULL ? (const char *)k->type.p : "");
            refuse_bytes(c, ATTEST_MEASUREMENT, PLATFORM, field, NULL, 0, &k->measurement);
        }
    }
}

static void check_platform(const struct ctx *c)
{
    const struct cca_platform *p = &c->t->platform;

    check_values(c, ATTEST_IDENTITY, PLATFORM, "cca-platform-implementation-id",
                 &c->p->implementation_id, &p->implementation_id);
    check_values(c, ATTEST_IDENTITY, PLATFORM, "cca-platform-instance-id", &c->p->instance_id,
                 &p->instance_id);
    if (c->p->config != NULL && (c->p->config_len != p->config.len ||
                                 memcmp(c->p->config, p->config.p, p->config.len) != 0)) {
        refuse_bytes(c, ATTEST_PLATFORM, PLATFORM, "cca-platform-config", c->p->config,
                     c->p->config_len, &p->config);
    }
}

static void check_lifecycle(const struct ctx *c)
{
    uint16_t state = c->t->platform.lifecycle;
    struct attest_error err;
    enum attest_status st;
    size_t i;

    if (cca_lifecycle_index(state, &i) && (c->p->lifecycles >> i & 1) != 0) {
        return;
    }
    /* 40xxh and 50xxh are debug states of the platform's root of trust. */
    st = state >> 8 == 0x40 || state >> 8 == 0x50 ? ATTEST_DEBUG : ATTEST_PLATFORM;
    if (attest_fail(&err, st, PLATFORM, "cca-platform-lifecycle", "a state that the policy allows",
                    "%s (%04xh)", cca_lifecycle_name(state), state) != ATTEST_OK) {
        attest_refuse(c->v, &err);
    }
}

void cca_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v)
{
    const struct ctx c = {ev, section, v};
    struct attest_error err;

    if (attest_check_nonce(in, REALM, "cca-realm-challenge", c.t->realm.challenge.p,
                           CCA_CHALLENGE_SIZE, &err) != ATTEST_OK) {
        attest_refuse(v, &err);
    }
    check_realm(&c);
    check_lifecycle(&c);
    check_platform(&c);
    check_components(&c);
}
