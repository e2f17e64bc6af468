/*
 * A hostile guest against the hypervisor: GHCB requests. It gets the answer that the GHCB
 * specification (56421) has for what it asks, or is ended by name; another guest and the
 * hypervisor's memory stay as they were. After each attack the RMP and the hypervisor's table of
 * owners agree.
 */
#include "cu.h"
#include "snp_attack.h"

#include "arch_impl/svm.h"
#include "hv/page.h"

#include <stdio.h>
#include <string.h>

/* ---- the MSR protocol ---- */

static const uint64_t patterns[] = {0, ~0ull, 1ull << 12, 0x0010000000000000ull,
                                    0x0020000000000000ull, 0xaaaaaaaaaaaaa000ull,
                                    0x00fffffffffff000ull};

/* An unknown request ends the guest whatever else it says. */
static void every_msr_request_is_answered_or_ends_the_guest_alone(void)
{
    attack_begin();
    for (uint64_t info = 1; info <= 0xfff; info++) {
        size_t n = info <= GHCB_TERMINATE_REQ ? ARRAY_SIZE(patterns) : 1;

        for (size_t i = 0; i < n; i++) {
            uint64_t answer = snp_msr(v, (patterns[i] & ~0xfffull) | info);

            attacks++;
            CU_ASSERT(snp_ended(bad) || GHCB_INFO(answer) != info);
            if (snp_ended(bad)) {
                attack_again();
            }
        }
    }
    attack_end();
}

static void a_page_state_request_for_no_page_is_refused(void)
{
    static const uint64_t gfns[] = {0xffffffffffull, MiB(4) >> PAGE_SHIFT, 0x100000,
                                    1ull << 35};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(gfns); i++) {
        for (uint64_t op = 0; op < 16; op++) {
            uint64_t answer = snp_msr(v, GHCB_PSC_REQ | gfns[i] << 12 | op << 52);

            attacks++;
            CU_ASSERT(GHCB_INFO(answer) == GHCB_PSC_RESP && answer >> 32 != 0);
        }
    }
    CU_ASSERT_FALSE(snp_ended(bad));
    attack_end();
}

static void only_shared_memory_can_be_a_ghcb(void)
{
    static const uint64_t gpas[] = {LAY_KERNEL, LAY_SECRETS, MiB(4), GiB(4), 0xfffffffff000ull};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(gpas); i++) {
        uint64_t answer = snp_msr(v, GHCB_REGISTER_GPA_REQ | gpas[i]);

        attacks++;
        CU_ASSERT_EQUAL(answer, GHCB_REGISTER_GPA_RESP | GHCB_GFN_NONE << 12);
    }
    attack_end();
}

static void a_page_that_is_not_the_registered_ghcb_ends_the_guest(void)
{
    attack_begin();
    (void)snp_msr(v, GHCB_AT + PAGE_SIZE);
    CU_ASSERT(ended_for("has not registered"));
    attack_again();
    (void)snp_msr(v, 0);
    CU_ASSERT(ended_for("has not registered"));
    attack_end();
}

static void a_ghcb_that_is_taken_back_ends_the_guest(void)
{
    attack_begin();
    (void)snp_msr(v, GHCB_PSC_REQ | (uint64_t)PSC_PRIVATE << 52 | GHCB_AT);
    (void)snp_msr(v, GHCB_AT);
    CU_ASSERT(ended_for("not shared memory"));
    attack_end();
}

static uint64_t convert(unsigned int who, uint64_t at, unsigned int op)
{
    attacks++;
    return snp_msr(bad->vcpu[who], GHCB_PSC_REQ | (uint64_t)op << 52 | at);
}

static void a_ghcb_that_another_vcpu_takes_back_is_gone(void)
{
    attack_begin();
    CU_ASSERT_EQUAL(convert(1, GHCB_AT, PSC_PRIVATE), GHCB_PSC_RESP);
    CU_ASSERT_FALSE(bad->ops->shared(bad, snp_pa(bad, GHCB_AT)));
    (void)snp_msr(v, GHCB_AT);
    CU_ASSERT(ended_for("not shared memory"));
    attack_end();
}

static void a_ghcb_that_comes_back_can_be_used_again(void)
{
    attack_begin();
    CU_ASSERT_EQUAL(convert(1, GHCB_AT, PSC_PRIVATE), GHCB_PSC_RESP);
    CU_ASSERT_EQUAL(convert(1, GHCB_AT, PSC_SHARED), GHCB_PSC_RESP);
    snp_ghcb_form(v, GHCB_VERSION_MIN, 0);
    snp_event(v, NAE_FEATURES, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, GHCB_FEATURES);
    attack_end();
}

