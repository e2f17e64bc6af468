/* Running guests at EL1 below us: stage 2, VMIDs, the run loop. Arm ARM, D8 and D19. */
#include "virt.h"

#include "../cpu/aarch64.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

/* HCR_EL2 */
#define HCR_VM    BIT(0)
#define HCR_SWIO  BIT(1)
#define HCR_FMO   BIT(3) /* interrupts are ours, and the guest has virtual ones */
#define HCR_IMO   BIT(4)
#define HCR_AMO   BIT(5)
#define HCR_FB    BIT(9)  /* TLB maintenance reaches every CPU that its vCPU may have run on */
#define HCR_BSU   BIT(10) /* inner shareable, for the same reason */
#define HCR_TWI   BIT(13)
#define HCR_TID3  BIT(18)
#define HCR_TSC   BIT(19)
#define HCR_TIDCP BIT(20)
#define HCR_TACR  BIT(21)
#define HCR_RW    BIT(31)
#define HCR_TLOR  BIT(35)
#define HCR_TERR  BIT(36)
#define HCR_FWB   BIT(46)
#define HCR_GUEST                                                                                  \
    (HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU | HCR_TWI | HCR_TID3 |     \
     HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_RW | HCR_TLOR | HCR_TERR | HCR_FWB)

/* MDCR_EL2: debug registers, performance monitors, profiling and trace are trapped. */
#define MDCR_TRAPS                                                                                 \
    (BIT(5) | BIT(6) | BIT(9) | BIT(10) | BIT(11) | BIT(14) | BIT(19))
/* CPTR_EL2: SVE (TZ), SME (TSM), trace (TTA), activity monitors (TAM); not floating point. */
#define CPTR_GUEST (0x32ffull | BIT(8) | BIT(12) | BIT(20) | BIT(30))

/* VTCR_EL2: 4 KiB granule from level 0 on, cacheable, inner shareable; bit 31 is RES1. */
#define VTCR_FIXED (BIT(31) | 2ull << 6 | 1ull << 8 | 1ull << 10 | 3ull << 12)

#define SCTLR_EL1_RESET  0x30d00800ull /* RES1 */
#define PSTATE_EL1H_MASK 0x3c5ull

#define VMID_SHIFT 48u

static uint64_t vmids; /* in use; bit n is VMID n + 1 */

static void check_machine(void)
{
    if (field(sysreg_read(id_aa64mmfr2_el1), 40, 4) == 0) {
        panic("this CPU lacks FEAT_S2FWB: what a guest writes around the caches would be lost");
    }
    if (field(sysreg_read(id_aa64pfr0_el1), 56, 4) == 0) {
        panic("this CPU lacks FEAT_CSV2: one guest's branches could steer what another speculates");
    }
    if (field(sysreg_read(id_aa64mmfr0_el1), 0, 4) < 4) {
        panic("this CPU has less than 44 bits of physical address");
    }
}

/* Registers of newer CPUs whose reset value nobody promises; guests are shown none of it. */
static void clear_new_traps(void)
{
    if (field(sysreg_read(id_aa64mmfr1_el1), 40, 4) != 0) {
        sysreg_write(s3_4_c1_c2_2, 0); /* HCRX_EL2 */
    }
    if (field(sysreg_read(id_aa64mmfr0_el1), 56, 4) != 0) {
        sysreg_write(s3_4_c1_c1_4, 0); /* HFGRTR_EL2 */
        sysreg_write(s3_4_c1_c1_5, 0); /* HFGWTR_EL2 */
        sysreg_write(s3_4_c1_c1_6, 0); /* HFGITR_EL2 */
        sysreg_write(s3_4_c3_c1_4, 0); /* HDFGRTR_EL2 */
        sysreg_write(s3_4_c3_c1_5, 0); /* HDFGWTR_EL2 */
    }
}

void arch_virt_init(void)
{
    uint64_t bits;

    check_machine();
    if (this_cpu()->index == 0) {
        sysreg_init();
    }
    clear_new_traps();
    bits = guest_pa_bits();
    sysreg_write(vtcr_el2, VTCR_FIXED | (64 - bits) | (bits >= 48 ? 5ull : 4ull) << 16);
    sysreg_write(mdcr_el2, (sysreg_read(mdcr_el2) & 31) | MDCR_TRAPS);
    sysreg_write(cptr_el2, CPTR_GUEST);
    sysreg_write(hstr_el2, 0);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(hcr_el2, HCR_GUEST);
    vgic_init();
    isb();
}

