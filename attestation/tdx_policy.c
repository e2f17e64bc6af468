/*
 * The "tdx" section of a policy. MRTD needs reference values; so does each RTMR that is not named
 * in "unchecked" or reproduced from an event log ("replay"): silence about a register is an error.
 */
#include "tdx_evidence.h"

#include <attest/eventlog.h>
#include <attest/hex.h>
#include <attest/reader.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RTMRS = 4 };

/* Fields that may have reference values; the first five must be spoken for. */
static const struct tdx_field fields[] = {
    {"mrtd", TD_MRTD, 48},
    {"rtmr0", TD_RTMR0, 48},
    {"rtmr1", TD_RTMR0 + 48, 48},
    {"rtmr2", TD_RTMR0 + 96, 48},
    {"rtmr3", TD_RTMR0 + 144, 48},
    {"mrseam", TD_MRSEAM, 48},
    {"mrconfigid", TD_MRCONFIGID, 48},
    {"mrowner", TD_MROWNER, 48},
    {"mrownerconfig", TD_MROWNERCONFIG, 48},
    {"xfam", TD_XFAM, 8},
    {"mrservicetd", TD_MRSERVICETD, 48}, /* TD report 1.5 only */
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]), FIRST_RTMR = 1 };

struct tdx_policy {
    struct tdx_tcb_policy tcb; /* first: see tdx_times_of's callers */
    struct pj_values value[FIELDS];
    uint64_t unchecked; /* by RTMR */
    uint64_t replay;    /* likewise */
    bool debug;
    bool migratable;
    bool sept_ve;
    bool has_attributes;
    uint64_t attributes;
    uint64_t attributes_mask;
};

static const char *const rtmr_names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3", NULL};

static enum attest_status check_spoken_for(const struct tdx_policy *p, const char *path,
                                           struct attest_error *err)
{
    if (p->value[0].count == 0) {
        return attest_fail(err, ATTEST_POLICY_INVALID, path, "mrtd", "reference values", "none");
    }
    for (size_t i = 0; i < RTMRS; i++) {
        if (p->value[FIRST_RTMR + i].count == 0 && ((p->unchecked | p->replay) >> i & 1) == 0) {
            return attest_fail(err, ATTEST_POLICY_INVALID, path, rtmr_names[i],
                               "reference values, or its name in \"replay\" or \"unchecked\"",
                               "none");
        }
    }
    return ATTEST_OK;
}

/* "td-attributes" as the field's eight bytes in hex; the mask says which bits count, default all.
 */
static enum attest_status parse_attributes(const json_t *j, const char *path, struct tdx_policy *p,
                                           struct attest_error *err)
{
    struct pj_values v = {0}, mask = {0};
    enum attest_status st = pj_values(j, path, "td-attributes", 8, &v, err);

    if (st == ATTEST_OK) {
        st = pj_values(j, path, "td-attributes-mask", 8, &mask, err);
    }
    if (st == ATTEST_OK && (v.count > 1 || mask.count > v.count)) {
        st = attest_fail(err, ATTEST_POLICY_INVALID, path, "td-attributes",
                         "one value, with at most one mask", "another number");
    }
    if (st == ATTEST_OK && v.count == 1) {
        p->has_attributes = true;
        p->attributes_mask = mask.count == 1 ? ld64le(mask.v) : UINT64_MAX;
        p->attributes = ld64le(v.v) & p->attributes_mask;
    }
    pj_values_free(&v);
    pj_values_free(&mask);
    return st;
}

static enum attest_status parse_members(const json_t *j, const char *path, void *section,
                                        struct attest_error *err)
{
    struct tdx_policy *p = section;
    enum attest_status st = tdx_tcb_policy_parse(j, path, &p->tcb, err);

    for (size_t i = 0; i < FIELDS && st == ATTEST_OK; i++) {
        st = pj_values(j, path, fields[i].key, fields[i].len, &p->value[i], err);
    }
    if (st == ATTEST_OK) {
        st = pj_names(j, path, "unchecked", rtmr_names, &p->unchecked, err);
    }
    if (st == ATTEST_OK) {
        st = pj_names(j, path, "replay", rtmr_names, &p->replay, err);
    }
    if (st == ATTEST_OK) {
        st = pj_bool(j, path, "debug", &p->debug, err);
    }
    if (st == ATTEST_OK) {
        st = pj_bool(j, path, "migratable", &p->migratable, err);
    }
    if (st == ATTEST_OK) {
        st = pj_bool(j, path, "sept-ve", &p->sept_ve, err);
    }
    if (st == ATTEST_OK) {
        st = parse_attributes(j, path, p, err);
    }
    return st == ATTEST_OK ? check_spoken_for(p, path, err) : st;
}

static void release(void *section)
{
    struct tdx_policy *p = section;

    for (size_t i = 0; i < FIELDS; i++) {
        pj_values_free(&p->value[i]);
    }
    tdx_tcb_policy_free(&p->tcb);
    free(p);
}

static const char *const keys[] = {TDX_TCB_POLICY_KEYS,
                                   "mrtd",
                                   "rtmr0",
                                   "rtmr1",
                                   "rtmr2",
                                   "rtmr3",
                                   "mrseam",
                                   "mrconfigid",
                                   "mrowner",
                                   "mrownerconfig",
                                   "xfam",
                                   "mrservicetd",
                                   "unchecked",
                                   "replay",
                                   "debug",
                                   "migratable",
                                   "sept-ve",
                                   "td-attributes",
                                   "td-attributes-mask",
                                   NULL};
const struct pj_section tdx_policy_section = {sizeof(struct tdx_policy), keys, parse_members,
                                             release};

