/* TDX and SGX quotes as kinds of evidence: from bytes to an authentic quote with its standing. */
#include "tdx_evidence.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

static bool detect_tdx(const uint8_t *p, size_t len)
{
    /* Whatever is no SGX quote, so that unknown TEE types get an answer that says so. */
    return tdx_quote_detect(p, len) && memcmp(p + 4, "\0\0\0\0", 4) != 0;
}

static bool detect_sgx(const uint8_t *p, size_t len)
{
    return tdx_quote_detect(p, len) && memcmp(p + 4, "\0\0\0\0", 4) == 0;
}

static enum attest_status parse(const uint8_t *p, size_t len, void **ev, struct attest_error *err)
{
    struct tdx_evidence *e = calloc(1, sizeof(*e));
    enum attest_status st;

    if (e == NULL) {
        return attest_no_memory(err, "quote");
    }
    st = tdx_quote_parse(p, len, &e->q, err);
    if (st != ATTEST_OK) {
        free(e);
        return st;
    }
    *ev = e;
    return ATTEST_OK;
}

static void release(void *ev)
{
    struct tdx_evidence *e = ev;

    tdx_pck_release(&e->pck);
    free(e);
}

/* PCK certificate, its chain, its root; then the three links from its key to the quote's bytes. */
static enum attest_status check_chain(struct tdx_evidence *e, const struct attest_input *in,
                                      const struct tdx_times *t, struct attest_verdict *v,
                                      struct attest_error *err)
{
    const struct attest_chain *chain = &e->pck.chain;
    const struct attest_cert *root;
    enum attest_status st = tdx_pck_find(&e->q, in->collateral, &e->pck, err);

    if (st != ATTEST_OK) {
        return st;
    }
    root = chain->cert[chain->count - 1];
    st = attest_trust(v, in, tdx_quote_kind(&e->q), attest_cert_name(root),
                      attest_cert_spki_sha256(root), err);
    if (st == ATTEST_OK) {
        st = attest_chain_check_time(chain, t->certificates, err);
    }
    /* Intel's own rule: without both CRLs there is no verification (PCS API v4). */
    return st == ATTEST_OK ? attest_chain_check_crls(in->collateral, chain, t->crls, true, err)
                           : st;
}

static enum attest_status check_signatures(struct tdx_evidence *e, struct attest_error *err)
{
    enum attest_status st = tdx_pck_check_qe(&e->q, &e->pck, err);

    if (st == ATTEST_OK) {
        st = tdx_quote_check_binding(&e->q, err);
    }
    return st == ATTEST_OK ? tdx_quote_check_signature(&e->q, err) : st;
}

static enum attest_status check_collateral(struct tdx_evidence *e, const struct attest_input *in,
                                           const struct tdx_times *t, struct tdx_tcb_info **info,
                                           struct attest_error *err)
{
    const struct attest_cert *root = e->pck.chain.cert[e->pck.chain.count - 1];
    struct tdx_identity *id;
    enum attest_status st =
        tdx_tcb_info_find(in->collateral, e->q.tee_type, &e->pck.sgx, t->tcb_info, info, err);

    if (st == ATTEST_OK) {
        st = tdx_signed_check(&(*info)->s, in->collateral, root, t->tcb_info, t, err);
    }
    if (st == ATTEST_OK) {
        st = tdx_identity_find(in->collateral, e->q.tee_type, t->identity, &id, err);
    }
    if (st == ATTEST_OK) {
        st = tdx_signed_check(&id->s, in->collateral, root, t->identity, t, err);
    }
    return st == ATTEST_OK ? tdx_check_qe_identity(&e->q, id, &e->r, err) : st;
}

static void note_advisory(void *arg, const char *id)
{
    attest_note(arg, "advisory", "%s", id);
}

