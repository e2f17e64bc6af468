#include "hv/measure.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/control.h"
#include "hv/init.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define PCR_IMAGE  11u
#define PCR_DOMAIN 12u
#define TEXT_MAX   640u

/* Room for all: ourselves, the boot bundle's domains, and as many more as controllers may make. */
#define RECORD_HEAD (4u + 4u + 4u + 2u + SHA256_SIZE + 4u)
#define DOMAIN_TEXT (sizeof("cloister domain  config=") + NAME_MAX_LEN + 2 * SHA256_SIZE)
#define LOG_ORDER   8u
#define LOG_ROOM    (PAGE_SIZE << LOG_ORDER)
#define DOMAINS_MAX (BUNDLE_DOMAINS_MAX + ABI_MAX_CONTROLLERS * ABI_MAX_MEASURED)
_Static_assert(4 * (RECORD_HEAD + TEXT_MAX) + DOMAINS_MAX * (RECORD_HEAD + DOMAIN_TEXT) <= LOG_ROOM,
               "the log does not end before what is measured");
#define FORGET_NS   2000000000ull  /* a quote that nobody fetches */
#define PATIENCE_NS 30000000000ull /* with one that does not end */

enum ask { ASK_NONE, ASK_RUNNING, ASK_DONE };

/* A domain that waits for its turn. */
struct waiting {
    uint32_t owner;
    uint64_t asked; /* when it last did */
};

static struct {
    struct lock lock;
    bool there, broken;
    uint8_t pcr[TPM_PCRS][SHA256_SIZE];
    uint8_t *log;
    uint32_t log_first, log_len; /* where the first record is, and the last ends */
    enum ask ask;
    struct evidence_request request; /* ASK_RUNNING, ASK_DONE: whose */
    struct evidence evidence;
    uint64_t since; /* it is so */
    struct waiting line[VMS_MAX]; /* one place each; the first is next */
    uint32_t waiting;
} m;

/* ---- the log: little-endian ---- */

static void put_bytes(const void *bytes, size_t len)
{
    memcpy(m.log + m.log_len, bytes, len); /* there is room: see event() */
    m.log_len += (uint32_t)len;
}

static void put(uint32_t v, unsigned int size)
{
    put_bytes(&v, size);
}

/* Profile, 10.4.5.1: the first record, in the older form, says what the others look like. */
static void begin_log(void)
{
    static const uint8_t no_digest[20];

    put(0, 4);
    put(3, 4); /* EV_NO_ACTION */
    put_bytes(no_digest, sizeof(no_digest));
    put(33, 4);
    put_bytes("Spec ID Event03", 16);
    put(0, 4); /* a client */
    put(0, 1);
    put(2, 1); /* 2.0 */
    put(0, 1);
    put(2, 1); /* 64 bits */
    put(1, 4); /* one algorithm: SHA-256 */
    put(0x0b, 2);
    put(SHA256_SIZE, 2);
    put(0, 1);
    m.log_first = m.log_len;
}

static void log_event(unsigned int pcr, const char *text, const uint8_t digest[SHA256_SIZE])
{
    put(pcr, 4);
    put(0x0d, 4); /* EV_IPL */
    put(1, 4);
    put(0x0b, 2);
    put_bytes(digest, SHA256_SIZE);
    put((uint32_t)strlen(text), 4);
    put_bytes(text, strlen(text));
}

/* ---- the TPM ---- */

static void fail(const char *why)
{
    m.broken = true;
    m.ask = ASK_NONE;
    log_error("tpm: %s: no evidence from now on", why);
}

/* A quote that is done is kept for whoever asked; one that does not end is the TPM's last. */
static void collect(void)
{
    if (!tpm_ready()) {
        if (clock_ns() - m.since > PATIENCE_NS) {
            fail("a quote does not end");
        }
        return;
    }
    switch (tpm_quote_take(&m.evidence.quote)) {
    case TPM_TAKEN:
        m.ask = ASK_DONE;
        m.since = clock_ns();
        break;
    case TPM_NOT_YET:
        break;
    case TPM_FAILED:
        fail("it does not quote");
    }
}

/* One command at a time. */
static void settle(void)
{
    while (m.ask == ASK_RUNNING) {
        collect();
        cpu_relax();
    }
}

PRINTF(2, 3) static void event(unsigned int pcr, const char *fmt, ...)
{
    uint8_t digest[SHA256_SIZE];
    char text[TEXT_MAX];
    struct sha256 h;
    va_list ap;

    REQUIRE(lock_held(&m.lock));
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    settle();
    if (m.broken) {
        return;
    }
    CHECK(LOG_ROOM - m.log_len >= RECORD_HEAD + strlen(text));
    if (!tpm_pcr_event(pcr, text)) {
        fail("a PCR cannot be extended");
        return;
    }
    sha256(text, strlen(text), digest);
    log_event(pcr, text, digest);
    sha256_begin(&h);
    sha256_add(&h, m.pcr[pcr], SHA256_SIZE);
    sha256_add(&h, digest, SHA256_SIZE);
    sha256_end(&h, m.pcr[pcr]);
}

static void hex_digest(const void *data, size_t len, char hex[2 * SHA256_SIZE + 1])
{
    uint8_t digest[SHA256_SIZE];

    sha256(data, len, digest);
    sha256_hex(digest, hex);
}

