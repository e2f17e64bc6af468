/* TPM evidence as JSON. */
#include "tpm_evidence.h"

#include <attest/eventlog.h>
#include <attest/hex.h>

#include <stdio.h>

static json_t *selection_claims(const struct tpm_quote *q)
{
    json_t *o = json_object();

    for (size_t k = 0; k < q->selections; k++) {
        json_t *list = json_array();

        for (unsigned int i = 0; i < TPM_PCRS; i++) {
            if ((q->selection[k].pcrs >> i & 1) != 0) {
                json_array_append_new(list, json_integer(i));
            }
        }
        json_object_set_new(o, eventlog_alg_name(q->selection[k].alg), list);
    }
    return o;
}

json_t *tpm_quote_claims(const struct tpm_quote *q)
{
    char signer[2 * TPM_NAME_MAX + 1], extra[129], digest[2 * ATTEST_HASH_MAX + 1], firmware[19];

    snprintf(firmware, sizeof(firmware), "0x%016llx", (unsigned long long)q->firmware);
    return json_pack("{s:s, s:s, s:{s:I, s:I, s:I, s:b}, s:s, s:o, s:s}", "qualified-signer",
                     hex_encode(q->signer, q->signer_len, signer), "extra-data",
                     hex_encode(q->extra, q->extra_len, extra), "clock", "milliseconds",
                     (json_int_t)q->clock, "resets", (json_int_t)q->reset_count, "restarts",
                     (json_int_t)q->restart_count, "safe", q->clock_safe, "firmware-version",
                     firmware, "selection", selection_claims(q), "pcr-digest",
                     hex_encode(q->pcr_digest, q->pcr_digest_len, digest));
}

static json_t *pcr_claims(const struct tpm_evidence *e)
{
    json_t *o = json_object();
    char hex[2 * ATTEST_HASH_MAX + 1], name[8];

    for (size_t i = 0; i < e->pcrs; i++) {
        const struct tpm_pcr *pcr = &e->pcr[i];
        json_t *bank = json_object_get(o, eventlog_alg_name(pcr->alg));
        enum attest_hash hash;

        if (bank == NULL) {
            bank = json_object();
            json_object_set_new(o, eventlog_alg_name(pcr->alg), bank);
        }
        if (eventlog_hash_of(pcr->alg, &hash)) {
            snprintf(name, sizeof(name), "%u", pcr->index);
            json_object_set_new(bank, name,
                                json_string(hex_encode(pcr->value, attest_hash_size(hash), hex)));
        }
    }
    return o;
}

static json_t *key_claims(const struct tpm_evidence *e)
{
    uint8_t spki[32];
    char hex[65];

    if (e->key == NULL || !tpm_key_sha256(e->key, spki)) {
        return NULL;
    }
    return json_pack("{s:s, s:i, s:s}", "type", EVP_PKEY_is_a(e->key, "RSA") ? "RSA" : "EC", "bits",
                     EVP_PKEY_get_bits(e->key), "spki-sha256", hex_encode(spki, 32, hex));
}

static void set_hcl(json_t *o, const struct tpm_evidence *e)
{
    json_t *runtime =
        json_loadb((const char *)e->hcl.runtime, e->hcl.runtime_len, JSON_REJECT_DUPLICATES, NULL);

    if (runtime != NULL) {
        json_object_set_new(o, "runtime-data", runtime);
    }
    json_object_set_new(o, e->hcl.ops->kind, e->hcl.ops->claims(e->hcl.ev));
}

static void set_log(json_t *o, const struct tpm_evidence *e)
{
    struct eventlog log;

    if (eventlog_parse(e->log.p, e->log.len, &log, NULL) == ATTEST_OK) {
        json_object_set_new(o, "event-log", eventlog_claims(&log));
    }
}

json_t *tpm_claims(const void *ev)
{
    const struct tpm_evidence *e = ev;
    json_t *o = json_pack("{s:o, s:o, s:o*}", "quote", tpm_quote_claims(&e->q), "pcrs",
                          pcr_claims(e), "attestation-key", key_claims(e));

    if (o != NULL && e->hcl.ops != NULL) {
        set_hcl(o, e);
    }
    if (o != NULL && e->log.p != NULL) {
        set_log(o, e);
    }
    return o;
}
