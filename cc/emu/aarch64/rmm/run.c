/* A REC on this CPU: what EL1 has, timers, the virtual GIC. */
#include "image.h"

#include "../exchange.h"
#include "hv/string.h"

/* HCR_EL2: as any guest, and stage 2 decides what is cacheable (FWB). */
#define HCR_REALM                                                                                  \
    (BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(9) | BIT(10) | BIT(18) | BIT(19) | BIT(20) | \
     BIT(21) | BIT(31) | BIT(35) | BIT(36) | BIT(46))
#define HCR_TWI    BIT(13)
#define HCR_TWE    BIT(14)
#define MDCR_REALM (BIT(5) | BIT(6) | BIT(9) | BIT(10) | BIT(11) | BIT(14) | BIT(19))
#define VTCR_REALM (BIT(31) | 1ull << 8 | 1ull << 10 | 3ull << 12 | 2ull << 16)

#define CNTHCTL_EL1   3u /* EL1 has both counters and timers */
#define CNTHCTL_VMASK BIT(18)
#define CNTHCTL_PMASK BIT(19)

/* SCTLR_EL1 is the first of el1[]: rmm_rec.c. */
enum { EL1_SCTLR, EL1_TCR, EL1_TTBR0, EL1_TTBR1, EL1_REST };
#define EL1_REGS(R)                                                                                \
    R(cpacr_el1) R(esr_el1) R(afsr0_el1) R(afsr1_el1) R(far_el1) R(mair_el1) R(amair_el1)          \
    R(vbar_el1) R(contextidr_el1) R(tpidr_el0) R(tpidrro_el0) R(tpidr_el1) R(sp_el0) R(sp_el1)     \
    R(elr_el1) R(spsr_el1) R(cntkctl_el1) R(par_el1) R(csselr_el1) R(mdscr_el1)

/* CPTR_EL2: SVE, SME, trace and activity monitors trap; floating point does not. */
#define CPTR_REALM (0x32ffull | BIT(8) | BIT(12) | BIT(20) | BIT(30))

void run_cpu_init(void)
{
    sysreg_write(cptr_el2, CPTR_REALM);
    sysreg_write(hcr_el2, HCR_REALM | HCR_TWI); /* as the host has it: see start.S on TCR */
    isb();
}

static struct host_state {
    struct fp_state fp;
    uint64_t el1[32];
    struct rec_timers timers;
    const struct rec *last; /* that ran here */
} host[RMM_CPUS];

enum { INJECT_NONE, INJECT_ABORT, INJECT_UNDEFINED };

/* Each of these costs QEMU all it translated, for its walks, too: no memory is used in between. */
static void exchange_mmu(uint64_t *keep, const uint64_t *load)
{
    uint64_t sctlr = load[EL1_SCTLR], tcr = load[EL1_TCR];
    uint64_t ttbr0 = load[EL1_TTBR0], ttbr1 = load[EL1_TTBR1];

    keep[EL1_SCTLR] = sysreg_read(sctlr_el1);
    keep[EL1_TCR] = sysreg_read(tcr_el1);
    keep[EL1_TTBR0] = sysreg_read(ttbr0_el1);
    keep[EL1_TTBR1] = sysreg_read(ttbr1_el1);
    sysreg_set(sctlr_el1, sctlr);
    sysreg_set(tcr_el1, tcr);
    sysreg_set(ttbr0_el1, ttbr0);
    sysreg_set(ttbr1_el1, ttbr1);
}

static void exchange_el1(uint64_t *keep, const uint64_t *load)
{
    exchange_mmu(keep, load);
    keep += EL1_REST;
    load += EL1_REST;
#define EL1(name) sysreg_exchange(name, *keep++, *load++);
    EL1_REGS(EL1)
#undef EL1
}

static void exchange_timers(struct rec_timers *keep, const struct rec_timers *load)
{
    sysreg_exchange(cntp_cval_el0, keep->cntp_cval, load->cntp_cval);
    sysreg_exchange(cntp_ctl_el0, keep->cntp_ctl, load->cntp_ctl);
    sysreg_exchange(cntv_cval_el0, keep->cntv_cval, load->cntv_cval);
    sysreg_exchange(cntv_ctl_el0, keep->cntv_ctl, load->cntv_ctl);
}

