#include <attest/tdx_tcb.h>

#include <attest/reader.h>

#include <stdio.h>
#include <string.h>

static const struct tdx_module *find_identity(const struct tdx_tcb_info *info, uint8_t version)
{
    for (size_t i = 0; i < info->identity_count; i++) {
        if (info->identity[i].version == version) {
            return &info->identity[i];
        }
    }
    return NULL;
}

static const struct tdx_svn_level *find_svn_level(const struct tdx_svn_level *level, size_t count,
                                                  uint32_t isvsvn)
{
    for (size_t i = 0; i < count; i++) {
        if (isvsvn >= level[i].isvsvn) {
            return &level[i];
        }
    }
    return NULL;
}

/* Masked bytes of the report against the identity's, which are not masked (4.1.2.9.5). */
static bool masked_equal(const uint8_t *report, const uint8_t *mask, const uint8_t *want,
                         size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((report[i] & mask[i]) != want[i]) {
            return false;
        }
    }
    return true;
}

static enum attest_status differs(const char *field, const uint8_t *want, const uint8_t *found,
                                  size_t len, struct attest_error *err)
{
    return attest_fail_bytes(err, ATTEST_IDENTITY, "QE report", field, want, len, found, len);
}

enum attest_status tdx_check_qe_identity(const struct tdx_quote *q, const struct tdx_identity *id,
                                         struct tdx_result *r, struct attest_error *err)
{
    const uint8_t *qe = q->qe_report;

    if (!masked_equal(qe + SGX_MISCSELECT, id->miscselect_mask, id->miscselect, 4)) {
        return differs("MISCSELECT", id->miscselect, qe + SGX_MISCSELECT, 4, err);
    }
    if (!masked_equal(qe + SGX_ATTRIBUTES, id->attributes_mask, id->attributes, 16)) {
        return differs("ATTRIBUTES", id->attributes, qe + SGX_ATTRIBUTES, 16, err);
    }
    if (memcmp(qe + SGX_MRSIGNER, id->mrsigner, 32) != 0) {
        return differs("MRSIGNER", id->mrsigner, qe + SGX_MRSIGNER, 32, err);
    }
    if (ld16le(qe + SGX_ISVPRODID) != id->isvprodid) {
        return attest_fail(err, ATTEST_IDENTITY, "QE report", "ISVPRODID", "that of its identity",
                           "%u, not %u", ld16le(qe + SGX_ISVPRODID), id->isvprodid);
    }
    r->identity = id;
    r->qe_level = find_svn_level(id->level, id->level_count, ld16le(qe + SGX_ISVSVN));
    r->qe = r->qe_level == NULL ? TDX_NOT_SUPPORTED : r->qe_level->status;
    return ATTEST_OK;
}

enum attest_status tdx_check_module(const struct tdx_quote *q, const struct tdx_tcb_info *info,
                                    struct attest_error *err)
{
    uint8_t version;
    const struct tdx_module *m;

    if (q->tee_type != TDX_TEE_TDX) {
        return ATTEST_OK;
    }
    version = q->body[TD_TEE_TCB_SVN + 1];
    m = version > 0 ? find_identity(info, version) : info->has_module ? &info->module : NULL;
    if (m == NULL) {
        return attest_fail(err, ATTEST_IDENTITY, "TDX module", "version",
                           "one that the TCB info describes", "TDX_%02X", version);
    }
    if (memcmp(q->body + TD_MRSIGNERSEAM, m->mrsigner, 48) != 0) {
        return attest_fail_bytes(err, ATTEST_IDENTITY, "TDX module", "MRSIGNERSEAM", m->mrsigner,
                                 48, q->body + TD_MRSIGNERSEAM, 48);
    }
    if (!masked_equal(q->body + TD_SEAMATTRIBUTES, m->attributes_mask, m->attributes, 8)) {
        return attest_fail_bytes(err, ATTEST_IDENTITY, "TDX module", "SEAMATTRIBUTES",
                                 m->attributes, 8, q->body + TD_SEAMATTRIBUTES, 8);
    }
    return ATTEST_OK;
}

static bool sgx_reaches(const struct sgx_pck *pck, const struct tdx_level *l)
{
    for (size_t i = 0; i < SGX_TCB_COMPONENTS; i++) {
        if (pck->component[i] < l->sgx[i]) {
            return false;
        }
    }
    return pck->pcesvn >= l->pcesvn;
}

