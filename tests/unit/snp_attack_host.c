/*
 * A hostile hypervisor against the silicon: what the chip's rules (APM Vol. 2, 15.36; firmware ABI
 * 56860) make of it. The guest was launched by the production driver; then the hypervisor uses
 * RMPUPDATE, PSMASH, VMRUN, the firmware and its own tables as it likes.
 */
#include "cu.h"
#include "snp_host.h"

#include "hv/guestmem.h"
#include "hv/page.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define A (LAY_FREE)
#define B (LAY_FREE + PAGE_SIZE)

static unsigned int attacks;
static struct vm *guest, *other;

static void private_page(struct vm *vm, uint64_t at, uint8_t byte)
{
    CU_ASSERT_TRUE_FATAL(snp_psc_one(vm, at >> PAGE_SHIFT, PSC_PRIVATE));
    CU_ASSERT_EQUAL_FATAL(snp_pvalidate(vm, at, true), RMP_OK);
    memset(snp_ram(vm, at), byte, PAGE_SIZE);
}

static void begin(void)
{
    snp_boot(MiB(64));
    guest = snp_guest(CC_SEV_SNP, 2);
    other = snp_guest(CC_SEV_SNP, 1);
    private_page(guest, A, 0xaa);
    private_page(guest, B, 0xbb);
    private_page(other, A, 0xcc);
}

static void end(void)
{
    snp_drop(guest);
    snp_drop(other);
}

/* The guest's access to its gpa, where the hypervisor's tables now have that page. */
static uint32_t access_at(struct vm *vm, uint64_t at, pa_t mapped)
{
    struct emu_rmp e;

    attacks++;
    const struct emu_touch t = {at, snp_of(vm)->asid, true, 0, EMU_PERM_ALL};

    return emu_rmp_access(mapped, &t, &e);
}

static uint32_t rmpupdate(pa_t at, uint64_t to, uint32_t asid, bool immutable)
{
    const struct rmp_entry e = {
        .gpa = to, .assigned = asid != 0 || immutable, .immutable = immutable, .asid = asid};

    return snp_hw_rmpupdate(at, &e);
}

static uint32_t asid(const struct vm *vm)
{
    return snp_of(vm)->asid;
}

/* ---- mappings ---- */

static void a_private_page_is_the_guests_at_its_own_address_alone(void)
{
    begin();
    CU_ASSERT_EQUAL(access_at(guest, A, snp_pa(guest, A)), RMP_OK);
    CU_ASSERT_EQUAL(access_at(guest, B, snp_pa(guest, A)), EMU_RMP_FAULT); /* mapped twice */
    CU_ASSERT_EQUAL(access_at(guest, A, snp_pa(guest, B)), EMU_RMP_FAULT); /* swapped */
    CU_ASSERT_EQUAL(access_at(guest, MiB(3), snp_pa(guest, A)), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(access_at(other, A, snp_pa(guest, A)), EMU_RMP_FAULT); /* another guest's */
    CU_ASSERT_EQUAL(access_at(guest, A, snp_pa(other, A)), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(access_at(guest, A, pa(GiB(15))), EMU_RMP_FAULT); /* no entry */
    end();
}

static void a_page_put_in_place_of_another_is_not_validated(void)
{
    pa_t spare;

    begin();
    CU_ASSERT_TRUE_FATAL(page_alloc(ORDER_4K, PAGE_HV, 0, &spare));
    memset(fake_chip(spare), 0xaa, PAGE_SIZE); /* even with the same content */
    CU_ASSERT_EQUAL(rmpupdate(spare, A, asid(guest), false), RMP_OK);
    CU_ASSERT_EQUAL(access_at(guest, A, spare), EMU_RMP_UNVALIDATED);
    CU_ASSERT_EQUAL(rmpupdate(spare, 0, 0, false), RMP_OK);
    page_free(spare, PAGE_HV, 0);
    end();
}

static void a_page_that_was_away_is_not_validated_when_it_returns(void)
{
    pa_t page;

    begin();
    page = snp_pa(guest, A);
    CU_ASSERT_EQUAL(rmpupdate(page, 0, 0, false), RMP_OK);
    CU_ASSERT_EQUAL(access_at(guest, A, page), EMU_RMP_FAULT);
    memset(fake_chip(page), 0xab, PAGE_SIZE); /* the replay of an older content */
    CU_ASSERT_EQUAL(rmpupdate(page, A, asid(guest), false), RMP_OK);
    CU_ASSERT_EQUAL(access_at(guest, A, page), EMU_RMP_UNVALIDATED);
    end();
}

/* A guest that keeps count of what it validated sees the second page: CF stays clear. */
static void a_second_validation_of_an_address_can_be_told_from_none(void)
{
    bool changed;
    pa_t page;

    begin();
    page = snp_pa(guest, A);
    CU_ASSERT_EQUAL(emu_pvalidate(page, A, asid(guest), 0, RMP_4K, true, &changed), RMP_OK);
    CU_ASSERT_FALSE(changed);
    attacks++;
    CU_ASSERT_EQUAL(rmpupdate(page, 0, 0, false), RMP_OK);
    CU_ASSERT_EQUAL(rmpupdate(page, A, asid(guest), false), RMP_OK);
    CU_ASSERT_EQUAL(emu_pvalidate(page, A, asid(guest), 0, RMP_4K, true, &changed), RMP_OK);
    CU_ASSERT_TRUE(changed);
    attacks++;
    end();
}

static void private_memory_is_no_shared_memory(void)
{
    struct emu_touch shared = {.gpa = A, .need = EMU_PERM_READ};
    struct emu_rmp e;

    begin();
    shared.asid = asid(guest);
    CU_ASSERT_EQUAL(emu_rmp_access(snp_pa(guest, A), &shared, &e), EMU_RMP_FAULT);
    CU_ASSERT_EQUAL(access_at(guest, LAY_FREE + 8 * PAGE_SIZE,
                              snp_pa(guest, LAY_FREE + 8 * PAGE_SIZE)),
                    EMU_RMP_FAULT); /* shared memory is no private memory, either */
    attacks++;
    end();
}

/* ---- the hypervisor's own hands ---- */

static bool write_kills(pa_t at)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL);
        *(volatile uint8_t *)pa_to_hva(at) = 1;
        _exit(0);
    }
    attacks++;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGSEGV;
}

