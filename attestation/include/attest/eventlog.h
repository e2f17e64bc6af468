/*
 * TCG event logs: the crypto-agile form, the older SHA-1 form, and the confidential computing log
 * (CCEL), which is crypto-agile with measurement registers in place of PCRs. Source: TCG PC Client
 * Platform Firmware Profile 1.06, chapter 10; Intel TDX Virtual Firmware Design Guide, 8.3.
 *
 * A log is parsed as a whole first, so that walking it afterwards cannot fail.
 */
#ifndef ATTEST_EVENTLOG_H
#define ATTEST_EVENTLOG_H

#include <attest/evidence.h>
#include <attest/reader.h>

enum { EVENTLOG_ALGS_MAX = 16, EVENTLOG_PCRS = 24, EVENTLOG_RTMRS = 4 };

enum { EV_NO_ACTION = 3, EV_SEPARATOR = 4 };

/* TPM_ALG_ID of digests (TCG algorithm registry). */
enum {
    TPM_ID_SHA1 = 0x04,
    TPM_ID_SHA256 = 0x0B,
    TPM_ID_SHA384 = 0x0C,
    TPM_ID_SHA512 = 0x0D,
    TPM_ID_SM3_256 = 0x12
};

struct eventlog_digest {
    uint16_t alg; /* TPM_ALG_ID */
    uint16_t size;
    const uint8_t *p;
};

/* Everything points into the log. */
struct eventlog_event {
    size_t number; /* from 0; the Spec ID record is number 0 */
    uint32_t index; /* PCR, or measurement register in a CCEL: 0 MRTD, 1-4 RTMR0-3 */
    uint32_t type;
    size_t digests;
    struct eventlog_digest digest[EVENTLOG_ALGS_MAX];
    const uint8_t *data;
    uint32_t size;
};

struct eventlog {
    const uint8_t *p;
    size_t len; /* up to the padding */
    bool crypto_agile;
    size_t algs; /* as the Spec ID record lists them; SHA-1 alone in the older form */
    struct eventlog_digest alg[EVENTLOG_ALGS_MAX]; /* p is NULL */
    size_t events;
};

struct eventlog_walk {
    const struct eventlog *log;
    struct reader r;
    size_t number;
};

/* TRUNCATED and MALFORMED name the record. */
enum attest_status eventlog_parse(const uint8_t *p, size_t len, struct eventlog *out,
                                  struct attest_error *err);
struct eventlog_walk eventlog_walk(const struct eventlog *log);
bool eventlog_next(struct eventlog_walk *w, struct eventlog_event *ev);

/* "EV_SEPARATOR"; NULL when unknown. */
const char *eventlog_type_name(uint32_t type);
/* "sha256"; NULL when unknown. */
const char *eventlog_alg_name(uint16_t alg);
bool eventlog_hash_of(uint16_t alg, enum attest_hash *out);

/* Registers as the log says they were extended. */
struct eventlog_bank {
    enum attest_hash alg;
    size_t count;
    uint8_t value[EVENTLOG_PCRS][ATTEST_HASH_MAX];
    uint32_t extended; /* bit i: the log extends register i */
};

/*
 * Replays one bank of PCRs: reset values (zero; ones for 17-22), the locality of a StartupLocality
 * record in PCR 0, then every record but EV_NO_ACTION. UNSUPPORTED when the log lacks the bank.
 */
enum attest_status eventlog_replay_pcrs(const struct eventlog *log, uint16_t alg,
                                        struct eventlog_bank *out, struct attest_error *err);
/* The same for RTMR0-3 of a CCEL, SHA-384, all from zero. */
enum attest_status eventlog_replay_rtmrs(const struct eventlog *log, struct eventlog_bank *out,
                                         struct attest_error *err);

/* Every record, readably. */
json_t *eventlog_claims(const struct eventlog *log);
json_t *eventlog_data_claims(const struct eventlog_event *ev);
json_t *eventlog_bank_claims(const struct eventlog_bank *bank);

#endif
