/* REC_ENTER: from the host into a REC, and back with what it left for (A4). */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"

/* Arm ARM, ESR_EL2 */
#define ESR_EC(esr)  ((unsigned int)((esr) >> 26 & 63))
#define ESR_ISV      BIT(24)
#define ESR_SAS(esr) (1u << ((esr) >> 22 & 3))
#define ESR_SSE      BIT(21)
#define ESR_SRT(esr) ((unsigned int)((esr) >> 16 & 31))
#define ESR_SF       BIT(15)
#define ESR_WNR      BIT(6)
#define FSC_TRANSLATION 4u /* and the level */
enum {
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_HVC64 = 0x16,
    EC_SMC64 = 0x17,
    EC_SYSREG = 0x18,
    EC_SVE = 0x19,
    EC_SME = 0x1d,
    EC_INSTRUCTION_ABORT = 0x20,
    EC_DATA_ABORT = 0x24,
};
/* What a host learns of an abort (A4.3.4): EC, SET, FnV, EA, DFSC; and if it may stand in for the
 * memory, ISV, SAS, SF, WnR. Which register is loaded is the realm's affair. */
#define ESR_ABORT_MASK (0xfc000000ull | 3ull << 11 | BIT(10) | BIT(9) | 0x3f)
#define ESR_EMUL_MASK  (ESR_ABORT_MASK | ESR_ISV | 3ull << 22 | ESR_SF | ESR_WNR)
#define ESR_WFX_MASK   (0xfc000000ull | 3) /* EC, TI */
/* EC, IDS, AET, EA, DFSC */
#define ESR_SERROR_MASK (0xfc000000ull | BIT(24) | 7ull << 10 | BIT(9) | 0x3f)

#define ICH_HCR_HOST (0xfeull | BIT(14)) /* UIE, LRENPIE, NPIE, VGrp*IE, TDIR: A6.1 */
#define LR_STATE     (3ull << 62)
#define LR_HW        BIT(61)
#define LR_VINTID(l) ((uint32_t)(l))

static uint64_t fault_ipa(const struct rec *rec)
{
    return (rec->cpu.hpfar & ~15ull) << 8 | (rec->cpu.far & 0xfff);
}

/* As many bytes as the access has. */
static uint64_t accessed(uint64_t value, uint64_t esr)
{
    unsigned int bits = 8 * ESR_SAS(esr);

    return bits < 64 ? value & (BIT(bits) - 1) : value;
}

/* An access to the host's half of the address space: the host may stand in for memory. */
static enum rec_next leave_mmio(struct rec *rec, struct rmi_rec_exit *x)
{
    uint64_t esr = rec->cpu.esr;

    rec->abort_pending = true;
    if ((esr & ESR_ISV) == 0) {
        x->esr = esr & ESR_ABORT_MASK;
        x->hpfar = rec->cpu.hpfar;
        return REC_LEAVE;
    }
    rec->mmio_pending = true;
    rec->mmio_esr = esr;
    x->esr = esr & ESR_EMUL_MASK;
    x->far = rec->cpu.far & 0xfff;
    x->hpfar = rec->cpu.hpfar;
    if ((esr & ESR_WNR) != 0 && ESR_SRT(esr) != 31) {
        x->gprs[0] = accessed(rec->gprs[ESR_SRT(esr)], esr);
    }
    return REC_LEAVE;
}

/* Synchronous external aborts, in a walk or behind it: nobody can mend the memory. */
static bool is_external(uint64_t esr)
{
    unsigned int status = (unsigned int)(esr & 0x3f);

    return status == 0x10 || (status >= 0x13 && status <= 0x17);
}

