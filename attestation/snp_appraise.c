/*
 * An authentic report against the policy: every difference is a refusal of its own.
 */
#include "snp_policy.h"

#include <attest/hex.h>
#include <attest/reader.h>

#include <stdio.h>
#include <string.h>

#define OBJECT "SNP report"

#define POLICY_MIGRATE_MA (1ULL << 18)
#define POLICY_DEBUG      (1ULL << 19)

/* What a whole appraisal looks at. */
struct ctx {
    const struct snp_evidence *e;
    const struct snp_report *r;
    const struct snp_policy *p;
    struct attest_verdict *v;
};

static void refuse(const struct ctx *c, enum attest_status st, const struct attest_error *err)
{
    if (st != ATTEST_OK) {
        attest_refuse(c->v, err);
    }
}

/* A list of reference values; a single one is shown as the expected value. */
static void check_list(const struct ctx *c, enum attest_status st, const char *field,
                       const struct pj_values *list, const uint8_t *value)
{
    struct attest_error err;
    char many[48];
    char found[132];

    if (list->count == 0 || pj_values_contain(list, value)) {
        return;
    }
    if (list->count == 1) {
        refuse(c, attest_fail_bytes(&err, st, OBJECT, field, list->v, list->len, value, list->len),
               &err);
        return;
    }
    snprintf(many, sizeof(many), "one of %zu reference values", list->count);
    hex_encode(value, list->len, found);
    refuse(c, attest_fail(&err, st, OBJECT, field, many, "%s", found), &err);
}

static void check_values(const struct ctx *c)
{
    const struct snp_report *r = c->r;
    const struct snp_policy *p = c->p;

    check_list(c, ATTEST_MEASUREMENT, "MEASUREMENT", &p->measurement, r->measurement);
    check_list(c, ATTEST_POLICY, "HOST_DATA", &p->host_data, r->host_data);
    check_list(c, ATTEST_POLICY, "REPORT_DATA", &p->report_data, r->report_data);
    check_list(c, ATTEST_IDENTITY, "ID_KEY_DIGEST", &p->id_key_digest, r->id_key_digest);
    check_list(c, ATTEST_IDENTITY, "FAMILY_ID", &p->family_id, r->family_id);
    check_list(c, ATTEST_IDENTITY, "IMAGE_ID", &p->image_id, r->image_id);
    check_list(c, ATTEST_IDENTITY, "CHIP_ID", &p->chip_id, r->chip_id);
}

static void check_author(const struct ctx *c)
{
    struct attest_error err;

    if (c->p->author_key_digest.count > 0 && !c->r->author_key_en) {
        refuse(c, attest_fail(&err, ATTEST_IDENTITY, OBJECT, "AUTHOR_KEY_EN", "1", "0"), &err);
        return;
    }
    check_list(c, ATTEST_IDENTITY, "AUTHOR_KEY_DIGEST", &c->p->author_key_digest,
               c->r->author_key_digest);
}

static void check_floor(const struct ctx *c, const struct snp_tcb_floor *f, const char *field,
                        uint64_t raw)
{
    enum snp_product p = c->e->product;
    struct attest_error err;
    struct snp_tcb t;
    enum attest_status st = snp_tcb_decode(p, raw, field, &t, &err);
    char want[80];
    char got[80];

    if (!f->present) {
        return;
    }
    if (st == ATTEST_OK && !f->has[p]) {
        st = attest_fail(&err, ATTEST_REFERENCE_MISSING, OBJECT, field,
                         "a minimum for this product in the policy", "none for %s",
                         snp_product_name(p));
    } else if (st == ATTEST_OK && !snp_tcb_at_least(&t, &f->tcb[p])) {
        st = attest_fail(&err, ATTEST_TCB, OBJECT, field, snp_tcb_text(p, &f->tcb[p], want), "%s",
                         snp_tcb_text(p, &t, got));
    }
    refuse(c, st, &err);
}

static uint32_t version_number(const struct snp_version *v)
{
    return (uint32_t)v->major << 16 | (uint32_t)v->minor << 8 | v->build;
}

static void check_firmware(const struct ctx *c)
{
    const struct snp_report *r = c->r;
    uint32_t min = c->p->minimum_firmware;
    struct attest_error err;
    char want[32];

    check_floor(c, &c->p->reported, "REPORTED_TCB", r->reported_tcb);
    check_floor(c, &c->p->committed, "COMMITTED_TCB", r->committed_tcb);
    check_floor(c, &c->p->launch, "LAUNCH_TCB", r->launch_tcb);
    if (version_number(&r->committed) < min) {
        snprintf(want, sizeof(want), "%u.%u.%u", min >> 16, min >> 8 & 0xff, min & 0xff);
        refuse(c,
               attest_fail(&err, ATTEST_TCB, OBJECT, "COMMITTED_VERSION", want, "%u.%u.%u",
                           r->committed.major, r->committed.minor, r->committed.build),
               &err);
    }
    if (!c->p->provisional && (r->current_tcb != r->committed_tcb ||
                               version_number(&r->current) != version_number(&r->committed))) {
        refuse(c,
               attest_fail(&err, ATTEST_TCB, OBJECT, "CURRENT_TCB",
                           "equal to COMMITTED_TCB (no provisional firmware)",
                           "%016llx, not %016llx", (unsigned long long)r->current_tcb,
                           (unsigned long long)r->committed_tcb),
               &err);
    }
}

