/* What a TD's reports carry for its owner (TD_PARAMS: TDX Module ABI 4.1.3): docs/bundle.md. */
#include "bundle_walk.h"

enum abi_status tdx_parse(const struct walk *w, const struct prop p[TDX_PROPS],
                          struct domain_config *cfg)
{
    enum abi_status st = props_only_for(w, p, TDX_PROPS, cfg->cc == CC_TDX, "tdx");

    for (unsigned int i = 0; i < TDX_PROPS && st == ABI_OK; i++) {
        st = prop_sized(w, &p[i], TDX_MR_SIZE, TDX_MR_SIZE, &cfg->tdx.mr[i]);
    }
    return st;
}