static enum rec_next on_abort(struct rec *rec, const struct rd *rd, struct rmi_rec_exit *x,
                              bool fetch)
{
    uint64_t ipa = fault_ipa(rec);
    struct walk w;

    if (is_external(rec->cpu.esr)) { /* the realm's to take, and the host's to know */
        port_inject_abort(rec);
        x->esr = rec->cpu.esr & ESR_ABORT_MASK;
        return REC_LEAVE;
    }
    if (ipa >= BIT(rd->ipa_bits)) {
        port_inject_abort(rec);
        return REC_RESUME;
    }
    if (!ipa_protected(rd, ipa)) {
        if (fetch) {
            port_inject_abort(rec);
            return REC_RESUME;
        }
        return leave_mmio(rec, x);
    }
    rtt_walk(rd, ipa, 3, &w);
    if (rtte_ripas(*w.entry) == RIPAS_EMPTY) {
        port_inject_abort(rec);
        return REC_RESUME;
    }
    if (rtte_is_live(*w.entry) && rtte_ripas(*w.entry) == RIPAS_RAM) {
        return REC_RESUME; /* another CPU's change came first */
    }
    x->esr = rec->cpu.esr & ESR_ABORT_MASK;
    x->hpfar = rec->cpu.hpfar;
    return REC_LEAVE;
}

enum rec_next rec_wants(const struct rd *rd, uint64_t ipa, struct rmi_rec_exit *x)
{
    struct walk w;

    rtt_walk(rd, ipa, 3, &w);
    x->exit_reason = RMI_EXIT_SYNC;
    x->esr = (uint64_t)EC_DATA_ABORT << 26 | FSC_TRANSLATION | w.level;
    x->hpfar = ipa >> 8 & ~15ull;
    return REC_LEAVE;
}

/* SMCCC (DEN0028), 2.5: the function is in W0. */
static enum rec_next on_smc(struct rec *rec, struct rd *rd, struct rmi_rec_exit *x)
{
    uint32_t function = (uint32_t)rec->gprs[0];

    rec->cpu.pc += 4;
    return function >= RSI_VERSION && function <= RSI_HOST_CALL ? rsi_call(rec, rd, x)
                                                                : psci_call(rec, rd, x);
}

#define SYSREG_MASK  0x3ffc1eu /* op0, op2, op1, CRn, CRm */
#define ICC_SGI1R    (3u << 20 | 5u << 17 | 12u << 10 | 11u << 1)
#define ICC_ASGI1R   (3u << 20 | 6u << 17 | 12u << 10 | 11u << 1)
#define ICC_SGI0R    (3u << 20 | 7u << 17 | 12u << 10 | 11u << 1)

/* A4.3.5: interrupts to other RECs are the host's to send; the rest stays here. */
static enum rec_next on_sysreg(struct rec *rec, struct rmi_rec_exit *x)
{
    uint64_t esr = rec->cpu.esr;
    uint32_t name = esr & SYSREG_MASK;
    unsigned int rt = (unsigned int)(esr >> 5 & 31);
    uint64_t value = rt == 31 ? 0 : rec->gprs[rt];

    rec->cpu.pc += 4;
    if ((esr & 1) == 0 && (name == ICC_SGI1R || name == ICC_ASGI1R || name == ICC_SGI0R)) {
        x->esr = esr;
        x->gprs[0] = value;
        return REC_LEAVE;
    }
    if ((esr & 1) == 0) {
        port_sysreg_write(name, value);
    } else if (rt != 31) {
        rec->gprs[rt] = port_sysreg_read(name);
    }
    return REC_RESUME;
}

static enum rec_next on_sync(struct rec *rec, struct rd *rd, struct rmi_rec_exit *x)
{
    x->exit_reason = RMI_EXIT_SYNC;
    switch (ESR_EC(rec->cpu.esr)) {
    case EC_WFX:
        rec->cpu.pc += 4;
        x->esr = rec->cpu.esr & ESR_WFX_MASK;
        return REC_LEAVE;
    case EC_SMC64:
        return on_smc(rec, rd, x);
    case EC_SYSREG:
        return on_sysreg(rec, x);
    case EC_INSTRUCTION_ABORT:
        return on_abort(rec, rd, x, true);
    case EC_DATA_ABORT:
        return on_abort(rec, rd, x, false);
    default: /* HVC, SVE, and whatever a realm has not */
        port_inject_undefined(rec);
        return REC_RESUME;
    }
}

static enum rec_next handle(struct rec *rec, struct rd *rd, enum port_exit why,
                            struct rmi_rec_exit *x)
{
    enum rec_next next = REC_LEAVE;

