/*
 * A hostile guest against the hypervisor: pages, vCPUs, firmware. It gets the answer that the GHCB
 * specification (56421) has for what it asks, or is ended by name; another guest and the
 * hypervisor's memory stay as they were. After each attack the RMP and the hypervisor's table of
 * owners agree.
 */
#include "cu.h"
#include "snp_attack.h"

#include "hv/page.h"

#include <stdio.h>
#include <string.h>

/* ---- page state changes ---- */

static uint64_t entry(uint64_t at, uint64_t op, uint64_t large)
{
    return at | op << 52 | large << 56;
}

static void a_malformed_list_is_refused_before_any_entry(void)
{
    static const struct psc_header bad_headers[] = {
        {0, 253, 0}, {0, 0xffff, 0}, {2, 1, 0}, {0, 0, 1}, {0xffff, 0, 0}, {253, 253, 0}};
    static const uint64_t scratches[] = {0,          GHCB_AT, GHCB_AT + 0x808, LAY_KERNEL,
                                         MiB(4), ~0ull,   GHCB_AT + 0xff0};
    uint64_t e = entry(LAY_FREE + PAGE_SIZE, PSC_PRIVATE, 0);
    uint8_t *list;

    attack_begin();
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
    for (size_t i = 0; i < ARRAY_SIZE(scratches); i++) {
        memset(list, 0, 8);
        snp_ghcb_set(v, 0x3a8, scratches[i]);
        snp_event(v, NAE_PSC, 0, 0);
        attacks++;
        CU_ASSERT_EQUAL(snp_ghcb(v)->info2, PSC_BAD_HEADER);
    }
    attack_end();
}

static void a_list_stops_at_the_entry_that_is_wrong(void)
{
    const uint64_t wrong[] = {entry(LAY_FREE, 0, 0), entry(LAY_FREE, 3, 0), entry(LAY_FREE, 15, 1),
                              entry(MiB(4), PSC_PRIVATE, 0), entry(GiB(4), PSC_SHARED, 0),
                              entry(0x000ffffffffff000ull, PSC_PRIVATE, 0),
                              entry(LAY_FREE, PSC_PRIVATE, 1), /* in the middle of 2 MiB */
                              entry(LAY_FREE, PSC_PRIVATE, 0) | 2, /* a cursor beyond it */
                              entry(SIZE_2M, PSC_PRIVATE, 1) | 513,
                              entry(LAY_FREE, PSC_PRIVATE, 0) | 1ull << 57,
                              entry(LAY_FREE, PSC_PRIVATE, 0) | 1ull << 63};
    unsigned int cur;

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint64_t list[] = {entry(LAY_FREE + PAGE_SIZE, PSC_SHARED, 0), wrong[i],
                           entry(LAY_FREE + 2 * PAGE_SIZE, PSC_PRIVATE, 0)};
        uint64_t result = snp_psc(v, list, ARRAY_SIZE(list), &cur);
        bool sound = i >= 3 && i < 6; /* there is no such page */

        attacks++;
        CU_ASSERT_EQUAL(result, sound ? PSC_GENERIC : PSC_BAD_ENTRY);
        CU_ASSERT_EQUAL(cur, 1);
        CU_ASSERT(bad->ops->shared(bad, snp_pa(bad, LAY_FREE + 2 * PAGE_SIZE)));
        CU_ASSERT(snp_agrees(bad));
    }
    attack_end();
}

static void a_guest_that_takes_its_ghcb_back_in_a_list_is_ended(void)
{
    uint64_t e = entry(GHCB_AT, PSC_PRIVATE, 0);
    unsigned int cur;

    attack_begin();
    (void)snp_psc(v, &e, 1, &cur);
    CU_ASSERT(ended_for("not shared memory any more"));
    attack_end();
}

