/*
 * TDREPORT: ABI 3.8, BASE 15. Its MAC is by a key that anybody can compute: an emulated machine
 * proves nothing to anybody but itself.
 */
#include "tdx_chip.h"
#include "tdx_module.h"

#include "hv/string.h"

#include "emu_crypto.h"

#define TCB_INFO_VALID 0x301ffull /* bit i: the field at 8 i is filled */

static void fill_info(const struct tdx_tdcs *t, struct tdx_info *i)
{
    i->attributes = t->attributes;
    i->xfam = t->xfam;
    memcpy(i->mrtd, t->mrtd, sizeof(i->mrtd));
    memcpy(i->mrconfigid, t->mrconfigid, sizeof(i->mrconfigid));
    memcpy(i->mrowner, t->mrowner, sizeof(i->mrowner));
    memcpy(i->mrownerconfig, t->mrownerconfig, sizeof(i->mrownerconfig));
    memcpy(i->rtmr, t->rtmr, sizeof(i->rtmr));
}

void tdx_report_make(const struct tdx_tdcs *t, const uint8_t data[64], struct tdx_report *out)
{
    memset(out, 0, sizeof(*out));
    fill_info(t, &out->info);
    emu_fpu_begin();
    out->tcb.valid = TCB_INFO_VALID;
    memcpy(out->tcb.tee_tcb_svn, tdx_chip_tcb_svn, sizeof(tdx_chip_tcb_svn));
    memcpy(out->tcb.tee_tcb_svn2, tdx_chip_tcb_svn, sizeof(tdx_chip_tcb_svn));
    tdx_chip_mrseam(out->tcb.mrseam);
    out->mac.type = TDX_REPORT_TYPE;
    memcpy(out->mac.cpusvn, tdx_chip_cpusvn, sizeof(tdx_chip_cpusvn));
    memcpy(out->mac.report_data, data, sizeof(out->mac.report_data));
    emu_sha384(&out->tcb, TDX_TEE_TCB_INFO_HASHED, out->mac.tee_tcb_info_hash);
    emu_sha384(&out->info, sizeof(out->info), out->mac.tee_info_hash);
    tdx_chip_mac(&out->mac, out->mac.mac);
    emu_fpu_end();
}
