#include "xenpv_host.h"

#include <string.h>

#include "hv/check.h"

#define ROOT 0x1000u

struct arch_paging xen_paging;
uint8_t xen_last_vector;
struct vcpu *xen_last_vcpu;
static unsigned int interrupts;

void arch_vcpu_paging(const struct vcpu *v, struct arch_paging *p)
{
    (void)v;
    *p = xen_paging;
}

void arch_vcpu_interrupt(struct vcpu *v, uint8_t vector)
{
    interrupts++;
    xen_last_vcpu = v;
    xen_last_vector = vector;
}

void arch_vm_no_eoi(struct vm *vm, uint8_t vector)
{
    (void)vm;
    (void)vector;
}

void arch_vcpu_halt(struct vcpu *v)
{
    (void)v;
}

unsigned int xen_interrupts(void)
{
    unsigned int n = interrupts;

    interrupts = 0;
    return n;
}

void *xen_ram(struct vm *vm, uint64_t at)
{
    uint64_t run;
    void *hva;

    REQUIRE(vm_mem_host(vm, gpa(at), &hva, &run) == ABI_OK);
    return hva;
}

static void make_tables(struct vm *vm)
{
    uint64_t *pml4 = xen_ram(vm, ROOT), *pdpt = xen_ram(vm, ROOT + 0x1000);
    uint64_t *pd = xen_ram(vm, ROOT + 0x2000), *pt = xen_ram(vm, ROOT + 0x3000);

    pml4[0] = (ROOT + 0x1000) | 7;
    pdpt[0] = (ROOT + 0x2000) | 7;
    pd[0] = (ROOT + 0x3000) | 7;
    pd[VA_LARGE >> 21] = VA_LARGE | 0x83;
    pd[VA_LOOP >> 21] = ROOT | 7;
    pd[VA_NOWHERE >> 21] = GiB(2) | 7;
    for (uint64_t i = 0; i < 512; i++) {
        pt[i] = i << 12 | 3;
    }
    pt[VA_ABSENT >> 12] = 0;
    pt[VA_READ_ONLY >> 12] &= ~2ull;
    pt[VA_USER >> 12] |= 4;
    pt[VA_OUTSIDE >> 12] = GiB(1) | 3;
}

struct vm *xen_vm_again(uint32_t vcpus)
{
    struct domain_config cfg = core_config(XEN_MEMORY, vcpus);
    struct vm *vm = NULL;

    cfg.legacy_abi = "xen";
    REQUIRE(vm_create(&cfg, &vm) == ABI_OK && guest_abi_adopt(vm, &cfg) == ABI_OK);
    make_tables(vm);
    return vm;
}

struct vm *xen_vm(uint32_t vcpus)
{
    core_boot(MiB(64), 1);
    interrupts = 0;
    xen_paging = (struct arch_paging){
        .cr0 = BIT(31) | BIT(16) | 1, .cr3 = ROOT, .cr4 = BIT(5) | BIT(21), .code64 = true};
    return xen_vm_again(vcpus);
}

int64_t xen_call(struct vm *vm, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    const uint64_t arg[5] = {a0, a1, a2, 0, 0};

    return (int64_t)vm->legacy_abi->call(vm->vcpu[0], number, arg);
}

int64_t xen_call_with(struct vm *vm, uint64_t number, uint64_t op, void *arg, size_t len)
{
    int64_t rc;

    memcpy(xen_ram(vm, GPA_ARGUMENT), arg, len);
    rc = xen_call(vm, number, op, GPA_ARGUMENT, 1);
    memcpy(arg, xen_ram(vm, GPA_ARGUMENT), len);
    return rc;
}

void xen_bring_up(struct vm *vm)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .gpfn = GPA_SHARED >> PAGE_SHIFT};
    struct xen_upcall_vector u = {.vector = 0xf3};

    REQUIRE(xen_call_with(vm, HC_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &a, sizeof(a)) == 0);
    for (u.vcpu = 0; u.vcpu < vm->vcpus; u.vcpu++) {
        REQUIRE(xen_call_with(vm, HC_HVM_OP, HVMOP_SET_UPCALL_VECTOR, &u, sizeof(u)) == 0);
    }
    (void)xen_interrupts();
}