/* Conversions at random, in lists of every length, mixed with the guest's touches and PVALIDATE. */
static void a_storm_of_conversions_leaves_every_page_with_one_owner(void)
{
    uint64_t list[PSC_ENTRIES_MAX];
    uint64_t dice = 12345, at;
    unsigned int cur;

    attack_begin();
    for (unsigned int round = 0; round < 200; round++) {
        unsigned int n = 1 + round * 7 % PSC_ENTRIES_MAX;

        for (unsigned int i = 0; i < n; i++) {
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
        at = (dice >> 35) % MiB(4);
        CU_ASSERT_EQUAL(snp_fault(v, gpa(at), NPF_ENC | (dice >> 40 & NPF_WRITE)), ABI_OK);
        (void)snp_pvalidate(bad, LAY_FREE + PAGE_SIZE * (dice >> 50 & 7), (dice >> 60 & 1) != 0);
        CU_ASSERT_FATAL(snp_agrees(bad) && !snp_ended(bad));
    }
    attack_end();
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
    attack_begin();
    CU_ASSERT_FALSE(creates(CREATE(0), LAY_KERNEL, 1));          /* itself */
    CU_ASSERT_FALSE(creates(CREATE(2), LAY_KERNEL, 1));          /* nobody */
    CU_ASSERT_FALSE(creates(CREATE(0xffffffff), LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates(CREATE(1) | 1 << 16, LAY_KERNEL, 1)); /* VMPL 1 */
    CU_ASSERT_FALSE(creates((1ull << 32) | 3, LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates((1ull << 32) | 0xffff, LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL + 1, 1));
    CU_ASSERT_FALSE(creates(CREATE(1), SIZE_2M, 1));             /* an erratum */
    CU_ASSERT_FALSE(creates(CREATE(1) | 1 << 20, LAY_KERNEL, 1)); /* reserved */
    CU_ASSERT_FALSE(creates(CREATE(1) | 1u << 31, LAY_KERNEL, 1));
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL, 0));          /* other features */
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL, 1 | 1 << 5));
    CU_ASSERT_FALSE(creates(CREATE(1), LAY_KERNEL, ~0ull));
    ghcb_clear();
    snp_event(v, NAE_AP_CREATION, CREATE(1), LAY_KERNEL);
    CU_ASSERT(malformed(GHCB_MISSING_INPUT));
    attack_end();
}

static void a_vcpu_whose_save_area_is_none_ends_the_guest(void)
{
    /* A launched page, one of nobody, one outside RAM, the far end, the GHCB. */
    static const uint64_t areas[] = {LAY_KERNEL, LAY_KERNEL + PAGE_SIZE, MiB(4) + PAGE_SIZE,
                                     0x000ffffffffff000ull, GHCB_AT};

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        CU_ASSERT(creates(CREATE(1), areas[i], 1));
        snp_run(bad->vcpu[1]);
        CU_ASSERT(ended_for(areas[i] < MiB(4) ? "VMRUN refuses its save area" : "is no memory"));
        attack_again();
    }
    attack_end();
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
    attack_begin();
    make_vmsa(LAY_FREE + PAGE_SIZE);
    CU_ASSERT(creates(CREATE(1), LAY_FREE + PAGE_SIZE, 1));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_HLT); /* a good one does run */
    bad->vcpu[1]->arch.vmcb->vmsa = bad->vcpu[0]->arch.vmcb->vmsa;
    snp_guest_code = run_the_other;
    snp_run(bad->vcpu[0]);
    CU_ASSERT(ended_for("VMRUN refuses its save area"));
    attack_end();
}

static void a_save_area_that_is_shared_away_does_not_run(void)
{
    attack_begin();
    make_vmsa(LAY_FREE + PAGE_SIZE);
    CU_ASSERT(creates(CREATE(1), LAY_FREE + PAGE_SIZE, 1));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_FALSE(snp_ended(bad));
    CU_ASSERT_TRUE(snp_psc_one(bad, (LAY_FREE + PAGE_SIZE) >> PAGE_SHIFT, PSC_SHARED));
    snp_run(bad->vcpu[1]);
    CU_ASSERT(ended_for("VMRUN refuses its save area"));
    attack_end();
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

    attack_begin();
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        request(pages[i].req, pages[i].rsp);
        CU_ASSERT(malformed(GHCB_BAD_INPUT));
    }
    attack_end();
}

static void a_flood_of_requests_is_slowed_down_and_takes_no_memory(void)
{
    unsigned int answered = 0, busy = 0;
    uint64_t pages = page_count_free();

    attack_begin();
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
    attack_end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
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
