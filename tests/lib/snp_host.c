#include "snp_host.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cc/emu/x86_64/snp_core.h"
#include "hv/cc_ops.h"
#include "hv/check.h"
#include "hv/page.h"

#define RMP_AT GiB(15) /* no RAM: the table's memory is the host's */

static void *rmp_memory;
static uint64_t ram_end, free_at_boot, chip_at_boot;

void (*snp_guest_code)(struct vmcb *b, struct vmsa *save);

/* ---- what the chip stands on: emu.h, snp_emu.h ---- */

void *emu_mem(pa_t at)
{
    return fake_chip(at);
}

void emu_random(void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] = (uint8_t)rand();
    }
}

void emu_fpu_begin(void)
{
}

void emu_fpu_end(void)
{
}

void emu_lock(struct emu_lock *l)
{
    while (__atomic_exchange_n(&l->taken, 1u, __ATOMIC_ACQUIRE) != 0) {
        cpu_relax();
    }
}

void emu_unlock(struct emu_lock *l)
{
    __atomic_store_n(&l->taken, 0u, __ATOMIC_RELEASE);
}

void emu_core_forget(uint32_t asid, uint64_t at, uint64_t size)
{
    (void)asid;
    (void)at;
    (void)size;
}

void emu_core_forget_vmsa(uint64_t at)
{
    (void)at;
}

bool emu_core_xsave(void)
{
    return true;
}

/* Nobody counts instructions here. */
uint64_t emu_meter_in(void)
{
    return 0;
}

void emu_meter_out(uint64_t from)
{
    (void)from;
}

void emu_rmp_range(uint64_t *base, uint64_t *end)
{
    *base = RMP_AT;
    *end = RMP_AT + RMP_BOOKKEEPING + emu_rmp_bytes(ram_end) - 1;
}

/* ---- what cc/snp asks of arch/x86_64 ---- */

uint32_t snp_invent;

void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    (void)v;
    emu_core_cpuid(leaf, sub, out);
    if (leaf == snp_invent && leaf != 0) {
        out[3] = ~out[3];
    }
}

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    *value = 0x1234;
    return msr == 0x1b;
}

bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    return msr == 0x1b && value != 0;
}

uint32_t snp_lacks;

void __real_snp_hw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);
void __wrap_snp_hw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);

void __wrap_snp_hw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __real_snp_hw_cpuid(leaf, sub, out);
    if (leaf == SNP_CPUID_LEAF) {
        out[0] &= ~snp_lacks;
    }
}

uint64_t svm_encrypted_msrpm(void)
{
    return 0;
}

void svm_leave_to_encrypted(uint32_t msr)
{
    (void)msr;
}

void svm_take_interrupt(struct vcpu *v)
{
    (void)v;
}

enum abi_status __wrap_arch_vcpu_init(struct vcpu *v);
enum abi_status __real_arch_vcpu_init(struct vcpu *v);

enum abi_status __wrap_arch_vcpu_init(struct vcpu *v)
{
    enum abi_status st = __real_arch_vcpu_init(v);

    if (st == ABI_OK) {
        v->arch.vmcb = v->arch.memory;
        v->arch.vmcb_pa = hva_to_pa(v->arch.memory).v;
        v->arch.wait = WAIT_SIPI;
    }
    return st;
}

/* The core's part is the test's own code. */
void snp_hw_vmrun(struct vmcb *b, uint64_t vmcb_pa, uint64_t host_vmcb)
{
    (void)vmcb_pa;
    (void)host_vmcb;
    if (!emu_rmp_use(pa(b->vmsa), b->asid)) {
        b->exit_code = EXIT_INVALID;
        return;
    }
    b->exit_code = EXIT_HLT;
    if (snp_guest_code != NULL) {
        snp_guest_code(b, fake_chip(pa(b->vmsa)));
    }
    emu_rmp_unuse(pa(b->vmsa));
}

/* ---- the host ---- */

static uint64_t pages_out_of_reach(void)
{
    uint64_t n = 0;

    for (uint64_t at = 0; at < ram_end; at += PAGE_SIZE) {
        enum page_state st = page_state_of(pa(at));

        n += (st == PAGE_CHIP || st == PAGE_PRIVATE) ? 1u : 0u;
    }
    return n;
}

