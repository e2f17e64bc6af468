/* RMI 1.0 (DEN0137): a command for each granule. */
#include "cca.h"

#include "arch/boot.h"

/* RMI_RTT_MAP_UNPROTECTED: write-back (FEAT_S2FWB), read and write. */
#define DESC_SHARED (6ull << 2 | 3ull << 6)

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

static struct cca_result realm_create(pa_t rd, const struct rmi_realm_params *p)
{
    return rmi(RMI_REALM_CREATE, rd.v, hva_to_pa(p).v, 0, 0);
}

static struct cca_result realm_destroy(pa_t rd)
{
    return rmi(RMI_REALM_DESTROY, rd.v, 0, 0, 0);
}

static struct cca_result rec_aux_count(pa_t rd)
{
    return rmi(RMI_REC_AUX_COUNT, rd.v, 0, 0, 0);
}

static struct cca_result rec_create(pa_t rd, pa_t rec, const struct rmi_rec_params *p)
{
    return rmi(RMI_REC_CREATE, rd.v, rec.v, hva_to_pa(p).v, 0);
}

static struct cca_result rec_destroy(pa_t rec)
{
    return rmi(RMI_REC_DESTROY, rec.v, 0, 0, 0);
}

static struct cca_result data(pa_t rd, const struct cca_mapping *m)
{
    return rmi5(RMI_DATA_CREATE, rd.v, m->at.v, m->ipa, m->from.v, RMI_MEASURE_CONTENT);
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

static struct cca_result data_destroy(pa_t rd, uint64_t ipa)
{
    return rmi(RMI_DATA_DESTROY, rd.v, ipa, 0, 0);
}

static struct cca_result map_shared(pa_t rd, const struct cca_mapping *m)
{
    return rmi(RMI_RTT_MAP_UNPROTECTED, rd.v, m->ipa, m->level, m->at.v | DESC_SHARED);
}

static struct cca_result unmap_shared(pa_t rd, uint64_t ipa, unsigned int level)
{
    return rmi(RMI_RTT_UNMAP_UNPROTECTED, rd.v, ipa, level, 0);
}

const struct cca_revision cca_rmi_1_0 = {
    .number = RMI_REVISION_1_0,
    .name = "1.0",
    .delegate = delegate,
    .undelegate = undelegate,
    .realm_create = realm_create,
    .realm_destroy = realm_destroy,
    .rec_aux_count = rec_aux_count,
    .rec_create = rec_create,
    .rec_destroy = rec_destroy,
    .data = data,
    .data_unknown = data_unknown,
    .data_destroy = data_destroy,
    .map_shared = map_shared,
    .unmap_shared = unmap_shared,
};
