/*
 * Calls from lower levels, and the way from one world to the other. A realm's boot comes here more
 * than a hundred thousand times: QEMU looks its translation up again behind every exception, return
 * and write of a system register, so there are as few of these as can be, in the vectors' page.
 */
#include "monitor.h"

#include "../exchange.h"
#include "arch_impl/insn.h"

#define EC_SMC64 0x17u

/* The other goes on with these values in X0 on. */
NORETURN static void switch_to(struct context *old, bool guests, const uint64_t *values,
                               unsigned int count)
{
    struct context *new = old->other;

    for (unsigned int i = 0; i < count; i++) {
        new->frame.x[i] = values[i];
    }
#define EXCHANGE(name) sysreg_exchange(name, old->name, new->name);
    EL2_OWN(EXCHANGE)
#undef EXCHANGE
    if (guests) {
        world_exchange_guests(old, new);
    }
    sysreg_exchange(elr_el3, old->pc, new->pc);
    sysreg_exchange(spsr_el3, old->pstate, new->pstate);
    if (gpt_stale) {
        gpt_stale = false;
        gpt_forget_all();
    }
    sysreg_write(scr_el3, SCR_OF(new->world)); /* last: QEMU forgets what lower levels use */
    monitor_leave(new);
}

/* The host's call goes to the RMM, which waits in its own last one. Guests run in one of them. */
NORETURN static void to_rmm(struct context *host)
{
    struct context *rmm = host->other;

    rmm->guests = (uint32_t)host->frame.x[0] == RMI_REC_ENTER;
    switch_to(host, rmm->guests, host->frame.x, 7);
}

NORETURN static void booted(struct context *rmm)
{
    if (rmm->frame.x[1] != RMM_BOOT_SUCCESS) {
        monitor_no_rmm(rmm->frame.x[1]);
    }
    __atomic_store_n(&monitor_cpus[monitor_cpu()].power, CPU_ON, __ATOMIC_RELEASE);
    switch_to(rmm, true, NULL, 0);
}

static void realm_call(struct frame *f)
{
    if (monitor_fails(f->x[0])) {
        f->x[0] = (uint64_t)RMM_EL3_UNKNOWN;
        return;
    }
    switch (f->x[0]) {
    case RMM_ATTEST_GET_REALM_KEY:
        attest_realm_key(f);
        return;
    case RMM_ATTEST_GET_PLAT_TOKEN:
        attest_platform_token(f);
        return;
    case RMM_GTSI_DELEGATE:
        f->x[0] = (uint64_t)gpt_move(f->x[1], PAS_HOST, PAS_REALM);
        return;
    case RMM_GTSI_UNDELEGATE:
        f->x[0] = (uint64_t)gpt_move(f->x[1], PAS_REALM, PAS_HOST);
        return;
    case RMM_EL3_FEATURES: /* register 0: keys are given, not used here */
        f->x[0] = f->x[1] == 0 ? RMM_EL3_OK : (uint64_t)RMM_EL3_INVALID;
        f->x[1] = 0;
        return;
    default:
        f->x[0] = UINT64_MAX;
    }
}

/* SMCCC (DEN0028), 2.5: the function is in W0. */
void monitor_call(struct context *c)
{
    struct frame *f = &c->frame;
    uint32_t function = (uint32_t)f->x[0];

    if (field(sysreg_read(esr_el3), 26, 6) != EC_SMC64) {
        monitor_broken(8, sysreg_read(esr_el3), sysreg_read(elr_el3), sysreg_read(far_el3));
    }
    if (c->world == WORLD_REALM && f->x[0] == RMM_RMI_REQ_COMPLETE) {
        switch_to(c, c->guests, &f->x[1], 5);
    } else if (c->world == WORLD_REALM && f->x[0] == RMM_BOOT_COMPLETE) {
        booted(c);
    } else if (c->world == WORLD_REALM) {
        realm_call(f);
    } else if (function >= RMI_VERSION && function < RMM_RMI_REQ_COMPLETE) {
        to_rmm(c);
    } else {
        f->x[0] = (uint64_t)psci(f->x);
    }
    monitor_leave(c);
}
