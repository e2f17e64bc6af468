/* A guest's side of the message protocol, on OpenSSL: SEV-SNP Firmware ABI 8.26. */
#ifndef TESTS_LIB_EMU_PEER_H
#define TESTS_LIB_EMU_PEER_H

#include "emu_host.h"

struct peer {
    uint64_t gctx, request, response; /* pages */
    uint8_t key[32];
    unsigned int vmpck;
    uint64_t seqno; /* of the next request */
};

/* Pages are made; the key is VMPCK n of the secrets page. */
void peer_start(struct peer *p, const struct host_guest *g, const struct snp_secrets_page *s,
                unsigned int vmpck);
/* Writes a sealed request into the request page; it can be damaged there before it is sent. */
void peer_seal(const struct peer *p, unsigned int type, unsigned int version, const void *payload,
               size_t len);
struct snp_message *peer_request(const struct peer *p);
/* GUEST_REQUEST. */
uint32_t peer_send(const struct peer *p);
/* The response's payload, or NULL when its tag or header is not what the request deserves. */
const uint8_t *peer_open(struct peer *p, unsigned int type, size_t *len);

/* Report with that user data's first byte and VMPL, by VMPCK p; NULL: refused. *status: inner. */
const uint8_t *peer_report(struct peer *p, uint8_t data, uint32_t vmpl, uint32_t key_select,
                           uint32_t *status);

#endif
