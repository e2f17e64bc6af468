/*
 * A hostile guest against the hypervisor: whatever it asks for, it gets the answer that the GHCB
 * specification has for that (56421), or is ended by name; another guest and the hypervisor's
 * memory stay as they were. After each attack the RMP and the hypervisor's table of owners agree.
 */
#include "cu.h"
#include "snp_host.h"

#include "hv/page.h"

#include <stdio.h>
#include <string.h>

#define GHCB_AT LAY_FREE

static unsigned int attacks;
static struct vm *bad, *bystander;
static struct vcpu *v;

static void begin(void)
{
    snp_boot(MiB(64));
    bystander = snp_guest(CC_SEV_SNP, 1);
    memset(snp_ram(bystander, LAY_FREE), 0x77, PAGE_SIZE);
    bad = snp_guest(CC_SEV_SNP, 2);
    v = bad->vcpu[0];
    snp_ghcb_register(v, GHCB_AT);
}

static void end(void)
{
    const uint8_t *p = snp_ram(bystander, LAY_FREE);

    CU_ASSERT(snp_agrees(bad) && snp_agrees(bystander));
    CU_ASSERT(p[0] == 0x77 && p[PAGE_SIZE - 1] == 0x77 && !snp_ended(bystander));
    snp_drop(bad);
    snp_drop(bystander);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* A fresh hostile guest, where the last one has been ended. */
static void again(void)
{
    snp_drop(bad);
    bad = snp_guest(CC_SEV_SNP, 2);
    v = bad->vcpu[0];
    snp_ghcb_register(v, GHCB_AT);
}

static void ghcb_clear(void)
{
    memset(snp_ram(bad, GHCB_AT), 0, PAGE_SIZE);
}

static bool malformed(unsigned int why)
{
    const struct ghcb *g = snp_ghcb(v);

    attacks++;
    return (uint32_t)g->info1 == GHCB_MALFORMED && g->info2 == why && !snp_ended(bad);
}

static bool ended_for(const char *text)
{
    attacks++;
    return snp_ended(bad) && strstr(bad->detail, text) != NULL;
}

/* ---- the MSR protocol ---- */

static const uint64_t patterns[] = {0, ~0ull, 1ull << 12, 0x0010000000000000ull,
                                    0x0020000000000000ull, 0xaaaaaaaaaaaaa000ull,
                                    0x00fffffffffff000ull};

/* An unknown request ends the guest whatever else it says. */
static void every_msr_request_is_answered_or_ends_the_guest_alone(void)
{
    begin();
    for (uint64_t info = 1; info <= 0xfff; info++) {
        size_t n = info <= GHCB_TERMINATE_REQ ? ARRAY_SIZE(patterns) : 1;

        for (size_t i = 0; i < n; i++) {
            uint64_t answer = snp_msr(v, (patterns[i] & ~0xfffull) | info);

            attacks++;
            CU_ASSERT(snp_ended(bad) || GHCB_INFO(answer) != info);
            if (snp_ended(bad)) {
                again();
            }
        }
    }
    end();
}

static void a_page_state_request_for_no_page_is_refused(void)
{
    static const uint64_t gfns[] = {0xffffffffffull, MiB(4) >> PAGE_SHIFT, 0x100000,
                                    1ull << 35};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(gfns); i++) {
        for (uint64_t op = 0; op < 16; op++) {
            uint64_t answer = snp_msr(v, GHCB_PSC_REQ | gfns[i] << 12 | op << 52);

            attacks++;
            CU_ASSERT(GHCB_INFO(answer) == GHCB_PSC_RESP && answer >> 32 != 0);
        }
    }
    CU_ASSERT_FALSE(snp_ended(bad));
    end();
}

static void only_shared_memory_can_be_a_ghcb(void)
{
    static const uint64_t gpas[] = {LAY_KERNEL, LAY_SECRETS, MiB(4), GiB(4), 0xfffffffff000ull};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(gpas); i++) {
        uint64_t answer = snp_msr(v, GHCB_REGISTER_GPA_REQ | gpas[i]);

        attacks++;
        CU_ASSERT_EQUAL(answer, GHCB_REGISTER_GPA_RESP | GHCB_GFN_NONE << 12);
    }
    end();
}

