/*
 * Policies fail closed: what is misspelt, missing, empty or of the wrong shape is an error by name.
 */
#include "attest_snppki.h"
#include "cu.h"

#include <attest/evidence.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LD                                                                                         \
    "\"111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111" \
    "111111\""
#define TCB "{\"Milan\":{\"bootloader\":3,\"tee\":0,\"snp\":8,\"microcode\":115}}"
#define SNP(members)                                                                               \
    "{\"version\":1,\"sev-snp\":{\"measurement\":" LD ",\"minimum-tcb\":" TCB members "}}"

static enum attest_status parse(const char *text, struct attest_error *err)
{
    struct attest_policy *p = NULL;
    enum attest_status st = attest_policy_parse(text, strlen(text), &p, err);

    CU_ASSERT((st == ATTEST_OK) == (p != NULL));
    attest_policy_free(p);
    return st;
}

static void good(const char *text)
{
    struct attest_error err = {0};
    char buf[512];

    if (parse(text, &err) != ATTEST_OK) {
        fprintf(stderr, "%s\n", attest_error_text(&err, buf, sizeof(buf)));
        CU_FAIL("refused");
    }
}

static void bad(const char *text, const char *object, const char *field)
{
    struct attest_error err = {0};

    CU_ASSERT_EQUAL(parse(text, &err), ATTEST_POLICY_INVALID);
    if (strstr(err.object, object) == NULL || strstr(err.field, field) == NULL) {
        fprintf(stderr, "wanted %s, %s; got %s, %s for %s\n", object, field, err.object, err.field,
                text);
        CU_FAIL("another error");
    }
}

static void a_small_policy_is_taken(void)
{
    good(SNP(""));
    good(
        SNP(",\"vmpl\":[0,2],\"policy-forbid\":[\"smt\",\"debug\"],\"launch-mitigations\":\"0xff\","
            "\"minimum-firmware\":\"1.55.21\",\"comment\":\"x\""));
}

static void what_is_no_policy_is_refused(void)
{
    bad("", "policy", "JSON");
    bad("[]", "policy", "type");
    bad("{\"version\":1", "policy", "JSON");
    bad("{\"version\":1,\"version\":1}", "policy", "JSON");
    bad("{\"version\":2,\"sev-snp\":{}}", "policy", "version");
    bad("{\"sev-snp\":{}}", "policy", "version");
    bad("{\"version\":1}", "policy", "sections");
}

static void a_misspelt_key_is_refused_by_name(void)
{
    bad("{\"version\":1,\"sev_snp\":{}}", "policy", "sev_snp");
    bad(SNP(",\"host_data\":\"00\""), "policy.sev-snp", "host_data");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD ",\"minimum-tcb\":{\"Naples\":{}}}}",
        "minimum-tcb", "Naples");
    bad(SNP(",\"policy-forbid\":[\"SMT\"]"), "policy.sev-snp", "policy-forbid");
}

static void missing_and_empty_reference_values_are_errors(void)
{
    bad("{\"version\":1,\"sev-snp\":{\"minimum-tcb\":" TCB "}}", "policy.sev-snp", "measurement");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":[],\"minimum-tcb\":" TCB "}}",
        "policy.sev-snp", "measurement");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD "}}", "policy.sev-snp", "minimum-tcb");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD ",\"minimum-tcb\":{}}}", "policy.sev-snp",
        "minimum-tcb");
    bad(SNP(",\"chip-id\":[]"), "policy.sev-snp", "chip-id");
    bad(SNP(",\"vmpl\":[]"), "policy.sev-snp", "vmpl");
    bad(SNP(",\"signer\":[]"), "policy.sev-snp", "signer");
    bad(SNP(",\"policy-require\":[]"), "policy.sev-snp", "policy-require");
    bad(SNP(",\"csp-id\":\"\""), "policy.sev-snp", "csp-id");
}

