/*
 * The policy section "sev-snp" (docs/policy.md): from JSON to a struct.
 */
#include "snp_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const policy_names[] = {
#define SNP_POLICY_BIT(bit, name) name,
#include <attest/snp.def>
    NULL,
};

static const unsigned int policy_bits[] = {
#define SNP_POLICY_BIT(bit, name) bit,
#include <attest/snp.def>
};

static const char *const platform_names[] = {
#define SNP_PLATFORM_BIT(bit, name) name,
#include <attest/snp.def>
    NULL,
};

static const unsigned int platform_bits[] = {
#define SNP_PLATFORM_BIT(bit, name) bit,
#include <attest/snp.def>
};

/* From a mask by index in a list of names to a mask of the field's bits. */
static uint64_t spread(uint64_t mask, const unsigned int *bits)
{
    uint64_t out = 0;

    for (unsigned int i = 0; mask >> i != 0; i++) {
        out |= (mask >> i & 1) << bits[i];
    }
    return out;
}

static enum attest_status flags(const json_t *j, const char *path, const char *key,
                                const char *const *names, const unsigned int *bits, uint64_t *out,
                                struct attest_error *err)
{
    uint64_t mask = 0;
    enum attest_status st = pj_names(j, path, key, names, &mask, err);

    *out = spread(mask, bits);
    return st;
}

static enum attest_status parse_flags(const json_t *j, const char *path, struct snp_policy *p,
                                      struct attest_error *err)
{
    enum attest_status st;

    if ((st = flags(j, path, "policy-require", policy_names, policy_bits, &p->policy_require,
                    err)) != ATTEST_OK ||
        (st = flags(j, path, "policy-forbid", policy_names, policy_bits, &p->policy_forbid, err)) !=
            ATTEST_OK ||
        (st = flags(j, path, "platform-require", platform_names, platform_bits,
                    &p->platform_require, err)) != ATTEST_OK) {
        return st;
    }
    return flags(j, path, "platform-forbid", platform_names, platform_bits, &p->platform_forbid,
                 err);
}

static enum attest_status parse_values(const json_t *j, const char *path, struct snp_policy *p,
                                       struct attest_error *err)
{
    const struct {
        const char *key;
        size_t len;
        struct pj_values *out;
    } lists[] = {
        {"measurement", 48, &p->measurement}, {"host-data", 32, &p->host_data},
        {"report-data", 64, &p->report_data}, {"id-key-digest", 48, &p->id_key_digest},
        {"family-id", 16, &p->family_id},     {"image-id", 16, &p->image_id},
        {"chip-id", 64, &p->chip_id},         {"author-key-digest", 48, &p->author_key_digest},
    };
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && st == ATTEST_OK; i++) {
        st = pj_values(j, path, lists[i].key, lists[i].len, lists[i].out, err);
    }
    if (st == ATTEST_OK && p->measurement.count == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "measurement",
                           "at least one launch digest", "nothing");
    }
    return st;
}

static enum attest_status parse_tcb(const json_t *j, const char *path, enum snp_product product,
                                    struct snp_tcb *t, struct attest_error *err)
{
    static const char *const keys[] = {"bootloader", "tee", "snp", "microcode", "fmc", NULL};
    uint8_t *const parts[] = {&t->bootloader, &t->tee, &t->snp, &t->microcode, &t->fmc};
    size_t n = snp_product_has_fmc(product) ? 5 : 4;
    enum attest_status st = pj_only_keys(j, path, keys, err);

    for (size_t i = 0; i < 5 && st == ATTEST_OK; i++) {
        bool present = json_object_get(j, keys[i]) != NULL;
        uint64_t v = 0;

        if (present != (i < n)) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, keys[i],
                               i < n ? "a minimum for every component" : "no such component",
                               present ? "given" : "missing");
        }
        st = pj_uint(j, path, keys[i], 255, &v, err);
        *parts[i] = (uint8_t)v;
    }
    return st;
}

