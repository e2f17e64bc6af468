/* Quotes as JSON. */
#include "tdx_evidence.h"

#include <attest/hex.h>
#include <attest/reader.h>

#include <string.h>

const struct tdx_field tdx_td_fields[] = {
    {"tee-tcb-svn", TD_TEE_TCB_SVN, 16},
    {"mrseam", TD_MRSEAM, 48},
    {"mrsignerseam", TD_MRSIGNERSEAM, 48},
    {"seam-attributes", TD_SEAMATTRIBUTES, 8},
    {"td-attributes", TD_ATTRIBUTES, 8},
    {"xfam", TD_XFAM, 8},
    {"mrtd", TD_MRTD, 48},
    {"mrconfigid", TD_MRCONFIGID, 48},
    {"mrowner", TD_MROWNER, 48},
    {"mrownerconfig", TD_MROWNERCONFIG, 48},
    {"rtmr0", TD_RTMR0, 48},
    {"rtmr1", TD_RTMR0 + 48, 48},
    {"rtmr2", TD_RTMR0 + 96, 48},
    {"rtmr3", TD_RTMR0 + 144, 48},
    {"report-data", TD_REPORTDATA, 64},
    {"tee-tcb-svn-2", TD_TEE_TCB_SVN_2, 16},
    {"mrservicetd", TD_MRSERVICETD, 48},
};

static const struct tdx_field sgx_fields[] = {
    {"cpusvn", SGX_CPUSVN, 16},
    {"miscselect", SGX_MISCSELECT, 4},
    {"isvextprodid", SGX_ISVEXTPRODID, 16},
    {"attributes", SGX_ATTRIBUTES, 16},
    {"mrenclave", SGX_MRENCLAVE, 32},
    {"mrsigner", SGX_MRSIGNER, 32},
    {"configid", SGX_CONFIGID, 64},
    {"isvfamilyid", SGX_ISVFAMILYID, 16},
    {"report-data", SGX_REPORTDATA, 64},
};

json_t *tdx_fields_claims(const uint8_t *body, const struct tdx_field *f, size_t n)
{
    json_t *o = json_object();
    char hex[2 * 64 + 1];

    for (size_t i = 0; i < n; i++) {
        hex_encode(body + f[i].offset, f[i].len, hex);
        if (json_object_set_new(o, f[i].key, json_string(hex)) != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

json_t *sgx_report_claims(const uint8_t report[SGX_REPORT_SIZE])
{
    json_t *o = tdx_fields_claims(report, sgx_fields, sizeof(sgx_fields) / sizeof(sgx_fields[0]));

    json_object_set_new(o, "isvprodid", json_integer(ld16le(report + SGX_ISVPRODID)));
    json_object_set_new(o, "isvsvn", json_integer(ld16le(report + SGX_ISVSVN)));
    json_object_set_new(o, "configsvn", json_integer(ld16le(report + SGX_CONFIGSVN)));
    json_object_set_new(o, "debug",
                        json_boolean((report[SGX_ATTRIBUTES] & SGX_ATTRIBUTE_DEBUG) != 0));
    return o;
}

/* TD ATTRIBUTES by name (TDX module 1.5 ABI, section 3.4.1). */
static json_t *attribute_names(uint64_t attributes)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {
        {0, "DEBUG"}, {4, "HGS_PLUS_PROF"},    {5, "PERF_PROF"},   {6, "PMT_PROF"}, {16, "ICSSD"},
        {27, "LASS"}, {28, "SEPT_VE_DISABLE"}, {29, "MIGRATABLE"}, {30, "PKS"},     {31, "KL"},
        {62, "TPA"},  {63, "PERFMON"}};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((attributes >> names[i].bit & 1) != 0) {
            json_array_append_new(list, json_string(names[i].name));
            attributes &= ~(UINT64_C(1) << names[i].bit);
        }
    }
    for (unsigned int bit = 0; bit < 64; bit++) {
        if ((attributes >> bit & 1) != 0) {
            json_array_append_new(list, json_sprintf("bit %u", bit));
        }
    }
    return list;
}

static json_t *td_claims(const struct tdx_quote *q)
{
    uint64_t attributes = ld64le(q->body + TD_ATTRIBUTES);
    json_t *o = tdx_fields_claims(
        q->body, tdx_td_fields, q->body_type == TDX_BODY_TD15 ? TDX_TD15_FIELDS : TDX_TD10_FIELDS);

    json_object_set_new(o, "attributes", attribute_names(attributes));
    json_object_set_new(o, "debug", json_boolean((attributes & TD_ATTRIBUTE_TUD) != 0));
    return o;
}

json_t *tdx_quote_claims(const struct tdx_quote *q)
{
    static const char *const bodies[] = {"", "enclave report", "TD report 1.0", "TD report 1.5"};
    char vendor[33], user[41];

    return json_pack("{s:{s:i, s:s, s:i, s:i, s:s, s:s, s:i, s:I}, s:o, s:o}", "quote", "version",
                     q->version, "body", bodies[q->body_type], "qe-svn", q->qe_svn, "pce-svn",
                     q->pce_svn, "qe-vendor", hex_encode(q->qe_vendor, 16, vendor), "user-data",
                     hex_encode(q->user_data, 20, user), "certification-data-type", q->cert_type,
                     "trailing-bytes", (json_int_t)q->trailing,
                     q->tee_type == TDX_TEE_TDX ? "td-report" : "enclave-report",
                     q->tee_type == TDX_TEE_TDX ? td_claims(q) : sgx_report_claims(q->body),
                     "qe-report", sgx_report_claims(q->qe_report));
}

static void add_advisory(void *arg, const char *id)
{
    json_array_append_new(arg, json_string(id));
}

static json_t *tcb_claims(const struct tdx_result *r)
{
    json_t *advisories = json_array();
    char date[24];

    tdx_each_advisory(r, add_advisory, advisories);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:o}", "status", tdx_status_name(r->status),
        "level", tdx_status_name(r->platform), "sgx-level", tdx_status_name(r->sgx), "module",
        tdx_status_name(r->module), "qe", tdx_status_name(r->qe), "date",
        tdx_tcb_date(r) == 0 ? NULL : attest_time_text(tdx_tcb_date(r), date),
        "tcb-info-evaluation", (json_int_t)r->info->s.evaluation, "qe-identity-evaluation",
        (json_int_t)r->identity->s.evaluation, "advisories", advisories);
}

/* For a quote that nobody verified: its own certificate, as it claims to be. */
static json_t *unverified_pck(const struct tdx_quote *q)
{
    struct attest_collateral *c = attest_collateral_new();
    struct tdx_pck pck = {0};
    json_t *o = NULL;

    if (c != NULL && q->cert_type >= TDX_CERT_PCK) {
        enum attest_status st = tdx_pck_find(q, c, &pck, NULL);

        if (pck.leaf != NULL && (st == ATTEST_OK || pck.sgx.pcesvn != 0)) {
            o = sgx_pck_claims(&pck.sgx);
        }
        tdx_pck_release(&pck);
    }
    attest_collateral_free(c);
    return o;
}

json_t *tdx_claims(const void *ev)
{
    const struct tdx_evidence *e = ev;
    json_t *o = tdx_quote_claims(&e->q);
    json_t *pck = e->verified ? sgx_pck_claims(&e->pck.sgx) : unverified_pck(&e->q);

    if (pck != NULL && json_object_set_new(o, "pck-certificate", pck) != 0) {
        json_decref(o);
        return NULL;
    }
    if (e->verified && json_object_set_new(o, "tcb", tcb_claims(&e->r)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}
