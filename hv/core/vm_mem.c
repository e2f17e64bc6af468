/*
 * Guest RAM: taken from the page pool when the VM is made, cleared and mapped 2 MiB at a time when
 * it is first touched, by the guest or by the builder: a big guest starts as fast as a small one.
 */
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define STRAYS_MAX 16u
#define TABLES_OUTSIDE 1024u /* of the second stage, besides one for each 2 MiB of RAM */

static bool chunk_of(const struct vm *vm, gpa_t at, uint64_t *index)
{
    if (at.v < vm->ram_low) {
        *index = at.v / SIZE_2M;
        return true;
    }
    if (at.v >= GiB(4) && at.v - GiB(4) < vm->ram_high) {
        *index = (vm->ram_low + at.v - GiB(4)) / SIZE_2M;
        return true;
    }
    return false;
}

gpa_t vm_chunk_gpa(const struct vm *vm, uint64_t index)
{
    uint64_t at = index * SIZE_2M;

    return gpa(at < vm->ram_low ? at : at - vm->ram_low + GiB(4));
}

pa_t vm_chunk_pa(const struct vm *vm, uint64_t index)
{
    return pa((uint64_t)(vm->chunks[index] & ~CHUNK_FLAGS) << PAGE_SHIFT);
}

bool vm_chunk_used(const struct vm *vm, uint64_t index)
{
    return (vm->chunks[index] & CHUNK_FLAGS) != 0;
}

#define CHUNKS_1G (SIZE_1G / SIZE_2M)

static void set_chunks(struct vm *vm, uint64_t index, pa_t at, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        vm->chunks[index + i] = (uint32_t)((at.v + i * SIZE_2M) >> PAGE_SHIFT);
    }
}

/* A whole GiB in one piece where one can be mapped as such and is to be had. */
static bool take_chunks(struct vm *vm, uint64_t chunks, bool whole)
{
    pa_t at;

    for (uint64_t i = 0; i < chunks;) {
        if (whole && IS_ALIGNED(vm_chunk_gpa(vm, i).v, SIZE_1G) && chunks - i >= CHUNKS_1G &&
            page_alloc(ORDER_1G, PAGE_GUEST, vm->id, &at)) {
            page_split(at, ORDER_2M);
            set_chunks(vm, i, at, CHUNKS_1G);
            i += CHUNKS_1G;
        } else if (page_alloc(ORDER_2M, PAGE_GUEST, vm->id, &at)) {
            set_chunks(vm, i, at, 1);
            i++;
        } else {
            return false;
        }
    }
    return true;
}

/* Maps `count` chunks that lie in one piece, in the host and in the guest. */
static enum abi_status map_run(struct vm *vm, uint64_t index, uint64_t count)
{
    pa_t at = vm_chunk_pa(vm, index);
    enum abi_status st;

    st = pt_map(&vm->stage2, vm_chunk_gpa(vm, index).v, at, count * SIZE_2M, PT_W | PT_X);
    for (uint64_t i = index; st == ABI_OK && i < index + count; i++) {
        store_release(&vm->chunks[i], vm->chunks[i] | CHUNK_POPULATED);
    }
    return st;
}

static enum abi_status populate_run(struct vm *vm, uint64_t index, uint64_t count)
{
    memset(pa_to_hva(vm_chunk_pa(vm, index)), 0, count * SIZE_2M);
    return map_run(vm, index, count);
}

static enum abi_status populate(struct vm *vm, uint64_t index)
{
    REQUIRE(lock_held(&vm->mem_lock));
    if ((vm->chunks[index] & CHUNK_POPULATED) != 0) {
        return ABI_OK;
    }
    return (vm->chunks[index] & CHUNK_PRIVATE) != 0 ? map_run(vm, index, 1)
                                                    : populate_run(vm, index, 1);
}

static enum abi_status populate_all(struct vm *vm)
{
    uint64_t chunks = vm_memory(vm) / SIZE_2M;
    enum abi_status st = ABI_OK;
    uint64_t n;