static void a_page_that_is_not_the_registered_ghcb_ends_the_guest(void)
{
    begin();
    (void)snp_msr(v, GHCB_AT + PAGE_SIZE);
    CU_ASSERT(ended_for("has not registered"));
    again();
    (void)snp_msr(v, 0);
    CU_ASSERT(ended_for("has not registered"));
    end();
}

static void a_ghcb_that_is_taken_back_ends_the_guest(void)
{
    begin();
    (void)snp_msr(v, GHCB_PSC_REQ | (uint64_t)PSC_PRIVATE << 52 | GHCB_AT);
    (void)snp_msr(v, GHCB_AT);
    CU_ASSERT(ended_for("not shared memory"));
    end();
}

static void every_reason_to_give_up_is_told(void)
{
    begin();
    for (uint64_t reason = 0; reason < 0x1000; reason += 0x7f) {
        (void)snp_msr(v, GHCB_TERMINATE_REQ | reason << 12);
        CU_ASSERT(ended_for("the guest gave up"));
        again();
    }
    end();
}

/* ---- the GHCB page ---- */

static void a_ghcb_of_another_usage_is_refused(void)
{
    begin();
    ((uint8_t *)snp_ram(bad, GHCB_AT))[GHCB_USAGE] = 1;
    snp_event(v, NAE_FEATURES, 0, 0);
    CU_ASSERT(malformed(GHCB_BAD_USAGE));
    end();
}

static void input_that_is_not_marked_valid_is_missing(void)
{
    static const struct {
        uint64_t code, info1;
    } events[] = {{0x72, 0}, {0x7c, 0}, {0x7c, 1}, {0x7b, 0x03f80010}, {0x81, 0}};

    begin();
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
    end();
}

static bool known(uint64_t code)
{
    static const uint64_t codes[] = {0x27, 0x37, 0x72, 0x78, 0x7b, 0x7c, 0x81, 0x89, 0x8a, 0x8b};

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

    begin();
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
        for (uint64_t code = bases[b]; code - bases[b] < 0x100; code++) {
            memset(snp_ram(bad, GHCB_AT), 0xff, GHCB_USAGE);
            snp_event(v, code, code * 0x9e3779b97f4a7c15ull, ~code * 0x9e3779b97f4a7c15ull);
            CU_ASSERT(known(code) || malformed(GHCB_BAD_EVENT));
            attacks += known(code);
            CU_ASSERT_FALSE(snp_ended(bad));
        }
    }
    end();
}

static void port_and_msr_events_take_only_what_the_platform_has(void)
{
    begin();
    for (uint64_t info = 0; info < 0x10000; info += 0x101) {
        ghcb_clear();
        snp_ghcb_set(v, 0x1f8, ~0ull);
        snp_event(v, 0x7b, info << 16 | (info & 0xfff), 0);
        attacks++;
        CU_ASSERT((uint32_t)snp_ghcb(v)->info1 == 0 || malformed(GHCB_BAD_INPUT));
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
    end();
}

static void a_scratch_area_outside_the_ghcb_is_refused(void)
{
    static const uint64_t scratches[] = {0, GHCB_AT, GHCB_AT + 0x7ff, GHCB_AT + 0xff0,
                                         GHCB_AT + 0xfe9, LAY_KERNEL, MiB(4), ~0ull,
                                         GHCB_AT + 0x800 - (1ull << 32)};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(scratches); i++) {
        ghcb_clear();
        snp_ghcb_set(v, 0x3a8, scratches[i]);
        snp_event(v, NAE_MMIO_READ, 0xfee00000, 8);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
    }
    for (uint64_t len = 9; len != 0; len <<= 1) {
        ghcb_clear();
        snp_ghcb_set(v, 0x3a8, GHCB_AT + 0x800);
        snp_event(v, NAE_MMIO_WRITE, 0xfee00000, len);
        CU_ASSERT(malformed(GHCB_BAD_SCRATCH));
    }
    end();
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

    begin();
    before = lines(fake_console());
    for (unsigned int i = 0; i < 10000; i++) {
        ghcb_clear();
        snp_event(v, 0x8000abcd, 0, 0);
    }
    attacks++;
    CU_ASSERT(lines(fake_console()) - before < 50);
    end();
}

