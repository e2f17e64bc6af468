/* TPM structures (the first byte picks which), and whole evidence with them inside. */
#include <attest/hex.h>
#include <attest/tpm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void quote(const uint8_t *p, size_t len)
{
    struct tpm_quote q;
    struct attest_error err;

    if (tpm_quote_parse(p, len, &q, &err) == ATTEST_OK) {
        if (q.selections == 0 || q.selections > TPM_SELECTIONS_MAX || q.extra_len > 64) {
            abort();
        }
        json_decref(tpm_quote_claims(&q));
        if (tpm_quote_check_pcrs(&q, 0x0B, NULL, 0, &err) == ATTEST_OK &&
            q.selection[0].pcrs != 0) {
            abort();
        }
    }
}

static void signature(const uint8_t *p, size_t len)
{
    struct tpm_signature s;
    struct attest_error err;

    if (tpm_signature_parse(p, len, &s, &err) == ATTEST_OK && s.len > TPM_SIGNATURE_MAX) {
        abort();
    }
}

static void public_key(const uint8_t *p, size_t len)
{
    EVP_PKEY *key = NULL;
    struct attest_error err;

    if (tpm_public_parse(p, len, &key, &err) == ATTEST_OK) {
        EVP_PKEY_free(key);
    }
}

static void whole(const uint8_t *p, size_t len)
{
    const struct attest_evidence_ops *ops = attest_kind_named("tpm");
    struct attest_error err;
    void *ev = NULL;

    if (ops->detect(p, len) && ops->parse(p, len, &ev, &err) == ATTEST_OK) {
        json_decref(ops->claims(ev));
        ops->free(ev);
    }
}

/* The bytes as HCL report beside a quote that is always the same. */
static void hcl(const uint8_t *p, size_t len)
{
    static const char head[] =
        "{\"tpm_quote\":{\"message\":\"ff54434780180000000000000000000000000000000000000000000000"
        "0000000000000000000001000b03000000"
        "0020e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"signature\":\"";
    char *text = malloc(sizeof(head) + 2 * 256 + 2 * len + 100), *at = text;

    at += sprintf(at, "%s", head);
    memset(at, '1', 512);
    at += 512;
    at += sprintf(at, "\",\"pcrs\":[]},\"hcl_report\":\"");
    hex_encode(p, len, at);
    at += 2 * len;
    at += sprintf(at, "\"}");
    whole((const uint8_t *)text, (size_t)(at - text));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parsers[])(const uint8_t *p, size_t len) = {quote, signature, public_key,
                                                                    whole, hcl};
    uint8_t *copy;

    if (size < 2) {
        return 0;
    }
    setenv("TSS2_LOG", "all+none", 1);
    copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    parsers[data[0] % 5](copy, size - 1);
    free(copy);
    return 0;
}
