/* What devices are made of (io.h): regions, hooks, memory. */
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/control.h"
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

static bool before(const struct io_region *r, enum io_space space, uint64_t base)
{
    return r->space < space || (r->space == space && r->base <= base);
}

/* The regions are sorted by space and base: how many begin at or below that address. */
static uint32_t place(const struct vm *vm, enum io_space space, uint64_t base)
{
    uint32_t low = 0, high = vm->io_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (before(&vm->io[middle], space, base)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Bits are never taken back: what a device left only answers a little slower. */
static void claim_ports(struct vm *vm, uint64_t base, uint32_t len)
{
    for (uint64_t p = base / 8; p <= (base + len - 1) / 8; p++) {
        atomic_or(&vm->io_claimed[p / 64], BIT(p % 64));
    }
}

/* No device has been near that port: answered without the lock. */
static bool deserted(const struct vm *vm, enum io_space space, uint64_t port)
{
    return space == IO_PORT && port < KiB(64) &&
           (load_once(&vm->io_claimed[port / 512]) >> port / 8 % 64 & 1) == 0;
}

/* By the builder before the VM runs, and by io_ops: the device lock is held, or not needed. */
enum abi_status vm_io_add(struct vm *vm, enum io_space space, uint64_t base, uint32_t len,
                          const struct io_ops *ops, void *dev)
{
    uint64_t top = space == IO_PORT ? KiB(64) : BIT(47);
    uint32_t at;

    if (len == 0 || base >= top || len > top - base) {
        return ABI_BAD_ARG;
    }
    /* Only the last one that begins before the new one's end can overlap it. */
    at = place(vm, space, base + len - 1);
    if (at > 0 && vm->io[at - 1].space == space &&
        vm->io[at - 1].base + vm->io[at - 1].len > base) {
        return ABI_EXISTS;
    }
    if (vm->io_count == VM_IO_MAX) {
        return ABI_LIMIT;
    }
    memmove(&vm->io[at + 1], &vm->io[at], (vm->io_count - at) * sizeof(vm->io[0]));
    vm->io[at] = (struct io_region){base, len, (uint8_t)space, ops, dev};
    vm->io_count++;
    if (space == IO_PORT) {
        claim_ports(vm, base, len);
    }
    return ABI_OK;
}

void vm_io_remove(struct vm *vm, enum io_space space, const struct io_ops *ops, void *dev)
{
    for (uint32_t i = 0; i < vm->io_count; i++) {
        const struct io_region *r = &vm->io[i];

        if (r->space == space && r->ops == ops && r->dev == dev) {
            vm->io_count--;
            memmove(&vm->io[i], &vm->io[i + 1], (vm->io_count - i) * sizeof(vm->io[0]));
            return;
        }
    }
}

static const struct io_region *find(const struct vm *vm, enum io_space space, uint64_t addr,
                                    unsigned int size)
{
    uint32_t at = place(vm, space, addr);
    const struct io_region *r = at == 0 ? NULL : &vm->io[at - 1];

    if (r == NULL || r->space != space || addr - r->base >= r->len ||
        size > r->len - (addr - r->base)) {
        return NULL;
    }
    return r;
}

/* The region, and the device lock with it; NULL: there is none, and the lock is free. */
static ALWAYS_INLINE const struct io_region *lock_region(struct vm *vm, enum io_space space,
                                                         uint64_t addr, unsigned int size)
{
    const struct io_region *r;

    if (deserted(vm, space, addr)) {
        return NULL;
    }
    vm_dev_lock(vm);
    r = find(vm, space, addr, size);
    if (r == NULL) {
        vm_dev_unlock(vm);
    }
    return r;
}

bool vm_io_read(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                uint32_t *value)
{
    const struct io_region *r = lock_region(vm, space, addr, size);

    if (r == NULL) {
        return false;
    }
    *value = r->ops->read(r->dev, (uint32_t)(addr - r->base), size);
    vm_dev_unlock(vm);
    return true;
}

bool vm_io_write(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                 uint32_t value)
{
    const struct io_region *r = lock_region(vm, space, addr, size);

    if (r == NULL) {
        return false;
    }
    r->ops->write(r->dev, (uint32_t)(addr - r->base), size, value);
    vm_dev_unlock(vm);
    return true;
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

void vm_serve(struct vm *vm)
{
    vm_dev_lock(vm);
    for (struct vm_hook *h = vm->hooks; h != NULL; h = h->next) {
        if (h->serve != NULL) {
            h->serve(h);
        }
    }
    vm_dev_unlock(vm);
    control_port_serve(vm);
}

/* The VM's first vCPU does it, before it enters the guest again. */
void vm_serve_soon(struct vm *vm)
{
    vcpu_request(vm->vcpu[0], REQ_SERVE);
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
    b->size = PAGE_SIZE << order;
    return b;
}

/* A block of that kind with room for size bytes, a new one when the last has none. */
static struct vm_block *block_for(struct vm *vm, bool pages_only, size_t size)
{
    struct vm_block *b = vm->blocks;
    size_t header = pages_only ? PAGE_SIZE : ALIGN_UP(sizeof(*b), 16);
    unsigned int order = BLOCK_MIN_ORDER;

    while (b != NULL && b->pages_only != pages_only) {
        b = b->next;
    }
    if (b != NULL && b->size - b->used >= size) {
        return b;
    }
    while ((PAGE_SIZE << order) < size + header) {
        order++;
    }
    b = new_block(vm, order);
    if (b != NULL) {
        b->pages_only = pages_only;
        b->used = (uint32_t)header;
        b->next = vm->blocks;
        vm->blocks = b;
    }
    return b;
}

static void *alloc_in(struct vm *vm, bool pages_only, size_t size)
{
    struct vm_block *b;
    void *p = NULL;

    lock(&vm->block_lock);
    b = block_for(vm, pages_only, size);
    if (b != NULL) {
        p = (uint8_t *)b + b->used;
        b->used += (uint32_t)size;
    }
    unlock(&vm->block_lock);
    return p;
}

void *vm_alloc(struct vm *vm, size_t size)
{
    return size == 0 || size > BLOCK_MAX ? NULL : alloc_in(vm, false, ALIGN_UP(size, 16));
}

/* Pages that guests see come from blocks of their own: nothing of ours lies beside them. */
void *vm_alloc_page(struct vm *vm)
{
    return alloc_in(vm, true, PAGE_SIZE);
}
