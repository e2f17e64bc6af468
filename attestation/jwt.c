/* Signed tokens. */
#include <attest/hex.h>
#include <attest/jwt.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT "JSON Web Token"
#define CLOCK_LEEWAY 60
#define ED25519_SIG 64

static const char *alg_of(EVP_PKEY *key)
{
    enum jose_curve c;

    if (jose_curve_of(key, &c)) {
        return jose_curve_alg(c);
    }
    return key != NULL && EVP_PKEY_is_a(key, "ED25519") ? "EdDSA" : NULL;
}

/* base64url(JSON), malloc'ed */
static char *encode(const json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT);
    char *out = text != NULL ? jose_b64_text(text, strlen(text)) : NULL;

    free(text);
    return out;
}

/* "header.claims", malloc'ed */
static char *signing_input(const json_t *claims, const json_t *header, const char *alg)
{
    json_t *h = json_pack("{s:s, s:s}", "typ", "JWT", "alg", alg);
    char *a;
    char *b;
    char *out = NULL;

    if (h != NULL && header != NULL) {
        json_object_update_missing(h, (json_t *)(uintptr_t)header);
    }
    a = encode(h);
    b = encode(claims);
    if (a != NULL && b != NULL && asprintf(&out, "%s.%s", a, b) < 0) {
        out = NULL;
    }
    free(a);
    free(b);
    json_decref(h);
    return out;
}

/* Takes input over. */
static char *append_signature(char *input, const uint8_t *sig, size_t len)
{
    char *s = jose_b64_text(sig, len);
    char *out = NULL;

    if (s != NULL && asprintf(&out, "%s.%s", input, s) < 0) {
        out = NULL;
    }
    free(s);
    free(input);
    return out;
}

