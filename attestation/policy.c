/*
 * The policy as a whole: version, name, roots, and one section per kind of evidence.
 */
#include <attest/evidence.h>
#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX    16
#define TEST_ROOTS_MAX  16
#define POLICY_SIZE_MAX (4 * 1024 * 1024)

struct section {
    const struct attest_evidence_ops *ops;
    void *compiled;
};

struct attest_policy {
    json_t *json; /* keeps the strings alive */
    const char *name;
    bool require_crl;
    size_t sections;
    struct section section[SECTIONS_MAX];
    size_t test_roots;
    struct attest_root test_root[TEST_ROOTS_MAX];
    const char *test_pem[TEST_ROOTS_MAX]; /* NULL: the key alone is named */
};

static const struct vendor_root {
    const char *kind;
    const char *name;
    const char *spki_sha256;
} vendor_roots[] = {
#define ATTEST_ROOT(kind, name, hex) {kind, name, hex},
#include "roots.def"
#undef ATTEST_ROOT
};
#define VENDOR_ROOTS (sizeof(vendor_roots) / sizeof(vendor_roots[0]))

/* The key of the one self-issued certificate in a PEM text. */
static enum attest_status root_key_of_pem(const char *pem, uint8_t spki[32],
                                          struct attest_error *err)
{
    struct attest_collateral *c = attest_collateral_new();
    enum attest_status st = c == NULL ? attest_no_memory(err, "policy")
                                      : attest_collateral_add(c, "policy.test-roots.certificates",
                                                              (const uint8_t *)pem, strlen(pem),
                                                              err);
    struct attest_cert *cert;
    size_t roots = 0;

    for (size_t i = 0; st == ATTEST_OK && (cert = attest_collateral_cert(c, i)) != NULL; i++) {
        if (attest_cert_is_self_issued(cert)) {
            memcpy(spki, attest_cert_spki_sha256(cert), 32);
            roots++;
        }
    }
    attest_collateral_free(c);
    if (st != ATTEST_OK || roots != 1) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy.test-roots", "certificates",
                           "PEM with exactly one self-signed certificate", "%zu of them", roots);
    }
    return ATTEST_OK;
}

/* A root is named by its key's hash, or by its certificate, with which the others may come. */
static enum attest_status test_root_key(const json_t *j, const char *path, struct attest_root *r,
                                        const char **pem, struct attest_error *err)
{
    struct pj_values key = {0};
    enum attest_status st = pj_values(j, path, "spki-sha256", 32, &key, err);

    if (st == ATTEST_OK) {
        st = pj_string(j, path, "certificates", pem, err);
    }
    if (st == ATTEST_OK && *pem != NULL) {
        st = root_key_of_pem(*pem, r->spki_sha256, err);
    }
    if (st == ATTEST_OK && (key.count > 1 || (key.count == 0) == (*pem == NULL))) {
        st = attest_fail(err, ATTEST_POLICY_INVALID, path, "spki-sha256",
                         "one key, or certificates instead", "%zu keys", key.count);
    }
    if (st == ATTEST_OK && *pem == NULL) {
        memcpy(r->spki_sha256, key.v, 32);
    }
    pj_values_free(&key);
    return st;
}

static enum attest_status parse_test_root(struct attest_policy *p, const json_t *j,
                                          struct attest_error *err)
{
    static const char *const keys[] = {"name", "kind", "spki-sha256", "certificates", NULL};
    const char *path = "policy.test-roots";
    struct attest_root *r = &p->test_root[p->test_roots];
    enum attest_status st = pj_only_keys(j, path, keys, err);

    *r = (struct attest_root){.emulated = true};
    if (st != ATTEST_OK || (st = pj_string(j, path, "name", &r->name, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "kind", &r->kind, err)) != ATTEST_OK) {
        return st;
    }
    if (r->name == NULL || r->kind == NULL) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, r->name == NULL ? "name" : "kind",
                           "name and kind", "nothing");
    }
    if (attest_kind_named(r->kind) == NULL) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "kind", "a kind of evidence", "%s",
                           r->kind);
    }
    st = test_root_key(j, path, r, &p->test_pem[p->test_roots], err);
    p->test_roots += st == ATTEST_OK;
    return st;
}

static enum attest_status parse_test_roots(struct attest_policy *p, struct attest_error *err)
{
    const json_t *list = json_object_get(p->json, "test-roots");
    enum attest_status st = ATTEST_OK;

    if (list == NULL) {
        return ATTEST_OK;
    }
    if (!json_is_array(list) || json_array_size(list) > TEST_ROOTS_MAX) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", "test-roots",
                           "a list of at most 16 roots", NULL);
    }
    for (size_t i = 0; i < json_array_size(list) && st == ATTEST_OK; i++) {
        st = parse_test_root(p, json_array_get(list, i), err);
    }
    return st;
}

static enum attest_status parse_sections(struct attest_policy *p, struct attest_error *err)
{
    const struct attest_evidence_ops *ops;

