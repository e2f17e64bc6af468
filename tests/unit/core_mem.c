/* A guest's memory: chunks, strays, device pages, and the one way into it. */
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/guestmem.h"
#include "hv/page.h"

#define STRAYS 16u

static struct vm *vm;

static void start(uint64_t machine, uint64_t memory, bool prefault)
{
    struct domain_config cfg = core_config(memory, 1);

    fake_ram_size(machine);
    fake_dirty(MiB(1), MIN(machine, MiB(256)) - MiB(1), 0xa5);
    core_boot_map(1, 1);
    cfg.prefault = prefault;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

/* The host page and the level behind a guest address; level 9: nothing. */
static pa_t behind(uint64_t at, unsigned int *level, unsigned int *attr)
{
    pa_t to = pa(0);

    if (!pt_lookup(&vm->stage2, at, &to, attr, level)) {
        *level = 9;
    }
    return to;
}

static bool is_mapped(uint64_t at)
{
    unsigned int level, attr;

    (void)behind(at, &level, &attr);
    return level != 9;
}

static bool is_all(const void *p, uint8_t byte, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++) {
        if (b[i] != byte) {
            return false;
        }
    }
    return true;
}

static void memory_is_taken_at_creation_and_mapped_at_the_first_touch(void)
{
    unsigned int level, attr;
    uint64_t free;
    pa_t to;

    start(MiB(128), MiB(32), false);
    free = page_count_free();
    CU_ASSERT_EQUAL(vm_memory(vm), MiB(32));
    CU_ASSERT_FALSE(is_mapped(0));
    CU_ASSERT_FALSE(is_mapped(MiB(6)));
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(MiB(6) + 12345), false), ABI_OK);
    to = behind(MiB(6), &level, &attr);
    CU_ASSERT_EQUAL(level, 1);
    CU_ASSERT_EQUAL(attr, PT_W | PT_X | PT_GUEST);
    CU_ASSERT_EQUAL(page_state_of(to), PAGE_GUEST);
    CU_ASSERT_EQUAL(page_owner_of(to), vm_id(vm));
    CU_ASSERT(is_all(pa_to_hva(to), 0, SIZE_2M));
    CU_ASSERT_FALSE(is_mapped(MiB(4)) || is_mapped(MiB(8)));
    CU_ASSERT(page_count_free() >= free - 3); /* tables only */
    *(uint8_t *)pa_to_hva(to) = 7;
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(MiB(6)), true), ABI_OK); /* not cleared again */
    CU_ASSERT_EQUAL(*(uint8_t *)pa_to_hva(to), 7);
    finish();
}

static void the_next_owner_never_sees_what_the_last_one_left(void)
{
    static uint8_t byte;

    start(MiB(128), MiB(64), false);
    for (uint64_t at = 0; at < MiB(64); at += SIZE_2M) {
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(at), 0xee, SIZE_2M), ABI_OK);
    }
    vm_destroy(vm);
    for (unsigned int prefault = 0; prefault < 2; prefault++) {
        struct domain_config cfg = core_config(MiB(64), 1);

        cfg.prefault = prefault != 0;
        CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
        for (uint64_t at = 0; at < MiB(64); at += 4093) {
            CU_ASSERT_EQUAL(guestmem_read(vm, gpa(at), &byte, 1), ABI_OK);
            CU_ASSERT_EQUAL(byte, 0);
        }
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(0), 0xee, MiB(64)), ABI_OK);
        vm_destroy(vm);
    }
    core_done();
}

static void prefault_maps_all_of_it_at_once_in_the_biggest_pages_there_are(void)
{
    unsigned int level, attr;

    start(GiB(2), MiB(1026), true);
    for (uint64_t at = 0; at < MiB(1026); at += SIZE_2M) {
        CU_ASSERT(is_mapped(at));
    }
    (void)behind(MiB(100), &level, &attr);
    CU_ASSERT_EQUAL(level, 2); /* the machine has one whole free GiB */
    (void)behind(GiB(1), &level, &attr);
    CU_ASSERT_EQUAL(level, 1);
    finish();
}

static void memory_beyond_3_gib_continues_at_4_gib(void)
{
    static const uint64_t out[] = {GiB(3), GiB(3) + MiB(512), GiB(4) - 1, GiB(5) + MiB(2)};
    uint8_t byte = 1;

    start(GiB(6), GiB(4) + MiB(2), false);
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(GiB(3) - 1), &byte, 1), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(GiB(4)), &byte, 1), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(GiB(5) + MiB(2) - 1), &byte, 1), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_load16(vm, gpa(GiB(3) - 2), &(uint16_t){0}), ABI_OK);
    for (unsigned int i = 0; i < ARRAY_SIZE(out); i++) {
        CU_ASSERT_EQUAL(guestmem_read(vm, gpa(out[i]), &byte, 1), ABI_BAD_ADDRESS);
        CU_ASSERT_FALSE(is_mapped(out[i]));
    }
    CU_ASSERT(is_mapped(GiB(4)) && is_mapped(GiB(3) - 1) && is_mapped(GiB(5)));
    CU_ASSERT_NOT_EQUAL(behind(GiB(4), &(unsigned int){0}, &(unsigned int){0}).v,
                        behind(GiB(3) - SIZE_2M, &(unsigned int){0}, &(unsigned int){0}).v);
    finish();
}

