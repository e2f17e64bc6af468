/* The host's calls: one row each. */
#include "rmm.h"

/* B4.3.22: what we have, whatever is asked for. */
static uint64_t rmi_version(struct rmi_call *c)
{
    uint64_t wanted = c->x[1];

    c->x[1] = RMI_REVISION_1_0;
    c->x[2] = RMI_REVISION_1_0;
    return wanted == RMI_REVISION_1_0 ? RMI_SUCCESS : RMI_ERROR_INPUT;
}

static const struct {
    uint64_t (*fn)(struct rmi_call *c);
    uint8_t out; /* values behind the status */
} commands[RMI_COMMANDS] = {
#define ROW(name, fn, out) [(name) - RMI_VERSION] = {fn, out}
    ROW(RMI_VERSION, rmi_version, 2),
    ROW(RMI_FEATURES, rmi_features, 1),
    ROW(RMI_GRANULE_DELEGATE, rmi_granule_delegate, 0),
    ROW(RMI_GRANULE_UNDELEGATE, rmi_granule_undelegate, 0),
    ROW(RMI_DATA_CREATE, rmi_data_create, 0),
    ROW(RMI_DATA_CREATE_UNKNOWN, rmi_data_create_unknown, 0),
    ROW(RMI_DATA_DESTROY, rmi_data_destroy, 2),
    ROW(RMI_REALM_ACTIVATE, rmi_realm_activate, 0),
    ROW(RMI_REALM_CREATE, rmi_realm_create, 0),
    ROW(RMI_REALM_DESTROY, rmi_realm_destroy, 0),
    ROW(RMI_REC_AUX_COUNT, rmi_rec_aux_count, 1),
    ROW(RMI_REC_CREATE, rmi_rec_create, 0),
    ROW(RMI_REC_DESTROY, rmi_rec_destroy, 0),
    ROW(RMI_RTT_CREATE, rmi_rtt_create, 0),
    ROW(RMI_RTT_DESTROY, rmi_rtt_destroy, 2),
    ROW(RMI_RTT_FOLD, rmi_rtt_fold, 1),
    ROW(RMI_RTT_READ_ENTRY, rmi_rtt_read_entry, 4),
    ROW(RMI_RTT_MAP_UNPROTECTED, rmi_rtt_map_unprotected, 0),
    ROW(RMI_RTT_UNMAP_UNPROTECTED, rmi_rtt_unmap_unprotected, 1),
    ROW(RMI_RTT_INIT_RIPAS, rmi_rtt_init_ripas, 1),
    ROW(RMI_RTT_SET_RIPAS, rmi_rtt_set_ripas, 1),
    ROW(RMI_PSCI_COMPLETE, rmi_psci_complete, 0),
#undef ROW
};

/* A fault that a test injects; under the lock. */
static struct {
    uint64_t fid;
    uint32_t left;
} fault;

void rmm_fail_nth(uint64_t fid, uint32_t n)
{
    fault.fid = fid;
    fault.left = n;
}

static bool fails(uint64_t fid)
{
    return fault.left != 0 && fault.fid == fid && --fault.left == 0;
}

#define NOT_SUPPORTED UINT64_MAX /* SMCCC: unknown function */

/* Values are only told where the specification says so: nothing of ours leaks. */
static bool tells_values(uint64_t fid, uint64_t status)
{
    return status == RMI_SUCCESS || fid == RMI_VERSION ||
           (RMI_STATUS(status) == RMI_ERROR_RTT &&
            (fid == RMI_DATA_DESTROY || fid == RMI_RTT_DESTROY ||
             fid == RMI_RTT_UNMAP_UNPROTECTED));
}

/* Behind the values there is nothing in X1 to X3; X4 on stay the caller's (DEN0028, 2.6). */
static void tell(struct rmi_call *c, unsigned int values)
{
    for (unsigned int i = values + 1; i < 4; i++) {
        c->x[i] = 0;
    }
}

static void run(struct rmi_call *c, uint64_t fid)
{
    uint64_t index = fid - RMI_VERSION;
    unsigned int out = 0;

    if (index >= RMI_COMMANDS || commands[index].fn == NULL) {
        c->x[0] = NOT_SUPPORTED;
    } else if (fails(fid)) {
        c->x[0] = RMI_ERROR_INPUT;
    } else {
        c->x[0] = commands[index].fn(c);
        out = tells_values(fid, c->x[0]) ? commands[index].out : 0;
        if (out == 2 && RMI_STATUS(c->x[0]) == RMI_ERROR_RTT) {
            c->x[1] = 0; /* there is no granule, only where to go on */
        }
    }
    tell(c, out);
}

void rmm_rmi(struct rmi_call *c)
{
    uint64_t fid = (uint32_t)c->x[0]; /* SMCCC (DEN0028), 2.5 */

    if (fid == RMI_REC_ENTER) {
        c->x[0] = rmi_rec_enter(c);
        tell(c, 0);
        return;
    }
    rmm_lock();
    run(c, fid);
    rmm_unlock();
}