/* ---- page state changes ---- */

static uint64_t entry(uint64_t at, uint64_t op, uint64_t large)
{
    return at | op << 52 | large << 56;
}

static void a_malformed_list_is_refused_before_any_entry(void)
{
    static const struct psc_header bad_headers[] = {
        {0, 253, 0}, {0, 0xffff, 0}, {2, 1, 0}, {0, 0, 1}, {0xffff, 0, 0}, {253, 253, 0}};
    uint64_t e = entry(LAY_FREE + PAGE_SIZE, PSC_PRIVATE, 0);
    uint8_t *list;

    begin();
    list = (uint8_t *)snp_ram(bad, GHCB_AT) + GHCB_SHARED_BUFFER;
    for (size_t i = 0; i < ARRAY_SIZE(bad_headers); i++) {
        memcpy(list, &bad_headers[i], sizeof(bad_headers[i]));
        memcpy(list + 8, &e, sizeof(e));
        snp_ghcb_set(v, 0x3a8, GHCB_AT + GHCB_SHARED_BUFFER);
        snp_event(v, NAE_PSC, 0, 0);
        attacks++;
        CU_ASSERT_EQUAL(snp_ghcb(v)->info2, PSC_BAD_HEADER);
        CU_ASSERT(bad->ops->shared(bad, snp_pa(bad, LAY_FREE + PAGE_SIZE)));
    }
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        memset(list, 0, 8);
        snp_ghcb_set(v, 0x3a8, patterns[i]);
        snp_event(v, NAE_PSC, 0, 0);
        attacks++;
        CU_ASSERT_EQUAL(snp_ghcb(v)->info2, PSC_BAD_HEADER);
    }
    end();
}

static void a_list_stops_at_the_entry_that_is_wrong(void)
{
    const uint64_t wrong[] = {entry(LAY_FREE, 0, 0), entry(LAY_FREE, 3, 0), entry(LAY_FREE, 15, 1),
                              entry(MiB(4), PSC_PRIVATE, 0), entry(GiB(4), PSC_SHARED, 0),
                              entry(0x000ffffffffff000ull, PSC_PRIVATE, 0),
                              entry(LAY_FREE, PSC_PRIVATE, 1)};
    unsigned int cur;

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint64_t list[] = {entry(LAY_FREE + PAGE_SIZE, PSC_SHARED, 0), wrong[i],
                           entry(LAY_FREE + 2 * PAGE_SIZE, PSC_PRIVATE, 0)};
        uint64_t result = snp_psc(v, list, ARRAY_SIZE(list), &cur);
        unsigned int op = PSC_ENTRY_OP(wrong[i]);

        attacks++;
        CU_ASSERT_EQUAL(result, op == PSC_PRIVATE || op == PSC_SHARED ? PSC_GENERIC
                                                                      : PSC_BAD_ENTRY);
        CU_ASSERT_EQUAL(cur, 1);
        CU_ASSERT(bad->ops->shared(bad, snp_pa(bad, LAY_FREE + 2 * PAGE_SIZE)));
        CU_ASSERT(snp_agrees(bad));
    }
    end();
}

static void a_guest_that_takes_its_ghcb_back_in_a_list_is_ended(void)
{
    uint64_t e = entry(GHCB_AT, PSC_PRIVATE, 0);
    unsigned int cur;

    begin();
    (void)snp_psc(v, &e, 1, &cur);
    CU_ASSERT(ended_for("not shared memory any more"));
    end();
}

