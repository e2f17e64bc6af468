/* Measured launch by the emulated PSP: ABI 8.16-8.18. */
#include "cu.h"
#include "emu_digest.h"
#include "emu_peer.h"

#include <string.h>

static struct host_guest guest;
static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static void world(void)
{
    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_start_guest(&guest, 1, HOST_POLICY), SNP_SUCCESS);
}

static struct emu_rmp entry(uint64_t at)
{
    struct emu_rmp e;

    CU_ASSERT_FATAL(emu_rmp_get(pa(at), &e));
    return e;
}

static const uint8_t *pattern(uint8_t seed)
{
    for (size_t i = 0; i < sizeof(page); i++) {
        page[i] = (uint8_t)(seed + i * 7 + (i >> 8));
    }
    return page;
}

static struct vmsa *good_vmsa(void)
{
    struct vmsa *v = (struct vmsa *)(void *)page;

    memset(page, 0, sizeof(page));
    v->sev_features = SEV_FEATURE_SNP;
    v->efer = 0x1000;
    return v;
}

/* The guest's own word for its measurement. */
static void measured(uint8_t ld[48])
{
    struct snp_secrets_page secrets;
    struct peer p;
    uint64_t at;
    uint32_t status;
    const uint8_t *report;

    CU_ASSERT_EQUAL_FATAL(host_load(&guest, SNP_PAGE_SECRETS, 0xf000, NULL, &at), SNP_SUCCESS);
    memcpy(&secrets, host_at(at), sizeof(secrets));
    CU_ASSERT_EQUAL_FATAL(host_finish(&guest), SNP_SUCCESS);
    peer_start(&p, &guest, &secrets, 0);
    report = peer_report(&p, 0, 0, 0, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(report);
    memcpy(ld, report + 0x90, 48);
}

/* ---- LAUNCH_START ---- */

static uint32_t start_with(struct snp_launch_start c)
{
    c.gctx = host_firmware_page();
    CU_ASSERT_EQUAL_FATAL(psp_do(SNP_CMD_GCTX_CREATE, &c.gctx, 8), SNP_SUCCESS);
    return psp_do(SNP_CMD_LAUNCH_START, &c, sizeof(c));
}

static void a_policy_the_platform_cannot_keep_is_a_policy_failure(void)
{
    world();
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30000}), SNP_SUCCESS);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0xb0137}), SNP_SUCCESS);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x20000}), SNP_POLICY_FAILURE);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30200}), SNP_POLICY_FAILURE);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30138}), SNP_POLICY_FAILURE);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x430000}), SNP_POLICY_FAILURE);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x10000}), SNP_POLICY_FAILURE);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 1ull << 63 | 0x30000}),
                    SNP_POLICY_FAILURE);
}

static void migration_agents_are_not_built_and_say_so(void)
{
    world();
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30000, .flags = 1}),
                    SNP_UNSUPPORTED);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30000, .flags = 2}),
                    SNP_UNSUPPORTED);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30000, .flags = 4}),
                    SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(start_with((struct snp_launch_start){.policy = 0x30000, .ma_gctx = 1}),
                    SNP_INVALID_PARAM);
}

static void a_guest_starts_once(void)
{
    struct snp_launch_start c = {.policy = HOST_POLICY};

    world();
    c.gctx = guest.gctx;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_START, &c, sizeof(c)), SNP_INVALID_GUEST_STATE);
    c.gctx = host_page(RMP_4K);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_START, &c, sizeof(c)), SNP_INVALID_GUEST);
    c.gctx = 12;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_START, &c, sizeof(c)), SNP_INVALID_PARAM);
    c.gctx = HOST_MEMORY;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_START, &c, sizeof(c)), SNP_INVALID_ADDRESS);
}

/* ---- LAUNCH_UPDATE ---- */

static void a_loaded_page_becomes_the_guests_and_valid(void)
{
    uint64_t at, vmsa;
    struct emu_rmp e;

    world();
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_NORMAL, 0x1000, pattern(1), &at), SNP_SUCCESS);
    e = entry(at);
    CU_ASSERT(e.assigned && e.validated && !e.immutable && !e.vmsa && e.asid == 1);
    CU_ASSERT(e.gpa == 0x1000 && e.perms[0] == EMU_PERM_ALL && e.perms[1] == 0);
    CU_ASSERT_EQUAL(memcmp(host_at(at), page, PAGE_SIZE), 0);
    good_vmsa();
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_VMSA, 0xfffffffff000, page, &vmsa), SNP_SUCCESS);
    CU_ASSERT(entry(vmsa).vmsa && entry(vmsa).validated);
    CU_ASSERT(emu_rmp_use(pa(vmsa), 1));
    emu_rmp_unuse(pa(vmsa));
}

