/* The guest's GICv3 as far as it is memory: IHI 0069, 12.9 and 12.11; and page-table entries. */
#include <stdlib.h>
#include <string.h>

#include "../../arch/aarch64/virt/virt.h"
#include "cu.h"
#include "hv/check.h"
#include "hv/mmio_map.h"

#define DIST  MMIO_GIC_DIST
#define RD(n) (MMIO_GIC_REDIST + (n) * MMIO_GIC_REDIST_SIZE)
#define SGI(n) (RD(n) + 0x10000u)
#define VCPUS 20u

_Thread_local char fake_cpu;
static struct vm *vm;
static uint64_t told; /* vCPUs that got a request */

NORETURN void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

void vgic_tell(struct vm *of, uint64_t vcpus)
{
    CU_ASSERT_PTR_EQUAL(of, vm);
    told |= vcpus;
}

static void setup(void)
{
    vm = calloc(1, sizeof(*vm));
    vm->vcpus = VCPUS;
    for (unsigned int i = 0; i < VCPUS; i++) {
        vm->vcpu[i] = calloc(1, sizeof(*vm->vcpu[i]));
        vm->vcpu[i]->vm = vm;
        vm->vcpu[i]->index = i;
        vm->vcpu[i]->arch.gic.bank.edge = 0xffff;
    }
    told = 0;
}

static void teardown(void)
{
    for (unsigned int i = 0; i < VCPUS; i++) {
        free(vm->vcpu[i]);
    }
    CU_ASSERT_FALSE(lock_held(&vm->arch.gic.lock));
    free(vm);
}

static uint64_t in(uint64_t at, unsigned int size)
{
    uint64_t v = 0;

    CU_ASSERT(vgic_access(vm->vcpu[3], at, false, size, &v));
    return v;
}

static void out(uint64_t at, unsigned int size, uint64_t v)
{
    CU_ASSERT(vgic_access(vm->vcpu[3], at, true, size, &v));
}

static void both_frames_say_that_they_are_a_gicv3(void)
{
    setup();
    CU_ASSERT_EQUAL(in(DIST + 0xffe8, 4), 0x30);
    CU_ASSERT_EQUAL(in(RD(0) + 0xffe8, 4), 0x30);
    CU_ASSERT_EQUAL(in(DIST + 4, 4) & 31, 2); /* 96 interrupts */
    CU_ASSERT_EQUAL(in(DIST, 4), 0x10);       /* affinity routing, always */
    teardown();
}

static void redistributors_name_their_cpu_and_the_last_one_says_so(void)
{
    setup();
    CU_ASSERT_EQUAL(in(RD(0) + 8, 8), 0);
    CU_ASSERT_EQUAL(in(RD(15) + 8, 8), 15ull << 32 | 15 << 8);
    CU_ASSERT_EQUAL(in(RD(16) + 8, 8), 0x100ull << 32 | 16 << 8);
    CU_ASSERT_EQUAL(in(RD(19) + 8, 8), 0x103ull << 32 | 19 << 8 | 16);
    CU_ASSERT_EQUAL(in(RD(16) + 12, 4), 0x100);
    teardown();
}

static void what_is_not_the_gics_is_left_to_others(void)
{
    uint64_t v = 0;

    setup();
    CU_ASSERT_FALSE(vgic_access(vm->vcpu[0], DIST - 4, false, 4, &v));
    CU_ASSERT_FALSE(vgic_access(vm->vcpu[0], DIST + MMIO_GIC_DIST_SIZE, false, 4, &v));
    CU_ASSERT_FALSE(vgic_access(vm->vcpu[0], RD(VCPUS), false, 4, &v));
    CU_ASSERT_FALSE(vgic_access(vm->vcpu[0], DIST + 2, false, 4, &v));
    CU_ASSERT_FALSE(vgic_access(vm->vcpu[0], DIST, false, 2, &v));
    teardown();
}

static void private_interrupts_belong_to_one_cpu(void)
{
    setup();
    out(SGI(5) + 0x100, 4, 1u << 27);
    CU_ASSERT_EQUAL(in(SGI(5) + 0x100, 4), 1u << 27);
    CU_ASSERT_EQUAL(in(SGI(4) + 0x100, 4), 0);
    CU_ASSERT_EQUAL(told, 1u << 5);
    out(SGI(5) + 0x180, 4, UINT32_MAX);
    CU_ASSERT_EQUAL(in(SGI(5) + 0x100, 4), 0);
    CU_ASSERT_EQUAL(in(DIST + 0x100, 4), 0); /* not the distributor's */
    teardown();
}

static void shared_interrupts_go_where_they_are_routed(void)
{
    setup();
    out(DIST + 0x6000 + 8 * 40, 8, 0x102); /* affinity 1.2: vCPU 18 */
    CU_ASSERT_EQUAL(in(DIST + 0x6000 + 8 * 40, 8), 0x102);
    told = 0;
    out(DIST + 0x104, 4, 1u << 8);
    CU_ASSERT_EQUAL(told, 1u << 18);
    out(DIST + 0x6000 + 8 * 40, 8, 0x10f); /* is not there */
    CU_ASSERT_EQUAL(in(DIST + 0x6000 + 8 * 40, 8), 0x102);
    out(DIST + 0x6000 + 8 * 40, 8, UINT64_MAX);
    CU_ASSERT_EQUAL(in(DIST + 0x6000 + 8 * 40, 8), 0x102);
    teardown();
}