static bool ed25519_sign(EVP_PKEY *key, const char *input, uint8_t *sig, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok;

    *len = ED25519_SIG;
    ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestSign(ctx, sig, len, (const uint8_t *)input, strlen(input)) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

char *jwt_sign(const json_t *claims, const json_t *header, EVP_PKEY *key)
{
    const char *alg = alg_of(key);
    char *input = alg != NULL ? signing_input(claims, header, alg) : NULL;
    struct attest_span span;
    uint8_t sig[JOSE_SIG_MAX];
    size_t len;
    bool ok;

    if (input == NULL) {
        return NULL;
    }
    span = (struct attest_span){input, strlen(input)};
    ok = strcmp(alg, "EdDSA") == 0 ? ed25519_sign(key, input, sig, &len)
                                   : jose_ec_sign(key, &span, 1, sig, &len);
    if (!ok) {
        free(input);
        return NULL;
    }
    return append_signature(input, sig, len);
}

static bool hmac(const uint8_t key[32], const char *p, size_t len, uint8_t out[32])
{
    unsigned int n = 0;

    return HMAC(EVP_sha256(), key, 32, (const uint8_t *)p, len, out, &n) != NULL && n == 32;
}

char *jwt_sign_hmac(const json_t *claims, const uint8_t key[32])
{
    char *input = signing_input(claims, NULL, "HS256");
    uint8_t mac[32];

    if (input == NULL || !hmac(key, input, strlen(input), mac)) {
        free(input);
        return NULL;
    }
    return append_signature(input, mac, sizeof(mac));
}

static enum attest_status bad(struct attest_error *err, const char *field, const char *expected)
{
    return attest_fail(err, ATTEST_MALFORMED, OBJECT, field, expected, NULL);
}

struct parts {
    const char *token;
    size_t input_len;  /* header and claims with their dot */
    size_t header_len;
    uint8_t sig[JOSE_SIG_MAX];
    size_t sig_len;
};

static enum attest_status split(const char *token, size_t len, struct parts *out,
                                struct attest_error *err)
{
    const char *first = memchr(token, '.', len);
    const char *last = memrchr(token, '.', len);

    if (len > JWT_SIZE_MAX || first == NULL || last == first ||
        memchr(first + 1, '.', (size_t)(last - first - 1)) != NULL) {
        return bad(err, "form", "three parts with two dots, up to 256 KiB");
    }
    out->token = token;
    out->input_len = (size_t)(last - token);
    out->header_len = (size_t)(first - token);
    if (!base64_decode(last + 1, len - out->input_len - 1, true, out->sig, sizeof(out->sig),
                       &out->sig_len)) {
        return bad(err, "signature", "base64url of a signature");
    }
    return ATTEST_OK;
}

static json_t *decode(const char *s, size_t len)
{
    uint8_t *buf = malloc(len + 1);
    json_t *j = NULL;
    size_t n;

    if (buf != NULL && base64_decode(s, len, true, buf, len, &n)) {
        j = json_loadb((const char *)buf, n, JSON_REJECT_DUPLICATES, NULL);
    }
    free(buf);
    if (j != NULL && !json_is_object(j)) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static enum attest_status check_header(const struct parts *p, const char *alg,
                                       struct attest_error *err)
{
    json_t *h = decode(p->token, p->header_len);
    const char *found = json_string_value(json_object_get(h, "alg"));
    enum attest_status st = ATTEST_OK;

    if (h == NULL) {
        return bad(err, "header", "base64url of a JSON object");
    }
    if (found == NULL || strcmp(found, alg) != 0) {
        st = attest_fail(err, ATTEST_SIGNATURE, OBJECT, "alg", alg, "%s",
                         found != NULL ? found : "nothing");
    } else if (json_object_get(h, "crit") != NULL) {
        st = attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "crit", "no critical header", "one");
    }
    json_decref(h);
    return st;
}

static enum attest_status take_claims(const struct parts *p, json_t **claims,
                                      struct attest_error *err)
{
    *claims = decode(p->token + p->header_len + 1, p->input_len - p->header_len - 1);
    return *claims != NULL ? ATTEST_OK : bad(err, "claims", "base64url of a JSON object");
}

static bool signature_good(const struct parts *p, EVP_PKEY *key)
{
    struct attest_span span = {p->token, p->input_len};
    EVP_MD_CTX *ctx;
    bool ok;

    if (!EVP_PKEY_is_a(key, "ED25519")) {
        return jose_ec_verify(key, &span, 1, p->sig, p->sig_len);
    }
    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestVerify(ctx, p->sig, p->sig_len, (const uint8_t *)p->token, p->input_len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

enum attest_status jwt_verify(const char *token, size_t len, EVP_PKEY *key, json_t **claims,
                              struct attest_error *err)
{
    const char *alg = alg_of(key);
    enum attest_status st;
    struct parts p;

    *claims = NULL;
    if (alg == NULL) {
        return attest_fail(err, ATTEST_UNSUPPORTED, OBJECT, "key", "an EC or Ed25519 key", NULL);
    }
    if ((st = split(token, len, &p, err)) != ATTEST_OK ||
        (st = check_header(&p, alg, err)) != ATTEST_OK) {
        return st;
    }
    if (!signature_good(&p, key)) {
        return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "signature", "one by the key", NULL);
    }
    return take_claims(&p, claims, err);
}

enum attest_status jwt_verify_hmac(const char *token, size_t len, const uint8_t key[32],
                                   json_t **claims, struct attest_error *err)
{
    enum attest_status st;
    struct parts p;
    uint8_t mac[32];

    *claims = NULL;
    if ((st = split(token, len, &p, err)) != ATTEST_OK ||
        (st = check_header(&p, "HS256", err)) != ATTEST_OK) {
        return st;
    }
    if (!hmac(key, p.token, p.input_len, mac) || p.sig_len != sizeof(mac) ||
        CRYPTO_memcmp(mac, p.sig, sizeof(mac)) != 0) {
        return attest_fail(err, ATTEST_SIGNATURE, OBJECT, "signature", "one by the key", NULL);
    }
    return take_claims(&p, claims, err);
}

static bool integer(const json_t *claims, const char *key, int64_t *out)
{
    const json_t *j = json_object_get(claims, key);

    *out = json_integer_value(j);
    return json_is_integer(j);
}

enum attest_status jwt_check_times(const json_t *claims, int64_t now, struct attest_error *err)
{
    static const char *const starts[] = {"nbf", "iat"};
    int64_t t;

    if (!integer(claims, "exp", &t)) {
        return bad(err, "exp", "an expiry time");
    }
    if (t <= now) {
        return attest_fail(err, ATTEST_EXPIRED, OBJECT, "exp", "a time ahead", "%lld s ago",
                           (long long)(now - t));
    }
    for (size_t i = 0; i < 2; i++) {
        if (json_object_get(claims, starts[i]) == NULL) {
            continue;
        }
        if (!integer(claims, starts[i], &t) || t - CLOCK_LEEWAY > now) {
            return attest_fail(err, ATTEST_NOT_YET_VALID, OBJECT, starts[i], "a time in the past",
                               NULL);
        }
    }
    return ATTEST_OK;
}