/* Translations of that VTTBR's VMID go, on every CPU, and what used them is done. */
static void flush_vmid(uint64_t vttbr)
{
    uint64_t loaded = sysreg_read(vttbr_el2);

    sysreg_write(vttbr_el2, vttbr);
    isb();
    dsb(ishst);
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    dsb(ish);
    sysreg_write(vttbr_el2, loaded);
    isb();
}

static uint64_t take_vmid(void)
{
    for (;;) {
        uint64_t used = load_once(&vmids);
        unsigned int n = (unsigned int)__builtin_ctzll(~used);

        CHECK(used != UINT64_MAX); /* as many VMIDs as VMs */
        if (atomic_cas(&vmids, &used, used | BIT(n))) {
            return n + 1;
        }
    }
}

static unsigned int vmid_of(const struct vm *vm)
{
    return (unsigned int)(vm->arch.vttbr >> VMID_SHIFT);
}

enum abi_status arch_vm_init(struct vm *vm)
{
    struct cpu *c = this_cpu();

    _Static_assert(VMIDS >= VMS_MAX, "a VMID for each VM");
    REQUIRE(c->arch.loaded == NULL); /* libfdt uses registers that would be the guest's */
    vm->arch.vttbr = vm->stage2.root.v | take_vmid() << VMID_SHIFT;
    vm->arch.cntvoff = clock_now(); /* its time starts now */
    flush_vmid(vm->arch.vttbr); /* of the last VM that had it */
    for (unsigned int i = 0; i < cpu_count(); i++) {
        store_once(&cpu_at(i)->arch.last[vmid_of(vm)], (struct vcpu *)NULL);
    }
    return ABI_OK;
}

void arch_vm_destroy(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        vtimer_destroy(vm->vcpu[i]);
    }
    if (vmid_of(vm) != 0) {
        (void)atomic_and(&vmids, ~BIT(vmid_of(vm) - 1));
    }
}

/* At once: the CPUs tell each other. */
void arch_vm_flush(struct vm *vm)
{
    flush_vmid(vm->arch.vttbr);
}

void vcpu_reset(struct vcpu *v, uint64_t pc, uint64_t x0)
{
    struct arch_vcpu *a = &v->arch;

    memset(&a->regs, 0, sizeof(a->regs));
    memset(&a->el1, 0, sizeof(a->el1));
    memset(&a->fp, 0, sizeof(a->fp));
    a->el1.sctlr_el1 = SCTLR_EL1_RESET;
    a->regs.pc = pc;
    a->regs.x[0] = x0;
    a->regs.pstate = PSTATE_EL1H_MASK;
}

enum abi_status arch_vcpu_init(struct vcpu *v)
{
    v->arch.mpidr = BIT(31) | (v->index & 15) | (uint64_t)(v->index >> 4) << 8;
    vcpu_reset(v, 0, 0);
    vgic_reset(v);
    vtimer_reset(v);
    v->arch.wait = WAIT_ON;
    v->arch.power = POWER_OFF;
    return ABI_OK;
}

void arch_vcpu_set_entry(struct vcpu *v, const struct vcpu_entry *entry)
{
    vcpu_reset(v, entry->rip, entry->boot_data);
    v->arch.wait = WAIT_NONE;
    v->arch.power = POWER_ON;
    dsb(ish); /* FEAT_S2FWB: data needs no cleaning for instructions to see it */
    __asm__ volatile("ic ialluis" : : : "memory");
    dsb(ish);
}

static void load_el1(const struct el1_regs *r)
{
#define EL1_LOAD(name) sysreg_write(name, r->name);
    EL1_REGS(EL1_LOAD)
#undef EL1_LOAD
}

static void save_el1(struct el1_regs *r)
{
#define EL1_SAVE(name) r->name = sysreg_read(name);
    EL1_REGS(EL1_SAVE)
#undef EL1_SAVE
}

/* CFP RCTX, C5.6.1; done here, for what ran here. */
#define RCTX_VMID(vmid) ((uint64_t)(vmid) << 32)
#define RCTX_NS         BIT(26)
#define RCTX_EL1        BIT(24)
#define RCTX_ALL_ASIDS  BIT(16) /* EL0 only */

static void restrict_branches(uint64_t context)
{
    __asm__ volatile("sys #3, c7, c3, #4, %0" : : "r"(context | RCTX_NS) : "memory");
}

/* FEAT_CSV2 keeps branch predictions apart by VMID: those of the last VM that had it go. */
static void forget_branches(unsigned int vmid)
{
    if (field(sysreg_read(id_aa64isar1_el1), 40, 4) != 0) { /* FEAT_SPECRES */
        restrict_branches(RCTX_VMID(vmid) | RCTX_EL1);
        restrict_branches(RCTX_VMID(vmid) | RCTX_ALL_ASIDS);
        dsb(nsh);
        isb();
    }
}