static void tell(const struct tdx_evidence *e, struct attest_verdict *v)
{
    const struct tdx_result *r = &e->r;
    char fmspc[13], date[24];

    attest_note(v, "tcb-status", "%s", tdx_status_name(r->status));
    attest_note(v, "fmspc", "%s", hex_encode(e->pck.sgx.fmspc, 6, fmspc));
    attest_note(v, "tcb-level", "%s, SGX alone %s", tdx_status_name(r->platform),
                tdx_status_name(r->sgx));
    if (e->q.tee_type == TDX_TEE_TDX && e->q.body[TD_TEE_TCB_SVN + 1] != 0) {
        attest_note(v, "tdx-module", "TDX_%02X svn %u: %s", e->q.body[TD_TEE_TCB_SVN + 1],
                    e->q.body[TD_TEE_TCB_SVN], tdx_status_name(r->module));
    }
    attest_note(v, "quoting-enclave", "%s", tdx_status_name(r->qe));
    if (tdx_tcb_date(r) != 0) {
        attest_note(v, "tcb-date", "%s", attest_time_text(tdx_tcb_date(r), date));
    }
    tdx_each_advisory(r, note_advisory, v);
    if (e->q.trailing != 0) {
        attest_note(v, "trailing-bytes", "%zu, not part of the quote", e->q.trailing);
    }
}

/* Outcomes that no policy may forgive. */
static enum attest_status hard_outcome(const struct tdx_evidence *e, struct attest_error *err)
{
    const struct tdx_result *r = &e->r;
    char why[64];

    if (r->status == TDX_REVOKED) {
        return attest_fail(err, ATTEST_REVOKED, tdx_quote_object(&e->q), "TCB status",
                           "a TCB that is not revoked", "level %s, module %s, QE %s",
                           tdx_status_name(r->platform), tdx_status_name(r->module),
                           tdx_status_name(r->qe));
    }
    if (r->status == TDX_NOT_SUPPORTED) {
        return attest_fail(err, ATTEST_TCB_STATUS, tdx_quote_object(&e->q), "TCB status",
                           "a level of the TCB info that all SVNs reach",
                           "TCB_NOT_SUPPORTED: level %s, module %s, QE %s; %s",
                           r->level == NULL ? "none" : tdx_status_name(r->platform),
                           tdx_status_name(r->module), tdx_status_name(r->qe),
                           tdx_shortfall(&e->q, &e->pck.sgx, r->info, why));
    }
    return ATTEST_OK;
}

static enum attest_status verify(void *ev, const struct attest_input *in, struct attest_verdict *v,
                                 struct attest_error *err)
{
    struct tdx_evidence *e = ev;
    struct tdx_times t =
        tdx_times_of(attest_policy_section(in->policy, tdx_quote_kind(&e->q)), in->at);
    struct tdx_tcb_info *info;
    enum attest_status st = check_chain(e, in, &t, v, err);

    if (st == ATTEST_OK) {
        st = check_signatures(e, err);
    }
    if (st == ATTEST_OK) {
        st = check_collateral(e, in, &t, &info, err);
    }
    if (st == ATTEST_OK) {
        st = tdx_check_module(&e->q, info, err);
    }
    if (st != ATTEST_OK) {
        return st;
    }
    tdx_evaluate(&e->q, &e->pck.sgx, info, &e->r);
    e->verified = true;
    tell(e, v);
    return hard_outcome(e, err);
}

const struct attest_evidence_ops attest_evidence_tdx = {
    .kind = "tdx",
    .title = "Intel TDX quote",
    .detect = detect_tdx,
    .parse = parse,
    .free = release,
    .verify = verify,
    .appraise = tdx_appraise,
    .claims = tdx_claims,
    .policy = &tdx_policy_section,
};

const struct attest_evidence_ops attest_evidence_sgx = {
    .kind = "sgx",
    .title = "Intel SGX quote",
    .detect = detect_sgx,
    .parse = parse,
    .free = release,
    .verify = verify,
    .appraise = sgx_appraise,
    .claims = tdx_claims,
    .policy = &sgx_policy_section,
};
