/*
 * The machine's TPM 2.0, in SHA-256: TCG TPM 2.0 Library 1.59, part 3; PC Client Platform TPM
 * Profile 1.05. One command at a time; the caller serialises: measure.c has the lock.
 */
#ifndef HV_TPM_H
#define HV_TPM_H

#include "hv/sha256.h"
#include "hv/types.h"

#define TPM_PCRS        24u
#define TPM_MESSAGE_MAX 1024u

/* A command, then its response. */
struct tpm_message {
    uint32_t len;
    bool bad; /* it did not fit, or ended too soon */
    uint8_t bytes[TPM_MESSAGE_MAX];
};

/* A register interface: tpm_crb.c, tpm_fifo.c. All answer false when the TPM does not. */
struct tpm_interface {
    const char *name;
    bool (*start)(const struct tpm_message *m);
    bool (*busy)(void);
    bool (*finish)(struct tpm_message *m); /* it is not busy: takes the response */
};
extern const struct tpm_interface tpm_crb, tpm_fifo;
/* Waits for bits of a register; false after a second. */
MUST_CHECK bool tpm_wait32(uint32_t offset, uint32_t mask, uint32_t value);

/* tpm.c. Finds it and starts it up; false: there is none, or it does not work (which is logged). */
MUST_CHECK bool tpm_begin(void);
/* Hashes the text into a PCR, all banks. */
MUST_CHECK bool tpm_pcr_event(unsigned int pcr, const char *text);
/* Its SHA-256 bank. */
MUST_CHECK bool tpm_pcrs_read(uint8_t pcr[TPM_PCRS][SHA256_SIZE]);

/*
 * A quote by the endorsement hierarchy's own signing key (ECDSA, P-256), which is the same after
 * every start. Takes its time: `start`, then `ready` until it is, then `take`.
 */
#define TPM_NONCE_SIZE 32u
struct tpm_quote {
    uint16_t message_len, signature_len, key_len;
    uint8_t message[256];   /* TPMS_ATTEST */
    uint8_t signature[160]; /* TPMT_SIGNATURE */
    uint8_t key[160];       /* TPM2B_PUBLIC */
};
MUST_CHECK bool tpm_quote_start(const uint8_t nonce[TPM_NONCE_SIZE], uint32_t pcrs);
MUST_CHECK bool tpm_ready(void);
enum tpm_taken { TPM_TAKEN, TPM_NOT_YET /* it was sent again */, TPM_FAILED };
MUST_CHECK enum tpm_taken tpm_quote_take(struct tpm_quote *q);

#endif