/* With a named module version the first two components are the module's own, judged apart. */
static bool tdx_reaches(const uint8_t svn[16], const struct tdx_level *l)
{
    for (size_t i = svn[1] > 0 ? 2 : 0; i < SGX_TCB_COMPONENTS; i++) {
        if (svn[i] < l->tdx[i]) {
            return false;
        }
    }
    return true;
}

static void match_levels(const struct tdx_quote *q, const struct sgx_pck *pck,
                         const struct tdx_tcb_info *info, struct tdx_result *r)
{
    for (size_t i = 0; i < info->level_count && r->level == NULL; i++) {
        const struct tdx_level *l = &info->level[i];

        if (!sgx_reaches(pck, l)) {
            continue;
        }
        if (r->sgx_level == NULL) {
            r->sgx_level = l;
        }
        if (q->tee_type == TDX_TEE_SGX || tdx_reaches(q->body + TD_TEE_TCB_SVN, l)) {
            r->level = l;
        }
    }
    r->sgx = r->sgx_level == NULL ? TDX_NOT_SUPPORTED : r->sgx_level->status;
    r->platform = r->level == NULL ? TDX_NOT_SUPPORTED : r->level->status;
}

const char *tdx_shortfall(const struct tdx_quote *q, const struct sgx_pck *pck,
                          const struct tdx_tcb_info *info, char buf[64])
{
    const struct tdx_level *l = &info->level[info->level_count - 1];
    const uint8_t *svn = q->tee_type == TDX_TEE_TDX ? q->body + TD_TEE_TCB_SVN : NULL;

    buf[0] = '\0';
    for (unsigned int i = 0; i < SGX_TCB_COMPONENTS; i++) {
        if (pck->component[i] < l->sgx[i]) {
            snprintf(buf, 64, "SGX component %u is %u, not %u", i + 1, pck->component[i],
                     l->sgx[i]);
            return buf;
        }
    }
    if (pck->pcesvn < l->pcesvn) {
        snprintf(buf, 64, "PCESVN is %u, not %u", pck->pcesvn, l->pcesvn);
        return buf;
    }
    for (unsigned int i = svn != NULL && svn[1] > 0 ? 2 : 0; svn != NULL && i < 16; i++) {
        if (svn[i] < l->tdx[i]) {
            snprintf(buf, 64, "TDX component %u is %u, not %u", i + 1, svn[i], l->tdx[i]);
            return buf;
        }
    }
    return buf;
}

static void match_module(const struct tdx_quote *q, const struct tdx_tcb_info *info,
                         struct tdx_result *r)
{
    const struct tdx_module *m;

    r->module = TDX_UP_TO_DATE;
    if (q->tee_type == TDX_TEE_SGX || q->body[TD_TEE_TCB_SVN + 1] == 0) {
        return;
    }
    m = find_identity(info, q->body[TD_TEE_TCB_SVN + 1]);
    r->module_level =
        m == NULL ? NULL : find_svn_level(m->level, m->level_count, q->body[TD_TEE_TCB_SVN]);
    r->module = r->module_level == NULL ? TDX_NOT_SUPPORTED : r->module_level->status;
}

/*
 * A part of the platform (module or QE) drags the whole down. Parts are up to date, out of date or
 * revoked (PCS API v4: enclave identity, TDX module identity); what else a level may say of one has
 * no meaning that could be taken into account, and must not pass for good.
 */
static enum tdx_status converge(enum tdx_status whole, enum tdx_status part)
{
    if (part == TDX_UP_TO_DATE) {
        return whole;
    }
    if (part != TDX_OUT_OF_DATE) {
        return part == TDX_REVOKED ? TDX_REVOKED : TDX_NOT_SUPPORTED;
    }
    switch (whole) {
    case TDX_UP_TO_DATE:
    case TDX_SW_HARDENING:
        return TDX_OUT_OF_DATE;
    case TDX_CONFIGURATION:
    case TDX_CONFIGURATION_AND_SW:
        return TDX_OUT_OF_DATE_CONFIGURATION;
    case TDX_OUT_OF_DATE:
    case TDX_OUT_OF_DATE_CONFIGURATION:
    case TDX_REVOKED:
    case TDX_RELAUNCH:
    case TDX_RELAUNCH_CONFIGURATION:
    case TDX_NOT_SUPPORTED:
    case TDX_STATUS_COUNT:
        break;
    }
    return whole;
}

