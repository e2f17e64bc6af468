/* The few commands that measured launch needs: TCG TPM 2.0 Library 1.59, part 3. */
#include "hv/tpm.h"

#include "arch/cpu.h"
#include "arch/timer.h"
#include "arch/tpm.h"
#include "hv/log.h"
#include "hv/string.h"

#define SECOND 1000000000ull
#define PATIENCE (30 * SECOND) /* PTP 1.05, 6.5.1.4: some take long to make a key */

/* Part 2: 6.5.2, 6.6.3, 6.9, 7.4. */
enum {
    ST_NO_SESSIONS = 0x8001,
    ST_SESSIONS = 0x8002,
    CC_PCR_EVENT = 0x13c,
    CC_CREATE_PRIMARY = 0x131,
    CC_STARTUP = 0x144,
    CC_QUOTE = 0x158,
    CC_PCR_READ = 0x17e,
    RC_INITIALIZE = 0x100,
    RC_TESTING = 0x90a,
    RC_RETRY = 0x922,
    RH_ENDORSEMENT = 0x4000000b,
    RS_PW = 0x40000009,
    ALG_SHA256 = 0x0b,
    ALG_NULL = 0x10,
    ALG_ECDSA = 0x18,
    ALG_ECC = 0x23,
    ECC_NIST_P256 = 3,
    /* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign: 8.3.2 */
    SIGNING_KEY = 0x50072,
};
#define HEADER   10u
#define PER_READ 8u /* PCRs that one PCR_Read answers */

static struct {
    const struct tpm_interface *interface; /* NULL: none */
    uint32_t key;                          /* its handle; 0: none yet */
    uint32_t code;                         /* of the command at hand */
    struct tpm_message m;                  /* the command, which may have to be sent again */
    struct tpm_message answer;
    struct tpm_quote quote; /* of which the key is made once */
} tpm;

/* ---- marshalling: big-endian ---- */

static void put_bytes(const void *bytes, uint32_t len)
{
    struct tpm_message *m = &tpm.m;

    m->bad |= len > sizeof(m->bytes) - m->len;
    if (!m->bad) {
        memcpy(&m->bytes[m->len], bytes, len);
        m->len += len;
    }
}

static void put(uint32_t v, unsigned int size)
{
    uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    put_bytes(&bytes[4 - size], size);
}

static void command(uint16_t tag, uint32_t code)
{
    tpm.code = code;
    tpm.m.len = 0;
    tpm.m.bad = false;
    put(tag, 2);
    put(0, 4); /* its size: see finish_command() */
    put(code, 4);
}

/* 1, 19.4: an empty password. */
static void put_authorization(void)
{
    put(9, 4);
    put(RS_PW, 4);
    put(0, 2);
    put(0, 1);
    put(0, 2);
}

static void put_selection(uint32_t pcrs)
{
    put(1, 4);
    put(ALG_SHA256, 2);
    put(3, 1);
    put(pcrs & 0xff, 1);
    put(pcrs >> 8 & 0xff, 1);
    put(pcrs >> 16 & 0xff, 1);
}

/* ---- responses: length before content ---- */

struct response {
    const uint8_t *at;
    uint32_t left;
    bool bad;
};

static const uint8_t *get_bytes(struct response *r, uint32_t len)
{
    const uint8_t *p = r->at;

    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    r->at += len;
    r->left -= len;
    return p;
}

