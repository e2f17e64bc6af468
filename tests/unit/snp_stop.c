/* The platform goes to rest: SNP_SHUTDOWN_EX, ABI (56860) 8.9. */
#include "cu.h"
#include "snp_host.h"

#include "arch_impl/insn.h"
#include "hv/cpu.h"
#include "hv/page.h"

static bool is_up(void)
{
    uint8_t none[8] = {0};

    return snp_psp(SNP_CMD_DF_FLUSH, none, sizeof(none)) != SNP_INVALID_PLATFORM_STATE;
}

static void leave_save_area(void)
{
    snp_hw_wrmsr(MSR_VM_HSAVE_PA, 0);
}

/* As a system that starts afresh: no CPU has a save area (ABI 8.8). */
static enum snp_status init_again(void)
{
    struct snp_init_ex init = {.flags = 1};

    cpu_run_on_all(leave_save_area);
    return snp_psp(SNP_CMD_INIT_EX, &init, sizeof(init));
}

static void who_starts_after_a_stop_finds_the_firmware_as_after_a_reset(void)
{
    uint64_t nowhere = 0;

    snp_boot_cpus(MiB(64), 4, 1);
    snp_drop(snp_guest(CC_SEV_SNP, 2));
    CU_ASSERT(is_up());
    CU_ASSERT_EQUAL(init_again(), SNP_INVALID_PLATFORM_STATE);
    cc_snp_ops.stop();
    CU_ASSERT_FALSE(is_up());
    CU_ASSERT_EQUAL(snp_psp(SNP_CMD_GCTX_CREATE, &nowhere, sizeof(nowhere)),
                    SNP_INVALID_PLATFORM_STATE);
    CU_ASSERT_EQUAL(init_again(), SNP_SUCCESS);
    CU_ASSERT(is_up());
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
    core_done();
}

/* Whatever failed when the last guest went: only a guest that the firmware still knows is in the
 * way, and what is left in the caches is flushed. */
static void a_guest_that_did_not_go_keeps_the_firmware_up(void)
{
    unsigned int n, down = 0;

    for (n = 1; n < 20; n++) {
        struct vm *vm;
        bool failed;

        snp_boot(MiB(64));
        vm = snp_guest(CC_SEV_SNP, 1);
        emu_psp_fail_nth(n, SNP_HWERROR_PLATFORM);
        snp_drop(vm);
        failed = !emu_fault_armed();
        emu_fault_reset();
        if (!failed) {
            break;
        }
        cc_snp_ops.stop();
        CU_ASSERT_EQUAL(is_up(), n == 1); /* DECOMMISSION comes first */
        down += !is_up();
    }
    CU_ASSERT(n > 2 && n < 20);
    CU_ASSERT_EQUAL(down, n - 2);
}

static void a_stop_that_fails_leaves_the_firmware_up_and_says_so(void)
{
    static const struct {
        enum snp_status status;
        bool stops;
    } fault[] = {
        {SNP_HWERROR_PLATFORM, false},
        {SNP_INVALID_PARAM, false},
        {SNP_DFFLUSH_REQUIRED, true}, /* is flushed, and tried again */
    };

    for (size_t i = 0; i < ARRAY_SIZE(fault); i++) {
        snp_boot(MiB(64));
        emu_psp_fail_nth(1, fault[i].status);
        cc_snp_ops.stop();
        emu_fault_reset();
        CU_ASSERT_EQUAL(is_up(), !fault[i].stops);
        CU_ASSERT_EQUAL(init_again() == SNP_SUCCESS, fault[i].stops);
        core_done();
    }
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(who_starts_after_a_stop_finds_the_firmware_as_after_a_reset),
        CU(a_guest_that_did_not_go_keeps_the_firmware_up),
        CU(a_stop_that_fails_leaves_the_firmware_up_and_says_so),
        CU_END,
    };

    return cu_main("snp_stop", tests, argc, argv);
}
