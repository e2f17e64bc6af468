/* Two worlds on a CPU: what each finds when it comes back. */
#include "monitor.h"

#include "../exchange.h"
#include "arch_impl/insn.h"
#include "hv/string.h"

#define SCTLR_EL2_RESET 0x30c50830ull
#define CPTR_EL2_RESET  0x33ffull
#define PSTATE_EL2H     0x3c9ull

void world_init(enum world w, uint64_t pc)
{
    struct context *both = monitor_cpus[monitor_cpu()].context, *c = &both[w];

    memset(c, 0, sizeof(*c));
    c->stack = (uint64_t)monitor_stacks[monitor_cpu() + 1];
    c->other = &both[w == WORLD_HOST ? WORLD_REALM : WORLD_HOST];
    c->world = w;
    c->pc = pc;
    c->pstate = PSTATE_EL2H;
    c->sctlr_el2 = SCTLR_EL2_RESET;
    c->cptr_el2 = CPTR_EL2_RESET;
    c->vpidr_el2 = sysreg_read(midr_el1);
    c->vmpidr_el2 = sysreg_read(mpidr_el1);
}

void world_exchange_guests(struct context *old, const struct context *new)
{
#define EXCHANGE(name) sysreg_exchange(name, old->name, new->name);
    EL2_GUESTS(EXCHANGE)
#undef EXCHANGE
}

/* The first one of a CPU. */
void world_enter(const struct context *c)
{
    sysreg_write(scr_el3, SCR_OF(c->world));
    isb();
#define LOAD(name) sysreg_write(name, c->name);
    EL2_OWN(LOAD)
    EL2_GUESTS(LOAD)
#undef LOAD
    sysreg_write(elr_el3, c->pc);
    sysreg_write(spsr_el3, c->pstate);
    monitor_leave(c);
}