static void a_ghcb_of_two_vcpus_can_be_taken_back(void)
{
    attack_begin();
    snp_ghcb_register(bad->vcpu[1], GHCB_AT);
    snp_ghcb_register(bad->vcpu[1], GHCB_AT);
    CU_ASSERT_EQUAL(convert(1, GHCB_AT, PSC_PRIVATE), GHCB_PSC_RESP);
    CU_ASSERT_FALSE(snp_ended(bad));
    attack_end();
}

static void a_ghcb_that_was_replaced_is_memory_as_any_other(void)
{
    attack_begin();
    snp_ghcb_register(v, GHCB_AT + PAGE_SIZE);
    CU_ASSERT_EQUAL(convert(0, GHCB_AT, PSC_PRIVATE), GHCB_PSC_RESP);
    snp_event(v, NAE_FEATURES, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, GHCB_FEATURES);
    attack_end();
}

static void every_reason_to_give_up_is_told(void)
{
    attack_begin();
    for (uint64_t reason = 0; reason < 0x1000; reason += 0x7f) {
        (void)snp_msr(v, GHCB_TERMINATE_REQ | reason << 12);
        CU_ASSERT(ended_for("the guest gave up"));
        attack_again();
    }
    attack_end();
}

/* By the request in the MSR, and by the event, which has room for more. */
static void a_reason_to_give_up_has_the_name_that_its_guest_means(void)
{
    static const struct {
        uint64_t set, code;
        const char *text;
    } reasons[] = {{0, 0, "general"},
                   {0, 1, "GHCB protocol version"},
                   {0, 2, "an SNP feature that it does not have"},
                   {1, 0, "its GHCB was not registered"},
                   {1, 1, "a page state change failed"},
                   {1, 2, "PVALIDATE failed"},
                   {1, 6, "the secrets page is wrong"},
                   {1, 12, "secure AVIC"},
                   {1, 13, "unknown reason"},
                   {2, 0, "unknown reason"}};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        (void)snp_msr(v, GHCB_TERMINATE_REQ | reasons[i].set << 12 | reasons[i].code << 16);
        CU_ASSERT(ended_for(reasons[i].text) && !ended_for(": 40"));
        attack_again();
        snp_event(v, NAE_TERMINATE, reasons[i].set | reasons[i].code << 4, 0x40);
        CU_ASSERT(ended_for(reasons[i].text) && ended_for("): 40"));
        attack_again();
    }
    snp_event(v, NAE_UNSUPPORTED, 0x77, 0x1234);
    CU_ASSERT(ended_for("has no answer to #VC 77 (1234)"));
    attack_end();
}

/* ---- the GHCB page ---- */

static void a_ghcb_of_another_usage_is_refused(void)
{
    attack_begin();
    for (unsigned int bit = 0; bit < 32; bit++) {
        snp_ghcb_form(v, GHCB_VERSION_MIN, (uint32_t)BIT(bit));
        snp_event(v, NAE_FEATURES, 0, 0);
        CU_ASSERT(malformed(GHCB_BAD_USAGE));
    }
    attack_end();
}

static void a_ghcb_of_a_version_that_was_not_offered_is_refused(void)
{
    uint64_t offered;

    attack_begin();
    offered = snp_msr(v, GHCB_SEV_INFO_REQ);
    for (uint64_t version = 0; version < 0x10000; version += version < 16 ? 1 : 0xff) {
        bool ours = (version >= (offered >> 32 & 0xffff) && version <= offered >> 48) ||
                    version == 0; /* as some kernels leave it */

        snp_ghcb_form(v, (uint16_t)version, 0);
        snp_event(v, NAE_FEATURES, 0, 0);
        CU_ASSERT(ours ? snp_ghcb(v)->info1 == 0 && snp_ghcb(v)->info2 == GHCB_FEATURES
                       : malformed(GHCB_BAD_INPUT));
    }
    attack_end();
}

