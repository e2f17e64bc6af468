/* Faults, device pages and copies at any address of a guest, against what a flat model knows. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "core_ops.h"
#include "hv/guestmem.h"

#define MEMORY (3 * SIZE_2M)

static uint8_t model[MEMORY], buffer[MEMORY];
static struct vm *vm;

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool in_memory(uint64_t at, uint64_t len)
{
    return len == 0 || (at < MEMORY && len <= MEMORY - at);
}

/* Near the things that have edges, or anything. */
static uint64_t address(struct ops *o)
{
    static const uint64_t near[] = {0, SIZE_2M, 2 * SIZE_2M, MEMORY, GiB(3), GiB(4), 0xe0000000,
                                    BIT(47), BIT(48), UINT64_MAX - 70};
    uint64_t which = ops_take(o, 1) % 12;

    return which < 10 ? near[which] + ops_take(o, 1) - 64 : ops_take(o, which == 10 ? 3 : 8);
}

static void copy(struct ops *o, uint64_t at)
{
    static const uint64_t lens[] = {0, 1, 63, 4096, SIZE_2M, MEMORY, 1u << 20, 128};
    uint64_t len = lens[ops_take(o, 1) % 8];
    uint8_t byte = (uint8_t)ops_take(o, 1);
    bool ok = in_memory(at, len) && at + len >= at;

    switch (ops_take(o, 1) % 3) {
    case 0:
        memset(buffer, byte, len);
        require((guestmem_write(vm, gpa(at), buffer, len) == ABI_OK) == ok);
        break;
    case 1:
        require((guestmem_fill(vm, gpa(at), byte, len) == ABI_OK) == ok);
        break;
    default:
        require((guestmem_read(vm, gpa(at), buffer, len) == ABI_OK) == ok);
        require(!ok || len == 0 || memcmp(buffer, &model[at], len) == 0);
        return;
    }
    if (ok && len > 0) {
        memset(&model[at], byte, len);
    }
}

static void words(struct ops *o, uint64_t at)
{
    uint32_t v = (uint32_t)ops_take(o, 2), d = 0;
    uint16_t w = 0;
    bool ok32 = at % 4 == 0 && in_memory(at, 4);
    bool ok16 = at % 2 == 0 && in_memory(at, 2);

    require((guestmem_store32(vm, gpa(at), v) == ABI_OK) == ok32);
    if (ok32) {
        memcpy(&model[at], &v, 4);
    }
    require((guestmem_load32(vm, gpa(at), &d) == ABI_OK) == ok32 && (!ok32 || d == v));
    require((guestmem_store16(vm, gpa(at), (uint16_t)~v) == ABI_OK) == ok16);
    if (ok16) {
        w = (uint16_t)~v;
        memcpy(&model[at], &w, 2);
    }
    require((guestmem_load16(vm, gpa(at), &w) == ABI_OK) == ok16);
    require(!ok16 || w == (uint16_t)~v);
}

static void pages(struct ops *o, uint64_t at, void *page)
{
    enum abi_status st;

    switch (ops_take(o, 1) % 3) {
    case 0:
        st = vm_map_page(vm, gpa(at & PAGE_MASK), page);
        require(st == ABI_OK || st == ABI_EXISTS);
        require(st == ABI_EXISTS || ((at & PAGE_MASK) >= MEMORY && at < BIT(47)));
        break;
    case 1:
        vm_unmap_page(vm, gpa(at & PAGE_MASK));
        break;
    default:
        st = vm_fault(vm, gpa(at), ops_take(o, 1) % 2 == 0);
        require(st == ABI_OK || !in_memory(at, 1));
        require(st == ABI_OK || st == ABI_BAD_ADDRESS || st == ABI_LIMIT);
        require(st != ABI_OK || at < BIT(47));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ops o = {data, MIN(size, 300)};
    struct domain_config cfg = core_config(MEMORY, 1);
    static bool booted;
    void *page;

    if (!booted) {
        core_boot(MiB(32), 1);
        booted = true;
    }
    cfg.prefault = ops_take(&o, 1) % 2 == 0;
    require(vm_create(&cfg, &vm) == ABI_OK);
    page = vm_alloc_page(vm);
    require(page != NULL);
    memset(model, 0, sizeof(model));
    while (o.size > 0) {
        uint64_t op = ops_take(&o, 1) % 4;
        uint64_t at = address(&o);

        if (op == 0) {
            copy(&o, at);
        } else if (op == 1) {
            words(&o, at);
        } else {
            pages(&o, at, page);
        }
    }
    require(guestmem_read(vm, gpa(0), buffer, MEMORY) == ABI_OK);
    require(memcmp(buffer, model, MEMORY) == 0);
    fake_console_clear();
    vm_destroy(vm);
    require(core_is_clean());
    return 0;
}
