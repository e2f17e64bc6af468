/* What this domain finds of the guest ABI: the same table from CPUID, and call by call. */
#include "abi/abi.h"
#include "guest.h"

static struct call_result query(uint64_t kind, uint64_t index)
{
    struct call_result r = call(ABI_CALL_ABI_QUERY, kind, index, 0, 0);

    expect_eq(r.status, ABI_OK);
    expect_eq(r.value[2], 0);
    return r;
}

static void show(const char *what, unsigned int index, const char *name, uint64_t kind)
{
    struct call_result r = query(kind, index);

    if (r.value[1] != 0) { /* what this domain's ABI does not know is not there */
        say("abi %s %u %s %lu since %lx", what, index, name, (unsigned long)r.value[0],
            (unsigned long)r.value[1]);
    }
}

static void discovery_comes_before_any_call(void)
{
    struct abi_found found = discover();

    expect_eq(found.signature[0], ABI_SIGNATURE_EBX);
    expect_eq(found.signature[1], ABI_SIGNATURE_ECX);
    expect_eq(found.signature[2], ABI_SIGNATURE_EDX);
    say("abi version %x features %x", found.version, found.features);
}

static void the_version_call_agrees(void)
{
    struct call_result r = call(ABI_CALL_ABI_VERSION, ~0ull, ~0ull, ~0ull, ~0ull);

    expect_eq(r.status, ABI_OK);
    expect_eq(r.value[0], discover().version);
}

static void every_part_of_the_abi_is_asked_for(void)
{
#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    show("call", index, #name, ABI_QUERY_CALL);
#include "abi/call.def"
#define ABI_FEATURE(name, index, text, needs, since, standard, meaning)                            \
    show("feature", index, #name, ABI_QUERY_FEATURE);
#include "abi/feature.def"
#define ABI_LIMIT(name, index, value, since, meaning) show("limit", index, #name, ABI_QUERY_LIMIT);
#include "abi/limit.def"
#define ABI_SOURCE(name, index, feature, meaning) show("source", index, #name, ABI_QUERY_SOURCE);
#include "abi/event.def"
    for (unsigned int i = 0; i < ABI_MAX_PEERS; i++) {
        expect_eq(query(ABI_QUERY_PEER, i).value[0], 0);
    }
}

/* 1.1: the words of the configuration hash, which the runner compares with what it was told. */
static void the_configuration_hash_is_told_to_who_knows_of_it(void)
{
    char hex[65];

    if (call(ABI_CALL_ABI_VERSION, 0, 0, 0, 0).value[0] < ABI_VERSION_1_1) {
        expect_eq(call(ABI_CALL_ABI_QUERY, ABI_QUERY_CONFIG, 0, 0, 0).status, ABI_BAD_ARG);
        return;
    }
    for (unsigned int i = 0; i < 4; i++) {
        uint64_t word = query(ABI_QUERY_CONFIG, i).value[0];

        for (unsigned int b = 0; b < 8; b++) {
            snprintf(&hex[16 * i + 2 * b], 3, "%02x", (unsigned int)(word >> 8 * b & 0xff));
        }
    }
    say("config %s", hex);
    expect_eq(query(ABI_QUERY_CONFIG, 4).value[0], 0);
}

static void what_is_unknown_is_absent(void)
{
    for (uint64_t kind = 0; kind <= ABI_QUERY_SOURCE; kind++) {
        struct call_result r = query(kind, 0xffff);

        expect(r.value[0] == 0 && r.value[1] == 0);
    }
    expect_eq(call(ABI_CALL_ABI_QUERY, 6, 0, 0, 0).status, ABI_BAD_ARG);
    expect_eq(call(ABI_CALL_ABI_QUERY, 0, 0x10000, 0, 0).status, ABI_BAD_ARG);
    expect_eq(call(ABI_CALL_ABI_QUERY, 1ull << 32, 0, 0, 0).status, ABI_BAD_ARG);
}

static void what_the_table_lacks_is_no_call(void)
{
#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    if (query(ABI_QUERY_CALL, index).value[0] == 0) {                                              \
        expect_eq(call(ABI_CALL_##name, 1, 1, 1, 0).status, ABI_NO_CALL);                          \
    }
#include "abi/call.def"
}

const struct test tests[] = {
    TEST(discovery_comes_before_any_call),
    TEST(the_version_call_agrees),
    TEST(every_part_of_the_abi_is_asked_for),
    TEST(the_configuration_hash_is_told_to_who_knows_of_it),
    TEST(what_is_unknown_is_absent),
    TEST(what_the_table_lacks_is_no_call),
    TEST_END,
};
