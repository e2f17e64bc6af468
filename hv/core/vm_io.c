/* What devices are made of (io.h): regions, hooks, memory. */
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define BLOCK_MIN_ORDER 2u  /* small things share blocks of 16 KiB */
#define BLOCK_MAX       MiB(4)

void vm_dev_lock(struct vm *vm)
{
    lock(&vm->dev_lock);
}

void vm_dev_unlock(struct vm *vm)
{
    unlock(&vm->dev_lock);
}

static bool crosses(const struct io_region *r, enum io_space space, uint64_t base, uint32_t len)
{
    return r->space == space && base < r->base + r->len && r->base < base + len;
}

/* By the builder before the VM runs, and by io_ops: the device lock is held, or not needed. */
enum abi_status vm_io_add(struct vm *vm, enum io_space space, uint64_t base, uint32_t len,
                          const struct io_ops *ops, void *dev)
{
    uint64_t top = space == IO_PORT ? KiB(64) : BIT(47);

    if (len == 0 || base >= top || len > top - base) {
        return ABI_BAD_ARG;
    }
    for (uint32_t i = 0; i < vm->io_count; i++) {
        if (crosses(&vm->io[i], space, base, len)) {
            return ABI_EXISTS;
        }
    }
    if (vm->io_count == VM_IO_MAX) {
        return ABI_LIMIT;
    }
    vm->io[vm->io_count++] = (struct io_region){base, len, (uint8_t)space, ops, dev};
    return ABI_OK;
}

void vm_io_remove(struct vm *vm, enum io_space space, const struct io_ops *ops, void *dev)
{
    for (uint32_t i = 0; i < vm->io_count; i++) {
        struct io_region *r = &vm->io[i];

        if (r->space == space && r->ops == ops && r->dev == dev) {
            *r = vm->io[--vm->io_count];
            return;
        }
    }
}

static const struct io_region *find(const struct vm *vm, enum io_space space, uint64_t addr,
                                    unsigned int size)
{
    for (uint32_t i = 0; i < vm->io_count; i++) {
        const struct io_region *r = &vm->io[i];

        if (r->space == space && addr >= r->base && addr - r->base < r->len &&
            size <= r->len - (addr - r->base)) {
            return r;
        }
    }
    return NULL;
}

bool vm_io_read(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                uint32_t *value)
{
    const struct io_region *r;
    bool found;

    vm_dev_lock(vm);
    r = find(vm, space, addr, size);
    found = r != NULL;
    if (found) {
        *value = r->ops->read(r->dev, (uint32_t)(addr - r->base), size);
    }
    vm_dev_unlock(vm);
    return found;
}

bool vm_io_write(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                 uint32_t value)
{
    const struct io_region *r;
    bool found;

    vm_dev_lock(vm);
    r = find(vm, space, addr, size);
    found = r != NULL;
    if (found) {
        r->ops->write(r->dev, (uint32_t)(addr - r->base), size, value);
    }
    vm_dev_unlock(vm);
    return found;
}

void vm_hook_add(struct vm *vm, struct vm_hook *hook)
{
    hook->next = vm->hooks;
    vm->hooks = hook;
}

void vm_poll(struct vm *vm)
{
    vm_dev_lock(vm);
    for (struct vm_hook *h = vm->hooks; h != NULL; h = h->next) {
        if (h->poll != NULL) {
            h->poll(h);
        }
    }
    vm_dev_unlock(vm);
}

/* The VM's first vCPU does it, before it enters the guest again. */
void vm_poll_soon(struct vm *vm)
{
    vcpu_request(vm->vcpu[0], REQ_POLL);
}

void vm_set_platform(struct vm *vm, struct platform *platform)
{
    vm->platform = platform;
}

struct platform *vm_platform(const struct vm *vm)
{
    return vm->platform;
}

static struct vm_block *new_block(struct vm *vm, unsigned int order)
{
    struct vm_block *b;
    pa_t at;

    if (!page_alloc(order, PAGE_HV, vm->id, &at)) {
        return NULL;
    }
    b = pa_to_hva(at);
    b->used = ALIGN_UP(sizeof(*b), 16);
    b->size = PAGE_SIZE << order;
    return b;
}

/* Only the builder and, for pages, one vCPU at a time allocate: under no lock, or mem_lock. */
void *vm_alloc(struct vm *vm, size_t size)
{
    struct vm_block *b = vm->blocks;
    unsigned int order = BLOCK_MIN_ORDER;
    void *p;

    while (b != NULL && b->pages_only) {
        b = b->next;
    }
    if (size == 0 || size > BLOCK_MAX) {
        return NULL;
    }
    size = ALIGN_UP(size, 16);
    if (b == NULL || b->size - b->used < size) {
        while ((PAGE_SIZE << order) < size + ALIGN_UP(sizeof(*b), 16)) {
            order++;
        }
        b = new_block(vm, order);
        if (b == NULL) {
            return NULL;
        }
        b->next = vm->blocks;
        vm->blocks = b;
    }
    p = (uint8_t *)b + b->used;
    b->used += (uint32_t)size;
    return p;
}

void *vm_alloc_page(struct vm *vm)
{
    struct vm_block *b = vm->blocks;
    uint32_t at;

    /* Pages that guests see come from blocks of their own: nothing of ours lies beside them. */
    for (; b != NULL && !b->pages_only; b = b->next) {
    }
    if (b == NULL || b->size - b->used < PAGE_SIZE) {
        b = new_block(vm, BLOCK_MIN_ORDER);
        if (b == NULL) {
            return NULL;
        }
        b->pages_only = true;
        b->used = PAGE_SIZE; /* the header's page is not handed out */
        b->next = vm->blocks;
        vm->blocks = b;
    }
    at = b->used;
    b->used += PAGE_SIZE;
    return (uint8_t *)b + at;
}
