/* What devices are made of: regions, hooks, memory that goes with its VM. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

static struct vm *vm;
static struct {
    unsigned int reads, writes;
    uint32_t offset, value;
    unsigned int size;
} seen;

static uint32_t on_read(void *dev, uint32_t offset, unsigned int size)
{
    CU_ASSERT(lock_held(&vm->dev_lock));
    seen.reads++;
    seen.offset = offset;
    seen.size = size;
    return *(uint32_t *)dev;
}

static void on_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    CU_ASSERT(lock_held(&vm->dev_lock));
    seen.writes++;
    seen.offset = offset;
    seen.size = size;
    seen.value = value;
    *(uint32_t *)dev = value;
}

static const struct io_ops ops = {"test", on_read, on_write};
static const struct io_ops other_ops = {"other", on_read, on_write};
static uint32_t dev[VM_IO_MAX + 1];

static void start(void)
{
    core_boot(MiB(64), 1);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    memset(&seen, 0, sizeof(seen));
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static void an_access_reaches_its_region_under_the_device_lock(void)
{
    uint32_t value = 0;

    start();
    dev[0] = 0x1234;
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x3f8, 8, &ops, &dev[0]), ABI_OK);
    CU_ASSERT(vm_io_read(vm, IO_PORT, 0x3fd, 1, &value));
    CU_ASSERT(value == 0x1234 && seen.offset == 5 && seen.size == 1);
    CU_ASSERT(vm_io_write(vm, IO_PORT, 0x3f8, 4, 77));
    CU_ASSERT(dev[0] == 77 && seen.offset == 0 && seen.size == 4);
    CU_ASSERT(vm_io_write(vm, IO_PORT, 0x3fc, 4, 78)); /* the last four */
    CU_ASSERT_EQUAL(seen.offset, 4);
    finish();
}

static void what_is_not_wholly_in_a_region_reaches_none(void)
{
    static const struct {
        uint64_t at;
        unsigned int size;
    } miss[] = {{0x3f7, 1}, {0x3f7, 2}, {0x3f6, 4}, {0x400, 1}, {0x3ff, 2}, {0x3fd, 4},
                {0, 1}, {0xffff, 4}, {UINT64_MAX, 1}, {UINT64_MAX - 1, 4}, {0x1000003f8, 1}};
    uint32_t value = 5;

    start();
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x3f8, 8, &ops, &dev[0]), ABI_OK);
    for (unsigned int i = 0; i < ARRAY_SIZE(miss); i++) {
        CU_ASSERT_FALSE(vm_io_read(vm, IO_PORT, miss[i].at, miss[i].size, &value));
        CU_ASSERT_FALSE(vm_io_write(vm, IO_PORT, miss[i].at, miss[i].size, 1));
    }
    CU_ASSERT_FALSE(vm_io_read(vm, IO_MMIO, 0x3f8, 1, &value)); /* another space */
    CU_ASSERT(value == 5 && seen.reads == 0 && seen.writes == 0);
    finish();
}

static void regions_do_not_overlap_within_a_space(void)
{
    start();
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x100, 0x10, &ops, &dev[0]), ABI_OK);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x10f, 1, &ops, &dev[1]), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xff, 2, &ops, &dev[1]), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0, 0x10000, &ops, &dev[1]), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x104, 4, &ops, &dev[1]), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x110, 1, &ops, &dev[1]), ABI_OK);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xff, 1, &ops, &dev[2]), ABI_OK);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_MMIO, 0x100, 0x10, &ops, &dev[3]), ABI_OK);
    finish();
}

static void a_region_must_have_a_length_and_end_in_its_space(void)
{
    start();
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x100, 0, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xffff, 2, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x10000, 1, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, UINT64_MAX, 1, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 1, UINT32_MAX, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_MMIO, BIT(47) - 1, 2, &ops, dev), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_MMIO, BIT(47) - 2, 2, &ops, dev), ABI_OK);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xffff, 1, &ops, dev), ABI_OK);
    finish();
}

static void there_is_room_for_64_regions_and_removal_makes_more(void)
{
    uint32_t value;

    start();
    for (unsigned int i = 0; i < VM_IO_MAX; i++) {
        dev[i] = i;
        CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, i * 16, 16, &ops, &dev[i]), ABI_OK);
    }
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x8000, 1, &ops, &dev[64]), ABI_LIMIT);
    vm_io_remove(vm, IO_PORT, &other_ops, &dev[5]);
    vm_io_remove(vm, IO_MMIO, &ops, &dev[5]);
    vm_io_remove(vm, IO_PORT, &ops, &dev[64]);
    CU_ASSERT_EQUAL(vm->io_count, VM_IO_MAX);
    vm_io_remove(vm, IO_PORT, &ops, &dev[5]);
    vm_io_remove(vm, IO_PORT, &ops, &dev[5]);
    for (unsigned int i = 0; i < VM_IO_MAX; i++) {
        CU_ASSERT_EQUAL(vm_io_read(vm, IO_PORT, i * 16 + 3, 1, &value), i != 5);
        CU_ASSERT(i == 5 || value == i);
    }
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0x8000, 1, &ops, &dev[64]), ABI_OK);
    finish();
}

