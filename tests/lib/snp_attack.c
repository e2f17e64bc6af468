#include "snp_attack.h"

#include <CUnit/CUnit.h>
#include <string.h>

unsigned int attacks;
struct vm *bad;
struct vcpu *v;
static struct vm *bystander;

void attack_begin(void)
{
    snp_boot(MiB(64));
    bystander = snp_guest(CC_SEV_SNP, 1);
    memset(snp_ram(bystander, LAY_FREE), 0x77, PAGE_SIZE);
    bad = snp_guest(CC_SEV_SNP, 2);
    v = bad->vcpu[0];
    snp_ghcb_register(v, GHCB_AT);
}

void attack_end(void)
{
    const uint8_t *p = snp_ram(bystander, LAY_FREE);

    CU_ASSERT(snp_agrees(bad) && snp_agrees(bystander));
    CU_ASSERT(p[0] == 0x77 && p[PAGE_SIZE - 1] == 0x77 && !snp_ended(bystander));
    snp_drop(bad);
    snp_drop(bystander);
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

void attack_again(void)
{
    snp_drop(bad);
    bad = snp_guest(CC_SEV_SNP, 2);
    v = bad->vcpu[0];
    snp_ghcb_register(v, GHCB_AT);
}

void ghcb_clear(void)
{
    memset(snp_ram(bad, GHCB_AT), 0, GHCB_FORM);
    snp_ghcb_form(v, GHCB_VERSION_MIN, 0);
}

void make_vmsa(uint64_t at)
{
    struct vmsa *save = snp_ram(bad, at);

    CU_ASSERT_TRUE(snp_psc_one(bad, at >> PAGE_SHIFT, PSC_PRIVATE));
    CU_ASSERT_EQUAL(snp_pvalidate(bad, at, true), RMP_OK);
    memset(save, 0, sizeof(*save));
    save->sev_features = SEV_FEATURE_SNP;
    save->rip = 0x1234;
    CU_ASSERT_EQUAL(emu_rmpadjust(snp_pa(bad, at), at, snp_of(bad)->asid, 0, RMP_4K, 1, 0, true),
                    RMP_OK);
}

bool malformed(unsigned int why)
{
    const struct ghcb *g = snp_ghcb(v);

    attacks++;
    return (uint32_t)g->info1 == GHCB_MALFORMED && g->info2 == why && !snp_ended(bad);
}

bool ended_for(const char *text)
{
    attacks++;
    return snp_ended(bad) && strstr(bad->detail, text) != NULL;
}