static bool needs_configuration(enum tdx_status s)
{
    return s == TDX_CONFIGURATION || s == TDX_CONFIGURATION_AND_SW ||
           s == TDX_OUT_OF_DATE_CONFIGURATION;
}

/* Does TEE_TCB_SVN_2, the module that runs now, reach the newest level? */
static bool running_module_is_newest(const uint8_t svn2[16], const struct tdx_tcb_info *info)
{
    const struct tdx_level *newest = &info->level[0];
    const struct tdx_module *m;

    if (svn2[2] < newest->tdx[2]) {
        return false;
    }
    if (svn2[1] == 0) {
        return svn2[0] >= newest->tdx[0];
    }
    m = find_identity(info, svn2[1]);
    return m != NULL && svn2[0] >= m->level[0].isvsvn;
}

/*
 * A TD launched under an old module that was since updated in place (TD preserving update) needs
 * no more than a relaunch (4.1.2.4.17.4.3).
 */
static enum tdx_status relaunch(const struct tdx_quote *q, const struct tdx_tcb_info *info,
                                const struct tdx_result *r, enum tdx_status s)
{
    bool qe_good = r->qe != TDX_OUT_OF_DATE && r->qe != TDX_REVOKED && r->qe != TDX_NOT_SUPPORTED;
    bool sgx_good = r->sgx == TDX_UP_TO_DATE || r->sgx == TDX_SW_HARDENING ||
                    r->sgx == TDX_CONFIGURATION || r->sgx == TDX_CONFIGURATION_AND_SW;

    if (q->body_type != TDX_BODY_TD15 || !qe_good || !sgx_good || r->module != TDX_OUT_OF_DATE ||
        (s != TDX_OUT_OF_DATE && s != TDX_OUT_OF_DATE_CONFIGURATION) ||
        !running_module_is_newest(q->body + TD_TEE_TCB_SVN_2, info)) {
        return s;
    }
    return needs_configuration(r->sgx) || needs_configuration(s) ? TDX_RELAUNCH_CONFIGURATION
                                                                 : TDX_RELAUNCH;
}

void tdx_evaluate(const struct tdx_quote *q, const struct sgx_pck *pck,
                  const struct tdx_tcb_info *info, struct tdx_result *r)
{
    enum tdx_status s;

    r->info = info;
    match_levels(q, pck, info, r);
    match_module(q, info, r);
    if (r->level == NULL) {
        r->status = TDX_NOT_SUPPORTED;
        return;
    }
    s = converge(r->platform, r->module);
    if (s != TDX_REVOKED && s != TDX_NOT_SUPPORTED) {
        s = converge(relaunch(q, info, r, s), r->qe);
    }
    r->status = s;
}

static size_t levels_of(const struct tdx_result *r, const json_t *advisories[3], int64_t date[3])
{
    size_t n = 0;

    if (r->level != NULL) {
        advisories[n] = r->level->advisories;
        date[n++] = r->level->date;
    }
    if (r->module_level != NULL) {
        advisories[n] = r->module_level->advisories;
        date[n++] = r->module_level->date;
    }
    if (r->qe_level != NULL) {
        advisories[n] = r->qe_level->advisories;
        date[n++] = r->qe_level->date;
    }
    return n;
}

static bool listed(const json_t *list, const char *id)
{
    size_t i;
    const json_t *v;

    json_array_foreach(list, i, v)
    {
        if (strcmp(json_string_value(v), id) == 0) {
            return true;
        }
    }
    return false;
}

void tdx_each_advisory(const struct tdx_result *r, void (*fn)(void *arg, const char *id), void *arg)
{
    const json_t *lists[3], *v;
    int64_t date[3];
    size_t n = levels_of(r, lists, date), i;

    for (size_t k = 0; k < n; k++) {
        json_array_foreach(lists[k], i, v)
        {
            const char *id = json_string_value(v);

            if ((k < 1 || !listed(lists[0], id)) && (k < 2 || !listed(lists[1], id))) {
                fn(arg, id);
            }
        }
    }
}

int64_t tdx_tcb_date(const struct tdx_result *r)
{
    const json_t *lists[3];
    int64_t date[3], oldest = 0;
    size_t n = levels_of(r, lists, date);

    for (size_t k = 0; k < n; k++) {
        if (oldest == 0 || date[k] < oldest) {
            oldest = date[k];
        }
    }
    return oldest;
}