static void values_of_the_wrong_size_or_type_are_errors(void)
{
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":\"11\",\"minimum-tcb\":" TCB "}}",
        "policy.sev-snp", "measurement");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":7,\"minimum-tcb\":" TCB "}}", "policy.sev-snp",
        "measurement");
    bad(SNP(",\"debug\":1"), "policy.sev-snp", "debug");
    bad(SNP(",\"debug\":\"false\""), "policy.sev-snp", "debug");
    bad(SNP(",\"vmpl\":4"), "policy.sev-snp", "vmpl");
    bad(SNP(",\"vmpl\":[0,-1]"), "policy.sev-snp", "vmpl");
    bad(SNP(",\"minimum-guest-svn\":4294967296"), "policy.sev-snp", "minimum-guest-svn");
    bad(SNP(",\"minimum-guest-svn\":-1"), "policy.sev-snp", "minimum-guest-svn");
    bad(SNP(",\"launch-mitigations\":\"0x\""), "policy.sev-snp", "launch-mitigations");
    bad(SNP(",\"launch-mitigations\":\"0x1g\""), "policy.sev-snp", "launch-mitigations");
    bad(SNP(",\"minimum-firmware\":\"1\""), "policy.sev-snp", "minimum-firmware");
    bad(SNP(",\"minimum-firmware\":\"1.55.21x\""), "policy.sev-snp", "minimum-firmware");
    bad(SNP(",\"minimum-firmware\":\"1.256\""), "policy.sev-snp", "minimum-firmware");
}

/* A host signs whatever ID block it likes, with a key that it makes. */
static void what_an_id_block_says_needs_the_key_that_signed_it(void)
{
#define ID "\"00000000000000000000000000000000\""
    bad(SNP(",\"family-id\":" ID), "policy.sev-snp", "family-id");
    bad(SNP(",\"image-id\":" ID), "policy.sev-snp", "image-id");
    bad(SNP(",\"minimum-guest-svn\":1"), "policy.sev-snp", "minimum-guest-svn");
    good(SNP(",\"minimum-guest-svn\":1,\"image-id\":" ID ",\"family-id\":" ID
             ",\"id-key-digest\":" LD));
    good(SNP(",\"minimum-guest-svn\":1,\"author-key-digest\":" LD));
}

static void every_tcb_component_must_have_a_minimum(void)
{
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD
        ",\"minimum-tcb\":{\"Milan\":{\"bootloader\":3,\"tee\":0,\"snp\":8}}}}",
        "minimum-tcb.Milan", "microcode");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD
        ",\"minimum-tcb\":{\"Turin\":{\"bootloader\":3,\"tee\":0,\"snp\":8,\"microcode\":1}}}}",
        "minimum-tcb.Turin", "fmc");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD ",\"minimum-tcb\":{\"Milan\":{\"fmc\":0,"
        "\"bootloader\":3,\"tee\":0,\"snp\":8,\"microcode\":1}}}}",
        "minimum-tcb.Milan", "fmc");
    bad("{\"version\":1,\"sev-snp\":{\"measurement\":" LD
        ",\"minimum-tcb\":{\"Milan\":{\"bootloader\":256,\"tee\":0,\"snp\":8,\"microcode\":1}}}}",
        "minimum-tcb.Milan", "bootloader");
}

#define ROOT(members) "{\"version\":1,\"test-roots\":[{" members "}],\"sev-snp\":{}}"
#define SPKI          "\"spki-sha256\":\"" TWOS TWOS "\""
#define TWOS          "22222222222222222222222222222222"

static void a_test_root_needs_a_name_a_kind_and_a_key(void)
{
    bad(ROOT("\"kind\":\"sev-snp\"," SPKI), "test-roots", "name");
    bad(ROOT("\"name\":\"x\"," SPKI), "test-roots", "kind");
    bad(ROOT("\"name\":\"x\",\"kind\":\"sev-snp\""), "test-roots", "spki-sha256");
    bad(ROOT("\"name\":\"x\",\"kind\":\"sev-snp\",\"certificates\":\"none\""), "test-roots",
        "certificates");
    bad(ROOT("\"name\":\"x\",\"kind\":\"sev\"," SPKI), "test-roots", "kind");
    bad(ROOT("\"name\":\"x\",\"kind\":\"sev-snp\",\"spki-sha256\":\"22\""), "test-roots",
        "spki-sha256");
    bad("{\"version\":1,\"test-roots\":{},\"sev-snp\":{}}", "policy", "test-roots");
}

