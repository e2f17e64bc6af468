#include <attest/tpm.h>

#include <attest/eventlog.h>

#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define OBJECT "TPM quote"

static enum attest_status bad(const char *field, const char *expected, unsigned long found,
                              struct attest_error *err)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, expected, "%#lx", found);
}

static enum attest_status take_selection(const TPML_PCR_SELECTION *in, struct tpm_quote *out,
                                         struct attest_error *err)
{
    if (in->count == 0 || in->count > TPM_SELECTIONS_MAX) {
        return bad("pcrSelect.count", "1 to 8", in->count, err);
    }
    for (size_t i = 0; i < in->count; i++) {
        const TPMS_PCR_SELECTION *s = &in->pcrSelections[i];
        struct tpm_selection *to = &out->selection[i];
        enum attest_hash hash;

        if (s->sizeofSelect > 4 || !eventlog_hash_of(s->hash, &hash)) {
            return bad("pcrSelect", "banks of SHA-1 or SHA-2", s->hash, err);
        }
        to->alg = s->hash;
        for (size_t k = 0; k < s->sizeofSelect; k++) {
            to->pcrs |= (uint32_t)s->pcrSelect[k] << 8 * k;
        }
        if (to->pcrs >> TPM_PCRS != 0) {
            return bad("pcrSelect", "PCRs 0 to 23", to->pcrs, err);
        }
        out->selections++;
    }
    return ATTEST_OK;
}

/* The structure's own checks were the library's; these are ours. */
static enum attest_status take(const TPMS_ATTEST *a, struct tpm_quote *out,
                               struct attest_error *err)
{
    const TPM2B_DIGEST *digest = &a->attested.quote.pcrDigest;

    if (a->qualifiedSigner.size > sizeof(out->signer) || a->extraData.size > sizeof(out->extra) ||
        digest->size > sizeof(out->pcr_digest)) {
        return bad("sizes", "of names and digests", a->extraData.size, err);
    }
    memcpy(out->signer, a->qualifiedSigner.name, a->qualifiedSigner.size);
    out->signer_len = a->qualifiedSigner.size;
    memcpy(out->extra, a->extraData.buffer, a->extraData.size);
    out->extra_len = a->extraData.size;
    memcpy(out->pcr_digest, digest->buffer, digest->size);
    out->pcr_digest_len = digest->size;
    out->clock = a->clockInfo.clock;
    out->reset_count = a->clockInfo.resetCount;
    out->restart_count = a->clockInfo.restartCount;
    out->clock_safe = a->clockInfo.safe == TPM2_YES;
    out->firmware = a->firmwareVersion;
    return take_selection(&a->attested.quote.pcrSelect, out, err);
}

enum attest_status tpm_quote_parse(const uint8_t *p, size_t len, struct tpm_quote *out,
                                   struct attest_error *err)
{
    TPMS_ATTEST a = {0};
    size_t offset = 0;

    memset(out, 0, sizeof(*out));
    out->message = p;
    out->message_len = len;
    if (len >= 6 && (p[0] != 0xFF || p[1] != 'T' || p[2] != 'C' || p[3] != 'G')) {
        return bad("magic", "TPM_GENERATED_VALUE", (unsigned long)p[0] << 8 | p[1], err);
    }
    if (len >= 6 && (p[4] << 8 | p[5]) != TPM2_ST_ATTEST_QUOTE) {
        return bad("type", "TPM_ST_ATTEST_QUOTE", (unsigned long)(p[4] << 8 | p[5]), err);
    }
    if (Tss2_MU_TPMS_ATTEST_Unmarshal(p, len, &offset, &a) != TSS2_RC_SUCCESS) {
        return attest_fail(err, ATTEST_TRUNCATED, OBJECT, "TPMS_ATTEST", NULL,
                           "not whole in %zu bytes", len);
    }
    if (offset != len) {
        return attest_fail(err, ATTEST_TRAILING, OBJECT, "TPMS_ATTEST", NULL, "%zu bytes too many",
                           len - offset);
    }
    return take(&a, out, err);
}

