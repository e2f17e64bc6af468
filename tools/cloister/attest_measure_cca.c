/* cloister measure realm: the realm initial measurement of a list of RMI commands. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/hex.h>
#include <attest/measure_cca.h>

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: cloister measure realm FILE\n"
    "\n"
    "FILE is JSON: the realm's parameters, and the commands that build it, in their order:\n"
    "  {\"hash\": \"sha256\", \"s2sz\": 40, \"flags\": 0, \"breakpoints\": 1, \"watchpoints\": 1,\n"
    "   \"sve-vl\": 0, \"pmu-counters\": 0, \"commands\": [\n"
    "     {\"ripas\": \"0x80000000\", \"top\": \"0x90000000\", \"largest\": \"0x200000\"},\n"
    "     {\"data\": \"0x80000000\", \"file\": \"kernel.bin\", \"measure\": true},\n"
    "     {\"rec\": \"0x80000000\", \"gprs\": [\"0x88000000\"]}]}\n"
    "breakpoints and watchpoints are those of RmiRealmParams (the number less one). Files are\n"
    "found beside FILE and padded to granules.";

static const struct opt table[] = {
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static enum attest_status small(const json_t *j, const char *key, uint8_t *out,
                                struct attest_error *err)
{
    uint64_t v = 0;
    enum attest_status st = pj_uint(j, "realm", key, UINT8_MAX, &v, err);

    *out = (uint8_t)v;
    return st;
}

static enum attest_status read_params(const json_t *j, struct cca_realm_params *p,
                                      struct attest_error *err)
{
    static const char *const keys[] = {"hash",        "s2sz",   "flags",        "breakpoints",
                                       "watchpoints", "sve-vl", "pmu-counters", "commands",
                                       NULL};
    const char *hash = "sha256";
    enum attest_status st;

    if ((st = pj_only_keys(j, "realm", keys, err)) != ATTEST_OK ||
        (st = pj_string(j, "realm", "hash", &hash, err)) != ATTEST_OK ||
        (st = pj_uint(j, "realm", "flags", INT64_MAX, &p->flags, err)) != ATTEST_OK ||
        (st = small(j, "s2sz", &p->s2sz, err)) != ATTEST_OK ||
        (st = small(j, "breakpoints", &p->num_bps, err)) != ATTEST_OK ||
        (st = small(j, "watchpoints", &p->num_wps, err)) != ATTEST_OK ||
        (st = small(j, "sve-vl", &p->sve_vl, err)) != ATTEST_OK ||
        (st = small(j, "pmu-counters", &p->pmu_num_ctrs, err)) != ATTEST_OK) {
        return st;
    }
    for (p->hash = ATTEST_SHA256; p->hash <= ATTEST_SHA512; p->hash++) {
        if (strcmp(attest_hash_name(p->hash), hash) == 0) {
            return ATTEST_OK;
        }
    }
    return attest_fail(err, ATTEST_MALFORMED, "realm", "hash", "sha256, sha384 or sha512", "%s",
                       hash);
}

static enum attest_status do_ripas(struct cca_rim *rim, const json_t *j, const char *path,
                                   struct attest_error *err)
{
    static const char *const keys[] = {"ripas", "top", "largest", NULL};
    uint64_t base = 0;
    uint64_t top = 0;
    uint64_t largest = 2 * 1024 * 1024;
    enum attest_status st;

    if ((st = pj_only_keys(j, path, keys, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "ripas", INT64_MAX, &base, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "top", INT64_MAX, &top, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "largest", INT64_MAX, &largest, err)) != ATTEST_OK) {
        return st;
    }
    return cca_rim_ripas_range(rim, largest, base, top, err);
}

static enum attest_status do_data(struct cca_rim *rim, const json_t *j, const char *path,
                                  const char *realm, struct attest_error *err)
{
    static const char *const keys[] = {"data", "file", "measure", NULL};
    const char *file = NULL;
    bool measure = true;
    uint64_t ipa = 0;
    enum attest_status st;
    struct blob b;

    if ((st = pj_only_keys(j, path, keys, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "data", INT64_MAX, &ipa, err)) != ATTEST_OK ||
        (st = pj_bool(j, path, "measure", &measure, err)) != ATTEST_OK ||
        (st = pj_string(j, path, "file", &file, err)) != ATTEST_OK) {
        return st;
    }
    if (file == NULL || !blob_load_beside(realm, file, IMAGE_MAX, &b)) {
        return attest_fail(err, ATTEST_MALFORMED, path, "file", "a readable file", "%s",
                           file != NULL ? file : "");
    }
    st = cca_rim_image(rim, ipa, measure, b.p, b.len, err);
    free(b.p);
    return st;
}

static enum attest_status do_rec(struct cca_rim *rim, const json_t *j, const char *path,
                                 struct attest_error *err)
{
    static const char *const keys[] = {"rec", "gprs", NULL};
    const json_t *list = json_object_get(j, "gprs");
    uint64_t gprs[CCA_REC_GPRS] = {0};
    uint64_t pc = 0;
    enum attest_status st;

    if ((st = pj_only_keys(j, path, keys, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "rec", INT64_MAX, &pc, err)) != ATTEST_OK) {
        return st;
    }
    if (json_array_size(list) > CCA_REC_GPRS) {
        return attest_fail(err, ATTEST_MALFORMED, path, "gprs", "at most 8 registers", NULL);
    }
    for (size_t i = 0; i < json_array_size(list) && st == ATTEST_OK; i++) {
        json_t *one = json_pack("{s:O}", "gprs", json_array_get(list, i));

        st = pj_uint(one, path, "gprs", INT64_MAX, &gprs[i], err);
        json_decref(one);
    }
    return st == ATTEST_OK ? cca_rim_rec(rim, true, pc, gprs, err) : st;
}

static enum attest_status do_command(struct cca_rim *rim, const json_t *j, size_t i,
                                     const char *realm, struct attest_error *err)
{
    char path[32];

    snprintf(path, sizeof(path), "commands[%zu]", i);
    if (json_object_get(j, "ripas") != NULL) {
        return do_ripas(rim, j, path, err);
    }
    if (json_object_get(j, "data") != NULL) {
        return do_data(rim, j, path, realm, err);
    }
    if (json_object_get(j, "rec") != NULL) {
        return do_rec(rim, j, path, err);
    }
    return attest_fail(err, ATTEST_MALFORMED, path, "command", "ripas, data or rec", NULL);
}

static int measure(const json_t *j, const char *realm)
{
    const json_t *list = json_object_get(j, "commands");
    struct cca_realm_params p = {0};
    struct attest_error err = {0};
    char hex[2 * ATTEST_HASH_MAX + 1];
    struct cca_rim rim;
    enum attest_status st = read_params(j, &p, &err);

    if (st == ATTEST_OK) {
        st = cca_rim_create(&p, &rim, &err);
    }
    for (size_t i = 0; i < json_array_size(list) && st == ATTEST_OK; i++) {
        st = do_command(&rim, json_array_get(list, i), i, realm, &err);
    }
    if (st != ATTEST_OK) {
        (void)attest_complain(&err);
        return CLI_USAGE;
    }
    printf("%s\n", hex_encode(rim.value, attest_hash_size(rim.hash), hex));
    return CLI_OK;
}

int measure_realm(int argc, char **argv)
{
    int unused = 0;
    int rc;
    const char *file =
        opts_one(table, &unused, argc, argv, usage, "measure realm wants a FILE", &rc);
    json_t *j;

    if (file == NULL) {
        return rc;
    }
    j = json_from_file(file);
    if (j == NULL) {
        return CLI_USAGE;
    }
    rc = measure(j, file);
    json_decref(j);
    return rc;
}
