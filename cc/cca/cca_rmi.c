/* Commands to the RMM, and what its codes mean to the core. */
#include "cca.h"

#include "hv/log.h"

struct cca_result rmi5(enum rmi_command cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e)
{
    struct cca_call call = {{cmd, a, b, c, d, e}};

    cca_hw_smc(&call);
    return (struct cca_result){call.x[0], {call.x[1], call.x[2], call.x[3], call.x[4]}};
}

struct cca_result rmi(enum rmi_command cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return rmi5(cmd, a, b, c, d, 0);
}

enum abi_status cca_fail(const char *who, const char *what, struct cca_result r)
{
    static const char *const names[] = {"success", "ERROR_INPUT", "ERROR_REALM", "ERROR_REC",
                                        "ERROR_RTT"};
    enum rmi_status st = RMI_STATUS(r.code);

    if (r.code == RMI_SUCCESS) {
        return ABI_OK;
    }
    log_error("%s: %s: %s, index %u", who, what,
              r.code > UINT16_MAX ? "not supported"
              : st < ARRAY_SIZE(names) ? names[st] : "an unknown status", RMI_INDEX(r.code));
    return ABI_HARDWARE;
}
