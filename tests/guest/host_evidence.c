/* One that asks for the host's evidence, and tells it: tests/boot/tpm_test.py has it verified. */
#include "abi/abi.h"
#include "guest.h"

static union {
    struct abi_evidence_request ask;
    struct abi_evidence_quote quote;
    uint8_t bytes[4096];
} page __attribute__((aligned(4096)));
static uint64_t handle, log_bytes;

static struct call_result ask_for(uint32_t kind, uint32_t pcrs, uint64_t offset, uint64_t room)
{
    memset(&page, 0, sizeof(page));
    page.ask.kind = kind;
    page.ask.pcrs = pcrs;
    page.ask.offset = offset;
    for (unsigned int i = 0; i < sizeof(page.ask.nonce) && kind == ABI_EVIDENCE_QUOTE; i++) {
        page.ask.nonce[i] = (uint8_t)(option("nonce", 0) + i);
    }
    return vmmcall(ABI_CALL_HOST_EVIDENCE, handle, 0, room, 0);
}

static void tell(const char *what, const uint8_t *bytes, uint64_t len)
{
    char hex[129];

    for (uint64_t at = 0; at < len; at += 64) {
        uint64_t n = MIN(len - at, 64u);

        for (uint64_t i = 0; i < n; i++) {
            snprintf(&hex[2 * i], 3, "%02x", bytes[at + i]);
        }
        say("%s %s", what, hex);
    }
}

/* Asks once more, unless it was answered before. */
static bool answered(struct call_result *r)
{
    if (r->status == ABI_BUSY) {
        *r = ask_for(ABI_EVIDENCE_QUOTE, (uint32_t)option("pcrs", 0x1800), 0, 4096);
    }
    return r->status != ABI_BUSY;
}

static void what_makes_no_sense_is_refused(void)
{
    handle = vmmcall(ABI_CALL_BUF_REGISTER, (uint64_t)&page, sizeof(page), 0, 0).value[0];
    expect_eq(ask_for(ABI_EVIDENCE_QUOTE, 0, 0, 4096).status, ABI_BAD_ARG);
    expect_eq(ask_for(ABI_EVIDENCE_QUOTE, 1u << 24, 0, 4096).status, ABI_BAD_ARG);
    expect_eq(ask_for(ABI_EVIDENCE_QUOTE, 1, 1, 4096).status, ABI_BAD_ARG);
    expect_eq(ask_for(ABI_EVIDENCE_QUOTE, 1, 0, ABI_MAX_QUOTE_BYTES - 1).status, ABI_BAD_ARG);
    expect_eq(ask_for(ABI_EVIDENCE_QUOTE, 1, 0, 63).status, ABI_BAD_ARG);
    expect_eq(ask_for(2, 1, 0, 4096).status, ABI_BAD_FORMAT);
    memset(&page, 0, sizeof(page));
    page.ask.pcrs = 1;
    page.ask.reserved[1] = 1;
    expect_eq(vmmcall(ABI_CALL_HOST_EVIDENCE, handle, 0, 4096, 0).status, ABI_RESERVED_BITS);
}

static void a_quote_is_given_or_there_is_no_tpm(void)
{
    struct call_result r = {.status = ABI_BUSY};
    const uint8_t *at = page.bytes + sizeof(page.quote);

    if (option("tpm", 0) == 0) {
        expect(answered(&r));
        expect_eq(r.status, ABI_NOT_SUPPORTED);
        expect_eq(ask_for(ABI_EVIDENCE_LOG, 0, 0, 4096).status, ABI_NOT_SUPPORTED);
        return;
    }
    expect(within_ms(30000, answered(&r)));
    expect_eq(r.status, ABI_OK);
    if (r.status != ABI_OK) {
        return;
    }
    log_bytes = page.quote.log;
    tell("message", at, page.quote.message);
    at += page.quote.message;
    tell("signature", at, page.quote.signature);
    at += page.quote.signature;
    tell("key", at, page.quote.key);
    at += page.quote.key;
    for (unsigned int i = 0; i < 24; i++) {
        if ((page.quote.pcrs >> i & 1) != 0) {
            say("pcr %u", i);
            tell("value", at, 32);
            at += 32;
        }
    }
    expect_eq((uint64_t)(at - page.bytes), r.value[0]);
}

static void the_log_is_told_in_parts(void)
{
    for (uint64_t at = 0; at < log_bytes;) {
        struct call_result r = ask_for(ABI_EVIDENCE_LOG, 0, at, 1000);

        expect_eq(r.status, ABI_OK);
        if (r.status != ABI_OK || r.value[0] == 0) {
            return;
        }
        tell("log", page.bytes, MIN(r.value[0], log_bytes - at));
        at += r.value[0];
    }
    expect(log_bytes == 0 ||
           ask_for(ABI_EVIDENCE_LOG, 0, 1u << 30, 1000).status == ABI_BAD_ARG);
}

const struct test tests[] = {
    TEST(what_makes_no_sense_is_refused),
    TEST(a_quote_is_given_or_there_is_no_tpm),
    TEST(the_log_is_told_in_parts),
    TEST_END,
};
