/*
 * The "tpm" section of a policy, and judging by it. PCRs need reference values:
 *   "pcrs": {"sha256": {"0": ["<hex>", ...], "7": "<hex>"}}
 */
#include "tpm_evidence.h"

#include <attest/eventlog.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bank {
    const char *name;
    uint16_t alg;
    enum attest_hash hash;
} banks[] = {{"sha1", TPM_ID_SHA1, ATTEST_SHA1},
             {"sha256", TPM_ID_SHA256, ATTEST_SHA256},
             {"sha384", TPM_ID_SHA384, ATTEST_SHA384},
             {"sha512", TPM_ID_SHA512, ATTEST_SHA512}};
enum { BANKS = sizeof(banks) / sizeof(banks[0]) };

static enum attest_status parse_bank(const json_t *o, const char *path, size_t b,
                                     struct tpm_policy *p, struct attest_error *err)
{
    char names[TPM_PCRS][4];
    const char *keys[TPM_PCRS + 1] = {NULL};
    enum attest_status st;

    for (unsigned int i = 0; i < TPM_PCRS; i++) {
        snprintf(names[i], sizeof(names[i]), "%u", i);
        keys[i] = names[i];
    }
    st = pj_only_keys(o, path, keys, err);
    for (unsigned int i = 0; i < TPM_PCRS && st == ATTEST_OK; i++) {
        st = pj_values(o, path, names[i], attest_hash_size(banks[b].hash), &p->pcr[b][i], err);
    }
    return st;
}

static bool has_references(const struct tpm_policy *p)
{
    for (size_t b = 0; b < BANKS; b++) {
        for (size_t i = 0; i < TPM_PCRS; i++) {
            if (p->pcr[b][i].count > 0) {
                return true;
            }
        }
    }
    return false;
}

static enum attest_status parse_pcrs(const json_t *j, const char *path, struct tpm_policy *p,
                                     struct attest_error *err)
{
    static const char *const keys[] = {"sha1", "sha256", "sha384", "sha512", NULL};
    const json_t *pcrs = json_object_get(j, "pcrs");
    enum attest_status st = ATTEST_OK;
    char sub[96];

    if (pcrs != NULL) {
        snprintf(sub, sizeof(sub), "%s.pcrs", path);
        st = pj_only_keys(pcrs, sub, keys, err);
    }
    for (size_t b = 0; b < BANKS && st == ATTEST_OK; b++) {
        const json_t *bank = json_object_get(pcrs, banks[b].name);

        snprintf(sub, sizeof(sub), "%s.pcrs.%s", path, banks[b].name);
        if (bank != NULL) {
            st = parse_bank(bank, sub, b, p, err);
        }
    }
    if (st == ATTEST_OK && !has_references(p)) {
        st = attest_fail(err, ATTEST_POLICY_INVALID, path, "pcrs", "reference values", "none");
    }
    return st;
}

static enum attest_status parse_members(const json_t *j, const char *path, void *section,
                                        struct attest_error *err)
{
    struct tpm_policy *p = section;
    const struct {
        const char *key;
        bool *out;
    } flags[] = {{"event-log", &p->event_log},
                 {"allow-sha1-signatures", &p->allow_sha1},
                 {"safe-clock", &p->safe_clock}};
    enum attest_status st = parse_pcrs(j, path, p, err);

    if (st == ATTEST_OK) {
        st = pj_values(j, path, "ak", 32, &p->ak, err);
    }
    if (st == ATTEST_OK) {
        st = pj_values(j, path, "roots", 32, &p->roots, err);
    }
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && st == ATTEST_OK; i++) {
        st = pj_bool(j, path, flags[i].key, flags[i].out, err);
    }
    return st;
}

static void release(void *section)
{
    struct tpm_policy *p = section;

    for (size_t b = 0; b < BANKS; b++) {
        for (size_t i = 0; i < TPM_PCRS; i++) {
            pj_values_free(&p->pcr[b][i]);
        }
    }
    pj_values_free(&p->ak);
    pj_values_free(&p->roots);
    free(p);
}

static const char *const keys[] = {
    "pcrs", "ak", "roots", "event-log", "allow-sha1-signatures", "safe-clock", NULL};
const struct pj_section tpm_policy_section = {sizeof(struct tpm_policy), keys, parse_members,
                                             release};