    for (uint64_t i = 0; i < chunks && st == ABI_OK; i += n) {
        n = 1;
        while (i + n < chunks && n < CHUNKS_1G && i + n != vm->ram_low / SIZE_2M &&
               vm_chunk_pa(vm, i + n).v == vm_chunk_pa(vm, i).v + n * SIZE_2M) {
            n++;
        }
        st = populate_run(vm, i, n);
    }
    return st;
}

enum abi_status vm_mem_init(struct vm *vm, const struct domain_config *cfg)
{
    uint64_t chunks = cfg->memory / SIZE_2M;

    REQUIRE(cfg->memory > 0 && IS_ALIGNED(cfg->memory, SIZE_2M));
    if (cfg->memory / PAGE_SIZE > page_count_free()) {
        return ABI_NO_MEMORY;
    }
    if (!pt_init(&vm->stage2, vm->id, PT_GUEST)) {
        return ABI_NO_MEMORY;
    }
    vm->chunks = vm_alloc(vm, chunks * sizeof(vm->chunks[0]));
    if (vm->chunks == NULL) {
        return ABI_NO_MEMORY;
    }
    vm->ram_low = MIN(cfg->memory, RAM_BELOW_4G);
    vm->ram_high = cfg->memory - vm->ram_low;
    if (!take_chunks(vm, chunks, cfg->prefault)) {
        return ABI_NO_MEMORY;
    }
    return cfg->prefault ? populate_all(vm) : ABI_OK;
}

void vm_chunk_lose(struct vm *vm, uint64_t index)
{
    pa_t base = vm_chunk_pa(vm, index);

    log_error("%s: the chip does not give back memory at %lx: reset the machine", vm->name,
              (unsigned long)base.v);
    page_split(base, ORDER_4K);
    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        if (page_state_of(pa(base.v + i)) == PAGE_GUEST) {
            page_free(pa(base.v + i), PAGE_GUEST, vm->id);
        }
    }
    vm->chunks[index] = 0;
}

void vm_mem_destroy(struct vm *vm)
{
    for (uint64_t i = 0; vm->chunks != NULL && i < vm_memory(vm) / SIZE_2M; i++) {
        if (vm->chunks[i] != 0) {
            page_free(vm_chunk_pa(vm, i), PAGE_GUEST, vm->id);
        }
    }
    vm->chunks = NULL;
    if (vm->stage2.root.v != 0) {
        pt_destroy(&vm->stage2);
    }
}

/* Kernels probe for chips outside RAM: they find a page of all ones, a bounded number of them. */
static enum abi_status stray(struct vm *vm, gpa_t at)
{
    void *page;

    if (vm->strays >= STRAYS_MAX) {
        return ABI_LIMIT;
    }
    page = vm_alloc_page(vm);
    if (page == NULL) {
        return ABI_NO_MEMORY;
    }
    vm->strays++;
    memset(page, 0xff, PAGE_SIZE);
    log_vm(vm, LOG_DEBUG, "access outside memory at %lx", (unsigned long)at.v);
    return pt_map(&vm->stage2, at.v & PAGE_MASK, hva_to_pa(page), PAGE_SIZE, PT_W);
}

enum abi_status vm_fault(struct vm *vm, gpa_t at, bool fetch)
{
    enum abi_status st;
    uint64_t index;
    unsigned int attr, level;
    pa_t to;

    lock(&vm->mem_lock);
    if (chunk_of(vm, at, &index)) {
        st = populate(vm, index);
    } else if (at.v >= BIT(47)) {
        st = ABI_BAD_ADDRESS;
    } else if (pt_lookup(&vm->stage2, at.v, &to, &attr, &level)) {
        /* Mapped by now, perhaps by another vCPU's fault; every page may be read and written. */
        st = !fetch || (attr & PT_X) != 0 ? ABI_OK : ABI_BAD_ADDRESS;
    } else {
        st = stray(vm, at);
    }
    unlock(&vm->mem_lock);
    return st;
}