static void a_private_page_is_out_of_the_hypervisors_reach(void)
{
    uint8_t byte;

    begin();
    CU_ASSERT_TRUE(write_kills(snp_pa(guest, A)));
    CU_ASSERT_TRUE(write_kills(snp_pa(guest, LAY_KERNEL)));
    CU_ASSERT_TRUE(write_kills(snp_of(guest)->gctx));
    CU_ASSERT_TRUE(write_kills(snp_vcpu_of(guest->vcpu[0])->first_vmsa));
    CU_ASSERT_FALSE(write_kills(snp_pa(guest, LAY_FREE + 8 * PAGE_SIZE))); /* a shared one is not */
    CU_ASSERT_EQUAL(guestmem_read(guest, gpa(LAY_SECRETS), &byte, 1), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(guest, A), 0xaa);
    end();
}

static uint32_t firmware(enum snp_command cmd, uint64_t w0, uint64_t w1, uint64_t w2)
{
    uint64_t words[8] = {w0, w1, w2};

    attacks++;
    return snp_psp(cmd, words, sizeof(words));
}

static void the_firmware_writes_no_guests_page(void)
{
    uint64_t page, gctx;
    pa_t shared;

    begin();
    page = snp_pa(guest, A).v;
    gctx = snp_of(guest)->gctx.v;
    shared = snp_pa(guest, LAY_FREE + 8 * PAGE_SIZE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_PLATFORM_STATUS, page, 0, 0), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(firmware((enum snp_command)0x092, gctx, page, 0), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_GUEST_REQUEST, gctx, shared.v, page), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_GCTX_CREATE, page, 0, 0), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_PAGE_RECLAIM, gctx, 0, 0), SNP_INVALID_PAGE_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_LAUNCH_UPDATE, gctx, SNP_PAGE_ZERO << 1, page),
                    SNP_INVALID_GUEST_STATE); /* it runs */
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(guest, A), 0xaa);
    CU_ASSERT_EQUAL(access_at(guest, A, snp_pa(guest, A)), RMP_OK);
    end();
}

static void a_context_page_cannot_be_taken_or_run(void)
{
    pa_t gctx;

    begin();
    gctx = snp_of(guest)->gctx;
    CU_ASSERT_EQUAL(rmpupdate(gctx, 0, 0, false), RMP_FAIL_PERMISSION);
    CU_ASSERT_EQUAL(rmpupdate(gctx, A, asid(guest), false), RMP_FAIL_PERMISSION);
    attacks += 2;
    guest->vcpu[0]->arch.vmcb->vmsa = gctx.v;
    snp_run(guest->vcpu[0]);
    CU_ASSERT_TRUE(snp_ended(guest));
    end();
}

/* ---- save areas ---- */

static bool refused(uint64_t vmsa, uint32_t with)
{
    struct vmcb *b = guest->vcpu[0]->arch.vmcb;

    b->vmsa = vmsa;
    b->asid = with;
    snp_hw_vmrun(b, 0, 0);
    attacks++;
    return b->exit_code == EXIT_INVALID;
}

static void vmrun_takes_this_guests_save_areas_alone(void)
{
    uint64_t own, others;

    begin();
    own = snp_vcpu_of(guest->vcpu[0])->first_vmsa.v;
    others = snp_vcpu_of(other->vcpu[0])->first_vmsa.v;
    CU_ASSERT_FALSE(refused(own, asid(guest)));
    CU_ASSERT_TRUE(refused(own, asid(other)));
    CU_ASSERT_TRUE(refused(others, asid(guest)));
    CU_ASSERT_TRUE(refused(own, 0));
    CU_ASSERT_TRUE(refused(snp_pa(guest, A).v, asid(guest)));           /* private, no VMSA */
    CU_ASSERT_TRUE(refused(snp_pa(guest, MiB(3)).v, asid(guest)));      /* shared: anybody's */
    CU_ASSERT_TRUE(refused(own + 8, asid(guest)));
    CU_ASSERT_TRUE(refused(GiB(15), asid(guest)));
    CU_ASSERT_FALSE(refused(own, asid(guest)));
    end();
}