static bool is_quoted(const struct tpm_quote *q, uint16_t alg, unsigned int i)
{
    for (size_t k = 0; k < q->selections; k++) {
        if (q->selection[k].alg == alg && (q->selection[k].pcrs >> i & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void check_pcr(const struct tpm_evidence *e, size_t b, unsigned int i,
                      const struct pj_values *want, struct attest_verdict *v)
{
    const struct tpm_pcr *pcr = tpm_pcr_find(e->pcr, e->pcrs, banks[b].alg, i);
    struct attest_error err;
    char field[32];
    enum attest_status st;

    snprintf(field, sizeof(field), "PCR %u (%s)", i, banks[b].name);
    if (pcr == NULL || !is_quoted(&e->q, banks[b].alg, i)) {
        st = attest_fail(&err, ATTEST_MEASUREMENT, "TPM quote", field, "quoted", "not quoted");
    } else if (!pj_values_contain(want, pcr->value)) {
        st = attest_fail_bytes(&err, ATTEST_MEASUREMENT, "TPM quote", field,
                               want->count == 1 ? want->v : NULL, want->count == 1 ? want->len : 0,
                               pcr->value, want->len);
    } else {
        return;
    }
    if (st != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

static void check_log(const struct tpm_evidence *e, const uint8_t *log, size_t len,
                      struct attest_verdict *v)
{
    struct attest_error err;

    if (log != NULL && tpm_check_log(&e->q, e->pcr, e->pcrs, log, len, &err) != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

/* The evidence's own log is among the claims: it is checked even beside one that was given. */
static void check_logs(const struct tpm_evidence *e, const struct tpm_policy *p,
                       const struct attest_input *in, struct attest_verdict *v)
{
    struct attest_error err;

    check_log(e, in->event_log, in->event_log_len, v);
    check_log(e, e->log.p, e->log.len, v);
    if (p->event_log && in->event_log == NULL && e->log.p == NULL &&
        attest_fail(&err, ATTEST_REPLAY, "event log", "presence",
                    "a log, for the policy wants one", "none") != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

/* extraData has the nonce's own length: no padding here. An empty one shows nothing. */
static void check_nonce(const struct tpm_evidence *e, const struct attest_input *in,
                        struct attest_verdict *v)
{
    struct attest_error err;

    if (in->nonce != NULL && (in->nonce_len == 0 || e->q.extra_len != in->nonce_len ||
                              memcmp(e->q.extra, in->nonce, in->nonce_len) != 0)) {
        if (attest_fail_bytes(&err, ATTEST_NONCE, "TPM quote", "extraData", in->nonce,
                              in->nonce_len, e->q.extra, e->q.extra_len) != ATTEST_OK) {
            attest_refuse(v, &err);
        }
    }
}

/* The machine below the vTPM is judged by its own section. */
static void appraise_platform(const struct tpm_evidence *e, const struct attest_input *in,
                              struct attest_verdict *v)
{
    const void *section = attest_policy_section(in->policy, e->hcl.ops->kind);
    struct attest_input inner = *in;
    struct attest_error err;

    inner.nonce = NULL;
    inner.event_log = NULL;
    if (section != NULL) {
        e->hcl.ops->appraise(e->hcl.ev, section, &inner, v);
    } else if (attest_fail(&err, ATTEST_REFERENCE_MISSING, "policy", e->hcl.ops->kind,
                           "a section for the machine below the vTPM", "none") != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

void tpm_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v)
{
    const struct tpm_evidence *e = ev;
    const struct tpm_policy *p = section;
    struct attest_error err;

    check_nonce(e, in, v);
    for (size_t b = 0; b < BANKS; b++) {
        for (unsigned int i = 0; i < TPM_PCRS; i++) {
            if (p->pcr[b][i].count > 0) {
                check_pcr(e, b, i, &p->pcr[b][i], v);
            }
        }
    }
    check_logs(e, p, in, v);
    if (p->safe_clock && !e->q.clock_safe &&
        attest_fail(&err, ATTEST_PLATFORM, "TPM quote", "clockInfo.safe", "yes", "no") !=
            ATTEST_OK) {
        attest_refuse(v, &err);
    }
    if (e->hcl.ops != NULL) {
        appraise_platform(e, in, v);
    }
}