static void zero_pages_are_zeroed_and_unmeasured_ones_kept(void)
{
    uint64_t at;

    world();
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_ZERO, 0x1000, pattern(1), &at), SNP_SUCCESS);
    CU_ASSERT(*(uint64_t *)host_at(at) == 0 && *(uint64_t *)host_at(at + 4088) == 0);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_UNMEASURED, 0x2000, pattern(2), &at), SNP_SUCCESS);
    CU_ASSERT_EQUAL(memcmp(host_at(at), page, PAGE_SIZE), 0);
}

static void the_secrets_page_has_four_different_keys(void)
{
    struct snp_secrets_page *s;
    uint64_t at;

    world();
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_SECRETS, 0x1000, pattern(3), &at), SNP_SUCCESS);
    s = host_at(at);
    CU_ASSERT_EQUAL(s->version, 3);
    CU_ASSERT_EQUAL(s->imi_en, 0);
    CU_ASSERT_EQUAL(s->fms, 0xa00f11);
    for (unsigned int i = 0; i < 4; i++) {
        static const uint8_t none[32];

        CU_ASSERT(memcmp(s->vmpck[i], none, 32) != 0);
        CU_ASSERT(memcmp(s->vmpck[i], s->vmpck[(i + 1) % 4], 32) != 0);
    }
    CU_ASSERT(s->reserved1[0] == 0 && s->os_reserved[0] == 0);
}

static void the_digest_is_the_one_computed_apart(void)
{
    uint8_t want[48] = {0}, got[48];

    world();
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_NORMAL, 0x100000, pattern(1), NULL), SNP_SUCCESS);
    digest_extend(want, &(struct digest_page){1, 0x100000, 0, 0, 0, page});
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_ZERO, 0x2000, pattern(2), NULL), SNP_SUCCESS);
    digest_extend(want, &(struct digest_page){3, 0x2000, 0, 0, 0, NULL});
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_UNMEASURED, 0x3000, page, NULL), SNP_SUCCESS);
    digest_extend(want, &(struct digest_page){4, 0x3000, 0, 0, 0, NULL});
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x4000, NULL, NULL), SNP_SUCCESS);
    digest_extend(want, &(struct digest_page){6, 0x4000, 0, 0, 0, NULL});
    good_vmsa()->tsc_scale = 12345; /* measured as zero, as is the offset */
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_VMSA, 0xfffffffff000, page, NULL), SNP_SUCCESS);
    good_vmsa();
    digest_extend(want, &(struct digest_page){2, 0xfffffffff000, 0, 0, 0, page});
    digest_extend(want, &(struct digest_page){5, 0xf000, 0, 0, 0, NULL});
    measured(got);
    CU_ASSERT_EQUAL(memcmp(want, got, 48), 0);
}

/* What a page holds when it is measured is what the digest has, whoever changed it before. */
static void launch_with(enum emu_page_fault fault)
{
    static uint8_t first[PAGE_SIZE], second[PAGE_SIZE];
    uint8_t want[48] = {0}, got[48];
    uint64_t at[2];

    world();
    memcpy(first, pattern(1), PAGE_SIZE);
    memcpy(second, pattern(2), PAGE_SIZE);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_NORMAL, 0x1000, first, &at[0]), SNP_SUCCESS);
    emu_page_fault_nth(1, fault);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_NORMAL, 0x2000, second, &at[1]), SNP_SUCCESS);
    CU_ASSERT_FALSE(emu_fault_armed());
    digest_extend(want, &(struct digest_page){1, 0x1000, 0, 0, 0, first});
    digest_extend(want, &(struct digest_page){1, 0x2000, 0, 0, 0, host_at(at[1])});
    digest_extend(want, &(struct digest_page){5, 0xf000, 0, 0, 0, NULL});
    measured(got);
    CU_ASSERT_EQUAL(memcmp(want, got, 48), 0);
    CU_ASSERT(memcmp(host_at(at[0]), fault == EMU_PAGE_SWAP ? second : first, PAGE_SIZE) == 0);
    second[0] ^= 1;
    CU_ASSERT(memcmp(host_at(at[1]), fault == EMU_PAGE_CORRUPT ? second : first, PAGE_SIZE) == 0);
}