static uint32_t while_running;

static void tamper(struct vmcb *b, struct vmsa *save)
{
    (void)save;
    while_running = rmpupdate(pa(b->vmsa), 0, 0, false);
    attacks++;
}

static void a_save_area_that_is_tampered_with_does_not_run_again(void)
{
    pa_t vmsa;

    begin();
    vmsa = snp_vcpu_of(guest->vcpu[0])->first_vmsa;
    snp_guest_code = tamper;
    CU_ASSERT_FALSE(refused(vmsa.v, asid(guest)));
    CU_ASSERT_EQUAL(while_running, RMP_FAIL_INUSE);
    snp_guest_code = NULL;
    CU_ASSERT_EQUAL(rmpupdate(vmsa, 0, 0, false), RMP_OK);
    ((struct vmsa *)fake_chip(vmsa))->rip = 0xbad;
    CU_ASSERT_TRUE(refused(vmsa.v, asid(guest)));
    CU_ASSERT_EQUAL(rmpupdate(vmsa, SNP_VMSA_GPA, asid(guest), false), RMP_OK);
    CU_ASSERT_TRUE(refused(vmsa.v, asid(guest)));
    end();
}

/* ---- VMPLs ---- */

static void a_lower_vmpl_gets_no_more_than_it_was_given(void)
{
    bool changed;
    pa_t page;

    begin();
    page = snp_pa(guest, A);
    for (unsigned int vmpl = 1; vmpl < 4; vmpl++) {
        CU_ASSERT_EQUAL(emu_pvalidate(page, A, asid(guest), vmpl, RMP_4K, false, &changed),
                        RMP_FAIL_PERMISSION);
        for (unsigned int target = 0; target < 4; target++) {
            CU_ASSERT_EQUAL(
                emu_rmpadjust(page, A, asid(guest), vmpl, RMP_4K, target, EMU_PERM_ALL, false),
                RMP_FAIL_PERMISSION);
            attacks++;
        }
        CU_ASSERT_EQUAL(emu_rmpadjust(page, A, asid(guest), vmpl, RMP_4K, 3, 0, true),
                        RMP_FAIL_PERMISSION);
        attacks += 2;
    }
    CU_ASSERT_EQUAL(access_at(guest, A, page), RMP_OK);
    end();
}

/* ---- launch ---- */

static void a_guest_that_runs_takes_no_more_launch_commands(void)
{
    uint64_t gctx;

    begin();
    gctx = snp_of(guest)->gctx.v;
    CU_ASSERT_EQUAL(firmware(SNP_CMD_LAUNCH_START, gctx, SNP_POLICY_RESERVED_1 | SNP_POLICY_SMT, 0),
                    SNP_INVALID_GUEST_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_LAUNCH_FINISH, gctx, 0, 0), SNP_INVALID_GUEST_STATE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_ACTIVATE, gctx, 9, 0), SNP_ACTIVE);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_ACTIVATE, snp_of(other)->gctx.v, asid(guest), 0),
                    3); /* INVALID_CONFIG: the ASID has pages */
    end();
}

static void pages_of_a_guest_that_is_gone_are_not_another_ones(void)
{
    uint32_t old;
    pa_t page;

    begin();
    old = asid(guest);
    page = snp_pa(guest, A);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_DECOMMISSION, snp_of(guest)->gctx.v, 0, 0), SNP_SUCCESS);
    CU_ASSERT_EQUAL(firmware(SNP_CMD_ACTIVATE, snp_of(other)->gctx.v, old, 0), 3);
    CU_ASSERT_EQUAL(access_at(other, A, page), EMU_RMP_FAULT);
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(a_private_page_is_the_guests_at_its_own_address_alone),
        CU(a_page_put_in_place_of_another_is_not_validated),
        CU(a_page_that_was_away_is_not_validated_when_it_returns),
        CU(a_second_validation_of_an_address_can_be_told_from_none),
        CU(private_memory_is_no_shared_memory),
        CU(a_private_page_is_out_of_the_hypervisors_reach),
        CU(the_firmware_writes_no_guests_page),
        CU(a_context_page_cannot_be_taken_or_run),
        CU(vmrun_takes_this_guests_save_areas_alone),
        CU(a_save_area_that_is_tampered_with_does_not_run_again),
        CU(a_lower_vmpl_gets_no_more_than_it_was_given),
        CU(a_guest_that_runs_takes_no_more_launch_commands),
        CU(pages_of_a_guest_that_is_gone_are_not_another_ones),
        CU_END,
    };
    int status = cu_main("snp_attack_host", tests, argc, argv);

    fprintf(stderr, "attack: %u cases\n", attacks);
    return status;
}