static void an_access_outside_memory_finds_ones_and_only_so_often(void)
{
    unsigned int level, attr;
    pa_t to;

    start(MiB(64), MiB(4), false);
    for (unsigned int i = 0; i < STRAYS; i++) {
        CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xfec00000 + i * GiB(1)), i % 2 == 0), ABI_OK);
    }
    to = behind(0xfec00000, &level, &attr);
    CU_ASSERT_EQUAL(level, 0);
    CU_ASSERT_EQUAL(attr, PT_W | PT_GUEST);
    CU_ASSERT(is_all(pa_to_hva(to), 0xff, PAGE_SIZE));
    CU_ASSERT_EQUAL(page_owner_of(to), vm_id(vm));
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xfed00000), true), ABI_LIMIT);
    CU_ASSERT_FALSE(is_mapped(0xfed00000));
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xfec00123), false), ABI_OK); /* mapped by now */
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xfec00123), true), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(MiB(2)), true), ABI_OK); /* memory is no stray */
    finish();
}

static void whoever_comes_second_to_a_page_that_a_fault_maps_goes_on(void)
{
    start(MiB(64), MiB(4), false);
    CU_ASSERT_EQUAL(vm_map_page(vm, gpa(0xe0000000), vm_alloc_page(vm)), ABI_OK);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xe0000000), false), ABI_OK);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xe0000000), true), ABI_BAD_ADDRESS);
    for (unsigned int vcpu = 0; vcpu < 2; vcpu++) {
        CU_ASSERT_EQUAL(vm_fault(vm, gpa(0xfec00000), false), ABI_OK);
    }
    finish();
}

static void an_address_no_processor_has_is_refused(void)
{
    static const uint64_t wild[] = {1ull << 47, 1ull << 48, (1ull << 48) + MiB(1), 1ull << 63,
                                    UINT64_MAX};

    start(MiB(64), MiB(4), false);
    for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
        void *page = vm_alloc_page(vm);

        CU_ASSERT_EQUAL(vm_fault(vm, gpa(wild[i]), false), ABI_BAD_ADDRESS);
        CU_ASSERT_EQUAL(vm_map_page(vm, gpa(wild[i] & PAGE_MASK), page), ABI_EXISTS);
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(wild[i]), 1, 1), ABI_BAD_ADDRESS);
    }
    CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(MiB(1)), 1, 1), ABI_OK);
    vm_unmap_page(vm, gpa((1ull << 48) + MiB(1))); /* the root table has 512 entries: no alias */
    CU_ASSERT(is_mapped(MiB(1)));
    finish();
}

static void a_fault_without_memory_for_it_is_an_error_and_can_be_tried_again(void)
{
    start(MiB(64), MiB(4), false);
    core_fail_alloc(1, true);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0), false), ABI_NO_MEMORY);
    CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(0), 0, 8), ABI_NO_MEMORY);
    core_fail_alloc(0, false);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(0), false), ABI_OK);
    core_fail_alloc(1, true);
    CU_ASSERT_EQUAL(vm_fault(vm, gpa(GiB(700)), false), ABI_NO_MEMORY);
    CU_ASSERT_FALSE(is_mapped(GiB(700)));
    core_fail_alloc(0, false);
    finish();
}

static void device_pages_come_and_go_outside_memory_only(void)
{
    uint64_t bar = 0xe0000000;
    void *page;

    start(MiB(64), MiB(4), false);
    page = vm_alloc_page(vm);
    memset(page, 0x5a, PAGE_SIZE);
    CU_ASSERT_EQUAL(vm_map_page(vm, gpa(MiB(2)), page), ABI_EXISTS);
    CU_ASSERT_EQUAL(vm_map_page(vm, gpa(bar), page), ABI_OK);
    CU_ASSERT_EQUAL(vm_map_page(vm, gpa(bar), page), ABI_EXISTS);
    ASSERT_PANICS((void)!vm_map_page(vm, gpa(bar + 4), page));
    CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(bar), 0, 1), ABI_BAD_ADDRESS);
    vm_unmap_page(vm, gpa(bar));
    CU_ASSERT_FALSE(is_mapped(bar));
    CU_ASSERT_EQUAL(vm->arch.flushes, 1);
    vm_unmap_page(vm, gpa(bar)); /* nothing there: no error */
    vm_unmap_page(vm, gpa(0));   /* memory stays */
    CU_ASSERT_EQUAL(vm_map_page(vm, gpa(bar + PAGE_SIZE), page), ABI_OK);
    CU_ASSERT(is_all(page, 0x5a, PAGE_SIZE));
    finish();
}