/* Names the bits of mask, for errors. */
static const char *bit_names(uint64_t mask, bool platform, char *buf, size_t size)
{
    static const struct {
        unsigned int bit;
        bool platform;
        const char *name;
    } names[] = {
#define SNP_POLICY_BIT(bit, name)   {bit, false, name},
#define SNP_PLATFORM_BIT(bit, name) {bit, true, name},
#include <attest/snp.def>
    };
    size_t n = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && n < size; i++) {
        if (names[i].platform == platform && (mask >> names[i].bit & 1) != 0) {
            n += (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? ", " : "", names[i].name);
        }
    }
    return buf;
}

static void check_bits(const struct ctx *c, const char *field, bool platform, uint64_t value,
                       uint64_t require, uint64_t forbid)
{
    enum attest_status st = platform ? ATTEST_PLATFORM : ATTEST_POLICY;
    struct attest_error err;
    char names[128];
    char want[160];

    if ((require & ~value) != 0) {
        snprintf(want, sizeof(want), "set: %s",
                 bit_names(require & ~value, platform, names, sizeof(names)));
        refuse(c, attest_fail(&err, st, OBJECT, field, want, "%llx", (unsigned long long)value),
               &err);
    }
    if ((forbid & value) != 0) {
        snprintf(want, sizeof(want), "clear: %s",
                 bit_names(forbid & value, platform, names, sizeof(names)));
        refuse(c, attest_fail(&err, st, OBJECT, field, want, "%llx", (unsigned long long)value),
               &err);
    }
}

static void check_flags(const struct ctx *c)
{
    uint64_t forbid = c->p->policy_forbid;
    struct attest_error err;

    if ((c->r->policy & POLICY_DEBUG) != 0 && !c->p->debug) {
        refuse(c, attest_fail(&err, ATTEST_DEBUG, OBJECT, "POLICY.DEBUG", "0", "1"), &err);
    }
    if (!c->p->migration_agent) {
        forbid |= POLICY_MIGRATE_MA;
    }
    check_bits(c, "POLICY", false, c->r->policy, c->p->policy_require, forbid);
    check_bits(c, "PLATFORM_INFO", true, c->r->platform_info, c->p->platform_require,
               c->p->platform_forbid);
}

static void check_mask(const struct ctx *c, const char *field, uint64_t value, uint64_t require)
{
    struct attest_error err;
    char want[48];

    if ((require & ~value) == 0) {
        return;
    }
    snprintf(want, sizeof(want), "all of %llx", (unsigned long long)require);
    refuse(c,
           attest_fail(&err, ATTEST_PLATFORM, OBJECT, field, want, "%llx%s",
                       (unsigned long long)value,
                       c->r->has_mitigations ? "" : " (the report has no mitigation vectors)"),
           &err);
}

static void check_signer(const struct ctx *c)
{
    const char *csp = c->e->vek.csp_id;
    bool vcek = c->r->signer == SNP_SIGNER_VCEK;
    struct attest_error err;

    if ((c->p->signer_mask >> c->r->signer & 1) == 0) {
        refuse(c,
               attest_fail(&err, ATTEST_IDENTITY, OBJECT, "SIGNING_KEY", vcek ? "vlek" : "vcek",
                           vcek ? "vcek" : "vlek"),
               &err);
    }
    if (c->p->csp_id[0] != '\0' && strcmp(c->p->csp_id, csp) != 0) {
        refuse(c,
               attest_fail(&err, ATTEST_IDENTITY, "VLEK certificate", "CSP_ID", c->p->csp_id, "%s",
                           csp[0] != '\0' ? csp : "none"),
               &err);
    }
    if (vcek && !c->p->masked_chip_id && bytes_are_zero(c->r->chip_id, 64)) {
        refuse(c,
               attest_fail(&err, ATTEST_IDENTITY, OBJECT, "CHIP_ID", "a chip id", "zeros (masked)"),
               &err);
    }
}

static void check_levels(const struct ctx *c)
{
    struct attest_error err;
    char want[32];

    if ((c->p->vmpl_mask >> c->r->vmpl & 1) == 0) {
        snprintf(want, sizeof(want), "one of mask %xh", c->p->vmpl_mask);
        refuse(c, attest_fail(&err, ATTEST_POLICY, OBJECT, "VMPL", want, "%u", c->r->vmpl), &err);
    }
    if (c->r->guest_svn < c->p->minimum_guest_svn) {
        snprintf(want, sizeof(want), "at least %llu", (unsigned long long)c->p->minimum_guest_svn);
        refuse(c,
               attest_fail(&err, ATTEST_POLICY, OBJECT, "GUEST_SVN", want, "%u", c->r->guest_svn),
               &err);
    }
}

void snp_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v)
{
    const struct snp_evidence *e = ev;
    const struct ctx c = {e, &e->report, section, v};
    struct attest_error err;

    refuse(&c, attest_check_nonce(in, OBJECT, "REPORT_DATA", c.r->report_data, 64, &err), &err);
    check_values(&c);
    check_author(&c);
    check_firmware(&c);
    check_flags(&c);
    check_mask(&c, "LAUNCH_MIT_VECTOR", c.r->launch_mitigations, c.p->launch_mitigations);
    check_mask(&c, "CURRENT_MIT_VECTOR", c.r->current_mitigations, c.p->current_mitigations);
    check_signer(&c);
    check_levels(&c);
}
