#include "cca_realm.h"

#include <string.h>

#include "cu.h"

uint64_t cca_delegate(unsigned int n)
{
    return CALL(RMI_GRANULE_DELEGATE, P(n));
}

uint64_t cca_create_with(void (*change)(struct rmi_realm_params *p))
{
    struct rmi_realm_params *p = cca_bytes(P(PARAMS));

    memset(p, 0, sizeof(*p));
    p->s2sz = IPA_BITS;
    p->num_bps = p->num_wps = 1;
    p->hash_algo = RMI_HASH_SHA_512;
    p->vmid = 7;
    p->rtt_base = P(ROOT);
    p->rtt_level_start = 1;
    p->rtt_num_start = 1;
    if (change != NULL) {
        change(p);
    }
    return CALL(RMI_REALM_CREATE, P(RD), P(PARAMS));
}

void cca_a_realm(void)
{
    cca_host_reset();
    CU_ASSERT_EQUAL(cca_delegate(RD), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_delegate(ROOT), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_create_with(NULL), RMI_SUCCESS);
}

void cca_with_tables(void)
{
    cca_a_realm();
    CU_ASSERT_EQUAL(cca_delegate(L2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L2), 0, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_INIT_RIPAS, P(RD), 0, 2 * SIZE_2M), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], 2 * SIZE_2M);
    CU_ASSERT_EQUAL(cca_delegate(L3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(L3), 0, 3), RMI_SUCCESS);
}

void cca_end(unsigned int n)
{
    CU_ASSERT_EQUAL(CALL(RMI_GRANULE_UNDELEGATE, P(n)), RMI_SUCCESS);
}

void cca_end_tables(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 3), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(L3));
    CU_ASSERT_EQUAL(CALL(RMI_RTT_DESTROY, P(RD), 0, 2), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_last.x[1], P(L2));
    cca_end(L3);
    cca_end(L2);
}

void cca_end_realm(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_REALM_DESTROY, P(RD)), RMI_SUCCESS);
    cca_end(RD);
    cca_end(ROOT);
    CU_ASSERT_EQUAL(cca_realm_pages(), 0);
}

uint64_t cca_create_rec(unsigned int rec, unsigned int aux, uint64_t mpidr, uint64_t flags)
{
    struct rmi_rec_params *p = cca_bytes(P(PARAMS));

    memset(p, 0, sizeof(*p));
    p->flags = flags;
    p->mpidr = mpidr;
    p->pc = 0x1000;
    p->gprs[0] = 0x2000;
    p->num_aux = 1;
    p->aux[0] = P(aux);
    return CALL(RMI_REC_CREATE, P(RD), P(rec), P(PARAMS));
}

void cca_a_running_realm(void)
{
    cca_with_tables();
    for (unsigned int n = REC; n <= AUX2; n++) {
        if (n != RUN && n != SRC) {
            CU_ASSERT_EQUAL(cca_delegate(n), RMI_SUCCESS);
        }
    }
    CU_ASSERT_EQUAL(cca_create_rec(REC, AUX, 0, RMI_REC_RUNNABLE), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_create_rec(REC2, AUX2, 1, 0), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_delegate(DATA), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_DATA_CREATE_UNKNOWN, P(RD), P(DATA), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REALM_ACTIVATE, P(RD)), RMI_SUCCESS);
    memset(cca_bytes(P(RUN)), 0, GRANULE_SIZE);
}

void cca_end_running(void)
{
    CU_ASSERT_EQUAL(CALL(RMI_DATA_DESTROY, P(RD), 0x1000), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC)), RMI_SUCCESS);
    CU_ASSERT_EQUAL(CALL(RMI_REC_DESTROY, P(REC2)), RMI_SUCCESS);
    for (unsigned int n = DATA; n <= AUX2; n++) {
        if (cca_is_realm(P(n))) {
            cca_end(n);
        }
    }
    cca_end_tables();
    cca_end_realm();
}

uint64_t cca_enter(unsigned int rec)
{
    return CALL(RMI_REC_ENTER, P(rec), P(RUN));
}

struct rmi_rec_run *cca_run_page(void)
{
    return cca_bytes(P(RUN));
}