static void memory_that_lies_at_launch_is_told_by_the_digest(void)
{
    launch_with(EMU_PAGE_CORRUPT);
    launch_with(EMU_PAGE_REPLAY);
    launch_with(EMU_PAGE_SWAP);
}

static void a_large_page_measures_as_its_512_parts(void)
{
    struct snp_launch_update u = {
        .page = SNP_PAGE_NORMAL << 1 | 1, .vmpl1_perms = 1, .vmpl2_perms = 2, .vmpl3_perms = 0xf};
    uint8_t want[48] = {0}, got[48];
    uint8_t *p;

    world();
    u.gctx = guest.gctx;
    u.address = host_page(RMP_2M);
    p = host_at(u.address);
    for (size_t i = 0; i < SIZE_2M; i++) {
        p[i] = (uint8_t)(i * 31 >> 9);
    }
    CU_ASSERT_EQUAL(host_assign(u.address, RMP_2M, 0x200000, 1, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_SUCCESS);
    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        digest_extend(want, &(struct digest_page){1, 0x200000 + i, 1, 2, 0xf, p + i});
    }
    CU_ASSERT(entry(u.address + PAGE_SIZE).validated && entry(u.address).perms[2] == 2);
    digest_extend(want, &(struct digest_page){5, 0xf000, 0, 0, 0, NULL});
    measured(got);
    CU_ASSERT_EQUAL(memcmp(want, got, 48), 0);
}

static void pages_in_any_other_state_or_of_another_guest_are_refused(void)
{
    struct snp_launch_update u = {.page = SNP_PAGE_NORMAL << 1};

    world();
    u.gctx = guest.gctx;
    u.address = host_page(RMP_4K);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(host_assign(u.address, RMP_4K, 0x1000, 1, false), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(host_assign(u.address, RMP_4K, 0x1000, 2, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_PAGE_OWNER);
    u.address = host_page(RMP_2M);
    CU_ASSERT_EQUAL(host_assign(u.address, RMP_2M, 0x200000, 1, true), RMP_OK);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_PAGE_SIZE);
    u.address += 8;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_PARAM);
    u.address = HOST_MEMORY;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u)), SNP_INVALID_ADDRESS);
}

static uint32_t update_with(struct snp_launch_update u)
{
    u.gctx = guest.gctx;
    u.address = host_page(RMP_4K);
    CU_ASSERT_EQUAL_FATAL(host_assign(u.address, RMP_4K, 0x1000, 1, true), RMP_OK);
    return psp_do(SNP_CMD_LAUNCH_UPDATE, &u, sizeof(u));
}

static void malformed_updates_are_refused(void)
{
    world();
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 0}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 7 << 1}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 0x22}), SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 2, .reserved0 = 1}),
                    SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 2, .reserved1 = 1}),
                    SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 2, .reserved2 = 1}),
                    SNP_INVALID_PARAM);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = SNP_PAGE_CPUID << 1 | 1}),
                    SNP_INVALID_PAGE_SIZE);
    CU_ASSERT_EQUAL(update_with((struct snp_launch_update){.page = 2}), SNP_SUCCESS);
}

static void a_guest_without_asid_or_already_running_takes_no_pages(void)
{
    struct snp_launch_start start = {.policy = HOST_POLICY};
    struct host_guest h = {.asid = 2};

    world();
    h.gctx = start.gctx = host_firmware_page();
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_GCTX_CREATE, &h.gctx, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_START, &start, sizeof(start)), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_load(&h, SNP_PAGE_ZERO, 0x1000, NULL, NULL), SNP_INACTIVE);
    CU_ASSERT_EQUAL(host_finish(&h), SNP_INACTIVE);
    CU_ASSERT_EQUAL(host_finish(&guest), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_ZERO, 0x1000, NULL, NULL), SNP_INVALID_GUEST_STATE);
    CU_ASSERT_EQUAL(host_finish(&guest), SNP_INVALID_GUEST_STATE);
}

static void a_save_area_that_cannot_run_is_refused(void)
{
    struct vmsa *v;
    uint64_t at;

    world();
    v = good_vmsa();
    v->sev_features = 0;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_VMSA, 0x1000, page, &at), SNP_INVALID_PARAM);
    CU_ASSERT(!entry(at).validated && entry(at).immutable);
    v = good_vmsa();
    v->vmpl = 4;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_VMSA, 0x1000, page, &at), SNP_INVALID_PARAM);
}

/* ---- the CPUID page ---- */

