/*
 * Policies in the broker: certificates that come with them, wrong ones beside good ones, and
 * changes while guests are on their way.
 */
#include "attestd_client.h"
#include "cu.h"

#include "admin.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* The minted ARK and ASK as PEM text. */
static char *certificates(const struct world *w)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    char *copy;
    long len;

    for (size_t i = 1; i < 3; i++) {
        struct attest_cert *c = attest_collateral_cert(snppki_collateral(w->pki), i);

        CU_ASSERT_EQUAL(PEM_write_bio_X509(bio, attest_cert_x509(c)), 1);
    }
    len = BIO_get_mem_data(bio, &text);
    copy = strndup(text, (size_t)len);
    BIO_free(bio);
    return copy;
}

/* Replaces the root's hash by the certificates themselves. */
static void put_policy_with_certificates(struct world *w, struct store *s)
{
    char *text = world_policy(w, true, NULL);
    json_t *j = json_loads(text, 0, NULL);
    json_t *root = json_array_get(json_object_get(j, "test-roots"), 0);
    char *pem = certificates(w);

    free(text);
    json_object_del(root, "spki-sha256");
    json_object_set_new(root, "certificates", json_string(pem));
    text = json_dumps(j, 0);
    CU_ASSERT_EQUAL(admin_policy_put(s, "default", (uint8_t *)text, strlen(text), NULL),
                    ATTEST_OK);
    free(text);
    free(pem);
    json_decref(j);
}

static void a_policy_may_bring_its_own_chain(void)
{
    struct client c;
    struct store *s;

    client_open(&c);
    s = world_store(&c.w);
    CU_ASSERT_EQUAL(store_delete(s, STORE_COLLATERAL, "cert1", NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(store_delete(s, STORE_COLLATERAL, "cert2", NULL), ATTEST_OK);
    CU_ASSERT_EQUAL(auth(&c, AUTH), 200);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "\"decision\":\"refused\""));
    put_policy_with_certificates(&c.w, s);
    CU_ASSERT_EQUAL(auth(&c, AUTH), 200);
    CU_ASSERT_EQUAL(attest(&c), 200);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 200);
    store_close(s);
    client_close(&c);
}

static void a_wrong_policy_harms_no_other(void)
{
    static const char bad[] = "{\"version\":1,\"sev-snp\":{\"measurement\":\"@none\"}}";
    struct client c;
    struct store *s;

    client_open(&c);
    s = world_store(&c.w);
    CU_ASSERT_EQUAL(admin_policy_put(s, "bad", (const uint8_t *)bad, strlen(bad), NULL),
                    ATTEST_OK);
    store_close(s);
    auth(&c, AUTH);
    CU_ASSERT_EQUAL(attest(&c), 200);
    auth(&c, "{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{"
             "\"attestation-policy-selector\":\"bad\"}}");
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "a reference value of that name"));
    client_close(&c);
}

static void a_policy_that_does_not_exist_lets_nothing_through(void)
{
    struct client c;
    struct store *s;

    client_open(&c);
    auth(&c, AUTH);
    s = world_store(&c.w);
    CU_ASSERT_EQUAL(store_delete(s, STORE_POLICY, "default", NULL), ATTEST_OK);
    store_close(s);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "\"decision\":\"refused\""));
    client_close(&c);
}

static void a_secret_that_is_deleted_is_gone_at_once(void)
{
    struct client c;
    struct store *s;

    client_open(&c);
    auth(&c, AUTH);
    attest(&c);
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 200);
    s = world_store(&c.w);
    CU_ASSERT_EQUAL(store_secret_delete(s, TEST_PATH, NULL), ATTEST_OK);
    store_close(s);
    /* Any change of the store is a new revision; the session's policy is the same, so it stands. */
    CU_ASSERT_EQUAL(get(&c, TEST_PATH, NULL), 404);
    client_close(&c);
}

static void evidence_of_another_kind_than_announced_is_refused(void)
{
    struct client c;

    client_open(&c);
    CU_ASSERT_EQUAL(auth(&c, "{\"version\":\"0.4.0\",\"tee\":\"tdx\",\"extra-params\":\"\"}"),
                    200);
    CU_ASSERT_EQUAL(attest(&c), 401);
    CU_ASSERT(audit_says(&c, "kind"));
    client_close(&c);
}

static const struct cu_test tests[] = {
    CU(a_policy_may_bring_its_own_chain),
    CU(a_wrong_policy_harms_no_other),
    CU(a_policy_that_does_not_exist_lets_nothing_through),
    CU(a_secret_that_is_deleted_is_gone_at_once),
    CU(evidence_of_another_kind_than_announced_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attestd_policy", tests, argc, argv);
}
