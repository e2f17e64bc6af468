/*
 * Structures and constants beside the third source: the headers of Linux (linux-libc-dev), as far
 * as they define them. What the kernel keeps to itself has its offsets asserted in snp_spec.h.
 */
#include "cu.h"

#include "../../cc/snp/snp_spec.h"

#include <linux/psp-sev.h>
#include <linux/sev-guest.h>

static void statuses_are_linuxs(void)
{
    CU_ASSERT_EQUAL(SNP_SUCCESS, SEV_RET_SUCCESS);
    CU_ASSERT_EQUAL(SNP_INVALID_PLATFORM_STATE, SEV_RET_INVALID_PLATFORM_STATE);
    CU_ASSERT_EQUAL(SNP_INVALID_GUEST_STATE, SEV_RET_INVALID_GUEST_STATE);
    CU_ASSERT_EQUAL(3, SEV_RET_INVALID_LEN - 1); /* its name's spelling changed with time */
    CU_ASSERT_EQUAL(SNP_INVALID_LENGTH, SEV_RET_INVALID_LEN);
    CU_ASSERT_EQUAL(SNP_POLICY_FAILURE, SEV_RET_POLICY_FAILURE);
    CU_ASSERT_EQUAL(SNP_INACTIVE, SEV_RET_INACTIVE);
    CU_ASSERT_EQUAL(SNP_INVALID_ADDRESS, SEV_RET_INVALID_ADDRESS);
    CU_ASSERT_EQUAL(SNP_BAD_SIGNATURE, SEV_RET_BAD_SIGNATURE);
    CU_ASSERT_EQUAL(SNP_BAD_MEASUREMENT, SEV_RET_BAD_MEASUREMENT);
    CU_ASSERT_EQUAL(SNP_ASID_OWNED, SEV_RET_ASID_OWNED);
    CU_ASSERT_EQUAL(SNP_INVALID_ASID, SEV_RET_INVALID_ASID);
    CU_ASSERT_EQUAL(SNP_WBINVD_REQUIRED, SEV_RET_WBINVD_REQUIRED);
    CU_ASSERT_EQUAL(SNP_DFFLUSH_REQUIRED, SEV_RET_DFFLUSH_REQUIRED);
    CU_ASSERT_EQUAL(SNP_INVALID_GUEST, SEV_RET_INVALID_GUEST);
    CU_ASSERT_EQUAL(SNP_INVALID_COMMAND, SEV_RET_INVALID_COMMAND);
    CU_ASSERT_EQUAL(SNP_ACTIVE, SEV_RET_ACTIVE);
    CU_ASSERT_EQUAL(SNP_HWERROR_PLATFORM, SEV_RET_HWSEV_RET_PLATFORM);
    CU_ASSERT_EQUAL(SNP_HWERROR_UNSAFE, SEV_RET_HWSEV_RET_UNSAFE);
    CU_ASSERT_EQUAL(SNP_UNSUPPORTED, SEV_RET_UNSUPPORTED);
    CU_ASSERT_EQUAL(SNP_INVALID_PARAM, SEV_RET_INVALID_PARAM);
    CU_ASSERT_EQUAL(SNP_RESOURCE_LIMIT, SEV_RET_RESOURCE_LIMIT);
    CU_ASSERT_EQUAL(SNP_SECURE_DATA_INVALID, SEV_RET_SECURE_DATA_INVALID);
}

static void requests_have_the_sizes_that_the_guest_driver_sends(void)
{
    CU_ASSERT_EQUAL(sizeof(struct snp_report_req), 96);
    CU_ASSERT_EQUAL(offsetof(struct snp_report_req, vmpl), 64);
    CU_ASSERT_EQUAL(sizeof(struct snp_report_resp), sizeof(((struct snp_message *)0)->payload));
    CU_ASSERT_EQUAL(sizeof(struct snp_derived_key_req), 32);
    CU_ASSERT_EQUAL(offsetof(struct snp_derived_key_req, guest_field_select), 8);
    CU_ASSERT_EQUAL(offsetof(struct snp_derived_key_req, vmpl), 16);
    CU_ASSERT_EQUAL(offsetof(struct snp_derived_key_req, tcb_version), 24);
    CU_ASSERT_EQUAL(sizeof(struct snp_derived_key_resp), 64);
}

static const struct cu_test tests[] = {
    CU(statuses_are_linuxs),
    CU(requests_have_the_sizes_that_the_guest_driver_sends),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_layout", tests, argc, argv);
}