static void input_that_is_not_marked_valid_is_missing(void)
{
    static const struct {
        uint64_t code, info1;
    } events[] = {{0x72, 0}, {0x7c, 0}, {0x7c, 1}, {0x7b, 0x03f80010}, {0x81, 0}, {0x37, 0}};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        ghcb_clear();
        snp_event(v, events[i].code, events[i].info1, 0);
        CU_ASSERT(malformed(GHCB_MISSING_INPUT));
    }
    for (unsigned int field = 0x390; field <= 0x3a0; field += 8) {
        ghcb_clear();
        snp_ghcb_set(v, 0x390, NAE_FEATURES);
        snp_ghcb_set(v, 0x398, 0);
        snp_ghcb_set(v, 0x3a0, 0);
        snp_ghcb(v)->valid[field / 512] &= ~BIT(field / 8 % 64);
        (void)snp_msr(v, GHCB_AT);
        CU_ASSERT(malformed(GHCB_MISSING_INPUT));
    }
    attack_end();
}

/* Nothing of ours comes with an answer, and nothing of the guest's is written over. */
static void an_answer_changes_only_what_it_sets(void)
{
    static const uint64_t codes[] = {NAE_FEATURES, EXIT_CPUID, EXIT_MSR, EXIT_IOIO, EXIT_VMMCALL,
                                     NAE_MMIO_WRITE, 0x8000abcd};
    uint8_t before[PAGE_SIZE], *page;

    attack_begin();
    page = snp_ram(bad, GHCB_AT);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        unsigned int changed = 0;

        memset(page, 0xa5, GHCB_FORM);
        memset(snp_ghcb(v)->valid, 0, sizeof(snp_ghcb(v)->valid));
        memcpy(before, page, sizeof(before));
        snp_event(v, codes[i], 0, 0);
        for (size_t at = 0; at < PAGE_SIZE; at += 8) {
            bool answer = (at >= 0x390 && at < 0x3a8) || (at >= 0x3f0 && at < 0x400);

            changed += !answer && memcmp(before + at, page + at, 8) != 0;
        }
        attacks++;
        CU_ASSERT_EQUAL(changed, 0);
    }
    attack_end();
}

/* Linux hands on a process's VMMCALL: RAX as it was, its CPL, and nothing else. */
static void a_call_of_user_space_is_undefined_there(void)
{
    static const uint64_t refused = VEC_UD | EVENT_EXCEPTION | EVENT_VALID;

    attack_begin();
    for (uint64_t cpl = 1; cpl < 4; cpl++) {
        for (uint64_t call = 0; call < 20; call++) {
            ghcb_clear();
            snp_ghcb_set(v, 0x1f8, ABI_CALL_BASE + call);
            snp_ghcb_set(v, 0xc8, cpl << 24);
            snp_event(v, EXIT_VMMCALL, 0, 0);
            attacks++;
            CU_ASSERT_EQUAL(snp_ghcb(v)->info1, GHCB_EXCEPTION);
            CU_ASSERT_EQUAL(snp_ghcb(v)->info2, refused);
            CU_ASSERT_EQUAL(snp_ghcb(v)->rax, ABI_CALL_BASE + call);
        }
    }
    ghcb_clear();
    snp_ghcb_set(v, 0x1f8, ABI_CALL_ABI_VERSION);
    snp_ghcb_set(v, 0xc8, ~(0xffull << 24));
    snp_event(v, EXIT_VMMCALL, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->rax, ABI_OK);
    attack_end();
}

static bool known(uint64_t code)
{
    static const uint64_t codes[] = {0x27, 0x37, 0x6f, 0x72, 0x76, 0x78, 0x7b, 0x7c,
                                     0x81, 0x89, 0x8a, 0x8b};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return (code >= NAE_MMIO_READ && code <= NAE_AP_JUMP_TABLE) ||
           (code >= NAE_PSC && code <= NAE_AP_CREATION) || code == NAE_FEATURES;
}

static void every_unknown_event_is_malformed_and_every_known_one_survives_garbage(void)
{
    static const uint64_t bases[] = {0, 0x80000000, 0x8000ff00, 0xffffffffffffff00ull};

    attack_begin();
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
        for (uint64_t code = bases[b]; code - bases[b] < 0x100; code++) {
            memset(snp_ram(bad, GHCB_AT), 0xff, GHCB_FORM);
            snp_event(v, code, code * 0x9e3779b97f4a7c15ull, ~code * 0x9e3779b97f4a7c15ull);
            attacks += known(code);
            if (code == NAE_TERMINATE || code == NAE_UNSUPPORTED) {
                CU_ASSERT(snp_ended(bad));
                attack_again();
                continue;
            }
            CU_ASSERT(known(code) || malformed(GHCB_BAD_EVENT));
            CU_ASSERT_FALSE(snp_ended(bad));
        }
    }
    attack_end();
}

