/* A realm's life (A2.1): NEW while it is built and measured, ACTIVE, SYSTEM_OFF. */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

#define IPA_BITS_MIN 32u
#define IPA_BITS_MAX 48u
#define DEBUG        1u   /* breakpoints and watchpoints, less one */
#define VMIDS        256u /* of 8 bits: VTCR_EL2.VS is 0 */

static uint64_t vmids[VMIDS / 64]; /* in use */

void rmm_realm_reset(void)
{
    memset(vmids, 0, sizeof(vmids));
}

struct rd *rd_at(uint64_t pa)
{
    return granule_as(pa, G_RD);
}

/* Of a realm that has not run since there are none. */
void realm_flush(struct rd *rd)
{
    if (rd->cached) {
        port_flush(rd->vmid);
        rd->cached = rd->running != 0;
    }
}

/* B4.3.4 */
uint64_t rmi_features(struct rmi_call *c)
{
    c->x[1] = c->x[1] != 0 ? 0
                           : IPA_BITS_MAX | DEBUG << RMI_F0_NUM_BPS_SHIFT |
                                 DEBUG << RMI_F0_NUM_WPS_SHIFT | RMI_F0_HASH_SHA_256 |
                                 RMI_F0_HASH_SHA_512 |
                                 (uint64_t)(port_lrs() - 1) << RMI_F0_NUM_LRS_SHIFT |
                                 (uint64_t)RMM_RECS_ORDER << RMI_F0_RECS_SHIFT;
    return RMI_SUCCESS;
}

/* No LPA2, SVE, PMU; breakpoints and watchpoints are there, and never hit. */
static bool params_bad(const struct rmi_realm_params *p)
{
    return p->flags != 0 || p->s2sz < IPA_BITS_MIN || p->s2sz > IPA_BITS_MAX || p->sve_vl != 0 ||
           p->num_bps != DEBUG || p->num_wps != DEBUG || p->pmu_num_ctrs != 0 ||
           p->hash_algo > RMI_HASH_SHA_512 || p->vmid == 0 || p->vmid >= VMIDS;
}

/* The start level and the number of root tables follow from the width: at most 16 of them. */
static bool root_bad(const struct rmi_realm_params *p)
{
    uint64_t level = (uint64_t)p->rtt_level_start;
    uint64_t entries;

    if (level > 2) {
        return true;
    }
    entries = BIT(p->s2sz) / rtt_size((unsigned int)level);
    if (entries < 2 || entries > 16 * 512u || p->rtt_num_start != (entries + 511) / 512 ||
        !IS_ALIGNED(p->rtt_base, p->rtt_num_start * (uint64_t)GRANULE_SIZE)) {
        return true;
    }
    for (uint32_t i = 0; i < p->rtt_num_start; i++) {
        if (granule_as(p->rtt_base + i * (uint64_t)GRANULE_SIZE, G_DELEGATED) == NULL) {
            return true;
        }
    }
    return false;
}

static bool take_vmid(uint16_t vmid)
{
    uint64_t bit = BIT(vmid % 64);
    bool free = (vmids[vmid / 64] & bit) == 0;

    vmids[vmid / 64] |= bit;
    return free;
}

static bool is_root(const struct rmi_realm_params *p, uint64_t pa)
{
    return pa - p->rtt_base < p->rtt_num_start * (uint64_t)GRANULE_SIZE;
}

/* B4.3.9 */
uint64_t rmi_realm_create(struct rmi_call *c)
{
    static struct rmi_realm_params p; /* under the lock */
    struct rd *rd = granule_as(c->x[1], G_DELEGATED);

    if (rd == NULL || !IS_ALIGNED(c->x[2], GRANULE_SIZE) || !ns_read(c->x[2], &p, sizeof(p)) ||
        params_bad(&p) || root_bad(&p) || is_root(&p, c->x[1]) || !take_vmid(p.vmid)) {
        return RMI_ERROR_INPUT;
    }
    for (uint32_t i = 0; i < p.rtt_num_start; i++) {
        granule_to(p.rtt_base + i * (uint64_t)GRANULE_SIZE, G_RTT);
    }
    granule_to(c->x[1], G_RD);
    *rd = (struct rd){
        .hash = p.hash_algo,
        .ipa_bits = p.s2sz,
        .start_level = (uint8_t)p.rtt_level_start,
        .num_start = (uint8_t)p.rtt_num_start,
        .vmid = p.vmid,
        .rtt_base = p.rtt_base,
    };
    memcpy(rd->rpv, p.rpv, sizeof(rd->rpv));
    measure_realm(rd, &p);
    port_flush(rd->vmid);
    return RMI_SUCCESS;
}

/* B4.3.8 */
uint64_t rmi_realm_activate(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);

    if (rd == NULL) {
        return RMI_ERROR_INPUT;
    }
    if (rd->state != REALM_NEW) {
        return RMI_ERROR_REALM;
    }
    rd->state = REALM_ACTIVE;
    return RMI_SUCCESS;
}

/* B4.3.10: nothing may be left in it, neither RECs nor, below the roots, tables. */
uint64_t rmi_realm_destroy(struct rmi_call *c)
{
    struct rd *rd = rd_at(c->x[1]);

    if (rd == NULL) {
        return RMI_ERROR_INPUT;
    }
    for (uint32_t i = 0; i < rd->num_start; i++) {
        if (granule_at(rd->rtt_base + i * (uint64_t)GRANULE_SIZE)->refs != 0) {
            return RMI_ERROR_REALM;
        }
    }
    if (granule_at(c->x[1])->refs != 0) {
        return RMI_ERROR_REALM;
    }
    realm_flush(rd);
    vmids[rd->vmid / 64] &= ~BIT(rd->vmid % 64);
    for (uint32_t i = rd->num_start; i-- > 0;) {
        granule_release(rd->rtt_base + i * (uint64_t)GRANULE_SIZE);
    }
    granule_release(c->x[1]);
    return RMI_SUCCESS;
}
