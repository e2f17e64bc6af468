/*
 * Granules and their states (A2.2):
 *
 *   UNDELEGATED <-> DELEGATED <-> RD, REC, REC_AUX, DATA, RTT
 *
 * What a granule held is cleared when it becomes DELEGATED again: nobody sees what another left.
 */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

struct granules rmm_granules;
static bool taken;

void rmm_init(uint64_t base, uint64_t size, struct granule *table)
{
    rmm_granules = (struct granules){base, size / GRANULE_SIZE, table};
    memset(table, 0, rmm_granules.count * sizeof(table[0]));
}

void rmm_bank(uint64_t base, uint64_t size)
{
    for (uint64_t at = base; at < base + size; at += GRANULE_SIZE) {
        granule_at(at)->state = G_UNDELEGATED;
    }
}

void rmm_lock(void)
{
    while (__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE)) {
    }
}

void rmm_unlock(void)
{
    __atomic_clear(&taken, __ATOMIC_RELEASE);
}

void *granule_as(uint64_t pa, enum granule_state state)
{
    const struct granule *o = granule_at(pa);

    return o != NULL && o->state == state ? port_realm(pa) : NULL;
}

void granule_to(uint64_t pa, enum granule_state state)
{
    struct granule *o = granule_at(pa);

    o->state = (uint8_t)state;
    o->refs = 0;
}

void granule_release(uint64_t pa)
{
    memset(port_realm(pa), 0, GRANULE_SIZE);
    granule_to(pa, G_DELEGATED);
}

static void *ns_at(uint64_t pa, size_t len)
{
    const struct granule *o = granule_at(ALIGN_DOWN(pa, GRANULE_SIZE));

    if (o == NULL || o->state != G_UNDELEGATED || pa % GRANULE_SIZE + len > GRANULE_SIZE) {
        return NULL;
    }
    return (uint8_t *)port_ns(ALIGN_DOWN(pa, GRANULE_SIZE)) + pa % GRANULE_SIZE;
}

bool ns_read(uint64_t pa, void *to, size_t len)
{
    const void *from = ns_at(pa, len);

    if (from != NULL) {
        memcpy(to, from, len);
    }
    return from != NULL;
}

bool ns_write(uint64_t pa, const void *from, size_t len)
{
    void *to = ns_at(pa, len);

    if (to != NULL) {
        memcpy(to, from, len);
    }
    return to != NULL;
}

/* B4.3.5 */
uint64_t rmi_granule_delegate(struct rmi_call *c)
{
    const struct granule *o = granule_at(c->x[1]);

    if (o == NULL || o->state != G_UNDELEGATED || !port_delegate(c->x[1])) {
        return RMI_ERROR_INPUT;
    }
    granule_release(c->x[1]);
    return RMI_SUCCESS;
}

/* B4.3.6; what a DELEGATED granule holds is zero already. */
uint64_t rmi_granule_undelegate(struct rmi_call *c)
{
    const struct granule *o = granule_at(c->x[1]);

    if (o == NULL || o->state != G_DELEGATED || !port_undelegate(c->x[1])) {
        return RMI_ERROR_INPUT;
    }
    granule_to(c->x[1], G_UNDELEGATED);
    return RMI_SUCCESS;
}
