/*
 * Quotes of a software TPM, end to end: swtpm and the tpm2 tools make them, the library judges
 * them. Skipped loudly where either is missing.
 */
#include "attest_file.h"
#include "attest_tdx.h"
#include "cu.h"

#include <attest/eventlog.h>
#include <attest/hex.h>
#include <attest/tpm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 5 };

static char dir[64];

/*
 * Starts a TPM on a port of its own, makes an AK of each kind, extends PCRs 7 and 16 with known
 * digests, and quotes 0, 7, 16 and 17 over two banks with each key.
 */
static const char script[] =
    "set -e; cd %s; P=%d; export TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=$P\n"
    "swtpm socket --tpm2 --tpmstate dir=$PWD --server type=tcp,port=$P,disconnect "
    "--ctrl type=tcp,port=$((P+1)) --flags not-need-init,startup-clear --daemon --pid file=pid\n"
    "trap 'kill $(cat pid)' EXIT\n"
    "for i in 1 2 3 4 5 6 7 8 9 10; do tpm2_getrandom 4 >/dev/null 2>&1 && break; sleep 0.2; done\n"
    "tpm2_createek -c ek.ctx -G rsa -u ek.pub >/dev/null; tpm2_flushcontext -t\n"
    "D=$(printf '11%%.0s' $(seq 32)); S=$(printf '22%%.0s' $(seq 20))\n"
    "tpm2_pcrextend 7:sha256=$D,sha1=$S\n"
    "tpm2_pcrextend 16:sha256=$D,sha1=$S\n"
    "for k in rsa:rsassa rsa:rsapss ecc:ecdsa; do n=${k#*:}\n"
    "tpm2_createak -C ek.ctx -c $n.ctx -G ${k%%:*} -g sha256 -s $n -u $n.pub -n $n.name "
    ">/dev/null\n"
    "tpm2_flushcontext -t\n"
    "tpm2_quote -c $n.ctx -l sha256:0,7,16,17+sha1:7 -q 00112233445566778899 -m $n.msg "
    "-s $n.sig --scheme $n -g sha256 >/dev/null\n"
    "tpm2_flushcontext -t; done\n"
    "tpm2_pcrread sha256:0,7,16,17 -o sha256.bin >/dev/null; "
    "tpm2_pcrread sha1:7 -o sha1.bin >/dev/null\n"
    "tpm2_createprimary -C e -c weak.ctx -G ecc -a "
    "'fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|fixedtpm' >/dev/null; "
    "tpm2_readpublic -c weak.ctx -f tss -o weak.pub >/dev/null\n";