enum abi_status vm_mem_populate(struct vm *vm, gpa_t at, pa_t *to)
{
    enum abi_status st;
    uint64_t index;

    if (!chunk_of(vm, at, &index)) {
        return ABI_BAD_ADDRESS;
    }
    lock(&vm->mem_lock);
    st = populate(vm, index);
    unlock(&vm->mem_lock);
    *to = pa(vm_chunk_pa(vm, index).v + at.v % SIZE_2M);
    return st;
}

static bool all_shared(pa_t base)
{
    bool all = true;

    for (uint64_t i = 0; i < SIZE_2M && all; i += PAGE_SIZE) {
        all = page_state_of(pa(base.v + i)) == PAGE_GUEST;
    }
    return all;
}

static enum abi_status populate_private(struct vm *vm, uint64_t index, make_private_fn *make)
{
    pa_t at = vm_chunk_pa(vm, index);
    enum abi_status st;

    REQUIRE(lock_held(&vm->mem_lock));
    if (vm_chunk_used(vm, index)) {
        return populate(vm, index);
    }
    if (page_used(at, ORDER_2M)) {
        memset(pa_to_hva(at), 0, SIZE_2M);
    }
    st = make(vm, vm_chunk_gpa(vm, index), at);
    if (st != ABI_OK && all_shared(at)) {
        return populate(vm, index);
    }
    /* Before it is mapped: there may be no page for the table, and the chip has it already. */
    store_release(&vm->chunks[index], vm->chunks[index] | CHUNK_PRIVATE);
    return st == ABI_OK ? populate(vm, index) : st;
}

enum abi_status vm_mem_populate_private(struct vm *vm, gpa_t at, make_private_fn *make, pa_t *to)
{
    enum abi_status st;
    uint64_t index;

    if (!chunk_of(vm, at, &index)) {
        return ABI_BAD_ADDRESS;
    }
    lock(&vm->mem_lock);
    st = populate_private(vm, index, make);
    unlock(&vm->mem_lock);
    *to = pa(vm_chunk_pa(vm, index).v + at.v % SIZE_2M);
    return st;
}

bool vm_mem_there(const struct vm *vm, gpa_t at, pa_t *to)
{
    uint64_t index;
    uint32_t entry;

    if (!chunk_of(vm, at, &index)) {
        return false;
    }
    entry = load_acquire(&vm->chunks[index]);
    *to = pa(vm_chunk_pa(vm, index).v + at.v % SIZE_2M); /* a populated chunk stays where it is */
    return (entry & CHUNK_POPULATED) != 0;
}

enum abi_status vm_mem_host(struct vm *vm, gpa_t at, void **hva, uint64_t *run)
{
    enum abi_status st = ABI_OK;
    uint64_t index;
    uint32_t entry;

    at.v &= ~vm->shared_bit;
    if (!chunk_of(vm, at, &index)) {
        return ABI_BAD_ADDRESS;
    }
    entry = load_acquire(&vm->chunks[index]);
    if ((entry & CHUNK_POPULATED) == 0) {
        lock(&vm->mem_lock);
        st = populate(vm, index);
        unlock(&vm->mem_lock);
    }
    *hva = (uint8_t *)pa_to_hva(vm_chunk_pa(vm, index)) + at.v % SIZE_2M;
    *run = SIZE_2M - at.v % SIZE_2M;
    if (st == ABI_OK && vm->cc != CC_NONE) {
        *run = PAGE_SIZE - at.v % PAGE_SIZE; /* each page may be private or not */
        st = vm->ops->shared(vm, hva_to_pa(*hva)) ? ABI_OK : ABI_BAD_ADDRESS;
    }
    return st;
}

enum abi_status vm_map_page(struct vm *vm, gpa_t at, void *page)
{
    enum abi_status st = ABI_EXISTS;
    uint64_t index;