void snp_boot_cpus(uint64_t memory, unsigned int cpus, unsigned int online)
{
    fake_ram_size(memory);
    ram_end = 0;
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        ram_end = MAX(ram_end, boot_info.ram[i].base + boot_info.ram[i].len);
    }
    free(rmp_memory);
    rmp_memory = malloc(emu_rmp_bytes(ram_end));
    REQUIRE(rmp_memory != NULL);
    memset(rmp_memory, 0xa5, emu_rmp_bytes(ram_end));
    boot_info.reserved[0] = (struct boot_range){SNP_RESERVED, SNP_RESERVED_LEN};
    boot_info.reserved_count = 1;
    emu_rmp_init(rmp_memory, ram_end);
    emu_psp_init();
    emu_psp_rmp_area(pa(RMP_AT), RMP_BOOKKEEPING + emu_rmp_bytes(ram_end));
    snp_guest_code = NULL;
    snp_invent = 0;
    srand(1);
    core_boot_map(cpus, online);
    free_at_boot = page_count_free();
    chip_at_boot = pages_out_of_reach();
    REQUIRE(cc_present(CC_SEV_SNP) == (snp_lacks == 0));
}

void snp_boot(uint64_t memory)
{
    snp_boot_cpus(memory, 1, 1);
}

uint64_t snp_pages_kept(void)
{
    uint64_t kept = pages_out_of_reach() - chip_at_boot;

    CU_ASSERT_EQUAL(page_count_free() + kept, free_at_boot);
    return kept;
}

struct domain_config snp_config(enum cc_kind cc, uint64_t memory, uint32_t vcpus)
{
    struct domain_config cfg = core_config(memory, vcpus);

    cfg.cc = cc;
    cc_configure(&cfg);
    return cfg;
}

const struct layout *snp_layout(enum cc_kind cc)
{
    static uint8_t kernel[3 * PAGE_SIZE];
    static struct layout l;

    memset(kernel, LAY_BYTE, sizeof(kernel));
    l = (struct layout){
        .pieces = cc == CC_SEV_SNP ? 3 : 1,
        .piece = {{PIECE_KERNEL, LAY_KERNEL, sizeof(kernel), kernel, sizeof(kernel)},
                  {PIECE_SECRETS, LAY_SECRETS, PAGE_SIZE, NULL, 0},
                  {PIECE_CPUID, LAY_CPUID, PAGE_SIZE, NULL, 0}},
        .entry = {.rip = LAY_KERNEL, .mode = ENTRY_LINUX64},
    };
    return &l;
}

struct vm *snp_guest(enum cc_kind cc, uint32_t vcpus)
{
    struct domain_config cfg = snp_config(cc, MiB(4), vcpus);
    struct vm *vm = NULL;

    REQUIRE(vm_create(&cfg, &vm) == ABI_OK);
    REQUIRE(vm_launch(vm, snp_layout(cc)) == ABI_OK);
    return vm;
}

void snp_init(struct vcpu *v)
{
    v->arch.wait = WAIT_SIPI;
    v->arch.encrypted->reset(v);
}

void snp_run(struct vcpu *v)
{
    if ((atomic_and(&v->requests, ~(uint32_t)REQ_FLUSH) & REQ_FLUSH) != 0) {
        v->arch.vmcb->tlb_control = TLB_FLUSH_ALL;
    }
    if ((v->requests & REQ_INIT) != 0) {
        v->requests &= ~(uint32_t)REQ_INIT;
        snp_init(v);
    }
    if (v->arch.encrypted->load != NULL) {
        v->arch.encrypted->load(v);
    }
    v->arch.encrypted->enter(v, 0);
    v->arch.vmcb->tlb_control = 0;
    v->arch.encrypted->handle_exit(v);
}

pa_t snp_pa(struct vm *vm, uint64_t at)
{
    pa_t to;

    REQUIRE(vm_mem_populate(vm, gpa(at), &to) == ABI_OK);
    return to;
}

void *snp_ram(struct vm *vm, uint64_t at)
{
    return fake_chip(snp_pa(vm, at));
}

uint32_t snp_pvalidate(struct vm *vm, uint64_t at, bool validate)
{
    bool changed;

    return emu_pvalidate(snp_pa(vm, at), at, snp_of(vm)->asid, 0, RMP_4K, validate, &changed);
}

/* ---- guests ---- */