    switch (why) {
    case PORT_SYNC:
        rmm_lock();
        next = on_sync(rec, rd, x);
        rmm_unlock();
        return next;
    case PORT_IRQ:
        x->exit_reason = RMI_EXIT_IRQ;
        return next;
    case PORT_FIQ:
        x->exit_reason = RMI_EXIT_FIQ;
        return next;
    case PORT_SERROR:
        x->exit_reason = RMI_EXIT_SERROR;
        x->esr = rec->cpu.esr & ESR_SERROR_MASK;
        return next;
    }
    return next;
}

static uint64_t extended(uint64_t value, uint64_t esr)
{
    unsigned int bits = 8 * ESR_SAS(esr);

    value = accessed(value, esr);
    if (bits < 64 && (esr & ESR_SSE) != 0 && (value >> (bits - 1) & 1) != 0) {
        value |= ~(BIT(bits) - 1);
    }
    return (esr & ESR_SF) != 0 ? value : (uint32_t)value;
}

static void complete_mmio(struct rec *rec, const struct rmi_rec_enter *e)
{
    unsigned int rt = ESR_SRT(rec->mmio_esr);

    rec->cpu.pc += 4;
    if ((rec->mmio_esr & ESR_WNR) == 0 && rt != 31) {
        rec->gprs[rt] = extended(e->gprs[0], rec->mmio_esr);
    }
}

static bool complete_host_call(struct rec *rec, const struct rd *rd, const struct rmi_rec_enter *e,
                               struct rmi_rec_exit *x)
{
    struct rsi_host_call *call = realm_memory(rd, rec->host_call_ipa, sizeof(*call));

    if (call == NULL) {
        (void)rec_wants(rd, rec->host_call_ipa, x);
        return false;
    }
    rec->gprs[0] = RSI_SUCCESS;
    memcpy(call->gprs, e->gprs, sizeof(call->gprs));
    return true;
}

/* X1: how far the host went; X2: whether the rest was refused. RAM can be, EMPTY cannot. */
static void complete_ripas(struct rec *rec, const struct rmi_rec_enter *e)
{
    bool reject = (e->flags & REC_ENTER_RIPAS_REJECT) != 0 && rec->ripas_value == RIPAS_RAM &&
                  rec->ripas_addr < rec->ripas_top;

    rec->gprs[0] = RSI_SUCCESS;
    rec->gprs[1] = rec->ripas_addr;
    rec->gprs[2] = reject ? RSI_REJECT : RSI_ACCEPT;
}

/* Interrupts of the host's, one list register each, and none of the machine's: A6.1. */
static bool bad_gic(const struct rmi_rec_enter *e)
{
    bool bad = (e->gicv3_hcr & ~ICH_HCR_HOST) != 0;

    for (unsigned int i = 0; i < RMI_LRS && !bad; i++) {
        uint64_t lr = e->gicv3_lrs[i];

        bad = i >= port_lrs() ? lr != 0 : (lr & LR_HW) != 0;
        for (unsigned int k = 0; k < i && (lr & LR_STATE) != 0; k++) {
            bad = bad || ((e->gicv3_lrs[k] & LR_STATE) != 0 &&
                          LR_VINTID(e->gicv3_lrs[k]) == LR_VINTID(lr));
        }
    }
    return bad;
}

/* May the host say this of the last exit? B4.3.15 */
static uint64_t check_answer(const struct rec *rec, const struct rmi_rec_enter *e)
{
    bool emulated = (e->flags & REC_ENTER_EMUL_MMIO) != 0;
    bool abort = (e->flags & REC_ENTER_INJECT_SEA) != 0;

    if ((e->flags & ~REC_ENTER_FLAGS) != 0) {
        return RMI_ERROR_INPUT;
    }
    return bad_gic(e) || (abort && !rec->abort_pending) || (emulated && !rec->mmio_pending)
               ? RMI_ERROR_REC
               : RMI_SUCCESS;
}