static void a_copy_crosses_chunks_and_comes_back(void)
{
    static uint8_t in[3 * SIZE_2M], out[3 * SIZE_2M];

    start(MiB(64), MiB(8), false);
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 131 + i / 251);
    }
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(MiB(1) + 77), in, sizeof(in)), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(MiB(1) + 77), out, sizeof(out)), ABI_OK);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(SIZE_2M - 3), 0x11, 6), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(SIZE_2M - 4), out, 8), ABI_OK);
    CU_ASSERT(is_all(&out[1], 0x11, 6) && out[0] != 0x11 && out[7] != 0x11);
    finish();
}

static void a_range_that_is_not_all_memory_writes_nothing(void)
{
    static uint8_t bytes[PAGE_SIZE], seen[PAGE_SIZE];
    static const struct {
        uint64_t at;
        size_t len;
    } bad[] = {
        {MiB(8) - 100, 101},      {MiB(8), 1},          {UINT64_MAX, 1},  {UINT64_MAX - 10, 20},
        {UINT64_MAX - 4095, 4096}, {MiB(8) - 1, SIZE_MAX}, {0, SIZE_MAX},  {MiB(7), SIZE_2M},
        {1, UINT64_MAX},
    };

    start(MiB(64), MiB(8), false);
    memset(bytes, 0xcc, sizeof(bytes));
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        CU_ASSERT_EQUAL(guestmem_write(vm, gpa(bad[i].at), bytes, bad[i].len), ABI_BAD_ADDRESS);
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(bad[i].at), 0xcc, bad[i].len), ABI_BAD_ADDRESS);
        CU_ASSERT_EQUAL(guestmem_read(vm, gpa(bad[i].at), bytes, bad[i].len), ABI_BAD_ADDRESS);
    }
    CU_ASSERT(is_all(bytes, 0xcc, sizeof(bytes)));
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(MiB(8) - PAGE_SIZE), seen, PAGE_SIZE), ABI_OK);
    CU_ASSERT(is_all(seen, 0, PAGE_SIZE));
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(MiB(8)), bytes, 0), ABI_OK);
    finish();
}

static void words_must_be_aligned_and_in_memory(void)
{
    uint16_t w = 0;
    uint32_t d = 0;

    start(MiB(64), MiB(4), false);
    CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(SIZE_2M - 4), 0x11223344), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_load32(vm, gpa(SIZE_2M - 4), &d), ABI_OK);
    CU_ASSERT_EQUAL(d, 0x11223344);
    CU_ASSERT_EQUAL(guestmem_load16(vm, gpa(SIZE_2M - 2), &w), ABI_OK);
    CU_ASSERT_EQUAL(w, 0x1122);
    CU_ASSERT_EQUAL(guestmem_store16(vm, gpa(SIZE_2M - 4), 0xaabb), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_load32(vm, gpa(SIZE_2M - 4), &d), ABI_OK);
    CU_ASSERT_EQUAL(d, 0x1122aabb);
    CU_ASSERT_EQUAL(guestmem_store64(vm, gpa(SIZE_2M - 8), 0x5566778899aabbcc), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_load32(vm, gpa(SIZE_2M - 8), &d), ABI_OK);
    CU_ASSERT_EQUAL(d, 0x99aabbcc);
    CU_ASSERT_EQUAL(guestmem_store64(vm, gpa(SIZE_2M - 4), 1), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(guestmem_store64(vm, gpa(MiB(4)), 1), ABI_BAD_ADDRESS);
    d = 0x1122aabb;
    for (uint64_t off = 1; off < 4; off++) {
        CU_ASSERT_EQUAL(guestmem_load32(vm, gpa(MiB(1) + off), &d), ABI_BAD_ADDRESS);
        CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(MiB(1) + off), 1), ABI_BAD_ADDRESS);
        if (off != 2) {
            CU_ASSERT_EQUAL(guestmem_load16(vm, gpa(MiB(1) + off), &w), ABI_BAD_ADDRESS);
            CU_ASSERT_EQUAL(guestmem_store16(vm, gpa(MiB(1) + off), 1), ABI_BAD_ADDRESS);
        }
    }
    CU_ASSERT_EQUAL(guestmem_load32(vm, gpa(MiB(4)), &d), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(guestmem_store16(vm, gpa(UINT64_MAX - 1), 1), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(d, 0x1122aabb);
    CU_ASSERT_EQUAL(w, 0x1122);
    finish();
}

static void every_size_of_memory_gives_all_of_itself_back(void)
{
    for (uint64_t size = SIZE_2M; size < MiB(60); size += SIZE_2M * 7) {
        start(MiB(64), size, size % MiB(4) == 0);
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(size - 1), 1, 1), ABI_OK);
        CU_ASSERT_EQUAL(guestmem_fill(vm, gpa(size), 1, 1), ABI_BAD_ADDRESS);
        finish();
    }
}

