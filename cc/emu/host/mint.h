/*
 * What the programs that stand in for chip makers share: certificates by keys that follow from a
 * text, the same bytes each time. A failure ends the program.
 */
#ifndef EMU_MINT_H
#define EMU_MINT_H

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MINT_FROM  "20260101000000Z"
#define MINT_UNTIL "20510101000000Z"

/* ECDSA over P-256 with SHA-256, over P-384 with SHA-384; signatures are RFC 6979's. */
enum mint_curve { MINT_P256, MINT_P384 };
#define MINT_KEY_MAX 48u
size_t mint_size(enum mint_curve c); /* bytes of a scalar or coordinate */
/* X then Y of d's point; R then S over the bytes. */
void mint_public(enum mint_curve c, const uint8_t *d, uint8_t *xy);
void mint_sign(enum mint_curve c, const uint8_t *d, const void *p, size_t len, uint8_t *rs);

void mint_must(bool ok, const char *what);

/* One certificate and its subject's key; file, name, organisation, curve and d are the caller's. */
struct holder {
    const char *file, *name, *organisation;
    enum mint_curve curve;
    uint8_t d[MINT_KEY_MAX];
    EVP_PKEY *key;
    X509 *x;
    uint8_t *der;
    int der_len;
};

/* A certificate that is to get extensions; then signed, into der. */
void mint_start(struct holder *h, const struct holder *issuer, long serial);
void mint_conf(X509 *x, int nid, const char *value);
void mint_raw(X509 *x, const char *oid, const uint8_t *p, size_t len);
void mint_finish(struct holder *h, const struct holder *issuer);
/* SEQUENCE { body, algorithm, signature } over that body; malloc'ed. */
uint8_t *mint_signed(const struct holder *issuer, const uint8_t *body, size_t len, int *out_len);
void mint_free(struct holder *h);

FILE *mint_create(const char *dir, const char *name);
void mint_close(FILE *f, const char *name);
void mint_pem(FILE *f, const struct holder *h);
void mint_write_pem(const char *dir, const struct holder *h);
/* SHA-256 of the key, as policies name a root. */
void mint_write_spki(const char *dir, const char *name, const struct holder *h);

#endif