/* Conversions at random, in lists of every length, mixed with the guest's touches and PVALIDATE. */
static void a_storm_of_conversions_leaves_every_page_with_one_owner(void)
{
    uint64_t list[PSC_ENTRIES_MAX];
    uint64_t dice = 12345;
    unsigned int cur;

    begin();
    for (unsigned int round = 0; round < 200; round++) {
        unsigned int n = 1 + round * 7 % PSC_ENTRIES_MAX;

        for (unsigned int i = 0; i < n; i++) {
            uint64_t at;

            dice = dice * 6364136223846793005ull + 1442695040888963407ull;
            at = (dice >> 33) % MiB(4) & PAGE_MASK;
            at = at == GHCB_AT ? LAY_FREE + PAGE_SIZE : at;
            list[i] = entry(at, 1 + (dice >> 20 & 1), 0);
            if ((dice >> 21 & 31) == 0) { /* the second 2 MiB: the GHCB lies in the first */
                list[i] = entry(SIZE_2M, 1 + (dice >> 20 & 1), 1) | (dice >> 27 & 3);
            }
        }
        (void)snp_psc(v, list, n, &cur);
        attacks++;
        CU_ASSERT_EQUAL(cur, n);
        (void)snp_fault(v, gpa((dice >> 35) % MiB(4)), NPF_ENC | (dice >> 40 & NPF_WRITE));
        (void)snp_pvalidate(bad, LAY_FREE + PAGE_SIZE * (dice >> 50 & 7), (dice >> 60 & 1) != 0);
        CU_ASSERT_FATAL(snp_agrees(bad) && !snp_ended(bad));
    }
    end();
}

/* ---- other vCPUs ---- */

#define CREATE(id) ((uint64_t)(id) << 32 | AP_CREATE)

static bool creates(uint64_t info1, uint64_t vmsa, uint64_t features)
{
    ghcb_clear();
    snp_ghcb_set(v, 0x1f8, features);
    snp_event(v, NAE_AP_CREATION, info1, vmsa);
    attacks++;
    return (uint32_t)snp_ghcb(v)->info1 == 0;
}

static void ap_creation_with_garbage_is_refused(void)
{
    begin();
    CU_ASSERT_FALSE(creates(CREATE(0), LAY_KERNEL, 1));          /* itself */
    CU_ASSERT_FALSE(creates(CREATE(2), LAY_KERNEL, 1));          /* nobody */
    CU_ASSERT_FALSE(creates(CREATE(0xffffffff), LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates(CREATE(1) | 1 << 16, LAY_KERNEL, 1)); /* VMPL 1 */
    CU_ASSERT_FALSE(creates((1ull << 32) | 3, LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates((1ull << 32) | 0xffff, LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL + 1, 1));
    CU_ASSERT_FALSE(creates(CREATE(1), SIZE_2M, 1));             /* an erratum */
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL, 0));          /* other features */
    end();
}

static void a_vcpu_whose_save_area_is_none_ends_the_guest(void)
{
    /* A launched page, one of nobody, one outside RAM, the far end, the GHCB. */
    static const uint64_t areas[] = {LAY_KERNEL, LAY_KERNEL + PAGE_SIZE, MiB(4) + PAGE_SIZE,
                                     0x000ffffffffff000ull, GHCB_AT};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        CU_ASSERT(creates(CREATE(1), areas[i], 1));
        snp_run(bad->vcpu[1]);
        CU_ASSERT(ended_for("VMRUN refuses its save area"));
        again();
    }
    end();
}

static void make_vmsa(uint64_t at)
{
    struct vmsa *save = snp_ram(bad, at);

    CU_ASSERT_TRUE(snp_psc_one(bad, at >> PAGE_SHIFT, PSC_PRIVATE, false));
    CU_ASSERT_EQUAL(snp_pvalidate(bad, at, true), RMP_OK);
    memset(save, 0, sizeof(*save));
    save->sev_features = SEV_FEATURE_SNP;
    save->rip = 0x1234;
    CU_ASSERT_EQUAL(emu_rmpadjust(snp_pa(bad, at), at, snp_of(bad)->asid, 0, RMP_4K, 1, 0, true),
                    RMP_OK);
}

static void run_the_other(struct vmcb *b, struct vmsa *save)
{
    (void)save;
    snp_guest_code = NULL;
    snp_run(bad->vcpu[1]);
    b->exit_code = EXIT_HLT;
}

static void one_save_area_runs_on_one_vcpu_only(void)
{
    begin();
    make_vmsa(LAY_FREE + PAGE_SIZE);
    CU_ASSERT(creates(CREATE(1), LAY_FREE + PAGE_SIZE, 1));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_HLT); /* a good one does run */
    bad->vcpu[1]->arch.vmcb->vmsa = bad->vcpu[0]->arch.vmcb->vmsa;
    snp_guest_code = run_the_other;
    snp_run(bad->vcpu[0]);
    CU_ASSERT(ended_for("VMRUN refuses its save area"));
    end();
}