#define ICH_HCR_EL2  s3_4_c12_c11_0
#define ICH_VTR_EL2  s3_4_c12_c11_1
#define ICH_MISR_EL2 s3_4_c12_c11_2
#define ICH_VMCR_EL2 s3_4_c12_c11_7

#define LIST_REGISTERS(LR)                                                                         \
    LR(0, s3_4_c12_c12_0) LR(1, s3_4_c12_c12_1) LR(2, s3_4_c12_c12_2) LR(3, s3_4_c12_c12_3)        \
    LR(4, s3_4_c12_c12_4) LR(5, s3_4_c12_c12_5) LR(6, s3_4_c12_c12_6) LR(7, s3_4_c12_c12_7)        \
    LR(8, s3_4_c12_c13_0) LR(9, s3_4_c12_c13_1) LR(10, s3_4_c12_c13_2) LR(11, s3_4_c12_c13_3)      \
    LR(12, s3_4_c12_c13_4) LR(13, s3_4_c12_c13_5) LR(14, s3_4_c12_c13_6) LR(15, s3_4_c12_c13_7)

unsigned int port_lrs(void)
{
    return MIN((unsigned int)field(sysreg_read(ICH_VTR_EL2), 0, 5) + 1, RMI_LRS);
}

static unsigned int aprs(void)
{
    return 1u << (MAX(field(sysreg_read(ICH_VTR_EL2), 26, 3) + 1, 5ull) - 5);
}

static void load_gic(const struct port_gic *gic)
{
    unsigned int lrs = port_lrs();

#define LOAD(n, name)                                                                              \
    if (n < lrs) {                                                                                 \
        sysreg_set(name, gic->lrs[n]);                                                             \
    }
    LIST_REGISTERS(LOAD)
#undef LOAD
    sysreg_write(ICH_HCR_EL2, gic->hcr | BIT(0));
}

static void save_gic(struct port_gic *gic)
{
    unsigned int lrs = port_lrs();

    gic->misr = sysreg_read(ICH_MISR_EL2);
    gic->hcr = sysreg_read(ICH_HCR_EL2);
#define SAVE(n, name)                                                                              \
    if (n < lrs) {                                                                                 \
        gic->lrs[n] = sysreg_read(name);                                                           \
        if (gic->lrs[n] != 0) {                                                                    \
            sysreg_write(name, 0);                                                                 \
        }                                                                                          \
    }
    LIST_REGISTERS(SAVE)
#undef SAVE
    sysreg_write(ICH_HCR_EL2, 0);
}

#define PRIORITIES(P)                                                                              \
    P(ap0r, 0, s3_4_c12_c8_0) P(ap0r, 1, s3_4_c12_c8_1) P(ap0r, 2, s3_4_c12_c8_2)                  \
    P(ap0r, 3, s3_4_c12_c8_3) P(ap1r, 0, s3_4_c12_c9_0) P(ap1r, 1, s3_4_c12_c9_1)                  \
    P(ap1r, 2, s3_4_c12_c9_2) P(ap1r, 3, s3_4_c12_c9_3)

static void save_priorities(struct rec_cpu *c)
{
    unsigned int n = aprs();

#define SAVE(array, i, name)                                                                       \
    if (i < n) {                                                                                   \
        c->array[i] = sysreg_read(name);                                                           \
    }
    PRIORITIES(SAVE)
#undef SAVE
    c->vmcr = sysreg_read(ICH_VMCR_EL2);
}

static void load_priorities(const struct rec_cpu *c)
{
    unsigned int n = aprs();

#define LOAD(array, i, name)                                                                       \
    if (i < n) {                                                                                   \
        sysreg_set(name, c->array[i]);                                                             \
    }
    PRIORITIES(LOAD)
#undef LOAD
    sysreg_set(ICH_VMCR_EL2, c->vmcr);
}

static void set_stage2(struct host_state *h, const struct rec *rec, const struct rd *rd)
{
    sysreg_set(vtcr_el2, VTCR_REALM | (64u - rd->ipa_bits) | (2ull - rd->start_level) << 6);
    sysreg_set(vttbr_el2, rd->rtt_base | (uint64_t)rd->vmid << 48);
    sysreg_set(vmpidr_el2, rec->mpidr);
    sysreg_set(vpidr_el2, sysreg_read(midr_el1));
    sysreg_set(mdcr_el2, MDCR_REALM);
    sysreg_set(hstr_el2, 0);
    sysreg_set(cntvoff_el2, 0);
    isb();
    if (h->last != rec) { /* two RECs may mean different things by one ASID */
        __asm__ volatile("tlbi vmalle1\n\tdsb nsh" : : : "memory");
        isb();
        h->last = rec;
    }
}

