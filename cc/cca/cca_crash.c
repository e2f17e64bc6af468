/* crash=granule: the hypervisor touches a granule that it gave away. */
#include "cca.h"

#include "arch/boot.h"
#include "hv/crash.h"
#include "hv/log.h"
#include "hv/page.h"

static void touch_delegated(void)
{
    pa_t at;

    if (!cca_hw_has_rme()) {
        log_error("cca: this machine has no granules to give away");
        return;
    }
    if (page_alloc(ORDER_4K, PAGE_HV, 0, &at) &&
        rmi_ok(rmi(RMI_GRANULE_DELEGATE, at.v, 0, 0, 0))) {
        (void)*(volatile uint64_t *)pa_to_hva(at);
    }
}

static const struct crash_way granule = {"granule", touch_delegated};
CRASH_WAY(granule);