static void a_save_area_that_is_shared_away_does_not_run(void)
{
    begin();
    make_vmsa(LAY_FREE + PAGE_SIZE);
    CU_ASSERT(creates(CREATE(1), LAY_FREE + PAGE_SIZE, 1));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_FALSE(snp_ended(bad));
    CU_ASSERT_TRUE(snp_psc_one(bad, (LAY_FREE + PAGE_SIZE) >> PAGE_SHIFT, PSC_SHARED, false));
    snp_run(bad->vcpu[1]);
    CU_ASSERT(ended_for("VMRUN refuses its save area"));
    end();
}

/* ---- guest requests ---- */

#define REQ (LAY_FREE + 4 * PAGE_SIZE)
#define RSP (LAY_FREE + 5 * PAGE_SIZE)

static void request(uint64_t req, uint64_t rsp)
{
    ghcb_clear();
    snp_event(v, NAE_GUEST_REQUEST, req, rsp);
}

static void a_request_on_pages_that_are_not_shared_is_malformed(void)
{
    static const struct {
        uint64_t req, rsp;
    } pages[] = {{LAY_KERNEL, RSP}, {REQ, LAY_KERNEL}, {REQ + 8, RSP}, {REQ, RSP + 8}, {REQ, REQ},
                 {MiB(4), RSP},     {REQ, ~0xfffull},  {~0xfffull, RSP}};

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        request(pages[i].req, pages[i].rsp);
        CU_ASSERT(malformed(GHCB_BAD_INPUT));
    }
    end();
}

static void a_flood_of_requests_is_slowed_down_and_takes_no_memory(void)
{
    unsigned int answered = 0, busy = 0;
    uint64_t pages = page_count_free();

    begin();
    pages = page_count_free();
    for (unsigned int i = 0; i < 5000; i++) {
        memset(snp_ram(bad, REQ), (int)i, PAGE_SIZE);
        request(REQ, RSP);
        answered += snp_ghcb(v)->info2 == SNP_INVALID_PARAM;
        busy += snp_ghcb(v)->info2 == REQUEST_BUSY;
    }
    attacks++;
    CU_ASSERT_EQUAL(answered + busy, 5000);
    CU_ASSERT(answered > 0 && answered < 100);
    CU_ASSERT_EQUAL(page_count_free(), pages);
    /* In time it may ask again. */
    fake_advance(1000000000ull);
    request(REQ, RSP);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2, SNP_INVALID_PARAM);
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_msr_request_is_answered_or_ends_the_guest_alone),
        CU(a_page_state_request_for_no_page_is_refused),
        CU(only_shared_memory_can_be_a_ghcb),
        CU(a_page_that_is_not_the_registered_ghcb_ends_the_guest),
        CU(a_ghcb_that_is_taken_back_ends_the_guest),
        CU(every_reason_to_give_up_is_told),
        CU(a_ghcb_of_another_usage_is_refused),
        CU(input_that_is_not_marked_valid_is_missing),
        CU(every_unknown_event_is_malformed_and_every_known_one_survives_garbage),
        CU(port_and_msr_events_take_only_what_the_platform_has),
        CU(a_scratch_area_outside_the_ghcb_is_refused),
        CU(a_guest_cannot_flood_the_log),
        CU(a_malformed_list_is_refused_before_any_entry),
        CU(a_list_stops_at_the_entry_that_is_wrong),
        CU(a_guest_that_takes_its_ghcb_back_in_a_list_is_ended),
        CU(a_storm_of_conversions_leaves_every_page_with_one_owner),
        CU(ap_creation_with_garbage_is_refused),
        CU(a_vcpu_whose_save_area_is_none_ends_the_guest),
        CU(one_save_area_runs_on_one_vcpu_only),
        CU(a_save_area_that_is_shared_away_does_not_run),
        CU(a_request_on_pages_that_are_not_shared_is_malformed),
        CU(a_flood_of_requests_is_slowed_down_and_takes_no_memory),
        CU_END,
    };
    int status = cu_main("snp_attack_guest", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