/* {"Milan": {...}, "Turin": {...}}: the products named are those that are accepted. */
static enum attest_status parse_tcbs(const json_t *j, const char *section, const char *key,
                                     struct snp_tcb_floor *f, struct attest_error *err)
{
    const char *names[SNP_PRODUCT_COUNT + 1] = {NULL};
    const json_t *o = json_object_get(j, key);
    enum attest_status st;
    char path[80];

    if (o == NULL) {
        return ATTEST_OK;
    }
    for (enum snp_product p = 0; p < SNP_PRODUCT_COUNT; p++) {
        names[p] = snp_product_name(p);
    }
    snprintf(path, sizeof(path), "%s.%s", section, key);
    st = pj_only_keys(o, path, names, err);
    f->present = true;
    for (enum snp_product p = 0; p < SNP_PRODUCT_COUNT && st == ATTEST_OK; p++) {
        const json_t *t = json_object_get(o, names[p]);

        snprintf(path, sizeof(path), "%s.%s.%s", section, key, names[p]);
        f->has[p] = t != NULL;
        st = t != NULL ? parse_tcb(t, path, p, &f->tcb[p], err) : ATTEST_OK;
    }
    return st;
}

static enum attest_status parse_floors(const json_t *j, const char *path, struct snp_policy *p,
                                       struct attest_error *err)
{
    enum attest_status st;

    if ((st = parse_tcbs(j, path, "minimum-tcb", &p->reported, err)) != ATTEST_OK ||
        (st = parse_tcbs(j, path, "minimum-committed-tcb", &p->committed, err)) != ATTEST_OK ||
        (st = parse_tcbs(j, path, "minimum-launch-tcb", &p->launch, err)) != ATTEST_OK) {
        return st;
    }
    if (!p->reported.present || json_object_size(json_object_get(j, "minimum-tcb")) == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "minimum-tcb",
                           "a minimum for each accepted product", "nothing");
    }
    return ATTEST_OK;
}

/* "1.55" or "1.55.21": major, minor and build of the SNP firmware. */
static enum attest_status parse_firmware(const json_t *j, const char *path, struct snp_policy *p,
                                         struct attest_error *err)
{
    const char *s = NULL;
    enum attest_status st = pj_string(j, path, "minimum-firmware", &s, err);
    unsigned int v[3] = {0, 0, 0};
    int used = 0;

    if (st != ATTEST_OK || s == NULL) {
        return st;
    }
    if (s[0] < '0' || s[0] > '9' ||
        (sscanf(s, "%3u.%3u.%3u%n", &v[0], &v[1], &v[2], &used) != 3 &&
         sscanf(s, "%3u.%3u%n", &v[0], &v[1], &used) != 2) ||
        s[used] != '\0' || v[0] > 255 || v[1] > 255 || v[2] > 255) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "minimum-firmware",
                           "major.minor or major.minor.build", "%s", s);
    }
    p->minimum_firmware = v[0] << 16 | v[1] << 8 | v[2];
    return ATTEST_OK;
}

static enum attest_status parse_vmpl(const json_t *j, const char *path, struct snp_policy *p,
                                     struct attest_error *err)
{
    const json_t *list = json_object_get(j, "vmpl");
    uint64_t one = 0;

    p->vmpl_mask = 1;
    if (!json_is_array(list)) {
        enum attest_status st = pj_uint(j, path, "vmpl", 3, &one, err);

        p->vmpl_mask = 1U << one;
        return st;
    }
    p->vmpl_mask = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);

        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 3) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, "vmpl", "numbers from 0 to 3",
                               NULL);
        }
        p->vmpl_mask |= 1U << json_integer_value(v);
    }
    return p->vmpl_mask != 0 ? ATTEST_OK
                             : attest_fail(err, ATTEST_POLICY_INVALID, path, "vmpl",
                                           "at least one level", "an empty list");
}

static enum attest_status parse_rest(const json_t *j, const char *path, struct snp_policy *p,
                                     struct attest_error *err)
{
    static const char *const signers[] = {"vcek", "vlek", NULL};
    const char *csp = NULL;
    enum attest_status st;

