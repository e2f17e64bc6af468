/* Guest messages: ABI 8.26; chapter 7 gives their payloads. */
#include "snp_psp.h"

#include "hv/string.h"

#define AEAD_AES_256_GCM 1u
#define HEADER_VERSION   1u
#define HEADER_SIZE      0x60u

static uint32_t header_check(const struct snp_message *m)
{
    return m->algorithm != AEAD_AES_256_GCM || m->header_version != HEADER_VERSION ||
                   m->header_size != HEADER_SIZE || m->vmpck > 3 || m->size == 0 ||
                   m->size % 16 != 0 || m->size > sizeof(m->payload)
               ? SNP_INVALID_PARAM
               : SNP_SUCCESS;
}

/* After the tag: only the guest can have written the number. */
static uint32_t sequence_check(const struct psp_guest *g, const struct snp_message *m)
{
    uint64_t count = g->messages[m->vmpck];

    return count == UINT64_MAX - 1 || m->seqno != count + 1 ? SNP_AEAD_OFLOW : SNP_SUCCESS;
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

/* Both are 4 KiB pages (buffers inside a page are not supported); the response's the firmware's. */
static uint32_t pages_check(const struct snp_guest_request *c)
{
    struct emu_rmp request, response;
    uint32_t r = psp_page(c->request, RMP_4K, &request);

    if (r == SNP_SUCCESS) {
        r = psp_page(c->response, RMP_4K, &response);
    }
    return r == SNP_SUCCESS && !psp_is_firmware(&response) ? (uint32_t)SNP_INVALID_PAGE_STATE : r;
}

/* The request is copied before it is looked at: it lies in the hypervisor's memory. */
uint32_t psp_guest_request(const void *cmd)
{
    static struct snp_message req, rsp; /* under the mailbox's lock */
    const struct snp_guest_request *c = cmd;
    struct psp_guest *g;
    uint32_t r = psp_guest_in(c->gctx, GSTATE_RUNNING, &g);

    if (r == SNP_SUCCESS) {
        r = pages_check(c);
    }
    if (r == SNP_SUCCESS && !psp_read(c->request, &req, sizeof(req))) {
        r = SNP_INVALID_ADDRESS;
    }
    if (r == SNP_SUCCESS) {
        r = header_check(&req);
    }
    if (r == SNP_SUCCESS && !open_message(g, &req)) {
        r = SNP_BAD_MEASUREMENT;
    }
    if (r == SNP_SUCCESS) {
        r = sequence_check(g, &req);
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
