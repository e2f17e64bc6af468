/* Firmware status codes (ABI chapter 6), translated once: what happened, and what to do. */
#include "snp.h"

#include "hv/log.h"

static const struct {
    enum snp_status st;
    enum abi_status abi;
    const char *text;
} table[] = {
    {SNP_SUCCESS, ABI_OK, "success"},
    {SNP_INVALID_PLATFORM_STATE, ABI_BAD_STATE, "the platform is in the wrong state"},
    {SNP_INVALID_GUEST_STATE, ABI_BAD_STATE, "the guest is in the wrong state"},
    {SNP_INVALID_CONFIG, ABI_BAD_STATE, "the processors or the ASID are not set up for it"},
    {SNP_INVALID_LENGTH, ABI_BAD_ARG, "a buffer is too small"},
    {SNP_ALREADY_OWNED, ABI_BAD_STATE, "the platform has an owner"},
    {SNP_INVALID_CERTIFICATE, ABI_DENIED, "a certificate is wrong"},
    {SNP_POLICY_FAILURE, ABI_DENIED, "the guest's policy forbids it: look at its policy"},
    {SNP_INACTIVE, ABI_BAD_STATE, "the guest is not active"},
    {SNP_INVALID_ADDRESS, ABI_BAD_ADDRESS, "an address is not usable"},
    {SNP_BAD_SIGNATURE, ABI_DENIED, "a signature is wrong: look at the ID block"},
    {SNP_BAD_MEASUREMENT, ABI_DENIED, "the launch digest is not the one the ID block expects"},
    {SNP_ASID_OWNED, ABI_BUSY, "the ASID belongs to another guest"},
    {SNP_INVALID_ASID, ABI_BAD_ARG, "the ASID is out of range"},
    {SNP_WBINVD_REQUIRED, ABI_BUSY, "caches must be flushed first"},
    {SNP_DFFLUSH_REQUIRED, ABI_BUSY, "DF_FLUSH must come first"},
    {SNP_INVALID_GUEST, ABI_NOT_FOUND, "no such guest context"},
    {SNP_INVALID_COMMAND, ABI_NOT_SUPPORTED, "the firmware lacks this command: update it"},
    {SNP_ACTIVE, ABI_BAD_STATE, "the guest is active"},
    {SNP_HWERROR_PLATFORM, ABI_HARDWARE, "hardware error; the platform can be restarted"},
    {SNP_HWERROR_UNSAFE, ABI_HARDWARE, "hardware error; reset the machine"},
    {SNP_UNSUPPORTED, ABI_NOT_SUPPORTED, "the feature is not supported"},
    {SNP_INVALID_PARAM, ABI_BAD_ARG, "a parameter is wrong"},
    {SNP_RESOURCE_LIMIT, ABI_LIMIT, "the firmware has no room left"},
    {SNP_SECURE_DATA_INVALID, ABI_HARDWARE, "the firmware's stored data is corrupt"},
    {SNP_INVALID_PAGE_SIZE, ABI_BAD_ARG, "the RMP has the page in another size"},
    {SNP_INVALID_PAGE_STATE, ABI_BAD_STATE, "the RMP has the page in another state"},
    {SNP_INVALID_MDATA_ENTRY, ABI_BAD_ARG, "page metadata is wrong"},
    {SNP_INVALID_PAGE_OWNER, ABI_BAD_STATE, "the page belongs to another guest"},
    {SNP_AEAD_OFLOW, ABI_LIMIT, "the message counter is used up"},
    {SNP_EXIT_RING_BUFFER, ABI_BAD_STATE, "the firmware has left its ring"},
    {SNP_RMP_INIT_REQUIRED, ABI_BAD_STATE, "the RMP must be initialised first"},
    {SNP_BAD_SVN, ABI_DENIED, "the security version is too low"},
    {SNP_BAD_VERSION, ABI_DENIED, "the version is too low"},
    {SNP_SHUTDOWN_REQUIRED, ABI_BAD_STATE, "the platform must be shut down first"},
    {SNP_UPDATE_FAILED, ABI_HARDWARE, "the update failed"},
    {SNP_RESTORE_REQUIRED, ABI_BAD_STATE, "committed firmware must be restored first"},
    {SNP_RMP_INIT_FAILED, ABI_HARDWARE, "the RMP could not be initialised: look at the firmware"},
    {SNP_INVALID_KEY, ABI_BAD_ARG, "the key cannot be used here"},
    {SNP_SHUTDOWN_INCOMPLETE, ABI_BUSY, "the shutdown has not ended: send it again"},
};

const char *snp_status_text(enum snp_status st)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].st == st) {
            return table[i].text;
        }
    }
    return "a status that the specification does not list";
}

enum abi_status snp_fail(const char *who, const char *what, enum snp_status st)
{
    if (st == SNP_SUCCESS) {
        return ABI_OK;
    }
    log_error("%s: %s: %s (%xh)", who, what, snp_status_text(st), (unsigned int)st);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].st == st) {
            return table[i].abi;
        }
    }
    return ABI_HARDWARE;
}
