/* Running guests on AMD SVM: APM Vol. 2, chapter 15. */
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

#define HSAVE_XCR0 0x7e8u /* 3E8h in the state save area, at 400h */

struct svm_features svm_features;
static uint64_t vcpus_made;

static pa_t page_for(const char *what)
{
    pa_t at;

    if (!svm_page_alloc(0, &at)) {
        panic("no memory for %s", what);
    }
    return at;
}

/*
 * The first ASIDs are the keys of encrypted guests (15.34.2; CPUID 8000001Fh): a plain guest with
 * one of them would find that guest's translations in the TLB.
 */
static uint32_t first_asid(void)
{
    bool told = cpuid(0x80000000, 0).eax >= 0x8000001f;
    struct cpuid_regs sev = told ? cpuid(0x8000001f, 0) : (struct cpuid_regs){0, 0, 0, 0};

    return (sev.eax & BIT(1)) != 0 ? sev.ecx + 1 : 1;
}

static void read_features(void)
{
    struct cpuid_regs svm = cpuid(0x8000000a, 0);

    if ((svm.edx & BIT(0)) == 0) {
        panic("this CPU has no nested paging");
    }
    svm_features.nrips = (svm.edx & BIT(3)) != 0;
    svm_features.flush_by_asid = (svm.edx & BIT(6)) != 0;
    svm_features.decode_assists = (svm.edx & BIT(7)) != 0;
    svm_features.asids = svm.ebx;
    svm_features.first_asid = first_asid();
    CHECK(svm_features.first_asid < svm_features.asids);
}

/*
 * What the exit of an SEV-ES guest loads although its VMRUN did not save it (APM Vol. 2, table B-4,
 * swap type B): what VMSAVE writes, and XCR0. PKRU and XSS are 0 here.
 */
static void fill_host_save_area(pa_t at)
{
    uint64_t *xcr0 = (uint64_t *)((uint8_t *)pa_to_hva(at) + HSAVE_XCR0);

    __asm__ volatile("vmsave %0" : : "a"(at.v) : "memory");
    *xcr0 = fpu_xcr0_mask();
}

void arch_virt_init(void)
{
    struct cpu *c = this_cpu();
    pa_t hsave = page_for("the host save area");

    if (cpuid(0x80000000, 0).eax < 0x8000000a || (cpuid(0x80000001, 0).ecx & BIT(2)) == 0) {
        panic("this CPU has no AMD SVM: in QEMU say -cpu EPYC-Milan or max");
    }
    if ((rdmsr(MSR_VM_CR) & BIT(4)) != 0) {
        panic("the firmware has disabled SVM: enable it in its setup");
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, hsave.v);
    speculation_init(c);
    if (c->index == 0) {
        read_features();
        fpu_init();
        msr_init();
        cpuid_policy_init();
    }
    fill_host_save_area(hsave);
    c->arch.host_vmcb = page_for("the host VMCB").v;
    c->arch.asid_next = svm_features.first_asid;
    c->arch.asid_generation = 1;
    __asm__ volatile("vmsave %0" : : "a"(c->arch.host_vmcb) : "memory");
}

enum abi_status arch_vm_init(struct vm *vm)
{
    vm->arch.tsc_offset = 0 - rdtsc(); /* its time starts now */
    return ABI_OK;
}

void svm_set_controls(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    b->dr_reads = 0xffff;
    b->dr_writes = 0xffff;
    /* A guest can make the CPU deliver these two without end: 15.13, and CVE-2015-5307. */
    b->exceptions = BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC);
    b->intercept1 = (uint32_t)(ICPT_INTR | ICPT_NMI | ICPT_SMI | ICPT_INIT | ICPT_RDPMC |
                               ICPT_CPUID | ICPT_RSM | ICPT_INVD | ICPT_HLT | ICPT_INVLPGA |
                               ICPT_IOIO | ICPT_MSR | ICPT_FERR | ICPT_SHUTDOWN);
    b->intercept2 = (uint32_t)(ICPT2_SVM | ICPT2_WBINVD | ICPT2_MONITOR | ICPT2_MWAIT |
                               ICPT2_XSETBV | ICPT2_RDPRU);
    b->iopm = hva_to_pa(svm_iopm).v;
    b->msrpm = hva_to_pa(svm_msrpm).v;
    b->tsc_offset = v->vm->arch.tsc_offset;
    b->vintr = VINTR_MASKING;
    b->nested = 1;
    b->ncr3 = v->vm->stage2.root.v;
}

