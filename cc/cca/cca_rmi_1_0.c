/* RMI 1.0 (DEN0137): a command for each granule. */
#include "cca.h"

static uint64_t delegate(pa_t at, uint64_t len, struct cca_result *r)
{
    uint64_t done = 0;

    do {
        *r = rmi(RMI_GRANULE_DELEGATE, at.v + done, 0, 0, 0);
        done += rmi_ok(*r) ? GRANULE_SIZE : 0;
    } while (rmi_ok(*r) && done < len);
    return done;
}

static uint64_t undelegate(pa_t at, uint64_t len, struct cca_result *r)
{
    uint64_t done = 0;

    do {
        *r = rmi(RMI_GRANULE_UNDELEGATE, at.v + done, 0, 0, 0);
        done += rmi_ok(*r) ? GRANULE_SIZE : 0;
    } while (rmi_ok(*r) && done < len);
    return done;
}

static uint64_t data_unknown(pa_t rd, uint64_t ipa, pa_t at, uint64_t len, struct cca_result *r)
{
    uint64_t done = 0;

    do {
        *r = rmi(RMI_DATA_CREATE_UNKNOWN, rd.v, at.v + done, ipa + done, 0);
        done += rmi_ok(*r) ? GRANULE_SIZE : 0;
    } while (rmi_ok(*r) && done < len);
    return done;
}

const struct cca_revision cca_rmi_1_0 = {
    .number = RMI_REVISION_1_0,
    .name = "1.0",
    .delegate = delegate,
    .undelegate = undelegate,
    .data_unknown = data_unknown,
};
