/* Guest messages: ABI 8.26; chapter 7 gives their payloads. */
#include "snp_psp.h"

#include "hv/string.h"

#define AEAD_AES_256_GCM 1u
#define HEADER_VERSION   1u
#define HEADER_SIZE      0x60u

static uint32_t header_check(const struct psp_guest *g, const struct snp_message *m)
{
    if (m->algorithm != AEAD_AES_256_GCM || m->header_version != HEADER_VERSION ||
        m->header_size != HEADER_SIZE || m->vmpck > 3 || m->reserved1 != 0 ||
        !psp_is_zero(m->reserved0, sizeof(m->reserved0)) ||
        !psp_is_zero(m->reserved2, sizeof(m->reserved2)) ||
        !psp_is_zero(m->authtag + 16, sizeof(m->authtag) - 16)) {
        return SNP_INVALID_PARAM;
    }
    if (m->size > sizeof(m->payload)) {
        return SNP_INVALID_LENGTH;
    }
    if (g->messages[m->vmpck] > UINT64_MAX - 2) {
        return SNP_AEAD_OFLOW;
    }
    return m->seqno != g->messages[m->vmpck] + 1 ? SNP_INVALID_PARAM : SNP_SUCCESS;
}

/* IV: the sequence number, padded with zeros (ABI 8.26.2). */
static struct emu_gcm gcm_of(const struct psp_guest *g, const struct snp_message *m, uint8_t iv[12])
{
    memset(iv, 0, 12);
    memcpy(iv, &m->seqno, sizeof(m->seqno));
    return (struct emu_gcm){
        .key = g->vmpck[m->vmpck],
        .iv = iv,
        .aad = &m->algorithm,
        .aad_len = HEADER_SIZE - SNP_MESSAGE_AAD,
    };
}

static bool open_message(const struct psp_guest *g, struct snp_message *m)
{
    uint8_t iv[12];
    struct emu_gcm gcm = gcm_of(g, m, iv);

    return emu_gcm_open(&gcm, m->payload, m->size, m->authtag);
}

static void seal_message(const struct psp_guest *g, struct snp_message *m)
{
    uint8_t iv[12];
    struct emu_gcm gcm = gcm_of(g, m, iv);

    emu_gcm_seal(&gcm, m->payload, m->size, m->authtag);
}

/* The type of the answer is the request's, plus one. */
static uint32_t answer(const struct psp_guest *g, const struct snp_message *req,
                       struct snp_message *rsp)
{
    struct psp_payload p = {req->payload, req->size, req->vmpck, req->version, rsp->payload, 0};
    uint32_t r;

    switch (req->type) {
    case SNP_MSG_REPORT_REQ:
        r = psp_report_request(g, &p);
        break;
    case SNP_MSG_KEY_REQ:
        r = psp_key_request(g, &p);
        break;
    default:
        r = SNP_INVALID_PARAM;
        break;
    }
    rsp->algorithm = AEAD_AES_256_GCM;
    rsp->header_version = HEADER_VERSION;
    rsp->header_size = HEADER_SIZE;
    rsp->type = req->type + 1;
    rsp->version = req->version;
    rsp->size = p.out_len;
    rsp->vmpck = req->vmpck;
    rsp->seqno = req->seqno + 1;
    return r;
}

/* The request is copied before it is looked at: it lies in the hypervisor's memory. */
uint32_t psp_guest_request(const void *cmd)
{
    static struct snp_message req, rsp; /* under the mailbox's lock */
    const struct snp_guest_request *c = cmd;
    struct psp_guest *g;
    uint32_t r = psp_guest_in(c->gctx, GSTATE_RUNNING, &g);

    if (r == SNP_SUCCESS &&
        (!IS_ALIGNED(c->request, PAGE_SIZE) || !IS_ALIGNED(c->response, PAGE_SIZE) ||
         !psp_read(c->request, &req, sizeof(req)))) {
        r = SNP_INVALID_ADDRESS;
    }
    if (r == SNP_SUCCESS) {
        r = psp_writable(c->response, PAGE_SIZE);
    }
    if (r == SNP_SUCCESS) {
        r = header_check(g, &req);
    }
    if (r == SNP_SUCCESS && !open_message(g, &req)) {
        r = SNP_BAD_MEASUREMENT;
    }
    if (r != SNP_SUCCESS) {
        return r;
    }
    memset(&rsp, 0, sizeof(rsp));
    r = answer(g, &req, &rsp);
    if (r != SNP_SUCCESS) {
        return r;
    }
    seal_message(g, &rsp);
    g->messages[req.vmpck] += 2;
    return psp_write(c->response, &rsp, sizeof(rsp)) ? SNP_SUCCESS : SNP_INVALID_ADDRESS;
}