static bool have(const char *program)
{
    char command[128];

    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

/* Once per run; false, after saying so, when there is no TPM to be had. */
static bool make_quotes(void)
{
    static int state; /* 0: not tried, 1: there, 2: not to be had, 3: failed */
    char command[4096];

    if (state == 0 && have("swtpm") && have("tpm2_quote")) {
        snprintf(dir, sizeof(dir), "%s", cu_scratch());
        for (int i = 0; i < TRIES && state == 0; i++) {
            snprintf(command, sizeof(command), script, dir, 20000 + (getpid() + 613 * i) % 20000);
            state = system(command) == 0 ? 1 : 0;
        }
        state = state == 0 ? 3 : state;
    } else if (state == 0) {
        state = 2;
    }
    if (state == 2) {
        cu_skip(1, "no swtpm or no tpm2-tools: no quote of a software TPM");
    }
    CU_ASSERT_NOT_EQUAL_FATAL(state, 3);
    return state == 1;
}

static uint8_t *file_of(const char *name, const char *suffix, size_t *len)
{
    char path[128];
    uint8_t *p;

    snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    p = file_read(path, len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static json_t *hex_of(const char *name, const char *suffix)
{
    size_t len;
    uint8_t *p = file_of(name, suffix, &len);
    char *hex = malloc(2 * len + 1);
    json_t *j = json_string(hex_encode(p, len, hex));

    free(hex);
    free(p);
    return j;
}

static json_t *pcrs(void)
{
    static const char *const numbers[] = {"0", "7", "16", "17"};
    json_t *sha256 = json_object();
    size_t len, len1;
    uint8_t *p = file_of("sha256", ".bin", &len), *p1 = file_of("sha1", ".bin", &len1);
    char hex[65], hex1[41];

    CU_ASSERT_FATAL(len == 4 * 32 && len1 == 20);
    for (size_t i = 0; i < 4; i++) {
        json_object_set_new(sha256, numbers[i], json_string(hex_encode(p + 32 * i, 32, hex)));
    }
    hex_encode(p1, 20, hex1);
    free(p);
    free(p1);
    return json_pack("{s:o, s:{s:s}}", "sha256", sha256, "sha1", "7", hex1);
}

static json_t *evidence(const char *key)
{
    return json_pack("{s:{s:o, s:o, s:o}, s:o}", "tpm_quote", "message", hex_of(key, ".msg"),
                     "signature", hex_of(key, ".sig"), "pcrs", pcrs(), "ak_public",
                     hex_of(key, ".pub"));
}

/* H(zero || 32 times 11h): what PCR 7 must hold after one extension. */
static void expected_pcr(char hex[65])
{
    uint8_t both[64] = {0}, h[32];

    memset(both + 32, 0x11, 32);
    CU_ASSERT_TRUE_FATAL(attest_hash1(ATTEST_SHA256, both, 64, h));
    hex_encode(h, 32, hex);
}

static void make_policy(const char *key, const char *more, char *out, size_t size)
{
    size_t len;
    uint8_t *pub = file_of(key, ".pub", &len), spki[32];
    EVP_PKEY *k = NULL;
    char hex[65], pcr[65];

    CU_ASSERT_EQUAL_FATAL(tpm_public_parse(pub, len, &k, NULL), ATTEST_OK);
    CU_ASSERT_TRUE_FATAL(tpm_key_sha256(k, spki));
    EVP_PKEY_free(k);
    free(pub);
    expected_pcr(pcr);
    snprintf(out, size,
             "{\"version\":1,\"tpm\":{\"ak\":\"%s\",\"pcrs\":{\"sha256\":{\"7\":\"%s\"}}%s}}",
             hex_encode(spki, 32, hex), pcr, more);
}

static struct attest_verdict *judge(const json_t *j, const char *policy_text, const uint8_t *nonce,
                                    size_t nonce_len, const uint8_t *log, size_t log_len)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_policy *policy = NULL;
    struct attest_verdict *v = attest_verdict_new();
    char *text = json_dumps(j, JSON_COMPACT);

    attest_collateral_seal(c);
    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(policy_text, strlen(policy_text), &policy, NULL),
                          ATTEST_OK);
    attest_verify((const uint8_t *)text, strlen(text),
                  &(struct attest_input){.collateral = c,
                                         .policy = policy,
                                         .at = tdx_time("2026-06-01"),
                                         .nonce = nonce,
                                         .nonce_len = nonce_len,
                                         .event_log = log,
                                         .event_log_len = log_len},
                  v);
    attest_policy_free(policy);
    attest_collateral_free(c);
    free(text);
    return v;
}

static const char *const keys[] = {"rsassa", "rsapss", "ecdsa"};
static const uint8_t nonce[] = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};

static void quotes_of_each_kind_of_key_are_trusted(void)
{
    char policy[1024];

    for (size_t i = 0; i < 3 && make_quotes(); i++) {
        json_t *j = evidence(keys[i]);

        make_policy(keys[i], "", policy, sizeof(policy));
        tdx_expect(judge(j, policy, nonce, sizeof(nonce), NULL, 0), ATTEST_OK, NULL, NULL);
        tdx_expect(judge(j, policy, nonce, sizeof(nonce) - 1, NULL, 0), ATTEST_NONCE, "extraData",
                   NULL);
        make_policy(keys[(i + 1) % 3], "", policy, sizeof(policy));
        tdx_expect(judge(j, policy, nonce, sizeof(nonce), NULL, 0), ATTEST_ROOT_UNTRUSTED, NULL,
                   NULL);
        json_decref(j);
    }
}

static void no_flipped_byte_of_a_message_or_signature_is_trusted(void)
{
    static const char *const parts[] = {"message", "signature"};
    char policy[1024];

    for (size_t i = 0; i < 3 && make_quotes(); i++) {
        json_t *j = evidence(keys[i]), *quote = json_object_get(j, "tpm_quote");

        make_policy(keys[i], "", policy, sizeof(policy));
        for (size_t p = 0; p < 2; p++) {
            char *hex = strdup(json_string_value(json_object_get(quote, parts[p])));
            size_t trusted = 0;

            for (size_t k = 0; hex[k] != '\0'; k++) {
                char old = hex[k];
                struct attest_verdict *v;

                hex[k] = old == '0' ? '1' : '0';
                json_object_set_new(quote, parts[p], json_string(hex));
                v = judge(j, policy, NULL, 0, NULL, 0);
                trusted += attest_verdict_trusted(v);
                attest_verdict_free(v);
                hex[k] = old;
            }
            json_object_set_new(quote, parts[p], json_string(hex));
            CU_ASSERT_EQUAL(trusted, 0);
            free(hex);
        }
        json_decref(j);
    }
}

static void a_key_that_may_sign_anything_is_refused(void)
{
    size_t len;
    uint8_t *p;
    EVP_PKEY *key = NULL;
    struct attest_error err = {0};

    if (!make_quotes()) {
        return;
    }
    p = file_of("weak", ".pub", &len);
    CU_ASSERT_EQUAL(tpm_public_parse(p, len, &key, &err), ATTEST_IDENTITY);
    CU_ASSERT_STRING_EQUAL(err.field, "objectAttributes");
    free(p);
}

