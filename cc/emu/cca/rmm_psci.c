/* PSCI 1.1 (DEN0022) as a realm has it (B6): what concerns other RECs is asked of the host. */
#include "rmm.h"

#include "rmm_port.h"

#define PSCI(n)   (0x84000000u + (n))
#define PSCI64(n) (0xc4000000u + (n))
#define SMCCC_VERSION  0x80000000u
#define SMCCC_FEATURES 0x80000001u
enum {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_DENIED = -3,
    PSCI_ALREADY_ON = -4,
    PSCI_INVALID_ADDRESS = -9,
};
enum { AFFINITY_ON = 0, AFFINITY_OFF = 1 };
#define MPIDR_RES1 BIT(31)
#define PSTATE_EL1H_MASK 0x3c5ull
#define SCTLR_RESET      0x30d00800ull
#define SCTLR_EE         BIT(25)

static enum rec_next answer(struct rec *rec, int64_t value)
{
    rec->gprs[0] = (uint64_t)value;
    return REC_RESUME;
}

/* The host sees the call, and what it needs of it. */
static enum rec_next leave(const struct rec *rec, struct rmi_rec_exit *x, unsigned int values)
{
    x->exit_reason = RMI_EXIT_PSCI;
    for (unsigned int i = 0; i <= values; i++) {
        x->gprs[i] = rec->gprs[i];
    }
    return REC_LEAVE;
}

/* The index that an affinity stands for (B3.2); more than any for what is none. */
static uint64_t index_of(uint64_t mpidr)
{
    return (mpidr & ~0xffff0full) != 0
               ? UINT64_MAX
               : (mpidr & 15) | (mpidr >> 8 & 0xff) << 4 | (mpidr >> 16 & 0xff) << 12;
}

/* A CPU that the realm has not is its own mistake; itself it knows without the host. */
static enum rec_next about_other(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x)
{
    if (index_of(rec->gprs[1]) >= rd->recs) {
        return answer(rec, PSCI_INVALID_PARAMETERS);
    }
    if ((rec->gprs[1] | MPIDR_RES1) == rec->mpidr) {
        return answer(rec, rec->gprs[0] == PSCI64(3) ? PSCI_ALREADY_ON : PSCI_SUCCESS);
    }
    rec->psci_pending = true;
    return leave(rec, x, 1);
}

static enum rec_next system_off(struct rec *rec, struct rd *rd, struct rmi_rec_exit *x)
{
    rd->state = REALM_SYSTEM_OFF;
    return leave(rec, x, 0);
}

static int64_t features(uint64_t fid)
{
    switch (fid) {
    case PSCI(0):
    case PSCI(1):
    case PSCI64(1):
    case PSCI(2):
    case PSCI64(3):
    case PSCI64(4):
    case PSCI(8):
    case PSCI(9):
    case PSCI(10):
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* SMCCC (DEN0028), 2.5: the function is in W0. */
enum rec_next psci_call(struct rec *rec, struct rd *rd, struct rmi_rec_exit *x)
{
    rec->gprs[0] = (uint32_t)rec->gprs[0];
    switch (rec->gprs[0]) {
    case PSCI(0):
        return answer(rec, 0x10001);
    case SMCCC_VERSION:
        return answer(rec, 0x10002);
    case PSCI(10):
        return answer(rec, features((uint32_t)rec->gprs[1]));
    case PSCI(1):
    case PSCI64(1):
        rec->gprs[0] = PSCI_SUCCESS;
        x->gprs[0] = PSCI64(1);
        x->exit_reason = RMI_EXIT_PSCI;
        return REC_LEAVE;
    case PSCI(2):
        rec->runnable = false;
        return leave(rec, x, 0);
    case PSCI64(3):
        return ipa_protected(rd, rec->gprs[2]) ? about_other(rec, rd, x)
                                               : answer(rec, PSCI_INVALID_ADDRESS);
    case PSCI64(4):
        return rec->gprs[2] != 0 ? answer(rec, PSCI_INVALID_PARAMETERS) : about_other(rec, rd, x);
    case PSCI(8):
    case PSCI(9):
        return system_off(rec, rd, x);
    default:
        return answer(rec, PSCI_NOT_SUPPORTED);
    }
}

/* CPU_ON: the target starts as after a reset, in the caller's byte order. */
static void turn_on(const struct rec *caller, struct rec *target)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(target->cpu.el1); i++) {
        target->cpu.el1[i] = 0;
    }
    for (unsigned int i = 0; i < RMI_GPRS; i++) {
        target->gprs[i] = 0;
    }
    target->cpu.el1[0] = SCTLR_RESET | (caller->cpu.el1[0] & SCTLR_EE);
    target->cpu.pc = caller->gprs[2];
    target->cpu.pstate = PSTATE_EL1H_MASK;
    target->gprs[0] = caller->gprs[3];
    target->runnable = true;
}

/* What the caller learns; an error of the host's is no answer, and changes nothing. */
static bool decide(const struct rec *caller, struct rec *target, int64_t verdict, int64_t *st)
{
    bool on = target->running || target->runnable;

    if (caller->gprs[0] == PSCI64(4)) {
        *st = on ? AFFINITY_ON : AFFINITY_OFF;
        return verdict == PSCI_SUCCESS;
    }
    if (verdict != PSCI_SUCCESS && (verdict != PSCI_DENIED || on)) {
        return false;
    }
    *st = on ? PSCI_ALREADY_ON : verdict;
    if (*st == PSCI_SUCCESS) {
        turn_on(caller, target);
    }
    return true;
}

/* B4.3.7: X1 calling, X2 target REC, X3 the host's verdict. */
uint64_t rmi_psci_complete(struct rmi_call *c)
{
    struct rec *caller = granule_as(c->x[1], G_REC), *target = granule_as(c->x[2], G_REC);
    int64_t st;

    if (caller == NULL || target == NULL || caller == target) {
        return RMI_ERROR_INPUT;
    }
    if (!caller->psci_pending || caller->running || caller->rd != target->rd ||
        (caller->gprs[1] | MPIDR_RES1) != target->mpidr ||
        !decide(caller, target, (int64_t)c->x[3], &st)) {
        return RMI_ERROR_INPUT;
    }
    caller->gprs[0] = (uint64_t)st;
    for (unsigned int i = 1; i < 4; i++) {
        caller->gprs[i] = 0;
    }
    caller->psci_pending = false;
    return RMI_SUCCESS;
}