/* A BAR that is moved by a write to the region that moves it. */
static void move_away(void *d, uint32_t offset, unsigned int size, uint32_t value)
{
    (void)offset;
    (void)size;
    vm_io_remove(vm, IO_PORT, &ops, d);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, value, 4, &ops, d), ABI_OK);
}

static const struct io_ops mover = {"mover", on_read, move_away};

static void a_handler_may_move_regions(void)
{
    uint32_t value;

    start();
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xcf8, 8, &mover, &dev[0]), ABI_OK);
    CU_ASSERT_EQUAL(vm_io_add(vm, IO_PORT, 0xc000, 4, &ops, &dev[0]), ABI_OK);
    CU_ASSERT(vm_io_write(vm, IO_PORT, 0xcf8, 4, 0xd000));
    CU_ASSERT_FALSE(vm_io_read(vm, IO_PORT, 0xc000, 4, &value));
    CU_ASSERT(vm_io_read(vm, IO_PORT, 0xd000, 4, &value));
    finish();
}

static bool is_zero(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++) {
        if (b[i] != 0) {
            return false;
        }
    }
    return true;
}

static void memory_of_a_vm_is_zeroed_aligned_and_apart(void)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100, 4000, 4096, 16384, 16352, 16353, 70000,
                                   MiB(1), MiB(4) - 16, MiB(4), 8};
    static uint8_t *p[ARRAY_SIZE(sizes)];

    start();
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        p[i] = vm_alloc(vm, sizes[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p[i]);
        CU_ASSERT(IS_ALIGNED((uintptr_t)p[i], 16));
        CU_ASSERT(is_zero(p[i], sizes[i]));
        memset(p[i], (int)i + 1, sizes[i]);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        CU_ASSERT(p[i][0] == i + 1 && p[i][sizes[i] - 1] == i + 1);
        CU_ASSERT_EQUAL(page_owner_of(hva_to_pa(p[i])), vm_id(vm));
    }
    CU_ASSERT_PTR_NULL(vm_alloc(vm, 0));
    CU_ASSERT_PTR_NULL(vm_alloc(vm, MiB(4) + 1));
    CU_ASSERT_PTR_NULL(vm_alloc(vm, SIZE_MAX));
    finish();
}

/* The guest sees these pages: nothing of ours lies on one. */
static void pages_for_guests_share_nothing_with_our_own_memory(void)
{
    static uintptr_t pages[50], ours[50];

    start();
    for (unsigned int i = 0; i < 50; i++) {
        pages[i] = (uintptr_t)vm_alloc_page(vm);
        ours[i] = (uintptr_t)vm_alloc(vm, 40);
        CU_ASSERT_FATAL(pages[i] != 0 && ours[i] != 0);
        CU_ASSERT(IS_ALIGNED(pages[i], PAGE_SIZE));
        CU_ASSERT(is_zero((void *)pages[i], PAGE_SIZE));
        memset((void *)pages[i], 0xff, PAGE_SIZE);
    }
    for (unsigned int i = 0; i < 50; i++) {
        for (const struct vm_block *b = vm->blocks; b != NULL; b = b->next) {
            CU_ASSERT((uintptr_t)b / PAGE_SIZE != pages[i] / PAGE_SIZE);
        }
        for (unsigned int j = 0; j < 50; j++) {
            CU_ASSERT(ours[j] / PAGE_SIZE != pages[i] / PAGE_SIZE);
            CU_ASSERT(i == j || pages[i] != pages[j]);
        }
    }
    finish();
}

static void no_memory_is_said_and_costs_nothing(void)
{
    uint64_t free;

    start();
    core_fail_alloc(1, true);
    free = page_count_free();
    CU_ASSERT_PTR_NULL(vm_alloc(vm, MiB(1)));
    while (vm_alloc_page(vm) != NULL) {
    }
    CU_ASSERT_EQUAL(page_count_free(), free);
    core_fail_alloc(0, false);
    CU_ASSERT_PTR_NOT_NULL(vm_alloc_page(vm));
    finish();
}

static const struct cu_test tests[] = {
    CU(an_access_reaches_its_region_under_the_device_lock),
    CU(what_is_not_wholly_in_a_region_reaches_none),
    CU(regions_do_not_overlap_within_a_space),
    CU(a_region_must_have_a_length_and_end_in_its_space),
    CU(there_is_room_for_64_regions_and_removal_makes_more),
    CU(a_handler_may_move_regions),
    CU(memory_of_a_vm_is_zeroed_aligned_and_apart),
    CU(pages_for_guests_share_nothing_with_our_own_memory),
    CU(no_memory_is_said_and_costs_nothing),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_io", tests, argc, argv);
}
