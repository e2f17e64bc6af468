#include "emu_peer.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

void peer_start(struct peer *p, const struct host_guest *g, const struct snp_secrets_page *s,
                unsigned int vmpck)
{
    *p = (struct peer){.gctx = g->gctx, .vmpck = vmpck, .seqno = 1};
    p->request = host_page(RMP_4K);
    p->response = host_firmware_page();
    memcpy(p->key, s->vmpck[vmpck], sizeof(p->key));
}

struct snp_message *peer_request(const struct peer *p)
{
    return host_at(p->request);
}

static EVP_CIPHER_CTX *cipher(const struct peer *p, const struct snp_message *m, int encrypt)
{
    uint8_t iv[12] = {0};
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;

    memcpy(iv, &m->seqno, sizeof(m->seqno));
    must(EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, p->key, iv, encrypt) == 1 &&
         EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)m + 0x30, 0x30) == 1);
    return c;
}

void peer_seal(const struct peer *p, unsigned int type, unsigned int version, const void *payload,
               size_t len)
{
    struct snp_message *m = peer_request(p);
    EVP_CIPHER_CTX *c;
    int n;

    memset(m, 0, sizeof(*m));
    m->seqno = p->seqno;
    m->algorithm = 1;
    m->header_version = 1;
    m->header_size = 0x60;
    m->type = (uint8_t)type;
    m->version = (uint8_t)version;
    m->size = (uint16_t)len;
    m->vmpck = (uint8_t)p->vmpck;
    c = cipher(p, m, 1);
    must(EVP_CipherUpdate(c, m->payload, &n, payload, (int)len) == 1 &&
         EVP_CipherFinal_ex(c, m->payload + n, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, m->authtag) == 1);
    EVP_CIPHER_CTX_free(c);
}

uint32_t peer_send(const struct peer *p)
{
    const struct snp_guest_request r = {p->gctx, p->request, p->response};

    return psp_do(SNP_CMD_GUEST_REQUEST, &r, sizeof(r));
}

const uint8_t *peer_open(struct peer *p, unsigned int type, size_t *len)
{
    static uint8_t plain[4000];
    struct snp_message *m = host_at(p->response);
    EVP_CIPHER_CTX *c;
    bool ok;
    int n;

    if (m->seqno != p->seqno + 1 || m->type != type || m->algorithm != 1 ||
        m->header_version != 1 || m->header_size != 0x60 || m->vmpck != p->vmpck ||
        m->size > sizeof(plain)) {
        return NULL;
    }
    c = cipher(p, m, 0);
    ok = EVP_CipherUpdate(c, plain, &n, m->payload, m->size) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, m->authtag) == 1 &&
         EVP_CipherFinal_ex(c, plain + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    p->seqno += 2;
    *len = m->size;
    return ok ? plain : NULL;
}

const uint8_t *peer_report(struct peer *p, uint8_t data, uint32_t vmpl, uint32_t key_select,
                           uint32_t *status)
{
    struct {
        uint8_t data[64];
        uint32_t vmpl, key_select;
        uint8_t reserved[24];
    } q = {.data = {data}, .vmpl = vmpl, .key_select = key_select};
    const uint8_t *payload;
    size_t len = 0;

    peer_seal(p, SNP_MSG_REPORT_REQ, 1, &q, sizeof(q));
    *status = ~0u;
    if (peer_send(p) != SNP_SUCCESS) {
        return NULL;
    }
    payload = peer_open(p, SNP_MSG_REPORT_RSP, &len);
    if (payload == NULL || len < 32) {
        return NULL;
    }
    memcpy(status, payload, sizeof(*status));
    return *status == 0 && len == 32 + 1184 ? payload + 32 : NULL;
}