static void write_pem(BIO *bio, const struct snppki *pki, size_t i)
{
    PEM_write_bio_X509(bio, attest_cert_x509(attest_collateral_cert(snppki_collateral(pki), i)));
}

/* A policy that brings these certificates of a minted world (1 ARK, 2 ASK), and another's ARK. */
static struct attest_policy *policy_with(const struct snppki *pki, size_t from, size_t to,
                                         const struct snppki *other, struct attest_error *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct attest_policy *p = NULL;
    json_t *j;
    char *pem, *text;
    long len;

    for (size_t i = from; i <= to; i++) {
        write_pem(bio, pki, i);
    }
    if (other != NULL) {
        write_pem(bio, other, 1);
    }
    len = BIO_get_mem_data(bio, &pem);
    j = json_loads(SNP(""), 0, NULL);
    json_object_set_new(j, "test-roots",
                        json_pack("[{s:s, s:s, s:s%}]", "name", "mine", "kind", "sev-snp",
                                  "certificates", pem, (size_t)len));
    text = json_dumps(j, 0);
    if (attest_policy_parse(text, strlen(text), &p, err) != ATTEST_OK) {
        p = NULL;
    }
    free(text);
    json_decref(j);
    BIO_free(bio);
    return p;
}

static void a_test_root_may_bring_its_chain(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    struct snppki *other = snppki_new(&(struct snppki_knobs){0});
    struct attest_collateral *c = attest_collateral_new();
    struct attest_error err = {0};
    struct attest_policy *p = policy_with(pki, 1, 2, NULL, &err);
    struct attest_root r;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(attest_policy_root(p, "sev-snp", snppki_root_spki(pki), &r) && r.emulated);
    CU_ASSERT_FALSE(attest_policy_root(p, "tdx", snppki_root_spki(pki), &r));
    CU_ASSERT_EQUAL(attest_policy_certificates(p, c, &err), ATTEST_OK);
    CU_ASSERT_PTR_NOT_NULL(attest_collateral_cert(c, 1));
    CU_ASSERT_PTR_NULL(attest_collateral_cert(c, 2));
    attest_policy_free(p);
    CU_ASSERT_PTR_NULL(policy_with(pki, 2, 2, NULL, &err));
    CU_ASSERT_STRING_EQUAL(err.field, "certificates");
    CU_ASSERT_PTR_NULL(policy_with(pki, 1, 2, other, &err)); /* which of the two is it? */
    attest_collateral_free(c);
    snppki_free(other);
    snppki_free(pki);
}

static void vendor_roots_are_well_formed_and_each_found_by_its_key(void)
{
    struct attest_root r;
    struct attest_root found;
    size_t n = 0;

    for (; attest_vendor_root(n, &r); n++) {
        CU_ASSERT_PTR_NOT_NULL(attest_kind_named(r.kind));
        CU_ASSERT(attest_policy_root(NULL, r.kind, r.spki_sha256, &found));
        CU_ASSERT_FALSE(found.emulated);
        r.spki_sha256[0] ^= 1;
        CU_ASSERT_FALSE(attest_policy_root(NULL, r.kind, r.spki_sha256, &found));
    }
    CU_ASSERT(n >= 5);
}

static void cut_policies_are_never_taken(void)
{
    static const char whole[] = SNP(",\"debug\":true");
    struct attest_policy *p = NULL;

    for (size_t len = 0; len + 1 < sizeof(whole); len++) {
        CU_ASSERT_EQUAL(attest_policy_parse(whole, len, &p, NULL), ATTEST_POLICY_INVALID);
    }
}

static const struct cu_test tests[] = {
    CU(a_small_policy_is_taken),
    CU(what_is_no_policy_is_refused),
    CU(a_misspelt_key_is_refused_by_name),
    CU(missing_and_empty_reference_values_are_errors),
    CU(values_of_the_wrong_size_or_type_are_errors),
    CU(what_an_id_block_says_needs_the_key_that_signed_it),
    CU(every_tcb_component_must_have_a_minimum),
    CU(a_test_root_needs_a_name_a_kind_and_a_key),
    CU(a_test_root_may_bring_its_chain),
    CU(vendor_roots_are_well_formed_and_each_found_by_its_key),
    CU(cut_policies_are_never_taken),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_policy", tests, argc, argv);
}
