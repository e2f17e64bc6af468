/* The realm initial measurement of a domain of a bundle. */
#include "attest_measure_rim.h"

#include <cloister/predict.h>

#include <string.h>

#define LARGEST_ENTRY (1ull << 30) /* the driver's tables begin at level 1 */

struct rim_walk {
    struct realm_measures *out;
    struct attest_error err;
    enum attest_status st;
};

static enum attest_status create(struct realm_measures *out, const struct predict_rmi *c,
                                 struct attest_error *err)
{
    const struct cca_realm_params p = {
        .s2sz = c->realm.s2sz,
        .num_bps = c->realm.num_bps,
        .num_wps = c->realm.num_wps,
        .hash = c->realm.hash_algo == 0 ? ATTEST_SHA256 : ATTEST_SHA512,
    };

    memcpy(out->personalization, c->realm.rpv, sizeof(out->personalization));
    return cca_rim_create(&p, &out->rim, err);
}

static bool take(void *arg, const struct predict_rmi *c)
{
    struct rim_walk *w = arg;
    struct cca_rim *rim = &w->out->rim;

    switch (c->command) {
    case PREDICT_REALM_CREATE:
        w->st = create(w->out, c, &w->err);
        break;
    case PREDICT_RTT_INIT_RIPAS:
        w->st = cca_rim_ripas_range(rim, LARGEST_ENTRY, c->ripas.base, c->ripas.top, &w->err);
        break;
    case PREDICT_DATA_CREATE:
        w->st = cca_rim_data(rim, c->data.ipa, true, c->data.content, &w->err);
        break;
    case PREDICT_REC_CREATE:
        w->st = cca_rim_rec(rim, true, c->rec.pc, c->rec.gprs, &w->err);
        break;
    }
    return w->st == ATTEST_OK;
}

bool domain_rim(const void *bundle, size_t size, const char *domain, struct realm_measures *out,
                char *why, size_t why_size)
{
    struct rim_walk w = {.out = out, .st = ATTEST_OK};
    bool ok = predict_cca(bundle, size, domain, take, &w, why, why_size);

    if (w.st != ATTEST_OK) {
        (void)attest_error_text(&w.err, why, why_size);
    }
    return ok;
}