const struct tpm_pcr *tpm_pcr_find(const struct tpm_pcr *pcrs, size_t n, uint16_t alg,
                                   unsigned int index)
{
    for (size_t i = 0; i < n; i++) {
        if (pcrs[i].alg == alg && pcrs[i].index == index) {
            return &pcrs[i];
        }
    }
    return NULL;
}

static bool add_selected(EVP_MD_CTX *ctx, const struct tpm_selection *s, const struct tpm_pcr *pcrs,
                         size_t n, unsigned int *missing)
{
    enum attest_hash bank;

    for (unsigned int i = 0; i < TPM_PCRS; i++) {
        const struct tpm_pcr *pcr = tpm_pcr_find(pcrs, n, s->alg, i);

        if ((s->pcrs >> i & 1) == 0) {
            continue;
        }
        if (pcr == NULL) {
            *missing = i;
            return false;
        }
        if (!eventlog_hash_of(s->alg, &bank) ||
            EVP_DigestUpdate(ctx, pcr->value, attest_hash_size(bank)) != 1) {
            return false;
        }
    }
    return true;
}

enum attest_status tpm_quote_check_pcrs(const struct tpm_quote *q, uint16_t hash,
                                        const struct tpm_pcr *pcrs, size_t n,
                                        struct attest_error *err)
{
    uint8_t want[ATTEST_HASH_MAX];
    unsigned int len = 0, missing = TPM_PCRS;
    enum attest_hash alg;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && eventlog_hash_of(hash, &alg) &&
              EVP_DigestInit_ex2(ctx, attest_hash_md(alg), NULL) == 1;

    for (size_t i = 0; i < q->selections && ok; i++) {
        ok = add_selected(ctx, &q->selection[i], pcrs, n, &missing);
    }
    ok = ok && EVP_DigestFinal_ex(ctx, want, &len) == 1;
    EVP_MD_CTX_free(ctx);
    if (missing != TPM_PCRS) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "pcrs", "a value for each quoted PCR",
                           "none for PCR %u", missing);
    }
    if (!ok) {
        return attest_fail(err, ATTEST_INTERNAL, OBJECT, "digest", NULL, NULL);
    }
    if (q->pcr_digest_len != len || memcmp(q->pcr_digest, want, len) != 0) {
        return attest_fail_bytes(err, ATTEST_BINDING, OBJECT, "pcrDigest (of the PCRs stated)",
                                 want, len, q->pcr_digest, q->pcr_digest_len);
    }
    return ATTEST_OK;
}

static enum attest_status compare_bank(const struct tpm_selection *s,
                                       const struct eventlog_bank *bank, const struct tpm_pcr *pcrs,
                                       size_t n, struct attest_error *err)
{
    size_t size = attest_hash_size(bank->alg);
    char field[64];

    for (unsigned int i = 0; i < TPM_PCRS; i++) {
        const struct tpm_pcr *pcr = tpm_pcr_find(pcrs, n, s->alg, i);

        if ((s->pcrs >> i & 1) == 0 || pcr == NULL ||
            memcmp(pcr->value, bank->value[i], size) == 0) {
            continue;
        }
        snprintf(field, sizeof(field), "PCR %u (%s)%s", i, eventlog_alg_name(s->alg),
                 (bank->extended >> i & 1) != 0 ? "" : ", which the log never extends");
        return attest_fail_bytes(err, ATTEST_REPLAY, "event log", field, pcr->value, size,
                                 bank->value[i], size);
    }
    return ATTEST_OK;
}

enum attest_status tpm_check_log(const struct tpm_quote *q, const struct tpm_pcr *pcrs, size_t n,
                                 const uint8_t *log, size_t len, struct attest_error *err)
{
    struct eventlog parsed;
    struct eventlog_bank bank;
    enum attest_status st = eventlog_parse(log, len, &parsed, err);

    for (size_t i = 0; i < q->selections && st == ATTEST_OK; i++) {
        if (q->selection[i].pcrs == 0) {
            continue;
        }
        st = eventlog_replay_pcrs(&parsed, q->selection[i].alg, &bank, err);
        if (st == ATTEST_OK) {
            st = compare_bank(&q->selection[i], &bank, pcrs, n, err);
        }
    }
    return st;
}