static void pending_and_active_bits_are_set_and_cleared(void)
{
    setup();
    out(DIST + 0x208, 4, 3);
    out(DIST + 0x288, 4, 1);
    CU_ASSERT_EQUAL(in(DIST + 0x208, 4), 2);
    out(DIST + 0x304, 4, 12);
    out(DIST + 0x384, 4, 4);
    CU_ASSERT_EQUAL(in(DIST + 0x304, 4), 8);
    vm->arch.gic.spi[0].line = 16; /* level-sensitive, asserted: it cannot be cleared */
    out(DIST + 0x284, 4, 16);
    CU_ASSERT_EQUAL(in(DIST + 0x204, 4), 16);
    teardown();
}

static void priorities_are_bytes_of_32_levels(void)
{
    setup();
    out(DIST + 0x400 + 33, 1, 0xa7);
    CU_ASSERT_EQUAL(in(DIST + 0x420, 4), 0xa000);
    out(SGI(2) + 0x41c, 4, 0x01020408);
    CU_ASSERT_EQUAL(in(SGI(2) + 0x41c, 4), 0x08);
    out(SGI(2) + 0x420, 4, UINT32_MAX); /* not a redistributor's */
    CU_ASSERT_EQUAL(in(SGI(2) + 0x420, 4), 0);
    out(DIST + 0x7fc, 4, UINT32_MAX); /* no such interrupt */
    CU_ASSERT_EQUAL(in(DIST + 0x7fc, 4), 0);
    teardown();
}

static void only_shared_interrupts_change_their_trigger(void)
{
    setup();
    CU_ASSERT_EQUAL(in(SGI(0) + 0xc00, 4), 0xaaaaaaaa);
    CU_ASSERT_EQUAL(in(SGI(0) + 0xc04, 4), 0);
    out(SGI(0) + 0xc00, 4, 0);
    out(SGI(0) + 0xc04, 4, UINT32_MAX);
    CU_ASSERT_EQUAL(in(SGI(0) + 0xc00, 4), 0xaaaaaaaa);
    CU_ASSERT_EQUAL(in(SGI(0) + 0xc04, 4), 0);
    out(DIST + 0xc08, 4, 0x3); /* SPI 0: the lower bit does not count */
    CU_ASSERT_EQUAL(in(DIST + 0xc08, 4), 2);
    CU_ASSERT_EQUAL(vm->arch.gic.spi[0].edge, 1);
    teardown();
}

/* A guest may try everything: nothing is written outside the banks, and the lock is free again. */
static void no_register_is_a_way_out(void)
{
    struct vgic_bank *b;

    setup();
    for (uint64_t at = 0; at < MMIO_GIC_DIST_SIZE; at++) {
        for (unsigned int size = 1; size <= 8; size *= 2) {
            uint64_t v = 0x5a5aa5a5c3c33c3cull;

            (void)vgic_access(vm->vcpu[1], DIST + at, true, size, &v);
            (void)vgic_access(vm->vcpu[1], RD(1) + at, true, size, &v);
            (void)vgic_access(vm->vcpu[1], SGI(19) + at, true, size, &v);
            (void)vgic_access(vm->vcpu[1], SGI(19) + at, false, size, &v);
        }
    }
    for (unsigned int i = 0; i < VGIC_SPI_BANKS; i++) {
        b = &vm->arch.gic.spi[i];
        for (unsigned int n = 0; n < 32; n++) {
            CU_ASSERT(b->target[n] < VCPUS);
        }
    }
    CU_ASSERT_EQUAL(told >> VCPUS, 0);
    CU_ASSERT_EQUAL(vm->vcpu[2]->arch.gic.bank.enabled, 0);
    teardown();
}

static void entries_say_what_they_were_made_of(void)
{
    const unsigned int attrs[] = {0,        PT_W,           PT_X,
                                  PT_GUEST, PT_GUEST | PT_W | PT_X, PT_W | PT_DEVICE,
                                  PT_GUEST | PT_W | PT_DEVICE};

    for (unsigned int level = 0; level <= 2; level++) {
        for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
            uint64_t pte = pte_leaf(pa(0x123440000000), level, attrs[i]);

            CU_ASSERT(pte_present(pte) && pte_is_leaf(pte, level));
            CU_ASSERT_EQUAL(pte_pa(pte).v, 0x123440000000);
            CU_ASSERT_EQUAL(pte_attr(pte), attrs[i]);
            CU_ASSERT_EQUAL(pte & 3, level == 0 ? 3 : 1);
        }
    }
    CU_ASSERT_FALSE(pte_present(0));
    CU_ASSERT_FALSE(pte_is_leaf(pte_table(pa(0x1000), 0), 1));
}

static const struct cu_test tests[] = {
    CU(both_frames_say_that_they_are_a_gicv3),
    CU(redistributors_name_their_cpu_and_the_last_one_says_so),
    CU(what_is_not_the_gics_is_left_to_others),
    CU(private_interrupts_belong_to_one_cpu),
    CU(shared_interrupts_go_where_they_are_routed),
    CU(pending_and_active_bits_are_set_and_cleared),
    CU(priorities_are_bytes_of_32_levels),
    CU(only_shared_interrupts_change_their_trigger),
    CU(no_register_is_a_way_out),
    CU(entries_say_what_they_were_made_of),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("arm_vgic", tests, argc, argv);
}