/* See svm_page_alloc: one that cannot be used is the VM's for nothing. */
static struct vmcb *alloc_vmcb(struct vm *vm)
{
    void *page;

    do {
        page = vm_alloc_page(vm);
    } while (page != NULL && IS_ALIGNED(hva_to_pa(page).v, SIZE_2M));
    return page;
}

enum abi_status arch_vcpu_init(struct vcpu *v)
{
    v->arch.number = atomic_add(&vcpus_made, 1ul) + 1;
    v->arch.vmcb = alloc_vmcb(v->vm);
    v->arch.fpu = vm_alloc(v->vm, fpu_area_size() + 64);
    if (v->arch.vmcb == NULL || v->arch.fpu == NULL) {
        return ABI_NO_MEMORY;
    }
    v->arch.fpu = (uint8_t *)ALIGN_UP((uint64_t)v->arch.fpu, 64);
    v->arch.vmcb_pa = hva_to_pa(v->arch.vmcb).v;
    svm_set_controls(v);
    svm_reset_state(v);
    vlapic_reset(v);
    fpu_reset(v);
    v->arch.mtrr.def = MTRR_DEF_FIRMWARE;
    v->arch.wait = WAIT_SIPI;
    return ABI_OK;
}

void arch_vm_destroy(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        vlapic_destroy(vm->vcpu[i]);
    }
}

void arch_vm_flush(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        vcpu_request(vm->vcpu[i], REQ_FLUSH);
    }
}

/*
 * ASIDs are handed out CPU by CPU; when they run out a new generation starts and everything is
 * flushed. A vCPU that comes from another CPU, or from an older generation, takes a new one.
 */
static void choose_asid(struct vcpu *v, struct cpu *c)
{
    struct arch_vcpu *a = &v->arch;

    if (a->last_cpu == c && a->asid_generation == c->arch.asid_generation) {
        return;
    }
    if (c->arch.asid_next >= svm_features.asids) {
        c->arch.asid_next = svm_features.first_asid;
        c->arch.asid_generation++;
        c->arch.asid_flush = true;
    }
    a->vmcb->asid = (uint32_t)c->arch.asid_next++;
    a->asid_generation = c->arch.asid_generation;
    a->last_cpu = c;
    a->vmcb->clean = 0; /* the CPU caches by VMCB address and its own ASID */
}

#define DR7_ENABLED 0xffull

void arch_vcpu_load(struct vcpu *v)
{
    v->arch.events = true; /* and perhaps a flush */
    speculation_switch(this_cpu(), v);
    if (cpu_features.rdtscp) {
        wrmsr(MSR_TSC_AUX, v->arch.tsc_aux);
    }
    if (v->arch.encrypted != NULL) {
        /* The chip switches what it keeps in the save area; its ASID is its key. */
        if (v->arch.encrypted->load != NULL) {
            v->arch.encrypted->load(v);
        }
        return;
    }
    choose_asid(v, this_cpu());
    fpu_load(v->arch.fpu, v->arch.xcr0);
    if ((v->arch.vmcb->dr7 & DR7_ENABLED) != 0) {
        svm_load_debug(v); /* its breakpoints are armed: they must hit without an access first */
    }
}

void arch_vcpu_save(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    svm_forget_returns();
    if (a->encrypted != NULL) {
        if (a->encrypted->save != NULL) {
            a->encrypted->save(v);
        }
        return;
    }
    fpu_save(v->arch.fpu);
    if (a->dr_live) {
        a->dr[0] = read_dr0();
        a->dr[1] = read_dr1();
        a->dr[2] = read_dr2();
        a->dr[3] = read_dr3();
        a->dr_live = false;
        a->vmcb->dr_reads = 0xffff;
        a->vmcb->dr_writes = 0xffff;
        vmcb_dirty(a->vmcb, CLEAN_INTERCEPTS);
    }
}

bool arch_vcpu_wakeable(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    if (a->wait == WAIT_SIPI) {
        return (load_once(&v->requests) & (REQ_SIPI | REQ_INIT)) != 0;
    }
    if (a->wait == WAIT_NMI) {
        return a->nmi_pending;
    }
    if (a->wait == WAIT_EVENT && load_once(&v->event_due)) {
        return true;
    }
    return a->nmi_pending || vlapic_wakes(v);
}

static void flush_guest(struct vcpu *v)
{
    v->arch.vmcb->tlb_control = svm_features.flush_by_asid ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
}

static void take_init(struct vcpu *v)
{
    v->arch.wait = WAIT_SIPI;
    if (v->arch.encrypted != NULL) {
        v->arch.encrypted->reset(v);
    } else {
        svm_reset_state(v);
    }
    vlapic_reset(v);
}