/* ---- logs ---- */

struct log {
    uint8_t p[1024];
    size_t len;
};

static void add_u32(struct log *l, uint32_t v)
{
    st32le(l->p + l->len, v);
    l->len += 4;
}

static void add_digest(struct log *l, uint16_t alg, uint8_t fill, size_t size)
{
    st16le(l->p + l->len, alg);
    memset(l->p + l->len + 2, fill, size);
    l->len += 2 + size;
}

static void add_event(struct log *l, uint32_t pcr, uint32_t type, uint8_t fill)
{
    add_u32(l, pcr);
    add_u32(l, type);
    add_u32(l, 2);
    add_digest(l, TPM_ID_SHA256, fill, 32);
    add_digest(l, TPM_ID_SHA1, (uint8_t)(fill * 2), 20);
    add_u32(l, 0);
}

static struct log start_log(void)
{
    static const uint8_t spec[37] = "Spec ID Event03\0\0\0\0\0\0\2\0\2\2\0\0\0\x0b\0\x20\0\4\0\x14";
    struct log l = {.len = 0};

    add_u32(&l, 0);
    add_u32(&l, EV_NO_ACTION);
    memset(l.p + l.len, 0, 20);
    l.len += 20;
    add_u32(&l, sizeof(spec));
    memcpy(l.p + l.len, spec, sizeof(spec));
    l.len += sizeof(spec);
    return l;
}

static void a_log_must_explain_every_quoted_pcr(void)
{
    struct log good = start_log(), less, more;
    char policy[1024];
    json_t *j;

    if (!make_quotes()) {
        return;
    }
    make_policy("ecdsa", ",\"event-log\":true", policy, sizeof(policy));
    j = evidence("ecdsa");
    tdx_expect(judge(j, policy, NULL, 0, NULL, 0), ATTEST_REPLAY, "presence", NULL);
    add_event(&good, 7, 0x80000001, 0x11);
    less = good;
    add_event(&good, 16, 0x80000001, 0x11);
    tdx_expect(judge(j, policy, NULL, 0, good.p, good.len), ATTEST_OK, NULL, NULL);
    /* EV_NO_ACTION with digests changes nothing. */
    more = good;
    add_event(&more, 7, EV_NO_ACTION, 0x11);
    tdx_expect(judge(j, policy, NULL, 0, more.p, more.len), ATTEST_OK, NULL, NULL);
    /* PCR 16 was quoted, is not at its reset value, and is not in the log. */
    tdx_expect(judge(j, policy, NULL, 0, less.p, less.len), ATTEST_REPLAY,
               "PCR 16 (sha256), which the log never extends", NULL);
    /* One extension too many; a log that ends within a record. */
    more = good;
    add_event(&more, 0, 0x80000001, 0x11);
    tdx_expect(judge(j, policy, NULL, 0, more.p, more.len), ATTEST_REPLAY, "PCR 0 (sha256)", NULL);
    tdx_expect(judge(j, policy, NULL, 0, good.p, good.len - 1), ATTEST_TRUNCATED, "record 2", NULL);
    json_decref(j);
}

static void a_pcr_that_was_not_quoted_cannot_be_required(void)
{
    static const char begin[] = "\"sha256\":{";
    char policy[1024], changed[1400], *bank;
    json_t *j;

    if (!make_quotes()) {
        return;
    }
    make_policy("rsassa", "", policy, sizeof(policy));
    bank = strstr(policy, begin) + strlen(begin);
    snprintf(changed, sizeof(changed), "%.*s\"8\":\"%064d\",%s", (int)(bank - policy), policy, 0,
             bank);
    j = evidence("rsassa");
    /* The evidence may state a value for PCR 8: it is not part of the quote. */
    json_object_set_new(
        json_object_get(json_object_get(json_object_get(j, "tpm_quote"), "pcrs"), "sha256"), "8",
        json_sprintf("%064d", 0));
    tdx_expect(judge(j, changed, NULL, 0, NULL, 0), ATTEST_MEASUREMENT, "PCR 8", "not quoted");
    json_decref(j);
}

static const struct cu_test tests[] = {
    CU(quotes_of_each_kind_of_key_are_trusted),
    CU(no_flipped_byte_of_a_message_or_signature_is_trusted),
    CU(a_key_that_may_sign_anything_is_refused),
    CU(a_log_must_explain_every_quoted_pcr),
    CU(a_pcr_that_was_not_quoted_cannot_be_required),
    CU_END,
};

int main(int argc, char **argv)
{
    /* The marshalling library writes a line for each message that we break. */
    setenv("TSS2_LOG", "all+none", 1);
    return cu_main("attest_tpm_swtpm", tests, argc, argv);
}