    for (size_t i = 0; (ops = attest_kind(i)) != NULL; i++) {
        const json_t *j = json_object_get(p->json, ops->kind);
        struct section *s = &p->section[p->sections];
        enum attest_status st;
        char path[64];

        if (j == NULL) {
            continue;
        }
        if (p->sections == SECTIONS_MAX) {
            return attest_fail(err, ATTEST_INTERNAL, "policy", "sections", NULL, NULL);
        }
        snprintf(path, sizeof(path), "policy.%s", ops->kind);
        st = ops->policy != NULL ? pj_section(j, path, ops->policy, &s->compiled, err)
                                 : attest_fail(err, ATTEST_POLICY_INVALID, path, "section",
                                               "a kind that can be verified", NULL);
        if (st != ATTEST_OK) {
            return st;
        }
        s->ops = ops;
        p->sections++;
    }
    return p->sections > 0 ? ATTEST_OK
                           : attest_fail(err, ATTEST_POLICY_INVALID, "policy", "sections",
                                         "a section for at least one kind of evidence", "none");
}

/* The kinds' names are keys, too: they are added to the fixed ones. */
static enum attest_status check_keys(const json_t *j, struct attest_error *err)
{
    const char *keys[SECTIONS_MAX + 8] = {"version", "name", "comment", "require-crl",
                                          "test-roots"};
    size_t n = 5;

    for (size_t i = 0; attest_kind(i) != NULL && n + 1 < sizeof(keys) / sizeof(keys[0]); i++) {
        keys[n++] = attest_kind(i)->kind;
    }
    return pj_only_keys(j, "policy", keys, err);
}

static enum attest_status parse_members(struct attest_policy *p, struct attest_error *err)
{
    uint64_t version = 0;
    const char *comment = NULL;
    enum attest_status st = check_keys(p->json, err);

    if (st != ATTEST_OK ||
        (st = pj_uint(p->json, "policy", "version", INT32_MAX, &version, err)) != ATTEST_OK) {
        return st;
    }
    if (version != 1) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", "version", "1", "%llu",
                           (unsigned long long)version);
    }
    if ((st = pj_string(p->json, "policy", "name", &p->name, err)) != ATTEST_OK ||
        (st = pj_string(p->json, "policy", "comment", &comment, err)) != ATTEST_OK ||
        (st = pj_bool(p->json, "policy", "require-crl", &p->require_crl, err)) != ATTEST_OK ||
        (st = parse_test_roots(p, err)) != ATTEST_OK) {
        return st;
    }
    return parse_sections(p, err);
}

enum attest_status attest_policy_parse(const char *json, size_t len, struct attest_policy **out,
                                       struct attest_error *err)
{
    struct attest_policy *p;
    enum attest_status st;
    json_error_t je;

    if (len > POLICY_SIZE_MAX) {
        return attest_fail(err, ATTEST_POLICY_INVALID, "policy", "size", "at most 4 MiB", "%zu",
                           len);
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return attest_no_memory(err, "policy");
    }
    p->name = "";
    p->json = json_loadb(json, len, JSON_REJECT_DUPLICATES, &je);
    if (p->json == NULL) {
        st = attest_fail(err, ATTEST_POLICY_INVALID, "policy", "JSON", NULL, "line %d: %s", je.line,
                         je.text);
    } else {
        st = parse_members(p, err);
    }
    if (st != ATTEST_OK) {
        attest_policy_free(p);
        return st;
    }
    *out = p;
    return ATTEST_OK;
}

void attest_policy_free(struct attest_policy *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->sections; i++) {
        p->section[i].ops->policy->free(p->section[i].compiled);
    }
    json_decref(p->json);
    free(p);
}

const char *attest_policy_name(const struct attest_policy *p)
{
    return p->name;
}

const void *attest_policy_section(const struct attest_policy *p, const char *kind)
{
    for (size_t i = 0; i < p->sections; i++) {
        if (strcmp(p->section[i].ops->kind, kind) == 0) {
            return p->section[i].compiled;
        }
    }
    return NULL;
}

enum attest_status attest_policy_certificates(const struct attest_policy *p,
                                              struct attest_collateral *c,
                                              struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < p->test_roots && st == ATTEST_OK; i++) {
        const char *pem = p->test_pem[i];

        st = pem == NULL ? ATTEST_OK
                         : attest_collateral_add(c, "policy.test-roots.certificates",
                                                 (const uint8_t *)pem, strlen(pem), err);
    }
    return st;
}

bool attest_policy_requires_crl(const struct attest_policy *p)
{
    return p->require_crl;
}

bool attest_vendor_root(size_t i, struct attest_root *out)
{
    if (i >= VENDOR_ROOTS) {
        return false;
    }
    *out = (struct attest_root){.kind = vendor_roots[i].kind, .name = vendor_roots[i].name};
    return hex_decode_exact(vendor_roots[i].spki_sha256, out->spki_sha256, 32);
}

bool attest_policy_root(const struct attest_policy *p, const char *kind,
                        const uint8_t spki_sha256[32], struct attest_root *out)
{
    for (size_t i = 0; attest_vendor_root(i, out); i++) {
        if (strcmp(out->kind, kind) == 0 && memcmp(out->spki_sha256, spki_sha256, 32) == 0) {
            return true;
        }
    }
    for (size_t i = 0; p != NULL && i < p->test_roots; i++) {
        *out = p->test_root[i];
        if (strcmp(out->kind, kind) == 0 && memcmp(out->spki_sha256, spki_sha256, 32) == 0) {
            return true;
        }
    }
    return false;
}
