/* A REC on this CPU: what EL1 has, timers, the virtual GIC. */
#include "image.h"

#include "arch_impl/insn.h"
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

#define EL1_REGS(R)                                                                                \
    R(sctlr_el1) R(cpacr_el1) R(ttbr0_el1) R(ttbr1_el1) R(tcr_el1) R(esr_el1) R(afsr0_el1)         \
    R(afsr1_el1) R(far_el1) R(mair_el1) R(amair_el1) R(vbar_el1) R(contextidr_el1) R(tpidr_el0)    \
    R(tpidrro_el0) R(tpidr_el1) R(sp_el0) R(sp_el1) R(elr_el1) R(spsr_el1) R(cntkctl_el1)          \
    R(par_el1) R(csselr_el1) R(mdscr_el1)

static struct host_state {
    struct fp_state fp;
    uint64_t el1[32];
    uint64_t cntp_ctl, cntp_cval, cntv_ctl, cntv_cval;
} host[RMM_CPUS];

enum { INJECT_NONE, INJECT_ABORT, INJECT_UNDEFINED };

static void save_el1(uint64_t *to)
{
#define SAVE(name) *to++ = sysreg_read(name);
    EL1_REGS(SAVE)
#undef SAVE
}

static void load_el1(const uint64_t *from)
{
#define LOAD(name) sysreg_write(name, *from++);
    EL1_REGS(LOAD)
#undef LOAD
}

#define ICH_HCR_EL2  s3_4_c12_c11_0
#define ICH_VTR_EL2  s3_4_c12_c11_1
#define ICH_MISR_EL2 s3_4_c12_c11_2
#define ICH_VMCR_EL2 s3_4_c12_c11_7
#define read_(name)     sysreg_read(name)
#define write_(name, v) sysreg_write(name, v)

#define LIST_REGISTERS(LR)                                                                         \
    LR(0, s3_4_c12_c12_0) LR(1, s3_4_c12_c12_1) LR(2, s3_4_c12_c12_2) LR(3, s3_4_c12_c12_3)        \
    LR(4, s3_4_c12_c12_4) LR(5, s3_4_c12_c12_5) LR(6, s3_4_c12_c12_6) LR(7, s3_4_c12_c12_7)        \
    LR(8, s3_4_c12_c13_0) LR(9, s3_4_c12_c13_1) LR(10, s3_4_c12_c13_2) LR(11, s3_4_c12_c13_3)      \
    LR(12, s3_4_c12_c13_4) LR(13, s3_4_c12_c13_5) LR(14, s3_4_c12_c13_6) LR(15, s3_4_c12_c13_7)

unsigned int port_lrs(void)
{
    return MIN((unsigned int)field(read_(ICH_VTR_EL2), 0, 5) + 1, RMI_LRS);
}

static unsigned int aprs(void)
{
    return 1u << (MAX(field(read_(ICH_VTR_EL2), 26, 3) + 1, 5ull) - 5);
}

static void load_gic(const struct port_gic *gic)
{
    unsigned int lrs = port_lrs();

#define LOAD(n, name)                                                                              \
    if (n < lrs) {                                                                                 \
        sysreg_write(name, gic->lrs[n]);                                                           \
    }
    LIST_REGISTERS(LOAD)
#undef LOAD
    write_(ICH_HCR_EL2, gic->hcr | BIT(0));
}

static void save_gic(struct port_gic *gic)
{
    unsigned int lrs = port_lrs();

    gic->misr = read_(ICH_MISR_EL2);
    gic->hcr = read_(ICH_HCR_EL2);
#define SAVE(n, name)                                                                              \
    if (n < lrs) {                                                                                 \
        gic->lrs[n] = sysreg_read(name);                                                           \
        sysreg_write(name, 0);                                                                     \
    }
    LIST_REGISTERS(SAVE)
#undef SAVE
    write_(ICH_HCR_EL2, 0);
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
    c->vmcr = read_(ICH_VMCR_EL2);
}

static void load_priorities(const struct rec_cpu *c)
{
    unsigned int n = aprs();

#define LOAD(array, i, name)                                                                       \
    if (i < n) {                                                                                   \
        sysreg_write(name, c->array[i]);                                                           \
    }
    PRIORITIES(LOAD)
#undef LOAD
    write_(ICH_VMCR_EL2, c->vmcr);
}

