/*
 * Certificates, keys and CRLs, parsed once and shared. Objects are immutable after parsing (only
 * their reference count and a write-once cache change), so threads may share them.
 * Time is seconds since 1970 UTC everywhere.
 */
#ifndef ATTEST_CERT_H
#define ATTEST_CERT_H

#include <attest/error.h>
#include <attest/hash.h>

#include <openssl/x509.h>
#include <stdbool.h>

struct attest_cert;
struct attest_crl;

/* DER, the whole of it: trailing bytes are an error. */
enum attest_status attest_cert_parse(const uint8_t *der, size_t len, struct attest_cert **out,
                                     struct attest_error *err);
struct attest_cert *attest_cert_ref(struct attest_cert *c);
void attest_cert_free(struct attest_cert *c);

X509 *attest_cert_x509(const struct attest_cert *c);
EVP_PKEY *attest_cert_key(const struct attest_cert *c);
const char *attest_cert_name(const struct attest_cert *c);           /* subject's common name */
const char *attest_cert_issuer(const struct attest_cert *c);         /* issuer's common name */
const uint8_t *attest_cert_sha256(const struct attest_cert *c);      /* of the DER */
const uint8_t *attest_cert_spki_sha256(const struct attest_cert *c); /* of SubjectPublicKeyInfo */
int64_t attest_cert_not_before(const struct attest_cert *c);
int64_t attest_cert_not_after(const struct attest_cert *c);
bool attest_cert_is_self_issued(const struct attest_cert *c);

/* EXPIRED or NOT_YET_VALID, naming the certificate and the date. */
enum attest_status attest_cert_check_time(const struct attest_cert *c, int64_t at,
                                          struct attest_error *err);

/* The content octets of the one extension with this OID; MALFORMED when absent or repeated. */
enum attest_status attest_cert_extension(const struct attest_cert *c, const char *oid,
                                         const uint8_t **p, size_t *len, struct attest_error *err);

/* Is c signed by issuer's key, and issuer allowed to sign? The cryptography is done once. */
bool attest_cert_issued_by(struct attest_cert *c, struct attest_cert *issuer);

enum attest_status attest_crl_parse(const uint8_t *der, size_t len, struct attest_crl **out,
                                    struct attest_error *err);
/*
 * What a kind of evidence worked out of a certificate (parsed extensions), kept with it: NULL until
 * set. Setting hands `obj` over and returns what the slot holds then: a racing thread's object wins
 * over a later one, which is freed. One owner per certificate; `tag` (an address) guards mix-ups.
 */
const void *attest_cert_annotation(const struct attest_cert *c, const void *tag);
const void *attest_cert_annotate(struct attest_cert *c, const void *tag, void *obj,
                                 void (*free_obj)(void *));

struct attest_crl *attest_crl_ref(struct attest_crl *c);
void attest_crl_free(struct attest_crl *c);
const char *attest_crl_issuer(const struct attest_crl *c);
int64_t attest_crl_this_update(const struct attest_crl *c);
int64_t attest_crl_next_update(const struct attest_crl *c);
size_t attest_crl_count(const struct attest_crl *c);
bool attest_crl_issued_by(struct attest_crl *c, struct attest_cert *issuer);
bool attest_crl_revokes(const struct attest_crl *c, const struct attest_cert *cert);

/* Seconds since 1970 from "2026-03-16T00:00:00Z" or "2026-03-16"; strict. */
bool attest_time_parse(const char *s, int64_t *out);
/* "2026-03-16T00:00:00Z"; buf has room for 24. Returns buf. */
char *attest_time_text(int64_t t, char *buf);

#endif