static void measure_ourselves(void)
{
    const struct boot_range *b = &boot_info.bundle;
    char hex[2 * SHA256_SIZE + 1];
    const void *image;
    size_t len;

    arch_image_constant(&image, &len);
    hex_digest(image, len, hex);
    event(PCR_IMAGE, "cloister image %s bytes=%zu sha256=%s", cloister_version, len, hex);
    event(PCR_IMAGE, "cloister cmdline %s", boot_info.cmdline);
    hex_digest(b->len == 0 ? "" : pa_to_hva(pa(b->base)), b->len, hex);
    event(PCR_IMAGE, "cloister bundle bytes=%lu sha256=%s", (unsigned long)b->len, hex);
}

void measure_start(void)
{
    pa_t at;

    if (!tpm_begin()) {
        return;
    }
    lock(&m.lock);
    m.there = true;
    if (!page_alloc(LOG_ORDER, PAGE_HV, 0, &at)) {
        fail("no memory for its log");
    } else if (!tpm_pcrs_read(m.pcr) || !tpm_key_make()) {
        fail("its PCRs cannot be read, or it makes no key");
    } else {
        m.log = pa_to_hva(at);
        begin_log();
        measure_ourselves();
    }
    if (!m.broken) {
        log_info("tpm: image, command line and bundle are in PCR %u", PCR_IMAGE);
    }
    unlock(&m.lock);
}

/* A guest that restarts for ever must not fill the log. */
static bool is_logged(const uint8_t digest[SHA256_SIZE])
{
    uint32_t text;

    for (uint32_t at = m.log_first; at < m.log_len; at += RECORD_HEAD + text) {
        if (memcmp(m.log + at + RECORD_HEAD - 4 - SHA256_SIZE, digest, SHA256_SIZE) == 0) {
            return true;
        }
        memcpy(&text, m.log + at + RECORD_HEAD - 4, sizeof(text));
    }
    return false;
}

static enum abi_status measure_once(const char *text, uint32_t *count)
{
    uint8_t digest[SHA256_SIZE];

    sha256(text, strlen(text), digest);
    if (m.broken || is_logged(digest)) {
        return ABI_OK;
    }
    if (count != NULL && *count == ABI_MAX_MEASURED) {
        return ABI_LIMIT;
    }
    event(PCR_DOMAIN, "%s", text);
    if (count != NULL) {
        (*count)++;
    }
    return ABI_OK;
}

enum abi_status measure_domain(const char *name, const uint8_t hash[SHA256_SIZE], uint32_t *count)
{
    char hex[2 * SHA256_SIZE + 1], text[DOMAIN_TEXT];
    enum abi_status st;

    if (!load_once(&m.there)) {
        return ABI_OK;
    }
    sha256_hex(hash, hex);
    snprintf(text, sizeof(text), "cloister domain %s config=%s", name, hex);
    lock(&m.lock);
    st = measure_once(text, count);
    unlock(&m.lock);
    return st;
}

/* ---- evidence ---- */

static bool same(const struct evidence_request *a, const struct evidence_request *b)
{
    return a->owner == b->owner && a->pcrs == b->pcrs &&
           memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0;
}

static void leave_line(uint32_t place)
{
    m.waiting--;
    memmove(&m.line[place], &m.line[place + 1], (m.waiting - place) * sizeof(m.line[0]));
}

/* Takes a place at the end, or keeps the one it has; is it the first of those that still ask? */
static bool stand_in_line(uint32_t owner)
{
    uint64_t now = clock_ns();
    uint32_t i = 0;

    while (i < m.waiting && m.line[i].owner != owner) {
        if (now - m.line[i].asked > FORGET_NS) {
            leave_line(i);
        } else {
            i++;
        }
    }
    if (i == ARRAY_SIZE(m.line)) {
        return false; /* a domain that went away has its place for a moment yet */
    }
    m.line[i] = (struct waiting){owner, now};
    m.waiting = MAX(m.waiting, i + 1);
    return i == 0;
}

static void ask(const struct evidence_request *r)
{
    leave_line(0);
    m.request = *r;
    m.evidence.log_len = m.log_len;
    memcpy(m.evidence.pcr, m.pcr, sizeof(m.pcr));
    if (tpm_quote_start(r->nonce, r->pcrs)) {
        m.ask = ASK_RUNNING;
        m.since = clock_ns();
    } else {
        fail("it does not quote");
    }
}

static enum abi_status quote(const struct evidence_request *r, struct evidence *e)
{
    if (m.ask == ASK_RUNNING) {
        collect();
    }
    if (m.ask == ASK_DONE && same(&m.request, r)) {
        m.ask = ASK_NONE;
        *e = m.evidence;
        return ABI_OK;
    }
    if (m.ask == ASK_DONE && clock_ns() - m.since > FORGET_NS) {
        m.ask = ASK_NONE;
    }
    if ((m.ask == ASK_NONE || !same(&m.request, r)) && stand_in_line(r->owner) &&
        m.ask == ASK_NONE && !m.broken) {
        ask(r);
    }
    return m.broken ? ABI_HARDWARE : ABI_BUSY;
}

enum abi_status measure_quote(const struct evidence_request *r, struct evidence *e)
{
    enum abi_status st = ABI_NOT_SUPPORTED;

    lock(&m.lock);
    if (m.there) {
        st = m.broken ? ABI_HARDWARE : quote(r, e);
    }
    unlock(&m.lock);
    return st;
}

enum abi_status measure_log(uint64_t from, uint8_t *to, uint32_t room, uint32_t *len)
{
    enum abi_status st = ABI_NOT_SUPPORTED;

    lock(&m.lock);
    if (m.there) {
        st = m.broken ? ABI_HARDWARE : from > m.log_len ? ABI_BAD_ARG : ABI_OK;
    }
    if (st == ABI_OK) {
        *len = MIN(room, m.log_len - (uint32_t)from);
        memcpy(to, m.log + from, *len);
    }
    unlock(&m.lock);
    return st;
}
