/* CCA tokens as a kind of evidence: from bytes to an authentic token. */
#include "cca_evidence.h"

#include <stdlib.h>
#include <string.h>

#define KIND "cca"

static enum attest_status cca_parse(const uint8_t *p, size_t len, void **ev,
                                    struct attest_error *err)
{
    struct cca_token *t = calloc(1, sizeof(*t));
    enum attest_status st;

    if (t == NULL) {
        return attest_no_memory(err, "CCA token");
    }
    st = cca_token_parse(p, len, t, err);
    if (st != ATTEST_OK) {
        free(t);
        return st;
    }
    *ev = t;
    return ATTEST_OK;
}

/* May this key have signed this platform's token, as far as its ids say? */
static bool fits(const struct cca_anchor *a, const struct cca_platform *p)
{
    return (!a->has_instance ||
            memcmp(a->instance_id, p->instance_id.p, CCA_INSTANCE_ID_SIZE) == 0) &&
           (!a->has_implementation || memcmp(a->implementation_id, p->implementation_id.p,
                                             CCA_IMPLEMENTATION_ID_SIZE) == 0);
}

/* The key among the collateral that signed; the best reason when none did. */
static enum attest_status find_signer(const struct cca_token *t, const struct attest_input *in,
                                      const struct cca_anchor **out, struct attest_error *err)
{
    const struct attest_item *item;
    size_t tried = 0;
    enum attest_status st;

    for (size_t i = 0; (item = attest_collateral_item(in->collateral, i)) != NULL; i++) {
        if (item->ops != &attest_item_cca_anchor || !fits(item->obj, &t->platform)) {
            continue;
        }
        *out = item->obj;
        tried++;
        st = cose_sign1_verify(&t->platform_sign, (*out)->key, "CCA platform token", err);
        if (st == ATTEST_OK) {
            return ATTEST_OK;
        }
    }
    return tried > 0 ? ATTEST_SIGNATURE
                     : attest_fail(err, ATTEST_COLLATERAL_MISSING, "CCA platform token",
                                   "signer's key", "a platform attestation key of this instance",
                                   "none in the collateral");
}

/* There is no vendor root: whoever writes the policy vouches for the platform's key. */
static enum attest_status trust(const struct cca_anchor *a, const struct attest_input *in,
                                struct attest_verdict *v, struct attest_error *err)
{
    const struct cca_policy *p = attest_policy_section(in->policy, KIND);

    if (p != NULL && pj_values_contain(&p->trusted_keys, a->spki_sha256)) {
        return attest_trust_by_policy(v, KIND, "CCA platform attestation key", a->spki_sha256);
    }
    return attest_trust(v, in, KIND, "CCA platform attestation key", a->spki_sha256, err);
}

static enum attest_status cca_verify(void *ev, const struct attest_input *in,
                                     struct attest_verdict *v, struct attest_error *err)
{
    const struct cca_token *t = ev;
    const struct cca_anchor *a = NULL;
    enum attest_status st = find_signer(t, in, &a, err);

    if (st != ATTEST_OK || (st = trust(a, in, v, err)) != ATTEST_OK ||
        (st = cca_token_check_binding(t, err)) != ATTEST_OK) {
        return st;
    }
    attest_note(v, "cca-profile", "platform %s, realm %s", t->platform.legacy ? "legacy" : "2023",
                t->realm.legacy ? "legacy" : "2023");
    attest_note(v, "cca-lifecycle", "%s", cca_lifecycle_name(t->platform.lifecycle));
    return ATTEST_OK;
}

static json_t *claims_of(const void *ev)
{
    return cca_token_claims(ev);
}

const struct attest_evidence_ops attest_evidence_cca = {
    .kind = KIND,
    .title = "Arm CCA attestation token",
    .detect = cca_token_detect,
    .parse = cca_parse,
    .free = free,
    .verify = cca_verify,
    .appraise = cca_appraise,
    .claims = claims_of,
    .policy = &cca_policy_section,
};
