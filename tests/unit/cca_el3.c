/*
 * The RMM-EL3 interface on a host, both sides: what the RMM is booted with, and what it asks the
 * monitor for. Numbers are Trusted Firmware-A's (rmm-el3-comms-spec.rst, 0.4), as numbers.
 */
#include <string.h>

#include "../../cc/emu/aarch64/monitor/monitor.h"
#include "../../cc/emu/aarch64/monitor/token.h"
#include "cca_realm.h"
#include "cu.h"

#define SHARED_PAGE 30u
#define MOST        64u

static uint8_t page[GRANULE_SIZE];
static struct granule table[MOST];

void *monitor_realm(uint64_t pa)
{
    return page + (pa - RMM_SHARED);
}

/* ---- boot ---- */

/* As bytes: 64 of manifest (0.3), then two banks of 8 and 16 granules, 4 apart. */
static uint64_t *manifest(void)
{
    uint64_t *m = cca_bytes(P(SHARED_PAGE));

    memset(m, 0, GRANULE_SIZE);
    m[0] = 3;
    m[2] = 2;
    m[3] = P(SHARED_PAGE) + 64;
    m[8] = P(0);
    m[9] = 8 * GRANULE_SIZE;
    m[10] = P(12);
    m[11] = 16 * GRANULE_SIZE;
    m[4] = 0 - (m[2] + m[3] + m[8] + m[9] + m[10] + m[11]);
    return m;
}

static uint64_t *begin(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(cca_delegate(SHARED_PAGE), RMI_SUCCESS);
    return manifest();
}

static int64_t boots(uint64_t cpu, uint64_t version, uint64_t cpus, uint64_t shared)
{
    const uint64_t x[4] = {cpu, version, cpus, shared};

    return rmm_boot(x, table, MOST, UINT64_MAX);
}

static void the_host_has_what_the_manifest_says_and_nothing_else(void)
{
    (void)begin();
    CU_ASSERT_EQUAL(boots(0, 4, 16, P(SHARED_PAGE)), 0);
    CU_ASSERT_EQUAL(cca_delegate(0) + cca_delegate(7) + cca_delegate(12) + cca_delegate(27), 0);
    CU_ASSERT_EQUAL(cca_delegate(8), RMI_ERROR_INPUT); /* between the banks: whose is it? */
    CU_ASSERT_EQUAL(cca_delegate(11), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(cca_delegate(28), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_CREATE, P(0), P(9)), RMI_ERROR_INPUT);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_CREATE, P(0), P(SHARED_PAGE)), RMI_ERROR_INPUT);
}

static void boot_arguments_that_it_cannot_have_are_refused_by_number(void)
{
    (void)begin();
    CU_ASSERT_EQUAL(boots(0, 0x10004, 16, P(SHARED_PAGE)), -2);
    CU_ASSERT_EQUAL(boots(0, 2, 16, P(SHARED_PAGE)), -2);
    CU_ASSERT_EQUAL(boots(0, 8, 17, P(SHARED_PAGE)), -3);
    CU_ASSERT_EQUAL(boots(4, 8, 4, P(SHARED_PAGE)), -4);
    CU_ASSERT_EQUAL(boots(0, 8, 4, 0), -5);
    CU_ASSERT_EQUAL(boots(0, 8, 4, P(SHARED_PAGE) + 8), -5);
    CU_ASSERT_EQUAL(boots(3, 8, 4, P(SHARED_PAGE)), 0); /* a later minor version is compatible */
}

static void a_manifest_that_is_wrong_in_one_word_is_refused(void)
{
    static const struct {
        unsigned int word;
        uint64_t add;
        int64_t expected;
    } bad[] = {
        {0, 0x10000, -6}, /* a major version */
        {0, UINT64_MAX - 1, -6}, /* 0.1 has no memory */
        {2, UINT64_MAX - 1, -7}, /* no banks */
        {2, 400, -7},            /* more than fit */
        {3, GRANULE_SIZE, -7},   /* outside the shared page */
        {3, 4, -7},
        {8, 8, -7},
        {9, UINT64_MAX << 15, -7}, /* no length */
        {9, 12 * GRANULE_SIZE, -7}, /* they overlap */
        {11, 64 * GRANULE_SIZE, -7}, /* too many granules */
        {11, 0xffffffff7fff0000, -7}, /* beyond the end of all */
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t *m = begin();

        m[bad[i].word] += bad[i].add;
        m[4] -= bad[i].word != 0 ? bad[i].add : 0; /* the sum is right */
        CU_ASSERT_EQUAL(boots(0, 4, 16, P(SHARED_PAGE)), bad[i].expected);
    }
    begin()[4]++;
    CU_ASSERT_EQUAL(boots(0, 4, 16, P(SHARED_PAGE)), -7);
}