    REQUIRE(IS_ALIGNED(at.v, PAGE_SIZE));
    lock(&vm->mem_lock);
    if (!chunk_of(vm, at, &index) && at.v < BIT(47)) {
        st = pt_map(&vm->stage2, at.v, hva_to_pa(page), PAGE_SIZE, PT_W);
    }
    unlock(&vm->mem_lock);
    return st;
}

void vm_unmap_page(struct vm *vm, gpa_t at)
{
    uint64_t index;

    lock(&vm->mem_lock);
    if (!chunk_of(vm, at, &index) && at.v < BIT(47)) {
        CHECK(pt_unmap(&vm->stage2, at.v, PAGE_SIZE)); /* device pages are 4 KiB leaves */
    }
    unlock(&vm->mem_lock);
    vm->ops->forget(vm, at);
    arch_vm_flush(vm);
}

void vm_mem_unpin(struct vm *vm, gpa_t at, uint64_t len)
{
    uint64_t end = at.v + len;

    for (at.v &= PAGE_MASK; vm->cc != CC_NONE && at.v < end; at.v += PAGE_SIZE) {
        uint64_t index = 0;

        CHECK(chunk_of(vm, at, &index));
        page_unpin(pa(vm_chunk_pa(vm, index).v + at.v % SIZE_2M), vm->id);
    }
}

/* Plain memory never turns into another kind: there is nothing to hold. */
enum abi_status vm_mem_pin(struct vm *vm, gpa_t at, uint64_t len)
{
    gpa_t start = gpa(at.v & PAGE_MASK);
    uint64_t end = at.v + len;
    enum abi_status st = ABI_OK;
    uint64_t run = 0;
    void *hva;

    for (at = start; st == ABI_OK && at.v < end; at.v += run) {
        st = vm_mem_host(vm, at, &hva, &run);
        if (st == ABI_OK && vm->cc != CC_NONE && !page_pin(hva_to_pa(hva), vm->id)) {
            st = ABI_BAD_ADDRESS;
        }
        run = st == ABI_OK ? run : 0;
    }
    if (st != ABI_OK && at.v > start.v) {
        vm_mem_unpin(vm, start, at.v - start.v);
    }
    return st;
}

void vm_mem_unlend(struct vm *to, gpa_t at, uint64_t len)
{
    lock(&to->mem_lock);
    for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
        CHECK(pt_unmap(&to->stage2, at.v + i, PAGE_SIZE)); /* mapped so: 4 KiB leaves */
    }
    unlock(&to->mem_lock);
    for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
        to->ops->forget(to, gpa(at.v + i));
    }
    arch_vm_flush(to);
}

/* Is all of that range outside its RAM free, and may it have tables there? They stay until it ends:
 * else one that accepts the same share here and there would take the machine's memory for them. */
static enum abi_status reserve(struct vm *vm, gpa_t at, uint64_t len)
{
    uint64_t index;

    for (uint64_t i = 0; i < len; i += PAGE_SIZE) {
        if (chunk_of(vm, gpa(at.v + i), &index)) {
            return ABI_EXISTS;
        }
    }
    if (vm->stage2.pages > TABLES_OUTSIDE + vm_memory(vm) / SIZE_2M) {
        return ABI_LIMIT;
    }
    return pt_reserve(&vm->stage2, at.v, len);
}

/* All or nothing, in one step: no vCPU ever has a translation of a share that was not accepted. */
enum abi_status vm_mem_lend(struct vm *to, gpa_t at, struct vm *from, gpa_t from_at, uint64_t len)
{
    enum abi_status st;
    pa_t page = pa(0);

    lock(&to->mem_lock);
    st = reserve(to, at, len);
    for (uint64_t i = 0; st == ABI_OK && i < len; i += PAGE_SIZE) {
        CHECK(vm_mem_there(from, gpa(from_at.v + i), &page)); /* it is pinned */
        CHECK(pt_map(&to->stage2, at.v + i, page, PAGE_SIZE, PT_W) == ABI_OK);
    }
    unlock(&to->mem_lock);
    return st;
}
