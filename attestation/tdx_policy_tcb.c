/* The part of the policy that TDX and SGX share: how the platform must stand. */
#include "tdx_evidence.h"

#include <attest/hex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const time_keys[] = {"certificates", "crls", "tcb-info", "qe-identity", NULL};

static const char *const flag_keys[] = {"dynamic-platform", "cached-keys", "smt-enabled"};
enum { FLAGS = sizeof(flag_keys) / sizeof(flag_keys[0]) };

static enum attest_status invalid(const char *path, const char *key, const char *expected,
                                  struct attest_error *err)
{
    return attest_fail(err, ATTEST_POLICY_INVALID, path, key, expected, NULL);
}

static enum attest_status parse_status(const json_t *j, const char *path,
                                       struct tdx_tcb_policy *out, struct attest_error *err)
{
    static const char *const keys[] = {"status", "until", NULL};
    const char *name = json_string_value(j);
    int64_t until = 0;
    size_t i = 0;

    if (json_is_object(j)) {
        enum attest_status st = pj_only_keys(j, path, keys, err);

        if (st == ATTEST_OK) {
            st = pj_time(j, path, "until", &until, err);
        }
        if (st != ATTEST_OK) {
            return st;
        }
        name = json_string_value(json_object_get(j, "status"));
    }
    while (name != NULL && i < TDX_STATUS_COUNT && strcmp(name, tdx_status_names[i]) != 0) {
        i++;
    }
    if (name == NULL || i == TDX_STATUS_COUNT || i == TDX_REVOKED || i == TDX_NOT_SUPPORTED) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "tcb-status",
                           "a TCB status other than Revoked", "%.40s",
                           name == NULL ? "no name" : name);
    }
    out->statuses |= UINT64_C(1) << i;
    out->until[i] = until;
    return ATTEST_OK;
}

/* Absent: UpToDate alone. */
static enum attest_status parse_statuses(const json_t *section, const char *path,
                                         struct tdx_tcb_policy *out, struct attest_error *err)
{
    const json_t *list = json_object_get(section, "tcb-status"), *v;
    enum attest_status st = ATTEST_OK;
    size_t i;

    if (list == NULL) {
        out->statuses = UINT64_C(1) << TDX_UP_TO_DATE;
        return ATTEST_OK;
    }
    if (!json_is_array(list) || json_array_size(list) == 0) {
        return invalid(path, "tcb-status", "a non-empty list of TCB statuses", err);
    }
    json_array_foreach(list, i, v)
    {
        st = parse_status(v, path, out, err);
        if (st != ATTEST_OK) {
            break;
        }
    }
    return st;
}

/* An empty list is meaningful here: no advisory is tolerated. */
static enum attest_status parse_advisories(const json_t *section, const char *path,
                                           struct tdx_tcb_policy *out, struct attest_error *err)
{
    const json_t *list = json_object_get(section, "advisories"), *v;
    size_t i;

    if (list == NULL) {
        return ATTEST_OK;
    }
    if (!json_is_array(list)) {
        return invalid(path, "advisories", "a list of advisories", err);
    }
    json_array_foreach(list, i, v)
    {
        if (!json_is_string(v)) {
            return invalid(path, "advisories", "names like INTEL-SA-00289", err);
        }
    }
    out->has_advisories = true;
    out->advisories = list;
    return ATTEST_OK;
}

static enum attest_status parse_times(const json_t *section, const char *path,
                                      struct tdx_tcb_policy *out, struct attest_error *err)
{
    const json_t *o = json_object_get(section, "times");
    char sub[64];
    enum attest_status st;

    if (o == NULL) {
        return ATTEST_OK;
    }
    snprintf(sub, sizeof(sub), "%s.times", path);
    st = pj_only_keys(o, sub, time_keys, err);
    for (size_t i = 0; time_keys[i] != NULL && st == ATTEST_OK; i++) {
        out->has_time[i] = json_object_get(o, time_keys[i]) != NULL;
        st = pj_time(o, sub, time_keys[i], &out->time[i], err);
    }
    return st;
}

static enum attest_status parse_flags(const json_t *section, const char *path,
                                      struct tdx_tcb_policy *out, struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t i = 0; i < FLAGS && st == ATTEST_OK; i++) {
        bool v = false;

        st = pj_bool(section, path, flag_keys[i], &v, err);
        out->flag[i] = json_object_get(section, flag_keys[i]) == NULL ? -1 : v;
    }
    return st;
}

enum attest_status tdx_tcb_policy_parse(const json_t *section, const char *path,
                                        struct tdx_tcb_policy *out, struct attest_error *err)
{
    enum attest_status st = parse_statuses(section, path, out, err);

    if (st == ATTEST_OK) {
        st = pj_uint(section, path, "min-tcb-evaluation", UINT32_MAX, &out->min_evaluation, err);
    }
    if (st == ATTEST_OK) {
        st = pj_time(section, path, "min-tcb-date", &out->min_tcb_date, err);
    }
    if (st == ATTEST_OK) {
        st = parse_advisories(section, path, out, err);
    }
    if (st == ATTEST_OK) {
        st = pj_values(section, path, "fmspc", 6, &out->fmspc, err);
    }
    if (st == ATTEST_OK) {
        st = parse_flags(section, path, out, err);
    }
    return st == ATTEST_OK ? parse_times(section, path, out, err) : st;
}