static void refuse_bytes(struct attest_verdict *v, enum attest_status st, const char *field,
                         const struct pj_values *want, const uint8_t *found, size_t len)
{
    struct attest_error err;

    /* With several reference values none is the expected one. */
    st = attest_fail_bytes(&err, st, "TDX quote", field, want->count == 1 ? want->v : NULL,
                           want->count == 1 ? len : 0, found, len);
    if (st != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

static void check_fields(const struct tdx_quote *q, const struct tdx_policy *p,
                         struct attest_verdict *v)
{
    static const uint8_t none[48];

    for (size_t i = 0; i < FIELDS; i++) {
        const struct tdx_field *f = &fields[i];
        const uint8_t *found =
            (size_t)f->offset + f->len <= q->body_len ? q->body + f->offset : none;
        bool owner = f->offset >= TD_MRCONFIGID && f->offset < TD_RTMR0;

        if (p->value[i].count > 0 && !pj_values_contain(&p->value[i], found)) {
            refuse_bytes(v, owner ? ATTEST_IDENTITY : ATTEST_MEASUREMENT, f->key, &p->value[i],
                         found, f->len);
        }
    }
}

static void refuse(struct attest_verdict *v, enum attest_status st, const char *field,
                   const char *expected, uint64_t found)
{
    struct attest_error err;

    st = attest_fail(&err, st, "TDX quote", field, expected, "%016llx", (unsigned long long)found);
    if (st != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

static void check_attributes(const struct tdx_quote *q, const struct tdx_policy *p,
                             struct attest_verdict *v)
{
    uint64_t a = ld64le(q->body + TD_ATTRIBUTES);
    /* Bits for which the policy has no value of its own keep the defaults. */
    uint64_t silent = p->has_attributes ? ~p->attributes_mask : UINT64_MAX;
    char want[64];

    if ((a & TD_ATTRIBUTE_TUD) != 0 && !p->debug) {
        refuse(v, ATTEST_DEBUG, "TD ATTRIBUTES", "no bit of TUD (7:0): the TD is not under debug",
               a);
    }
    if ((a & silent & TD_ATTRIBUTE_MIGRATABLE) != 0 && !p->migratable) {
        refuse(v, ATTEST_POLICY, "TD ATTRIBUTES", "bit 29 (MIGRATABLE) clear", a);
    }
    if ((~a & silent & TD_ATTRIBUTE_SEPT_VE_DISABLE) != 0 && !p->sept_ve) {
        refuse(v, ATTEST_POLICY, "TD ATTRIBUTES", "bit 28 (SEPT_VE_DISABLE) set", a);
    }
    if ((a & silent & TD_ATTRIBUTES_RESERVED) != 0) {
        refuse(v, ATTEST_POLICY, "TD ATTRIBUTES", "reserved bits zero", a);
    }
    if (p->has_attributes && (a & p->attributes_mask) != p->attributes) {
        snprintf(want, sizeof(want), "%016llx under mask %016llx",
                 (unsigned long long)p->attributes, (unsigned long long)p->attributes_mask);
        refuse(v, ATTEST_POLICY, "TD ATTRIBUTES", want, a);
    }
}

static void compare_rtmrs(const struct tdx_quote *q, const struct eventlog_bank *bank,
                          uint64_t which, struct attest_verdict *v)
{
    for (size_t i = 0; i < RTMRS; i++) {
        const uint8_t *quoted = q->body + TD_RTMR0 + 48 * i;
        struct attest_error err;
        char field[48];

        if ((which >> i & 1) == 0 || memcmp(quoted, bank->value[i], 48) == 0) {
            continue;
        }
        snprintf(field, sizeof(field), "RTMR%zu%s", i,
                 (bank->extended >> i & 1) != 0 ? "" : ", which the log never extends");
        if (attest_fail_bytes(&err, ATTEST_REPLAY, "event log", field, quoted, 48, bank->value[i],
                              48) != ATTEST_OK) {
            attest_refuse(v, &err);
        }
    }
}

/*
 * With a log every register is replayed unless the policy picks some: a log that explains only
 * part of the quote must not look as if it explained all.
 */
static void check_replay(const struct tdx_quote *q, const struct tdx_policy *p,
                         const struct attest_input *in, struct attest_verdict *v)
{
    uint64_t which = p->replay != 0 ? p->replay : 0xF;
    struct eventlog log;
    struct eventlog_bank bank;
    struct attest_error err;
    enum attest_status st = ATTEST_OK;

    if (in->event_log == NULL) {
        if (p->replay != 0) {
            st = attest_fail(&err, ATTEST_REPLAY, "event log", "presence",
                             "a log, for the policy wants registers replayed", "none");
        }
    } else {
        st = eventlog_parse(in->event_log, in->event_log_len, &log, &err);
        if (st == ATTEST_OK) {
            st = eventlog_replay_rtmrs(&log, &bank, &err);
        }
        if (st == ATTEST_OK) {
            compare_rtmrs(q, &bank, which, v);
        }
    }
    if (st != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

void tdx_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v)
{
    const struct tdx_evidence *e = ev;
    const struct tdx_policy *p = section;
    struct attest_error err;

    if (attest_check_nonce(in, "TDX quote", "REPORTDATA", e->q.body + TD_REPORTDATA, 64, &err) !=
        ATTEST_OK) {
        attest_refuse(v, &err);
    }
    check_attributes(&e->q, p, v);
    check_fields(&e->q, p, v);
    check_replay(&e->q, p, in, v);
    tdx_tcb_appraise(e, &p->tcb, in, v);
}
