/*
 * The persistent loader, which brought the module there: asked before the module is, whether both
 * are what a platform needs that protects TDs. SEAMLDR: SEAMLDR.INFO.
 */
#include "tdx.h"

#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

/* Its leaves run on one CPU at a time: here the boot CPU, before any other may call. */
static uint64_t ask(struct tdx_seamldr_info *info)
{
    struct tdx_regs r = {.rax = SEAMLDR_INFO};
    uint64_t rax;
    pa_t at;

    if (!page_alloc(ORDER_4K, PAGE_HV, 0, &at)) {
        return SEAMLDR_EUNSPECERR;
    }
    r.rcx = at.v;
    rax = tdx_hw_seamcall(&r);
    memcpy(info, pa_to_hva(at), sizeof(*info));
    page_free(at, PAGE_HV, 0);
    return rax;
}

static const char *fault_of(const struct tdx_seamldr_info *info)
{
    if (info->version != 0) {
        return "its SEAMLDR_INFO has a version that is not known here";
    }
    if (info->vendor_id != SEAMLDR_INTEL) {
        return "it is not Intel's";
    }
    if ((info->attributes & SEAMLDR_ATTR_DEBUG) != 0) {
        return "it is a debug build: TDs would not be protected";
    }
    if (info->seamextend.p_seamldr_ready == 0) {
        return "it is not ready";
    }
    if (info->seamextend.valid == 0 || info->seamextend.seam_ready == 0) {
        return "it has no TDX module loaded: the firmware's setup says where one is";
    }
    if (info->seamextend.seam_debug != 0) {
        return "the platform is being debugged: TDs would not be protected";
    }
    return NULL;
}

bool tdx_seamldr_check(void)
{
    struct tdx_seamldr_info info;
    uint64_t rax = ask(&info);
    const char *fault;

    if (rax != SEAMLDR_SUCCESS) {
        log_error("tdx: SEAMLDR.INFO: %lx", (unsigned long)rax);
        return false;
    }
    fault = fault_of(&info);
    if (fault != NULL) {
        log_error("tdx: P-SEAMLDR %u.%u: %s", info.major, info.minor, fault);
        return false;
    }
    log_info("tdx: P-SEAMLDR %u.%u, build %u of %u; %u updates of the module are left", info.major,
             info.minor, info.build_num, info.build_date, info.num_remaining_updates);
    return true;
}
