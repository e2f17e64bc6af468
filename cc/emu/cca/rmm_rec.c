/* RECs: a realm's virtual CPUs (A2.3). */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

#define PSTATE_EL1H_MASK 0x3c5ull
#define MPIDR_RES1       BIT(31)

/* B4.3.12 */
uint64_t rmi_rec_aux_count(struct rmi_call *c)
{
    if (rd_at(c->x[1]) == NULL) {
        return RMI_ERROR_INPUT;
    }
    c->x[1] = RMM_REC_AUX;
    return RMI_SUCCESS;
}

/* B3.2: affinity fields of a REC's index; 16 in the lowest. */
static uint64_t mpidr_of(uint32_t index)
{
    return (index & 15) | (uint64_t)(index >> 4 & 0xff) << 8 | (uint64_t)(index >> 12 & 0xff) << 16;
}

static bool aux_bad(const struct rmi_rec_params *p, uint64_t rec)
{
    return p->num_aux != RMM_REC_AUX || granule_as(p->aux[0], G_DELEGATED) == NULL ||
           p->aux[0] == rec;
}

static void fill(struct rec *rec, const struct rmi_rec_params *p, uint64_t rd)
{
    memset(rec, 0, sizeof(*rec));
    memcpy(rec->gprs, p->gprs, sizeof(p->gprs));
    rec->rd = rd;
    rec->aux = p->aux[0];
    rec->mpidr = p->mpidr | MPIDR_RES1;
    rec->runnable = (p->flags & RMI_REC_RUNNABLE) != 0;
    rec->cpu.pc = p->pc;
    rec->cpu.pstate = PSTATE_EL1H_MASK;
    rec->cpu.el1[0] = 0x30d00800; /* SCTLR_EL1: RES1 */
}

/* B4.3.13 */
uint64_t rmi_rec_create(struct rmi_call *c)
{
    static struct rmi_rec_params p; /* under the lock */
    struct rd *rd = rd_at(c->x[1]);
    struct rec *rec = granule_as(c->x[2], G_DELEGATED);

    if (rd == NULL || rec == NULL || !IS_ALIGNED(c->x[3], GRANULE_SIZE) ||
        !ns_read(c->x[3], &p, sizeof(p)) || (p.flags & ~RMI_REC_RUNNABLE) != 0) {
        return RMI_ERROR_INPUT;
    }
    if (rd->state != REALM_NEW || rd->recs == BIT(RMM_RECS_ORDER)) {
        return RMI_ERROR_REALM;
    }
    if (p.mpidr != mpidr_of(rd->recs) || aux_bad(&p, c->x[2])) {
        return RMI_ERROR_INPUT;
    }
    granule_to(c->x[2], G_REC);
    granule_to(p.aux[0], G_REC_AUX);
    fill(rec, &p, c->x[1]);
    if (rec->runnable) {
        measure_rec(rd, &p);
    }
    rd->recs++;
    granule_at(c->x[1])->refs++;
    return RMI_SUCCESS;
}

/* B4.3.14 */
uint64_t rmi_rec_destroy(struct rmi_call *c)
{
    struct rec *rec = granule_as(c->x[1], G_REC);

    if (rec == NULL) {
        return RMI_ERROR_INPUT;
    }
    if (rec->running) {
        return RMI_ERROR_REC;
    }
    granule_at(rec->rd)->refs--;
    granule_release(rec->aux);
    granule_release(c->x[1]);
    return RMI_SUCCESS;
}