void port_run_begin(struct rec *rec, const struct rd *rd)
{
    struct host_state *h = &host[rmm_cpu()];

    set_stage2(h, rec, rd);
    exchange_el1(h->el1, rec->cpu.el1);
    exchange_timers(&h->timers, &rec->cpu.timers);
    fp_save(&h->fp);
    fp_load(rec->cpu.fp);
    load_priorities(&rec->cpu);
    isb();
}

void port_run_end(struct rec *rec)
{
    struct host_state *h = &host[rmm_cpu()];

    save_priorities(&rec->cpu);
    fp_save(rec->cpu.fp);
    fp_load(&h->fp);
    exchange_timers(&rec->cpu.timers, &h->timers);
    exchange_el1(rec->cpu.el1, h->el1);
    isb();
}

void port_inject_abort(struct rec *rec)
{
    rec->cpu.inject = INJECT_ABORT;
}

void port_inject_undefined(struct rec *rec)
{
    rec->cpu.inject = INJECT_UNDEFINED;
}

#define PSTATE_EL1H  5u
#define PSTATE_DAIF  0x3c0ull
#define PSTATE_KEPT  0xf1400000ull /* N, Z, C, V, DIT, PAN */
#define PSTATE_PAN   BIT(22)
#define PSTATE_SSBS  BIT(12)
#define ESR_IL       BIT(25)
#define FSC_SEA      0x10u
#define EC_DABT_SAME 0x25ull
#define EC_DABT      0x24ull
#define SCTLR_SPAN   BIT(23)
#define SCTLR_DSSBS  BIT(44)

/* Arm ARM, AArch64.TakeException: to EL1, by its vectors. */
static void take_exception(struct rec_cpu *c)
{
    uint64_t mode = c->pstate & 15;
    uint64_t vector = sysreg_read(vbar_el1) + (mode == PSTATE_EL1H ? 0x200 : mode == 4 ? 0 : 0x400);
    uint64_t sctlr = sysreg_read(sctlr_el1);
    bool abort = c->inject == INJECT_ABORT;

    sysreg_write(elr_el1, c->pc);
    sysreg_write(spsr_el1, c->pstate);
    sysreg_write(esr_el1, ESR_IL | (abort ? (mode == 0 ? EC_DABT : EC_DABT_SAME) << 26 | FSC_SEA
                                          : 0));
    if (abort) {
        sysreg_write(far_el1, c->far);
    }
    c->pc = vector;
    c->pstate = (c->pstate & PSTATE_KEPT) | PSTATE_DAIF | PSTATE_EL1H;
    c->pstate |= (sctlr & SCTLR_SPAN) == 0 ? PSTATE_PAN : 0;
    c->pstate |= (sctlr & SCTLR_DSSBS) != 0 ? PSTATE_SSBS : 0;
    c->inject = INJECT_NONE;
}

/* A6.2: what a timer asserts is the host's to deliver; until it changes it is masked. */
static void mask_timers(void)
{
    uint64_t mask = CNTHCTL_EL1;

    mask |= (sysreg_read(cntv_ctl_el0) & 7) == 5 ? CNTHCTL_VMASK : 0;
    mask |= (sysreg_read(cntp_ctl_el0) & 7) == 5 ? CNTHCTL_PMASK : 0;
    sysreg_set(cnthctl_el2, mask);
}

enum port_exit port_run(struct rec *rec, const struct rd *rd, uint64_t flags, struct port_gic *gic)
{
    uint64_t why;

    (void)rd;
    if (rec->cpu.inject != INJECT_NONE) {
        take_exception(&rec->cpu);
    }
    load_gic(gic);
    mask_timers();
    sysreg_set(hcr_el2, HCR_REALM | ((flags & REC_ENTER_TRAP_WFI) != 0 ? HCR_TWI : 0) |
                              ((flags & REC_ENTER_TRAP_WFE) != 0 ? HCR_TWE : 0));
    isb();
    why = rmm_enter(rec);
    rec->cpu.esr = sysreg_read(esr_el2);
    rec->cpu.far = sysreg_read(far_el2);
    rec->cpu.hpfar = sysreg_read(hpfar_el2);
    save_gic(gic);
    isb();
    return (enum port_exit)why;
}