static void vmgexit(struct vcpu *v, uint64_t ghcb)
{
    v->arch.vmcb->exit_code = EXIT_VMGEXIT;
    v->arch.vmcb->ghcb_gpa = ghcb;
    v->arch.encrypted->handle_exit(v);
}

uint64_t snp_msr(struct vcpu *v, uint64_t request)
{
    vmgexit(v, request);
    return v->arch.vmcb->ghcb_gpa;
}

void snp_ghcb_register(struct vcpu *v, uint64_t at)
{
    uint64_t gfn = at >> PAGE_SHIFT;

    REQUIRE(snp_msr(v, GHCB_PSC_REQ | (uint64_t)PSC_SHARED << 52 | gfn << 12) == GHCB_PSC_RESP);
    REQUIRE(snp_msr(v, GHCB_REGISTER_GPA_REQ | gfn << 12) == (GHCB_REGISTER_GPA_RESP | gfn << 12));
    snp_ghcb_form(v, GHCB_VERSION_MIN, 0);
}

static uint8_t *ghcb_page(struct vcpu *v)
{
    return snp_ram(v->vm, snp_vcpu_of(v)->ghcb);
}

struct ghcb *snp_ghcb(struct vcpu *v)
{
    return (struct ghcb *)(void *)(ghcb_page(v) + GHCB_WINDOW);
}

void snp_ghcb_form(struct vcpu *v, uint16_t version, uint32_t usage)
{
    memcpy(ghcb_page(v) + GHCB_FORM, &version, sizeof(version));
    memcpy(ghcb_page(v) + GHCB_FORM + sizeof(version), &usage, sizeof(usage));
}

void snp_ghcb_set(struct vcpu *v, size_t field, uint64_t value)
{
    memcpy(ghcb_page(v) + field, &value, sizeof(value));
    snp_ghcb(v)->valid[field / 8 / 64] |= BIT(field / 8 % 64);
}

void snp_event(struct vcpu *v, uint64_t code, uint64_t info1, uint64_t info2)
{
    snp_ghcb_set(v, 0x390, code);
    snp_ghcb_set(v, 0x398, info1);
    snp_ghcb_set(v, 0x3a0, info2);
    vmgexit(v, snp_vcpu_of(v)->ghcb);
}

uint64_t snp_psc(struct vcpu *v, const uint64_t *entries, unsigned int count, unsigned int *cur)
{
    uint8_t *list = ghcb_page(v) + GHCB_SHARED_BUFFER;
    struct psc_header h = {0, (uint16_t)(count - 1), 0};

    memcpy(list, &h, sizeof(h));
    memcpy(list + sizeof(h), entries, count * sizeof(entries[0]));
    snp_ghcb_set(v, 0x3a8, snp_vcpu_of(v)->ghcb + GHCB_SHARED_BUFFER);
    snp_event(v, NAE_PSC, 0, 0);
    memcpy(&h, list, sizeof(h));
    *cur = h.cur;
    return snp_ghcb(v)->info2;
}

static bool page_agrees(struct vm *vm, uint64_t at, pa_t to)
{
    enum page_state st = page_state_of(to);
    struct emu_rmp e;

    if (page_owner_of(to) != vm->id || !emu_rmp_get(to, &e)) {
        return false;
    }
    if (st == PAGE_GUEST) {
        return !e.assigned && !e.validated;
    }
    return st == PAGE_PRIVATE && e.assigned && e.asid == snp_of(vm)->asid && !e.immutable &&
           e.gpa == ALIGN_DOWN(at, e.page_size == RMP_2M ? SIZE_2M : PAGE_SIZE);
}

bool snp_agrees(struct vm *vm)
{
    for (uint64_t at = 0; at < vm_memory(vm); at += PAGE_SIZE) {
        if (!page_agrees(vm, at, snp_pa(vm, at))) {
            fprintf(stderr, "%s: the page at %lx has no single owner\n", vm->name,
                    (unsigned long)at);
            return false;
        }
    }
    return true;
}

bool snp_ended(const struct vm *vm)
{
    return vm->end_asked;
}

void snp_drop(struct vm *vm)
{
    if (!vm->end_asked) {
        vm_end(vm, VM_DESTROYED, "by the test");
    }
    if (vm_reap_pending()) {
        vm_reap();
    }
}
