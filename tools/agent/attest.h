/*
 * Attestation, from inside (docs/agent.md): evidence of this guest for a broker, a secret from it,
 * and what the secret opens. cloister.secret= and cloister.volume= on the command line ask for it.
 */
#ifndef AGENT_ATTEST_H
#define AGENT_ATTEST_H

#include "reply.h"

#include <openssl/evp.h>

#define EVIDENCE_MAX (24u * 1024) /* a report and its certificate table */
#define REPORT_DATA  64u

struct secret {
    uint8_t *p; /* cleansed by secret_free */
    size_t len;
};

/* broker.c: one line, one answer. NULL when none came, which has been told. */
const char *broker_ask(const char *verb, const char *argument);
/* The same, with the argument in base64. */
const char *broker_ask_bytes(const char *verb, const uint8_t *p, size_t len);
bool broker_ok(const char *answer, const char *verb);

/* evidence.c: a report over data by configfs-tsm, certificates behind it; false: told. */
bool evidence_take(const uint8_t data[REPORT_DATA], uint8_t out[EVIDENCE_MAX], size_t *len);
/* The event log that explains its registers, if the machine has one (ACPI's CCEL); its length. */
size_t evidence_log(uint8_t out[EVIDENCE_MAX]);

/* attest.c */
/* A new key, the nonce of a new round, and the report data that binds both; false: told. */
EVP_PKEY *attest_new_key(void);
bool attest_begin(uint8_t nonce[REPLY_NONCE]);
bool attest_report_data(const uint8_t nonce[REPLY_NONCE], EVP_PKEY *key, uint8_t data[REPORT_DATA]);
bool attest_send_key(EVP_PKEY *key);

/* volume.c: maps the disk by dm-crypt (plain, aes-xts-plain64) and tells what it holds. */
void volume_open(const char *disk, const struct secret *key);

/* hostile.c: a guest that lies. */
void attest_hostile(const char *path);

#endif