static void port_and_msr_events_take_only_what_the_platform_has(void)
{
    attack_begin();
    for (uint64_t info = 0; info < 0x10000; info += 0x101) {
        ghcb_clear();
        snp_ghcb_set(v, 0x1f8, ~0ull);
        snp_event(v, 0x7b, info << 16 | (info & 0xfff), 0);
        attacks++;
        CU_ASSERT((uint32_t)snp_ghcb(v)->info1 == 0 || malformed(GHCB_BAD_INPUT) ||
                  ((info & IOIO_STRING) != 0 && malformed(GHCB_MISSING_INPUT)));
    }
    for (uint64_t msr = 0; msr < 0x200; msr++) {
        ghcb_clear();
        snp_ghcb_set(v, 0x308, msr << 22 | msr);
        snp_event(v, 0x7c, msr & 1, 0);
        attacks++;
        CU_ASSERT((uint32_t)snp_ghcb(v)->info1 == ((msr & 1) != 0 ? GHCB_MALFORMED
                                                   : msr == 0x1b  ? 0
                                                                  : GHCB_EXCEPTION) ||
                  msr == 0x1b);
    }
    CU_ASSERT_FALSE(snp_ended(bad));
    attack_end();
}

#define OUTSB (0x80ull << 16 | 1 << 4 | IOIO_STRING)

static void a_scratch_area_outside_the_ghcb_is_refused(void)
{
    static const uint64_t scratches[] = {0, GHCB_AT, GHCB_AT + 0x7ff, GHCB_AT + 0xff0,
                                         GHCB_AT + 0xfe9, LAY_KERNEL, MiB(4), ~0ull,
                                         GHCB_AT + 0x800 - (1ull << 32)};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(scratches); i++) {
        ghcb_clear();
        snp_ghcb_set(v, 0x3a8, scratches[i]);
        snp_event(v, NAE_MMIO_READ, 0xfee00000, 8);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
        snp_event(v, EXIT_IOIO, OUTSB, 8);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
    }
    for (uint64_t len = 9; len != 0; len <<= 1) {
        ghcb_clear();
        snp_ghcb_set(v, 0x3a8, GHCB_AT + 0x800);
        snp_event(v, NAE_MMIO_WRITE, 0xfee00000, len);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
    }
    for (uint64_t count = GHCB_SHARED_SIZE + 1; count != 0; count <<= 1) {
        snp_event(v, EXIT_IOIO, OUTSB, count);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
    }
    attack_end();
}

static unsigned int lines(const char *text)
{
    unsigned int n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void a_guest_cannot_flood_the_log(void)
{
    unsigned int before;

    attack_begin();
    before = lines(fake_console());
    for (unsigned int i = 0; i < 10000; i++) {
        ghcb_clear();
        snp_event(v, 0x8000abcd, 0, 0);
    }
    attacks++;
    CU_ASSERT(lines(fake_console()) - before < 50);
    attack_end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_msr_request_is_answered_or_ends_the_guest_alone),
        CU(a_page_state_request_for_no_page_is_refused),
        CU(only_shared_memory_can_be_a_ghcb),
        CU(a_page_that_is_not_the_registered_ghcb_ends_the_guest),
        CU(a_ghcb_that_is_taken_back_ends_the_guest),
        CU(a_ghcb_that_another_vcpu_takes_back_is_gone),
        CU(a_ghcb_that_comes_back_can_be_used_again),
        CU(a_ghcb_of_two_vcpus_can_be_taken_back),
        CU(a_ghcb_that_was_replaced_is_memory_as_any_other),
        CU(every_reason_to_give_up_is_told),
        CU(a_reason_to_give_up_has_the_name_that_its_guest_means),
        CU(a_ghcb_of_another_usage_is_refused),
        CU(a_ghcb_of_a_version_that_was_not_offered_is_refused),
        CU(input_that_is_not_marked_valid_is_missing),
        CU(an_answer_changes_only_what_it_sets),
    CU(a_call_of_user_space_is_undefined_there),
        CU(every_unknown_event_is_malformed_and_every_known_one_survives_garbage),
        CU(port_and_msr_events_take_only_what_the_platform_has),
        CU(a_scratch_area_outside_the_ghcb_is_refused),
        CU(a_guest_cannot_flood_the_log),
        CU_END,
    };
    int status = cu_main("snp_attack_ghcb", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
