/*
 * The tables of kinds, from kinds.def.
 */
#include <attest/evidence.h>

#include <string.h>

#define ATTEST_EVIDENCE(x) extern const struct attest_evidence_ops attest_evidence_##x;
#define ATTEST_ITEM(x)     extern const struct attest_item_ops attest_item_##x;
#include <attest/kinds.def>
#undef ATTEST_EVIDENCE
#undef ATTEST_ITEM

static const struct attest_evidence_ops *const evidence[] = {
#define ATTEST_EVIDENCE(x) &attest_evidence_##x,
#define ATTEST_ITEM(x)
#include <attest/kinds.def>
#undef ATTEST_EVIDENCE
#undef ATTEST_ITEM
    NULL,
};

static const struct attest_item_ops *const items[] = {
#define ATTEST_EVIDENCE(x)
#define ATTEST_ITEM(x) &attest_item_##x,
#include <attest/kinds.def>
#undef ATTEST_EVIDENCE
#undef ATTEST_ITEM
    NULL,
};

const struct attest_evidence_ops *attest_kind(size_t i)
{
    return i < sizeof(evidence) / sizeof(evidence[0]) ? evidence[i] : NULL;
}

const struct attest_item_ops *attest_item_kind(size_t i)
{
    return i < sizeof(items) / sizeof(items[0]) ? items[i] : NULL;
}

const struct attest_evidence_ops *attest_kind_named(const char *kind)
{
    for (size_t i = 0; evidence[i] != NULL; i++) {
        if (strcmp(evidence[i]->kind, kind) == 0) {
            return evidence[i];
        }
    }
    return NULL;
}

const struct attest_evidence_ops *attest_kind_detect(const uint8_t *p, size_t len)
{
    for (size_t i = 0; evidence[i] != NULL; i++) {
        if (evidence[i]->detect(p, len)) {
            return evidence[i];
        }
    }
    return NULL;
}

static enum attest_status no_proof(struct attest_error *err, const char *field)
{
    return attest_fail(err, ATTEST_UNSUPPORTED, "evidence", field,
                       "evidence that a trusted key signed", "a thing that can only be shown");
}

enum attest_status attest_show_only_verify(void *ev, const struct attest_input *in,
                                           struct attest_verdict *v, struct attest_error *err)
{
    (void)ev;
    (void)in;
    (void)v;
    return no_proof(err, "kind");
}

void attest_show_only_appraise(const void *ev, const void *section, const struct attest_input *in,
                               struct attest_verdict *v)
{
    struct attest_error err;

    (void)ev;
    (void)section;
    (void)in;
    if (no_proof(&err, "kind") != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}