/* False: the realm's buffer is not there now; the host must see to that first. */
static bool take_answer(struct rec *rec, const struct rd *rd, const struct rmi_rec_enter *e,
                        struct rmi_rec_exit *x)
{
    if (rec->host_call_pending && !complete_host_call(rec, rd, e, x)) {
        return false;
    }
    if ((e->flags & REC_ENTER_INJECT_SEA) != 0) {
        port_inject_abort(rec);
    } else if ((e->flags & REC_ENTER_EMUL_MMIO) != 0) {
        complete_mmio(rec, e);
    }
    if (rec->ripas_pending) {
        complete_ripas(rec, e);
    }
    rec->abort_pending = false;
    rec->mmio_pending = false;
    rec->host_call_pending = false;
    rec->ripas_pending = false;
    return true;
}

/* Interrupts that the host has lent, and the timers: in each exit. */
static void tell_state(const struct rec *rec, const struct port_gic *gic, struct rmi_rec_exit *x)
{
    x->gicv3_hcr = gic->hcr;
    x->gicv3_misr = gic->misr;
    x->gicv3_vmcr = rec->cpu.vmcr;
    memcpy(x->gicv3_lrs, gic->lrs, sizeof(gic->lrs));
    x->cntp_ctl = rec->cpu.timers.cntp_ctl;
    x->cntp_cval = rec->cpu.timers.cntp_cval;
    x->cntv_ctl = rec->cpu.timers.cntv_ctl;
    x->cntv_cval = rec->cpu.timers.cntv_cval;
}

static void run(struct rec *rec, struct rd *rd, const struct rmi_rec_enter *e,
                struct port_gic *gic, struct rmi_rec_exit *x)
{
    enum rec_next next;

    port_run_begin(rec, rd);
    do {
        next = handle(rec, rd, port_run(rec, rd, e->flags, gic), x);
    } while (next == REC_RESUME);
    port_run_end(rec);
}

/* With the lock: the REC may run, and is marked so. */
static uint64_t claim(uint64_t rec_pa, uint64_t run_pa, struct rec **rec, struct rd **rd,
                      struct rmi_rec_enter *e)
{
    uint64_t st;

    *rec = granule_as(rec_pa, G_REC);
    if (*rec == NULL || !IS_ALIGNED(run_pa, GRANULE_SIZE) || !ns_read(run_pa, e, sizeof(*e))) {
        return RMI_ERROR_INPUT;
    }
    if ((*rec)->running) {
        return RMI_ERROR_REC;
    }
    *rd = rd_at((*rec)->rd);
    if ((*rd)->state != REALM_ACTIVE) {
        return RMI_CODE(RMI_ERROR_REALM, (*rd)->state == REALM_NEW ? 0 : 1);
    }
    if (!(*rec)->runnable || (*rec)->psci_pending) {
        return RMI_ERROR_REC;
    }
    st = check_answer(*rec, e);
    if (st != RMI_SUCCESS) {
        return st;
    }
    (*rec)->running = true;
    (*rd)->running++;
    (*rd)->cached = true;
    return RMI_SUCCESS;
}

/* B4.3.12 */
uint64_t rmi_rec_enter(struct rmi_call *c)
{
    struct rmi_rec_enter e;
    struct rmi_rec_exit x;
    struct port_gic gic = {0};
    struct rec *rec;
    struct rd *rd;
    bool runs = false;
    uint64_t st;

    memset(&x, 0, sizeof(x));
    rmm_lock();
    st = claim(c->x[1], c->x[2], &rec, &rd, &e);
    if (st == RMI_SUCCESS) {
        runs = take_answer(rec, rd, &e, &x);
    }
    rmm_unlock();
    if (st != RMI_SUCCESS) {
        return st;
    }
    gic.hcr = e.gicv3_hcr;
    memcpy(gic.lrs, e.gicv3_lrs, sizeof(gic.lrs));
    if (runs) {
        run(rec, rd, &e, &gic, &x);
    }
    tell_state(rec, &gic, &x);
    rmm_lock();
    rec->running = false;
    rd->running--;
    if (!ns_write(c->x[2] + sizeof(e), &x, sizeof(x))) {
        st = RMI_ERROR_INPUT; /* it was delegated meanwhile: the host's own doing */
    }
    rmm_unlock();
    return st;
}