static void take_sipi(struct vcpu *v)
{
    const struct svm_encrypted *e = v->arch.encrypted;

    if (e == NULL) {
        svm_start_at(v, load_once(&v->arch.sipi_vector));
    } else if (e->sipi != NULL) {
        e->sipi(v);
    }
}

/* False: it is to stop. Not inlined: most entries find none. */
__attribute__((noinline)) static bool take_requests(struct vcpu *v)
{
    uint32_t bits = atomic_swap(&v->requests, 0u);

    if ((bits & REQ_FLUSH) != 0) {
        flush_guest(v);
    }
    if ((bits & REQ_NMI) != 0) {
        v->arch.nmi_pending = true;
    }
    if ((bits & REQ_INIT) != 0) {
        take_init(v);
    }
    if ((bits & REQ_SIPI) != 0 && v->arch.wait == WAIT_SIPI) {
        take_sipi(v);
    }
    if ((bits & REQ_SERVE) != 0) {
        vm_serve(v->vm);
    }
    return (bits & REQ_STOP) == 0;
}

/* A vCPU that waits goes on when what it waits for is there. */
static bool still_waits(struct vcpu *v)
{
    enum wait_state wait = v->arch.wait;

    if ((wait == WAIT_HLT || wait == WAIT_NMI || wait == WAIT_EVENT) && arch_vcpu_wakeable(v)) {
        v->arch.wait = WAIT_NONE;
        if (wait == WAIT_EVENT) {
            store_once(&v->event_due, false);
        }
    }
    return v->arch.wait != WAIT_NONE;
}

static ALWAYS_INLINE void left(struct vcpu *v)
{
    struct vmcb *b = v->arch.vmcb;

    v->exits++;
    b->clean = CLEAN_ALL;
    b->tlb_control = 0;
    if (UNLIKELY(v->arch.in_flight || (b->exit_int_info & EVENT_VALID) != 0)) {
        svm_account_events(v);
    }
}

static ALWAYS_INLINE void enter(struct vcpu *v, uint64_t host_vmcb, bool encrypted)
{
    struct arch_vcpu *a = &v->arch;

    if (encrypted) {
        a->encrypted->enter(v, host_vmcb);
        left(v);
        a->encrypted->handle_exit(v);
    } else {
        svm_enter(&a->regs, a->vmcb_pa, host_vmcb);
        left(v);
        svm_handle_exit(v);
    }
}

/* What an entry seldom needs. False: the vCPU still waits, and does not enter. */
static bool prepare(struct vcpu *v, struct cpu *c)
{
    if (v->arch.wait != WAIT_NONE && still_waits(v)) {
        return false;
    }
    svm_prepare_events(v);
    if (c->arch.asid_flush) {
        v->arch.vmcb->tlb_control = TLB_FLUSH_ALL;
        c->arch.asid_flush = false;
    }
    return true;
}

static ALWAYS_INLINE enum run_end run(struct vcpu *v, bool encrypted)
{
    struct arch_vcpu *a = &v->arch;
    struct cpu *c = this_cpu();

    for (;;) {
        if (UNLIKELY(load_once(&v->requests) != 0)) {
            if (!take_requests(v)) {
                return RUN_STOPPED;
            }
            a->events = true;
        }
        if (UNLIKELY(load_once(&c->resched))) {
            return RUN_RESCHED;
        }
        if (UNLIKELY(a->events) && !prepare(v, c)) {
            return RUN_BLOCKED;
        }
        enter(v, c->arch.host_vmcb, encrypted);
    }
}

/* Two loops: neither kind of vCPU pays for the other at each exit. */
__attribute__((noinline)) static enum run_end run_encrypted(struct vcpu *v)
{
    return run(v, true);
}

enum run_end arch_vcpu_run(struct vcpu *v)
{
    return v->arch.encrypted == NULL ? run(v, false) : run_encrypted(v);
}

void arch_vcpu_set_entry(struct vcpu *v, const struct vcpu_entry *entry)
{
    svm_entry_state(v, entry);
    v->arch.wait = WAIT_NONE;
}

bool arch_vcpu_irq_valid(uint32_t irq)
{
    return irq >= 32 && irq <= 255; /* below are exceptions */
}

void arch_vcpu_irq(struct vcpu *v, uint32_t irq)
{
    vlapic_set(v, (uint8_t)irq);
}

void arch_vcpu_wait(struct vcpu *v)
{
    v->arch.wait = WAIT_EVENT;
    v->arch.events = true;
}