static uint32_t get(struct response *r, unsigned int size)
{
    const uint8_t *p = get_bytes(r, size);
    uint32_t v = 0;

    for (unsigned int i = 0; p != NULL && i < size; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Copies a TPM2B's content, or with its size in front. */
static void get_sized(struct response *r, bool whole, uint8_t *to, size_t room, uint16_t *len)
{
    const uint8_t *start = r->at;
    uint32_t n = get(r, 2);
    const uint8_t *p = get_bytes(r, n);

    if (whole) {
        n += 2;
        p = start;
    }
    if (r->bad || n > room) {
        r->bad = true;
        return;
    }
    memcpy(to, p, n);
    *len = (uint16_t)n;
}

/* ---- one command ---- */

bool tpm_wait32(uint32_t offset, uint32_t mask, uint32_t value)
{
    uint64_t end = clock_ns() + SECOND;

    while ((arch_tpm_read32(offset) & mask) != value) {
        if (clock_ns() > end) {
            return false;
        }
        cpu_relax();
    }
    return true;
}

static bool start(void)
{
    uint32_t len = tpm.m.len;

    if (tpm.m.bad) {
        return false;
    }
    tpm.m.len = 2;
    put(len, 4);
    tpm.m.len = len;
    return tpm.interface->start(&tpm.m);
}

/* It could not even begin. */
static bool try_again(uint32_t code)
{
    return code == RC_RETRY || code == RC_TESTING;
}

/* The response code; UINT32_MAX: the TPM does not answer as one does. */
static uint32_t finish(struct response *r)
{
    uint32_t code;

    if (!tpm.interface->finish(&tpm.answer)) {
        log_error("tpm: %s: no response", tpm.interface->name);
        return UINT32_MAX;
    }
    *r = (struct response){tpm.answer.bytes, tpm.answer.len, false};
    (void)get_bytes(r, HEADER - 4);
    code = get(r, 4);
    if (code != 0 && code != RC_INITIALIZE && !try_again(code)) {
        log_error("tpm: command %x: response code %x", tpm.code, code);
    }
    return code;
}

static uint32_t run(struct response *r)
{
    uint64_t end = clock_ns() + PATIENCE;
    uint32_t code;

    do {
        if (!start()) {
            return UINT32_MAX;
        }
        while (tpm.interface->busy()) {
            if (clock_ns() > end) {
                return UINT32_MAX;
            }
            cpu_relax();
        }
        code = finish(r);
    } while (try_again(code) && clock_ns() < end);
    return code;
}

/* ---- the commands ---- */

/* 3, 9.3. A firmware that knows the TPM has done it. */
static bool start_up(void)
{
    struct response r;
    uint32_t code;

    command(ST_NO_SESSIONS, CC_STARTUP);
    put(0, 2); /* TPM_SU_CLEAR */
    code = run(&r);
    return code == 0 || code == RC_INITIALIZE;
}

bool tpm_begin(void)
{
    enum tpm_kind kind = arch_tpm_find();

    tpm.key = 0;
    tpm.interface = kind == TPM_CRB ? &tpm_crb : kind == TPM_FIFO ? &tpm_fifo : NULL;
    if (tpm.interface != NULL && !start_up()) {
        log_error("tpm: %s: it does not start", tpm.interface->name);
        tpm.interface = NULL;
    }
    return tpm.interface != NULL;
}

/* 3, 22.3 */
bool tpm_pcr_event(unsigned int pcr, const char *text)
{
    struct response r;

    command(ST_SESSIONS, CC_PCR_EVENT);
    put(pcr, 4);
    put_authorization();
    put((uint32_t)strlen(text), 2);
    put_bytes(text, (uint32_t)strlen(text));
    return run(&r) == 0;
}

/* 3, 22.4: a few at a time. */
static bool read_some(unsigned int first, uint8_t pcr[TPM_PCRS][SHA256_SIZE])
{
    struct response r;
    const uint8_t *digest;

    command(ST_NO_SESSIONS, CC_PCR_READ);
    put_selection(0xffu << first);
    if (run(&r) != 0) {
        return false;
    }
    (void)get_bytes(&r, 4 + 4 + 2 + 1 + 3); /* update counter, selection */
    if (get(&r, 4) != PER_READ) {
        return false;
    }
    for (unsigned int i = 0; i < PER_READ; i++) {
        digest = get(&r, 2) == SHA256_SIZE ? get_bytes(&r, SHA256_SIZE) : NULL;
        if (digest == NULL) {
            return false;
        }
        memcpy(pcr[first + i], digest, SHA256_SIZE);
    }
    return true;
}

bool tpm_pcrs_read(uint8_t pcr[TPM_PCRS][SHA256_SIZE])
{
    return read_some(0, pcr) && read_some(PER_READ, pcr) && read_some(2 * PER_READ, pcr);
}

/* 3, 24.1; the template: 2, 12.2.4. */
static bool make_key(void)
{
    static const uint32_t template[][2] = {
        {ALG_ECC, 2}, {ALG_SHA256, 2}, {SIGNING_KEY, 4}, {0, 2} /* policy */, {ALG_NULL, 2},
        {ALG_ECDSA, 2}, {ALG_SHA256, 2}, {ECC_NIST_P256, 2}, {ALG_NULL, 2}, {0, 2}, {0, 2},
    };
    struct response r;

    command(ST_SESSIONS, CC_CREATE_PRIMARY);
    put(RH_ENDORSEMENT, 4);
    put_authorization();
    put(4, 2); /* sensitive: no password, no data */
    put(0, 4);
    put(24, 2); /* the template's size */
    for (unsigned int i = 0; i < ARRAY_SIZE(template); i++) {
        put(template[i][0], template[i][1]);
    }
    put(0, 2); /* outside information */
    put(0, 4); /* creation PCRs */
    if (run(&r) != 0) {
        return false;
    }
    tpm.key = get(&r, 4);
    (void)get(&r, 4);
    get_sized(&r, true, tpm.quote.key, sizeof(tpm.quote.key), &tpm.quote.key_len);
    return !r.bad;
}

/* 3, 18.4 */
bool tpm_quote_start(const uint8_t nonce[TPM_NONCE_SIZE], uint32_t pcrs)
{
    if (tpm.key == 0 && !make_key()) {
        tpm.key = 0;
        return false;
    }
    command(ST_SESSIONS, CC_QUOTE);
    put(tpm.key, 4);
    put_authorization();
    put(TPM_NONCE_SIZE, 2);
    put_bytes(nonce, TPM_NONCE_SIZE);
    put(ALG_NULL, 2); /* the key's own scheme */
    put_selection(pcrs);
    return start();
}

bool tpm_ready(void)
{
    return !tpm.interface->busy();
}

static bool read_quote(struct response *r)
{
    uint32_t parameters = get(r, 4), message;
    const uint8_t *signature;

    get_sized(r, false, tpm.quote.message, sizeof(tpm.quote.message), &tpm.quote.message_len);
    message = 2u + tpm.quote.message_len;
    if (r->bad || parameters < message || parameters - message > sizeof(tpm.quote.signature)) {
        return false;
    }
    tpm.quote.signature_len = (uint16_t)(parameters - message);
    signature = get_bytes(r, tpm.quote.signature_len);
    if (signature == NULL) {
        return false;
    }
    memcpy(tpm.quote.signature, signature, tpm.quote.signature_len);
    return true;
}

enum tpm_taken tpm_quote_take(struct tpm_quote *q)
{
    struct response r;
    uint32_t code = finish(&r);

    if (try_again(code)) {
        return start() ? TPM_NOT_YET : TPM_FAILED;
    }
    if (code != 0 || !read_quote(&r)) {
        return TPM_FAILED;
    }
    *q = tpm.quote;
    return TPM_TAKEN;
}