/* ---- attestation ---- */

static struct frame asks(void (*what)(struct frame *f), uint64_t at, uint64_t size, uint64_t x3)
{
    struct frame f = {{0, at, size, x3}};

    what(&f);
    return f;
}

static void keys_and_tokens_go_to_the_shared_page_only(void)
{
    void (*const calls[])(struct frame *f) = {attest_realm_key, attest_platform_token};

    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        uint64_t x3 = i * 32;

        CU_ASSERT_EQUAL((int64_t)asks(calls[i], RMM_SHARED - 8, 64, x3).x[0], -2);
        CU_ASSERT_EQUAL((int64_t)asks(calls[i], RMM_SHARED + 4096, 0, x3).x[0], -2);
        CU_ASSERT_EQUAL((int64_t)asks(calls[i], 0, UINT64_MAX, x3).x[0], -2);
        CU_ASSERT_EQUAL((int64_t)asks(calls[i], RMM_SHARED + 8, 4089, x3).x[0], -5);
        CU_ASSERT_EQUAL((int64_t)asks(calls[i], RMM_SHARED, UINT64_MAX, x3).x[0], -5);
    }
    CU_ASSERT_EQUAL((int64_t)asks(attest_realm_key, RMM_SHARED, 4096, 1).x[0], -5); /* a curve */
    CU_ASSERT_EQUAL((int64_t)asks(attest_realm_key, RMM_SHARED, 47, 0).x[0], -5);
    CU_ASSERT_EQUAL(asks(attest_realm_key, RMM_SHARED, 4096, 0).x[1], 48);
    CU_ASSERT_EQUAL((int64_t)asks(attest_platform_token, RMM_SHARED, 4096, 20).x[0], -5);
    CU_ASSERT_EQUAL((int64_t)asks(attest_platform_token, RMM_SHARED, 31, 32).x[0], -5);
}

static void a_platform_token_comes_in_pieces(void)
{
    uint8_t whole[PLATFORM_TOKEN_MAX], pieces[PLATFORM_TOKEN_MAX];
    struct frame f;
    size_t len, n = 0;

    memset(page, 0x3c, sizeof(page));
    f = asks(attest_platform_token, RMM_SHARED, 4096, 32);
    CU_ASSERT(f.x[0] == 0 && f.x[2] == 0);
    len = f.x[1];
    memcpy(whole, page, len);
    memset(page, 0x3c, sizeof(page));
    for (uint64_t challenge = 32; n < len; challenge = 0) {
        f = asks(attest_platform_token, RMM_SHARED + 16, 100, challenge);
        CU_ASSERT_EQUAL_FATAL(f.x[0], 0);
        memcpy(pieces + n, page + 16, f.x[1]);
        n += f.x[1];
        CU_ASSERT_EQUAL(f.x[2], len - n);
    }
    CU_ASSERT_EQUAL((int64_t)asks(attest_platform_token, RMM_SHARED, 4096, 0).x[0], -5);
    for (size_t i = 0; i < len - 96; i++) { /* but the signature, whose nonce may differ */
        CU_ASSERT_EQUAL(pieces[i], whole[i]);
    }
}

static const struct cu_test tests[] = {
    CU(the_host_has_what_the_manifest_says_and_nothing_else),
    CU(boot_arguments_that_it_cannot_have_are_refused_by_number),
    CU(a_manifest_that_is_wrong_in_one_word_is_refused),
    CU(keys_and_tokens_go_to_the_shared_page_only),
    CU(a_platform_token_comes_in_pieces),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_el3", tests, argc, argv);
}