    p->signer_mask = 1U << SNP_SIGNER_VCEK;
    if ((st = pj_bool(j, path, "debug", &p->debug, err)) != ATTEST_OK ||
        (st = pj_bool(j, path, "migration-agent", &p->migration_agent, err)) != ATTEST_OK ||
        (st = pj_bool(j, path, "provisional-firmware", &p->provisional, err)) != ATTEST_OK ||
        (st = pj_bool(j, path, "masked-chip-id", &p->masked_chip_id, err)) != ATTEST_OK ||
        (st = pj_names(j, path, "signer", signers, &p->signer_mask, err)) != ATTEST_OK ||
        (st = pj_uint(j, path, "minimum-guest-svn", UINT32_MAX, &p->minimum_guest_svn, err)) !=
            ATTEST_OK ||
        (st = pj_uint(j, path, "launch-mitigations", UINT64_MAX, &p->launch_mitigations, err)) !=
            ATTEST_OK ||
        (st = pj_uint(j, path, "current-mitigations", UINT64_MAX, &p->current_mitigations, err)) !=
            ATTEST_OK ||
        (st = pj_string(j, path, "csp-id", &csp, err)) != ATTEST_OK) {
        return st;
    }
    snprintf(p->csp_id, sizeof(p->csp_id), "%s", csp != NULL ? csp : "");
    return parse_firmware(j, path, p, err);
}

/*
 * FAMILY_ID, IMAGE_ID and GUEST_SVN come from the ID block, which any host can sign with a key of
 * its own: they say something only together with the key (56860, "Launch Finish": ID block).
 */
static enum attest_status check_id_block(const json_t *j, const char *path,
                                         const struct snp_policy *p, struct attest_error *err)
{
    static const char *const of_block[] = {"family-id", "image-id", "minimum-guest-svn"};

    if (p->id_key_digest.count > 0 || p->author_key_digest.count > 0) {
        return ATTEST_OK;
    }
    for (size_t i = 0; i < sizeof(of_block) / sizeof(of_block[0]); i++) {
        if (json_object_get(j, of_block[i]) != NULL) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, of_block[i],
                               "id-key-digest or author-key-digest beside it", "neither");
        }
    }
    return ATTEST_OK;
}

static enum attest_status parse_members(const json_t *j, const char *path, void *section,
                                        struct attest_error *err)
{
    struct snp_policy *p = section;
    enum attest_status st;

    if ((st = parse_values(j, path, p, err)) != ATTEST_OK ||
        (st = parse_floors(j, path, p, err)) != ATTEST_OK ||
        (st = parse_flags(j, path, p, err)) != ATTEST_OK ||
        (st = parse_vmpl(j, path, p, err)) != ATTEST_OK ||
        (st = parse_rest(j, path, p, err)) != ATTEST_OK) {
        return st;
    }
    return check_id_block(j, path, p, err);
}

static void release(void *section)
{
    struct snp_policy *p = section;

    pj_values_free(&p->measurement);
    pj_values_free(&p->host_data);
    pj_values_free(&p->report_data);
    pj_values_free(&p->id_key_digest);
    pj_values_free(&p->author_key_digest);
    pj_values_free(&p->family_id);
    pj_values_free(&p->image_id);
    pj_values_free(&p->chip_id);
    free(p);
}

static const char *const keys[] = {"measurement",
                                   "host-data",
                                   "report-data",
                                   "id-key-digest",
                                   "author-key-digest",
                                   "family-id",
                                   "image-id",
                                   "chip-id",
                                   "csp-id",
                                   "signer",
                                   "minimum-tcb",
                                   "minimum-committed-tcb",
                                   "minimum-launch-tcb",
                                   "minimum-firmware",
                                   "minimum-guest-svn",
                                   "provisional-firmware",
                                   "debug",
                                   "migration-agent",
                                   "vmpl",
                                   "masked-chip-id",
                                   "policy-require",
                                   "policy-forbid",
                                   "platform-require",
                                   "platform-forbid",
                                   "launch-mitigations",
                                   "current-mitigations",
                                   "comment",
                                   NULL};
const struct pj_section snp_policy_section = {sizeof(struct snp_policy), keys, parse_members,
                                             release};