static void the_hypervisor_may_hide_features_but_not_invent_them(void)
{
    struct snp_cpuid_page *c = (struct snp_cpuid_page *)(void *)page;
    uint64_t at;

    world();
    memcpy(host_cpuid, (uint32_t[]){0, 0, 0x0f, 0xf0}, 16);
    memset(page, 0, sizeof(page));
    c->count = 1;
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 1, .ecx = 0x80000005, .edx = 0x10};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, &at), SNP_SUCCESS);
    c->fn[0].ecx = 0x1000005; /* TSC deadline timer: bit 24 */
    c->fn[0].edx = 0x1ff;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x2000, page, &at), SNP_INVALID_PARAM);
    memcpy(page, host_at(at), sizeof(page)); /* corrected in place */
    CU_ASSERT_EQUAL(c->fn[0].ecx, 5);
    CU_ASSERT_EQUAL(c->fn[0].edx, 0xf0);
    CU_ASSERT(!entry(at).validated);
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_PAGE_RECLAIM, &at, 8), SNP_SUCCESS);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x2000, page, &at), SNP_SUCCESS);
}

static void cpuid_pages_have_a_form(void)
{
    struct snp_cpuid_page *c = (struct snp_cpuid_page *)(void *)page;

    world();
    memset(page, 0, sizeof(page));
    c->count = 65;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->count = 1;
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0x40000000, .ebx = 7}; /* not the chip's */
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0x9, .ebx = 7}; /* not in the list */
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->fn[0].ebx = 0;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    c->fn[0] = (struct snp_cpuid_function){.reserved = 1};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0xd, .xcr0_in = 1, .ebx = 0x340, .edx = ~0u};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->fn[0].ebx = 0x240;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    memcpy(host_cpuid, (uint32_t[]){0x100, 0x240, 0, 0}, 16); /* AVX: its size and offset */
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0xd, .xcr0_in = 7, .ebx = 0x240};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->fn[0].ebx = 0x340;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    c->fn[0].ecx_in = 1;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    memset(host_cpuid, 0xff, sizeof(host_cpuid));
    host_cpuid[0] = 0x8000000a; /* a chip with SNP has 8000001Fh */
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0x80000000, .eax = 0x8000001f};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
    memset(host_cpuid, 40, sizeof(host_cpuid));
    c->fn[0] = (struct snp_cpuid_function){.eax_in = 0x80000008, .eax = 48};
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_INVALID_PARAM);
    c->fn[0].eax = 39;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_CPUID, 0x1000, page, NULL), SNP_SUCCESS);
}

static void malformed_finishes_are_refused(void)
{
    struct snp_launch_finish f = {.flags = 8};

    world();
    f.gctx = guest.gctx;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f)), SNP_INVALID_PARAM);
    f.flags = 1;
    f.id_block = HOST_MEMORY;
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f)), SNP_INVALID_ADDRESS);
}

static void an_owner_can_forbid_the_vcek(void)
{
    struct snp_launch_finish f = {.flags = 4};
    struct snp_secrets_page secrets;
    struct peer p;
    uint32_t status;
    uint64_t at;

    world();
    f.gctx = guest.gctx;
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_SECRETS, 0x1000, NULL, &at), SNP_SUCCESS);
    memcpy(&secrets, host_at(at), sizeof(secrets));
    CU_ASSERT_EQUAL(psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f)), SNP_SUCCESS);
    peer_start(&p, &guest, &secrets, 0);
    CU_ASSERT_PTR_NULL(peer_report(&p, 0, 0, 0, &status));
    CU_ASSERT_EQUAL(status, 0x27);
}

static const struct cu_test tests[] = {
    CU(a_policy_the_platform_cannot_keep_is_a_policy_failure),
    CU(migration_agents_are_not_built_and_say_so),
    CU(a_guest_starts_once),
    CU(a_loaded_page_becomes_the_guests_and_valid),
    CU(zero_pages_are_zeroed_and_unmeasured_ones_kept),
    CU(the_secrets_page_has_four_different_keys),
    CU(the_digest_is_the_one_computed_apart),
    CU(memory_that_lies_at_launch_is_told_by_the_digest),
    CU(a_large_page_measures_as_its_512_parts),
    CU(pages_in_any_other_state_or_of_another_guest_are_refused),
    CU(malformed_updates_are_refused),
    CU(a_guest_without_asid_or_already_running_takes_no_pages),
    CU(a_save_area_that_cannot_run_is_refused),
    CU(the_hypervisor_may_hide_features_but_not_invent_them),
    CU(cpuid_pages_have_a_form),
    CU(malformed_finishes_are_refused),
    CU(an_owner_can_forbid_the_vcek),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_launch", tests, argc, argv);
}
