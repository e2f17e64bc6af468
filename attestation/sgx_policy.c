/* The "sgx" section of a policy: an enclave by MRENCLAVE, or by signer, product and least SVN. */
#include "tdx_evidence.h"

#include <attest/reader.h>

#include <stdlib.h>

struct sgx_policy {
    struct tdx_tcb_policy tcb; /* first, as in struct tdx_policy */
    struct pj_values mrenclave;
    struct pj_values mrsigner;
    bool has_product;
    uint64_t isvprodid;
    uint64_t min_isvsvn;
    bool debug;
};

static enum attest_status parse_members(const json_t *j, const char *path, void *section,
                                        struct attest_error *err)
{
    struct sgx_policy *p = section;
    enum attest_status st = tdx_tcb_policy_parse(j, path, &p->tcb, err);

    if (st == ATTEST_OK) {
        st = pj_values(j, path, "mrenclave", 32, &p->mrenclave, err);
    }
    if (st == ATTEST_OK) {
        st = pj_values(j, path, "mrsigner", 32, &p->mrsigner, err);
    }
    if (st == ATTEST_OK) {
        p->has_product = json_object_get(j, "isvprodid") != NULL;
        st = pj_uint(j, path, "isvprodid", UINT16_MAX, &p->isvprodid, err);
    }
    if (st == ATTEST_OK) {
        st = pj_uint(j, path, "min-isvsvn", UINT16_MAX, &p->min_isvsvn, err);
    }
    if (st == ATTEST_OK) {
        st = pj_bool(j, path, "debug", &p->debug, err);
    }
    if (st == ATTEST_OK && p->mrenclave.count == 0 && (p->mrsigner.count == 0 || !p->has_product)) {
        st = attest_fail(err, ATTEST_POLICY_INVALID, path, "mrenclave",
                         "reference values, or mrsigner and isvprodid", "none");
    }
    return st;
}

static void release(void *section)
{
    struct sgx_policy *p = section;

    pj_values_free(&p->mrenclave);
    pj_values_free(&p->mrsigner);
    tdx_tcb_policy_free(&p->tcb);
    free(p);
}

static const char *const keys[] = {TDX_TCB_POLICY_KEYS, "mrenclave", "mrsigner", "isvprodid",
                                   "min-isvsvn",        "debug",     NULL};
const struct pj_section sgx_policy_section = {sizeof(struct sgx_policy), keys, parse_members,
                                             release};

static void check_values(const struct pj_values *want, const char *field, const uint8_t *found,
                         enum attest_status st, struct attest_verdict *v)
{
    struct attest_error err;

    if (want->count > 0 && !pj_values_contain(want, found)) {
        st = attest_fail_bytes(&err, st, "SGX quote", field, want->count == 1 ? want->v : NULL,
                               want->count == 1 ? want->len : 0, found, want->len);
        if (st != ATTEST_OK) {
            attest_refuse(v, &err);
        }
    }
}

static void refuse_number(struct attest_verdict *v, enum attest_status st, const char *field,
                          const char *expected, unsigned int found)
{
    struct attest_error err;

    if (attest_fail(&err, st, "SGX quote", field, expected, "%u", found) != ATTEST_OK) {
        attest_refuse(v, &err);
    }
}

void sgx_appraise(const void *ev, const void *section, const struct attest_input *in,
                  struct attest_verdict *v)
{
    const struct tdx_evidence *e = ev;
    const struct sgx_policy *p = section;
    const uint8_t *body = e->q.body;
    struct attest_error err;

    if (attest_check_nonce(in, "SGX quote", "REPORTDATA", body + SGX_REPORTDATA, 64, &err) !=
        ATTEST_OK) {
        attest_refuse(v, &err);
    }
    if ((body[SGX_ATTRIBUTES] & SGX_ATTRIBUTE_DEBUG) != 0 && !p->debug) {
        refuse_number(v, ATTEST_DEBUG, "ATTRIBUTES", "DEBUG clear", body[SGX_ATTRIBUTES]);
    }
    check_values(&p->mrenclave, "MRENCLAVE", body + SGX_MRENCLAVE, ATTEST_MEASUREMENT, v);
    check_values(&p->mrsigner, "MRSIGNER", body + SGX_MRSIGNER, ATTEST_IDENTITY, v);
    if (p->has_product && ld16le(body + SGX_ISVPRODID) != p->isvprodid) {
        refuse_number(v, ATTEST_IDENTITY, "ISVPRODID", "that of the policy",
                      ld16le(body + SGX_ISVPRODID));
    }
    if (ld16le(body + SGX_ISVSVN) < p->min_isvsvn) {
        refuse_number(v, ATTEST_TCB, "ISVSVN", "at least that of the policy",
                      ld16le(body + SGX_ISVSVN));
    }
    tdx_tcb_appraise(e, &p->tcb, in, v);
}
