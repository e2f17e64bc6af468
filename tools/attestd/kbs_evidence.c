/*
 * Evidence as the guest components send it: TDX and SGX {"quote": base64, "cc_eventlog": base64},
 * CCA {"token": bytes}, SNP see kbs_snp.c, TPM quotes are evidence in JSON as they are. Besides,
 * for all of them, {"evidence": base64 of the raw bytes, "event_log": base64}.
 */
#include "admin.h"
#include "broker_impl.h"

#include <stdlib.h>
#include <string.h>

#define EVIDENCE_MAX (1024 * 1024)

void kbs_evidence_free(struct kbs_evidence *e)
{
    free(e->p);
    free(e->event_log);
    *e = (struct kbs_evidence){0};
}

static enum attest_status decode(const json_t *j, const char *field, uint8_t **out, size_t *len,
                                 struct attest_error *err)
{
    size_t n = json_string_length(j);

    *out = json_is_string(j) && n > 0 && n <= 2 * EVIDENCE_MAX ? malloc(n + 1) : NULL;
    if (*out == NULL || !admin_base64(json_string_value(j), n, *out, len)) {
        free(*out);
        *out = NULL;
        return attest_fail(err, ATTEST_MALFORMED, "tee-evidence", field, "base64", NULL);
    }
    return ATTEST_OK;
}

/* [1, 2, 3] as bytes: how serde writes a Vec<u8>. */
static enum attest_status numbers(const json_t *j, const char *field, uint8_t **out, size_t *len,
                                  struct attest_error *err)
{
    *len = json_array_size(j);
    *out = *len > 0 && *len <= EVIDENCE_MAX ? malloc(*len) : NULL;
    for (size_t i = 0; *out != NULL && i < *len; i++) {
        const json_t *v = json_array_get(j, i);

        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 255) {
            free(*out);
            *out = NULL;
            break;
        }
        (*out)[i] = (uint8_t)json_integer_value(v);
    }
    return *out != NULL ? ATTEST_OK
                        : attest_fail(err, ATTEST_MALFORMED, "tee-evidence", field,
                                      "a list of bytes", NULL);
}

static enum attest_status with_log(const json_t *j, const char *field, const char *log,
                                   struct kbs_evidence *out, struct attest_error *err)
{
    const json_t *l = json_object_get(j, log);
    enum attest_status st = decode(json_object_get(j, field), field, &out->p, &out->len, err);

    if (st == ATTEST_OK && l != NULL && !json_is_null(l)) {
        st = decode(l, log, &out->event_log, &out->event_log_len, err);
    }
    return st;
}

static enum attest_status parse(const char *kind, const json_t *j, struct kbs_evidence *out,
                                struct attest_error *err)
{
    if (json_object_get(j, "evidence") != NULL) {
        return with_log(j, "evidence", "event_log", out, err);
    }
    if (strcmp(kind, "sev-snp") == 0) {
        return kbs_snp_parse(j, out, err);
    }
    if (strcmp(kind, "cca") == 0) {
        return numbers(json_object_get(j, "token"), "token", &out->p, &out->len, err);
    }
    if (strcmp(kind, "tpm") == 0) {
        out->p = (uint8_t *)json_dumps(j, JSON_COMPACT);
        out->len = out->p != NULL ? strlen((const char *)out->p) : 0;
        return out->p != NULL ? ATTEST_OK : attest_no_memory(err, "tee-evidence");
    }
    return with_log(j, "quote", "cc_eventlog", out, err);
}

enum attest_status kbs_evidence_parse(const char *kind, const json_t *j, struct kbs_evidence *out,
                                      struct attest_error *err)
{
    json_t *inner = NULL;
    enum attest_status st;

    *out = (struct kbs_evidence){0};
    /* Some clients send the object as a string of JSON. */
    if (json_is_string(j)) {
        inner = json_loads(json_string_value(j), JSON_REJECT_DUPLICATES, NULL);
        j = inner;
    }
    st = kind != NULL && json_is_object(j)
             ? parse(kind, j, out, err)
             : attest_fail(err, ATTEST_MALFORMED, "tee-evidence", "primary_evidence", "an object",
                           NULL);
    if (st != ATTEST_OK) {
        kbs_evidence_free(out);
    }
    json_decref(inner);
    return st;
}