static void save_host(struct host_state *h)
{
    rmm_fp_save(&h->fp);
    save_el1(h->el1);
    h->cntp_ctl = sysreg_read(cntp_ctl_el0);
    h->cntp_cval = sysreg_read(cntp_cval_el0);
    h->cntv_ctl = sysreg_read(cntv_ctl_el0);
    h->cntv_cval = sysreg_read(cntv_cval_el0);
}

static void load_host(const struct host_state *h)
{
    sysreg_write(cntp_cval_el0, h->cntp_cval);
    sysreg_write(cntp_ctl_el0, h->cntp_ctl);
    sysreg_write(cntv_cval_el0, h->cntv_cval);
    sysreg_write(cntv_ctl_el0, h->cntv_ctl);
    load_el1(h->el1);
    rmm_fp_load(&h->fp);
}

static void set_stage2(const struct rec *rec, const struct rd *rd)
{
    sysreg_write(vtcr_el2, VTCR_REALM | (64u - rd->ipa_bits) | (2ull - rd->start_level) << 6);
    sysreg_write(vttbr_el2, rd->rtt_base | (uint64_t)rd->vmid << 48);
    sysreg_write(vmpidr_el2, rec->mpidr);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(mdcr_el2, MDCR_REALM);
    sysreg_write(hstr_el2, 0);
    sysreg_write(cntvoff_el2, 0);
    isb();
    /* Two RECs may mean different things by one ASID. */
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh" : : : "memory");
    isb();
}

void port_run_begin(struct rec *rec, const struct rd *rd)
{
    const struct rec_cpu *c = &rec->cpu;

    save_host(&host[rmm_cpu()]);
    set_stage2(rec, rd);
    load_el1(c->el1);
    rmm_fp_load(c->fp);
    load_priorities(c);
    sysreg_write(cntp_cval_el0, c->cntp_cval);
    sysreg_write(cntp_ctl_el0, c->cntp_ctl);
    sysreg_write(cntv_cval_el0, c->cntv_cval);
    sysreg_write(cntv_ctl_el0, c->cntv_ctl);
    isb();
}

void port_run_end(struct rec *rec)
{
    struct rec_cpu *c = &rec->cpu;

    sysreg_write(hcr_el2, 0);
    isb();
    c->cntp_ctl = sysreg_read(cntp_ctl_el0);
    c->cntp_cval = sysreg_read(cntp_cval_el0);
    c->cntv_ctl = sysreg_read(cntv_ctl_el0);
    c->cntv_cval = sysreg_read(cntv_cval_el0);
    save_priorities(c);
    rmm_fp_save(c->fp);
    save_el1(c->el1);
    load_host(&host[rmm_cpu()]);
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
#define PSTATE_KEPT  0xf0400000ull /* N, Z, C, V, PAN */
#define ESR_IL       BIT(25)
#define FSC_SEA      0x10u
#define EC_DABT_SAME 0x25ull
#define EC_DABT      0x24ull
#define SCTLR_SPAN   BIT(23)

/* Arm ARM, AArch64.TakeException: to EL1, by its vectors. */
static void take_exception(struct rec_cpu *c)
{
    uint64_t mode = c->pstate & 15;
    uint64_t vector = sysreg_read(vbar_el1) + (mode == PSTATE_EL1H ? 0x200 : mode == 4 ? 0 : 0x400);
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
    c->pstate |= (sysreg_read(sctlr_el1) & SCTLR_SPAN) == 0 ? BIT(22) : 0;
    c->inject = INJECT_NONE;
}

/* A6.2: what a timer asserts is the host's to deliver; until it changes it is masked. */
static void mask_timers(void)
{
    uint64_t mask = CNTHCTL_EL1;

    mask |= (sysreg_read(cntv_ctl_el0) & 7) == 5 ? CNTHCTL_VMASK : 0;
    mask |= (sysreg_read(cntp_ctl_el0) & 7) == 5 ? CNTHCTL_PMASK : 0;
    sysreg_write(cnthctl_el2, mask);
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
    sysreg_write(hcr_el2, HCR_REALM | ((flags & REC_ENTER_TRAP_WFI) != 0 ? HCR_TWI : 0) |
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