static unsigned int made;

static enum abi_status make_private(struct vm *of, gpa_t at, pa_t to)
{
    (void)at;
    made++;
    return page_move(to, ORDER_2M, PAGE_GUEST, PAGE_PRIVATE, of->id);
}

/* Memory that the chip took and no table maps yet is neither cleared nor taken again. */
static void private_memory_without_a_table_for_it_can_be_mapped_later(void)
{
    pa_t to;

    start(MiB(64), MiB(8), false);
    made = 0;
    core_fail_alloc(1, true);
    CU_ASSERT_EQUAL(vm_mem_populate_private(vm, gpa(MiB(2)), make_private, &to), ABI_NO_MEMORY);
    core_fail_alloc(0, false);
    CU_ASSERT_TRUE(vm_chunk_used(vm, 1));
    CU_ASSERT_FALSE(vm_chunk_used(vm, 0));
    CU_ASSERT_FALSE(vm_mem_there(vm, gpa(MiB(2)), &to));
    CU_ASSERT_EQUAL(vm_mem_populate(vm, gpa(MiB(2)), &to), ABI_OK);
    CU_ASSERT_EQUAL(vm_mem_populate_private(vm, gpa(MiB(2)), make_private, &to), ABI_OK);
    CU_ASSERT_EQUAL(made, 1);
    CU_ASSERT_TRUE(is_mapped(MiB(2)));
    CU_ASSERT_EQUAL(page_state_of(to), PAGE_PRIVATE);
    CU_ASSERT_EQUAL(page_return(to, ORDER_2M, vm->id), ABI_OK);
    finish();
}

static enum abi_status keep_a_page(struct vm *of, gpa_t at, pa_t to)
{
    (void)at;
    made++;
    CU_ASSERT_EQUAL(page_move(pa(to.v + 0x5000), ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, of->id),
                    ABI_OK);
    return ABI_HARDWARE;
}

/* The rest would have to be cleared around it: that page cannot be touched. */
static void memory_of_which_the_chip_keeps_some_is_not_shared_and_ends_with_its_guest(void)
{
    pa_t to;

    start(MiB(64), MiB(8), false);
    made = 0;
    CU_ASSERT_EQUAL(vm_mem_populate_private(vm, gpa(MiB(2)), keep_a_page, &to), ABI_HARDWARE);
    CU_ASSERT_TRUE(vm_chunk_used(vm, 1));
    CU_ASSERT_FALSE(vm_mem_there(vm, gpa(MiB(2)), &to));
    CU_ASSERT_EQUAL(page_state_of(pa(to.v + 0x5000)), PAGE_PRIVATE);
    CU_ASSERT_EQUAL(made, 1);
    vm_chunk_lose(vm, 1); /* as the technology does at the end */
    CU_ASSERT_EQUAL(page_state_of(to), PAGE_FREE);
    CU_ASSERT_EQUAL(page_return(pa(to.v + 0x5000), ORDER_4K, vm->id), ABI_OK);
    page_free(pa(to.v + 0x5000), PAGE_GUEST, vm->id);
    finish();
}

static const struct cu_test tests[] = {
    CU(memory_is_taken_at_creation_and_mapped_at_the_first_touch),
    CU(the_next_owner_never_sees_what_the_last_one_left),
    CU(prefault_maps_all_of_it_at_once_in_the_biggest_pages_there_are),
    CU(memory_beyond_3_gib_continues_at_4_gib),
    CU(an_access_outside_memory_finds_ones_and_only_so_often),
    CU(whoever_comes_second_to_a_page_that_a_fault_maps_goes_on),
    CU(an_address_no_processor_has_is_refused),
    CU(a_fault_without_memory_for_it_is_an_error_and_can_be_tried_again),
    CU(device_pages_come_and_go_outside_memory_only),
    CU(a_copy_crosses_chunks_and_comes_back),
    CU(a_range_that_is_not_all_memory_writes_nothing),
    CU(words_must_be_aligned_and_in_memory),
    CU(every_size_of_memory_gives_all_of_itself_back),
    CU(private_memory_without_a_table_for_it_can_be_mapped_later),
    CU(memory_of_which_the_chip_keeps_some_is_not_shared_and_ends_with_its_guest),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_mem", tests, argc, argv);
}
