/* Two worlds on a CPU: what each finds when it comes back. */
#include "monitor.h"

#include "../exchange.h"
#include "hv/string.h"

/* SCR_EL3: EL2 is AArch64, HVC, and no feature of lower levels is kept from them. */
#define SCR_COMMON                                                                                 \
    (BIT(8) | BIT(10) | BIT(11) | BIT(16) | BIT(17) | BIT(18) | BIT(25) | BIT(26) | BIT(27) |      \
     BIT(28) | BIT(35) | BIT(38) | BIT(39) | BIT(41) | BIT(43) | BIT(44) | BIT(45))
#define SCR_NS  BIT(0)
#define SCR_NSE BIT(62)
#define SCTLR_EL2_RESET 0x30c50830ull
#define CPTR_EL2_RESET  0x33ffull
#define PSTATE_EL2H     0x3c9ull

#define EXCHANGE(name) sysreg_exchange(name, old->name, new->name);

static void exchange_own(struct context *old, const struct context *new)
{
    EL2_OWN(EXCHANGE)
}

static void exchange_guests(struct context *old, const struct context *new)
{
    EL2_GUESTS(EXCHANGE)
}

void world_init(struct context *c, uint64_t pc)
{
    memset(c, 0, sizeof(*c));
    c->pc = pc;
    c->pstate = PSTATE_EL2H;
    c->sctlr_el2 = SCTLR_EL2_RESET;
    c->cptr_el2 = CPTR_EL2_RESET;
    c->vpidr_el2 = sysreg_read(midr_el1);
    c->vmpidr_el2 = sysreg_read(mpidr_el1);
}

static void set_world(enum world w)
{
    sysreg_write(scr_el3, SCR_COMMON | SCR_NS | (w == WORLD_REALM ? SCR_NSE : 0));
    isb();
}

/* Saves who runs, and makes the frame the other's. */
void world_switch(struct frame *f, enum world to, bool guests)
{
    struct monitor_cpu *cpu = &monitor_cpus[monitor_cpu()];
    struct context *old = &cpu->context[cpu->now], *new = &cpu->context[to];

    old->frame = *f;
    old->pc = sysreg_read(elr_el3);
    old->pstate = sysreg_read(spsr_el3);
    *f = new->frame;
    exchange_own(old, new);
    if (guests) {
        exchange_guests(old, new);
    }
    sysreg_write(elr_el3, new->pc);
    sysreg_write(spsr_el3, new->pstate);
    cpu->now = to;
    set_world(to); /* last: QEMU forgets all that lower levels use, and where our code goes on */
}

void world_enter(enum world w)
{
    struct monitor_cpu *cpu = &monitor_cpus[monitor_cpu()];
    struct context *c = &cpu->context[w], before;

    set_world(w);
    exchange_own(&before, c);
    exchange_guests(&before, c);
    sysreg_write(elr_el3, c->pc);
    sysreg_write(spsr_el3, c->pstate);
    cpu->now = w;
    monitor_leave(&c->frame);
}