void tdx_tcb_policy_free(struct tdx_tcb_policy *p)
{
    pj_values_free(&p->fmspc);
}

struct tdx_times tdx_times_of(const struct tdx_tcb_policy *p, int64_t at)
{
    int64_t t[4];

    for (size_t i = 0; i < 4; i++) {
        t[i] = p != NULL && p->has_time[i] ? p->time[i] : at;
    }
    return (struct tdx_times){
        .certificates = t[0], .crls = t[1], .tcb_info = t[2], .identity = t[3]};
}

static void refuse(struct attest_verdict *v, enum attest_status st, const char *object,
                   const char *field, const char *expected, const char *found)
{
    struct attest_error err;

    if (attest_fail(&err, st, object, field, expected, "%s", found) != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

static void check_status(const struct tdx_evidence *e, const struct tdx_tcb_policy *p, int64_t at,
                         struct attest_verdict *v)
{
    enum tdx_status s = e->r.status;
    char found[128], limit[24];

    if ((p->statuses >> s & 1) == 0) {
        snprintf(found, sizeof(found), "%s (level %s, module %s, QE %s)", tdx_status_name(s),
                 tdx_status_name(e->r.platform), tdx_status_name(e->r.module),
                 tdx_status_name(e->r.qe));
        refuse(v, ATTEST_TCB_STATUS, tdx_quote_object(&e->q), "TCB status",
               "one that the policy allows", found);
    } else if (p->until[s] != 0 && at > p->until[s]) {
        snprintf(found, sizeof(found), "%s, allowed until %s", tdx_status_name(s),
                 attest_time_text(p->until[s], limit));
        refuse(v, ATTEST_TCB_STATUS, tdx_quote_object(&e->q), "TCB status",
               "one that the policy still allows", found);
    }
}

static void check_age(const struct tdx_evidence *e, const struct tdx_tcb_policy *p,
                      struct attest_verdict *v)
{
    const struct tdx_result *r = &e->r;
    uint32_t evaluation = r->info->s.evaluation < r->identity->s.evaluation
                              ? r->info->s.evaluation
                              : r->identity->s.evaluation;
    char want[24], found[24];

    if (evaluation < p->min_evaluation) {
        snprintf(want, sizeof(want), "at least %u", (unsigned int)p->min_evaluation);
        snprintf(found, sizeof(found), "%u", evaluation);
        refuse(v, ATTEST_TCB, "collateral", "tcbEvaluationDataNumber", want, found);
    }
    if (tdx_tcb_date(r) < p->min_tcb_date) {
        refuse(v, ATTEST_TCB, tdx_quote_object(&e->q), "tcbDate",
               attest_time_text(p->min_tcb_date, want), attest_time_text(tdx_tcb_date(r), found));
    }
}

static void check_flags(const struct sgx_pck *pck, const struct tdx_tcb_policy *p,
                        struct attest_verdict *v)
{
    const bool flag[FLAGS] = {pck->dynamic_platform, pck->cached_keys, pck->smt_enabled};

    for (size_t i = 0; i < FLAGS; i++) {
        if (p->flag[i] >= 0 && (!pck->has_configuration || flag[i] != p->flag[i])) {
            refuse(v, ATTEST_PLATFORM, "PCK certificate", flag_keys[i],
                   p->flag[i] != 0 ? "true" : "false",
                   !pck->has_configuration ? "not stated"
                   : flag[i]               ? "true"
                                           : "false");
        }
    }
}

struct advisory_check {
    const struct tdx_evidence *e;
    const struct tdx_tcb_policy *p;
    struct attest_verdict *v;
};

static void check_advisory(void *arg, const char *id)
{
    const struct advisory_check *c = arg;
    const json_t *v;
    size_t i;

    json_array_foreach(c->p->advisories, i, v)
    {
        if (strcmp(json_string_value(v), id) == 0) {
            return;
        }
    }
    refuse(c->v, ATTEST_TCB, tdx_quote_object(&c->e->q), "advisory",
           "one that the policy tolerates", id);
}

void tdx_tcb_appraise(const struct tdx_evidence *e, const struct tdx_tcb_policy *p,
                      const struct attest_input *in, struct attest_verdict *v)
{
    struct advisory_check c = {e, p, v};
    char fmspc[13];

    check_status(e, p, in->at, v);
    check_age(e, p, v);
    if (p->has_advisories) {
        tdx_each_advisory(&e->r, check_advisory, &c);
    }
    check_flags(&e->pck.sgx, p, v);
    if (p->fmspc.count > 0 && !pj_values_contain(&p->fmspc, e->pck.sgx.fmspc)) {
        refuse(v, ATTEST_PLATFORM, "PCK certificate", "FMSPC", "one that the policy names",
               hex_encode(e->pck.sgx.fmspc, 6, fmspc));
    }
}
