/* CBOR (RFC 8949) as tokens need it, and COSE_Sign1 (RFC 9052) under ES384. Monitor and RMM. */
#ifndef CCA_COSE_H
#define CCA_COSE_H

#include "../emu_crypto.h"
#include "hv/types.h"

/* Writes from the front; once it is full, nothing more is written and ok is false. */
struct cose_out {
    uint8_t *p;
    size_t size, used;
    bool ok;
};
enum { COSE_UINT = 0, COSE_NINT = 1, COSE_BYTES = 2, COSE_TEXT = 3, COSE_ARRAY = 4, COSE_MAP = 5,
       COSE_TAG = 6 };

void cose_head(struct cose_out *o, unsigned int major, uint64_t value);
void cose_bytes(struct cose_out *o, const void *p, size_t len);
void cose_text(struct cose_out *o, const char *text);
/* A label and what belongs to it. */
void cose_label(struct cose_out *o, uint64_t label);

/* A tagged COSE_Sign1 of that payload. */
void cose_sign1(struct cose_out *o, const uint8_t key[EMU_P384], const uint8_t *payload,
                size_t len);

#define CCA_RAK_CLAIM 107u /* an EC2 COSE_Key over P-384 */
void cose_key(const uint8_t key[EMU_P384], uint8_t out[CCA_RAK_CLAIM]);

#endif
