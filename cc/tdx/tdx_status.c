/* Status codes (ABI chapter 4), translated once. */
#include "tdx.h"

#include "hv/log.h"

static const struct {
    enum tdx_status st;
    enum abi_status abi;
    const char *text;
} table[] = {
    {TDX_SUCCESS, ABI_OK, "success"},
#define TDX_STATUS(name, code, abi, text) {TDX_##name, abi, text},
#include "tdx_status.def"
#undef TDX_STATUS
};

const char *tdx_status_text(uint64_t rax)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].st == TDX_STATUS_OF(rax)) {
            return table[i].text;
        }
    }
    return "a status that the specification does not list";
}

static const char *leaf_name(enum tdh_leaf leaf)
{
    static const char *const names[] = {
        [TDH_VP_ENTER] = "VP.ENTER",
        [TDH_MNG_ADDCX] = "MNG.ADDCX",
        [TDH_MEM_PAGE_ADD] = "MEM.PAGE.ADD",
        [TDH_MEM_SEPT_ADD] = "MEM.SEPT.ADD",
        [TDH_VP_ADDCX] = "VP.ADDCX",
        [TDH_MEM_PAGE_AUG] = "MEM.PAGE.AUG",
        [TDH_MEM_RANGE_BLOCK] = "MEM.RANGE.BLOCK",
        [TDH_MNG_KEY_CONFIG] = "MNG.KEY.CONFIG",
        [TDH_MNG_CREATE] = "MNG.CREATE",
        [TDH_VP_CREATE] = "VP.CREATE",
        [TDH_MNG_RD] = "MNG.RD",
        [TDH_MEM_PAGE_DEMOTE] = "MEM.PAGE.DEMOTE",
        [TDH_MR_EXTEND] = "MR.EXTEND",
        [TDH_MR_FINALIZE] = "MR.FINALIZE",
        [TDH_VP_FLUSH] = "VP.FLUSH",
        [TDH_MNG_VPFLUSHDONE] = "MNG.VPFLUSHDONE",
        [TDH_MNG_KEY_FREEID] = "MNG.KEY.FREEID",
        [TDH_MNG_INIT] = "MNG.INIT",
        [TDH_VP_INIT] = "VP.INIT",
        [TDH_VP_RD] = "VP.RD",
        [TDH_PHYMEM_PAGE_RECLAIM] = "PHYMEM.PAGE.RECLAIM",
        [TDH_MEM_PAGE_REMOVE] = "MEM.PAGE.REMOVE",
        [TDH_SYS_KEY_CONFIG] = "SYS.KEY.CONFIG",
        [TDH_SYS_INIT] = "SYS.INIT",
        [TDH_SYS_RD] = "SYS.RD",
        [TDH_SYS_LP_INIT] = "SYS.LP.INIT",
        [TDH_SYS_TDMR_INIT] = "SYS.TDMR.INIT",
        [TDH_MEM_TRACK] = "MEM.TRACK",
        [TDH_MEM_RANGE_UNBLOCK] = "MEM.RANGE.UNBLOCK",
        [TDH_PHYMEM_CACHE_WB] = "PHYMEM.CACHE.WB",
        [TDH_PHYMEM_PAGE_WBINVD] = "PHYMEM.PAGE.WBINVD",
        [TDH_VP_WR] = "VP.WR",
        [TDH_SYS_CONFIG] = "SYS.CONFIG",
        [TDH_SYS_SHUTDOWN] = "SYS.SHUTDOWN",
    };
    unsigned int i = (unsigned int)leaf;

    return i < ARRAY_SIZE(names) && names[i] != NULL ? names[i] : "a leaf";
}

enum abi_status tdx_fail(const char *who, enum tdh_leaf leaf, uint64_t rax)
{
    if ((rax & TDX_ERROR_BIT) == 0 && (rax & TDX_NON_RECOVERABLE) == 0) {
        return ABI_OK; /* success, or done already */
    }
    log_error("%s: TDH.%s: %s (%lx)", who, leaf_name(leaf), tdx_status_text(rax),
              (unsigned long)rax);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].st == TDX_STATUS_OF(rax)) {
            return table[i].abi;
        }
    }
    return ABI_HARDWARE;
}
