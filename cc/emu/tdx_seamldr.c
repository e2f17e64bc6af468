/*
 * The emulated platform's persistent loader: SEAMLDR. It says what is loaded; INSTALL and the
 * leaves behind it are not modelled, and answered as leaves that it does not know.
 */
#include "tdx_module.h"

#include "hv/string.h"

#include "emu_crypto.h"
#include "tdx_chip.h"

#define SEAMEXTEND_VALID 0x3ull
#define BUILD_DATE       20240101u
#define BUILD_NUM        744u
#define UPDATES          64u

static const struct tdx_seamldr_info normal = {
    .vendor_id = SEAMLDR_INTEL,
    .build_date = BUILD_DATE,
    .build_num = BUILD_NUM,
    .minor = TDX_VERSION_MINOR,
    .major = TDX_VERSION_MAJOR,
    .num_remaining_updates = UPDATES,
    .seamextend = {.valid = SEAMEXTEND_VALID, .seam_ready = 1, .p_seamldr_ready = 1},
};
static struct tdx_seamldr_info told;

struct tdx_seamldr_info *emu_seamldr(void)
{
    return &told;
}

void emu_seamldr_reset(void)
{
    told = normal;
    memcpy(told.seamextend.tee_tcb_svn, tdx_chip_tcb_svn, sizeof(tdx_chip_tcb_svn));
    emu_fpu_begin();
    tdx_chip_mrseam(told.seamextend.mrseam);
    emu_fpu_end();
}

uint64_t emu_seamldr_call(struct tdx_regs *r)
{
    if (r->rax != SEAMLDR_INFO || !tdx_shared_hpa_ok(r->rcx, sizeof(told))) {
        return SEAMLDR_EBADPARAM;
    }
    memcpy(emu_mem(pa(r->rcx)), &told, sizeof(told));
    return SEAMLDR_SUCCESS;
}