/* Two vCPUs of a VM may mean different things by one ASID: the CPU must not mix them up. */
static void forget_sibling(struct vcpu *v, struct cpu *c)
{
    struct vcpu **last = &c->arch.last[vmid_of(v->vm)];

    if (load_once(last) != v) {
        __asm__ volatile("tlbi vmalle1\n\tdsb nsh" : : : "memory");
        if (load_once(last) == NULL) {
            forget_branches(vmid_of(v->vm));
        }
        store_once(last, v);
    }
}

void arch_vcpu_load(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    v->arch.events = true;
    if (v->arch.confidential != NULL) {
        timer_cancel(&v->arch.wake); /* all else is the firmware's */
        return;
    }
    c->arch.loaded = v;
    sysreg_write(vttbr_el2, v->vm->arch.vttbr);
    sysreg_write(vmpidr_el2, v->arch.mpidr);
    load_el1(&v->arch.el1);
    isb();
    forget_sibling(v, c);
    fp_load(&v->arch.fp);
    vgic_load(v);
    vtimer_load(v);
}

void arch_vcpu_save(struct vcpu *v)
{
    if (v->arch.confidential != NULL) {
        vtimer_sleep(v);
        return;
    }
    vtimer_save(v);
    vgic_save(v);
    fp_save(&v->arch.fp);
    save_el1(&v->arch.el1);
    this_cpu()->arch.loaded = NULL;
}

bool arch_vcpu_wakeable(struct vcpu *v)
{
    if (v->arch.wait == WAIT_ON) {
        return (load_once(&v->requests) & REQ_SIPI) != 0;
    }
    if (v->arch.wait == WAIT_EVENT && load_once(&v->event_due)) {
        return true;
    }
    return vgic_pending(v) || vtimer_due(v);
}

/* A vCPU that waits goes on when what it waits for is there. */
static bool still_waits(struct vcpu *v)
{
    enum wait_state wait = v->arch.wait;
    bool due = wait == WAIT_EVENT && load_once(&v->event_due);

    if (wait == WAIT_EVENT || wait == WAIT_WFI) {
        if (due || vgic_pending(v) ||
            (v->arch.confidential != NULL ? vtimer_due(v) : vtimer_fires(v))) {
            v->arch.wait = WAIT_NONE;
        }
    }
    if (wait == WAIT_EVENT && v->arch.wait == WAIT_NONE) {
        store_once(&v->event_due, false);
    }
    return v->arch.wait != WAIT_NONE;
}

/* True: the core must act. */
static bool take_requests(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    if ((bits & REQ_SIPI) != 0) {
        vcpu_take_start(v);
    }
    if ((bits & REQ_SERVE) != 0) {
        vm_serve(v->vm);
    }
    return (bits & REQ_STOP) != 0;
}

/* What an entry seldom needs. False: the vCPU still waits, and does not enter. */
static bool prepare(struct vcpu *v)
{
    if (v->arch.wait != WAIT_NONE && still_waits(v)) {
        return false;
    }
    v->arch.events = false;
    if (v->arch.confidential == NULL) {
        vtimer_drop_stale(v);
        vgic_flush(v);
    }
    return true;
}

enum run_end arch_vcpu_run(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;
    struct cpu *c = this_cpu();
    uint64_t why;

    for (;;) {
        if (UNLIKELY(load_once(&v->requests) != 0)) {
            if (take_requests(v)) {
                return RUN_STOPPED;
            }
            a->events = true;
        }
        if (UNLIKELY(load_once(&c->resched))) {
            return RUN_RESCHED;
        }
        if (UNLIKELY(a->events) && !prepare(v)) {
            return RUN_BLOCKED;
        }
        v->exits++;
        if (a->confidential != NULL) {
            a->confidential->run(v);
            continue;
        }
        why = aarch64_enter(&a->regs);
        if (a->gic.used != 0) {
            vgic_sync(v);
            a->events = true;
        }
        guest_exit(v, why);
    }
}

bool arch_vcpu_irq_valid(uint32_t irq)
{
    return irq >= 32 && irq < 32 + 32 * VGIC_SPI_BANKS; /* the SPIs */
}

/* The guest's distributor says which vCPU takes it. */
void arch_vcpu_irq(struct vcpu *v, uint32_t irq)
{
    vgic_latch(v->vm, irq - 32);
}

void arch_vcpu_wait(struct vcpu *v)
{
    v->arch.wait = WAIT_EVENT;
    v->arch.events = true;
}

uint64_t arch_vm_clock_zero(const struct vm *vm)
{
    return clock_from_count(vm->arch.cntvoff);
}
