/* A fake VM's life and memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_priv.h"
#include "hv/check.h"
#include "hv/guestmem.h"

static uint32_t last_id;

struct vm *fake_vm_new(const char *name, size_t memory)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    if (vm == NULL || (vm->ram = calloc(1, memory)) == NULL) {
        abort();
    }
    vm->name = name;
    vm->id = ++last_id;
    vm->memory = memory;
    vm->alloc_limit = -1;
    return vm;
}

void fake_vm_free(struct vm *vm)
{
    struct vm_hook *next;

    for (struct vm_hook *h = vm->hooks; h != NULL; h = next) {
        next = h->next;
        if (h->destroy != NULL) {
            h->destroy(h);
        }
    }
    while (vm->allocations != NULL) {
        struct allocation *a = vm->allocations;

        vm->allocations = a->next;
        free(a);
    }
    for (unsigned int i = 0; i < vm->page_count; i++) {
        free(vm->pages[i]);
    }
    free(vm->ram);
    free(vm);
}

static bool may_allocate(struct vm *vm, size_t size)
{
    if (vm->alloc_limit == 0) {
        return false;
    }
    if (vm->alloc_limit > 0) {
        vm->alloc_limit--;
    }
    vm->allocated += size;
    return true;
}

void *vm_alloc(struct vm *vm, size_t size)
{
    /* A block of its own for each: ASan sees an overrun. */
    struct allocation *a;

    REQUIRE(size > 0 && size <= MiB(4));
    if (!may_allocate(vm, size)) {
        return NULL;
    }
    a = calloc(1, ALIGN_UP(sizeof(*a), 16) + size);
    CHECK(a != NULL);
    a->next = vm->allocations;
    vm->allocations = a;
    return (char *)a + ALIGN_UP(sizeof(*a), 16);
}

void *vm_alloc_page(struct vm *vm)
{
    void *page;

    if (vm->page_count == ARRAY_SIZE(vm->pages) || !may_allocate(vm, PAGE_SIZE)) {
        return NULL;
    }
    page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    CHECK(page != NULL);
    memset(page, 0, PAGE_SIZE);
    vm->pages[vm->page_count++] = page;
    return page;
}

void fake_alloc_limit(struct vm *vm, int successes)
{
    vm->alloc_limit = successes;
}

size_t fake_allocated(struct vm *vm)
{
    return vm->allocated;
}

const char *vm_name(const struct vm *vm)
{
    return vm->name;
}

uint32_t vm_id(const struct vm *vm)
{
    return vm->id;
}

uint64_t vm_memory(const struct vm *vm)
{
    return vm->memory;
}

void vm_set_platform(struct vm *vm, struct platform *platform)
{
    vm->platform = platform;
}

struct platform *vm_platform(const struct vm *vm)
{
    return vm->platform;
}

static bool shared(const struct vm *vm, uint64_t at, uint64_t len)
{
    if (at > vm->memory || len > vm->memory - at) {
        return false;
    }
    return len == 0 || at >= vm->private_at + vm->private_len || at + len <= vm->private_at;
}

void fake_make_private(struct vm *vm, uint64_t at, uint64_t len)
{
    vm->private_at = at;
    vm->private_len = len;
}

void *fake_ram(struct vm *vm, uint64_t at, size_t len)
{
    if (at > vm->memory || len > vm->memory - at) {
        fprintf(stderr, "test uses guest memory at %#llx that does not exist\n",
                (unsigned long long)at);
        abort();
    }
    return vm->ram + at;
}

enum abi_status guestmem_read(struct vm *vm, gpa_t src, void *dst, size_t len)
{
    if (!shared(vm, src.v, len)) {
        return ABI_BAD_ADDRESS;
    }
    memcpy(dst, vm->ram + src.v, len);
    return ABI_OK;
}

enum abi_status guestmem_write(struct vm *vm, gpa_t dst, const void *src, size_t len)
{
    if (!shared(vm, dst.v, len)) {
        return ABI_BAD_ADDRESS;
    }
    memcpy(vm->ram + dst.v, src, len);
    return ABI_OK;
}

enum abi_status guestmem_fill(struct vm *vm, gpa_t dst, uint8_t byte, size_t len)
{
    if (!shared(vm, dst.v, len)) {
        return ABI_BAD_ADDRESS;
    }
    memset(vm->ram + dst.v, byte, len);
    return ABI_OK;
}

enum abi_status guestmem_load16(struct vm *vm, gpa_t src, uint16_t *value)
{
    return IS_ALIGNED(src.v, 2) ? guestmem_read(vm, src, value, 2) : ABI_BAD_ADDRESS;
}

enum abi_status guestmem_load32(struct vm *vm, gpa_t src, uint32_t *value)
{
    return IS_ALIGNED(src.v, 4) ? guestmem_read(vm, src, value, 4) : ABI_BAD_ADDRESS;
}

enum abi_status guestmem_store16(struct vm *vm, gpa_t dst, uint16_t value)
{
    return IS_ALIGNED(dst.v, 2) ? guestmem_write(vm, dst, &value, 2) : ABI_BAD_ADDRESS;
}

enum abi_status guestmem_store32(struct vm *vm, gpa_t dst, uint32_t value)
{
    return IS_ALIGNED(dst.v, 4) ? guestmem_write(vm, dst, &value, 4) : ABI_BAD_ADDRESS;
}
