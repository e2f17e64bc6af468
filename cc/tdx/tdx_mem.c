/*
 * Who owns a page of a TD's RAM, said three times: in the hypervisor's table (hv/page.h), in the
 * secure EPT, in the shared EPT. A page is private or shared, never both; the module takes it only
 * when the hypervisor's mappings and the shared EPT have let go of it.
 */
#include "tdx_ram.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"

#define MAP_GPA_MOST MiB(32) /* at a time: interrupts are off */

bool tdx_shared(struct vm *vm, pa_t at)
{
    return page_state_of(at) == PAGE_GUEST && page_owner_of(at) == vm->id;
}

static uint64_t chunk_index(const struct vm *vm, uint64_t gpa)
{
    return (gpa < vm->ram_low ? gpa : gpa - GiB(4) + vm->ram_low) / SIZE_2M;
}

static uint8_t *chunk_flags(struct vm *vm, uint64_t gpa)
{
    return &tdx_of(vm)->chunk[chunk_index(vm, gpa)];
}

/* After pages went out of reach: every CPU leaves the TD once before they are somebody else's. */
static enum abi_status new_epoch(struct vm *vm)
{
    enum abi_status st = tdx_sept_track(&tdx_of(vm)->td);

    arch_vm_flush(vm);
    return st;
}

/* True when something was there. */
static bool unshare(struct vm *vm, uint64_t from, uint64_t to)
{
    bool any = false;

    for (uint64_t at = from; at < to; at += PAGE_SIZE) {
        any |= tdx_ept_unmap(&tdx_of(vm)->ept, at | TDX_SHARED);
    }
    return any;
}

/* ---- to private ---- */

/* ABI_EXISTS, ABI_BAD_STATE of a large one: it is in small pages already. */
static enum abi_status give_page(struct vm *vm, uint64_t gpa, pa_t at, enum tdx_level level)
{
    unsigned int order = level == TDX_2M ? ORDER_2M : ORDER_4K;
    enum abi_status st = page_move(at, order, PAGE_GUEST, PAGE_PRIVATE, vm->id);

    if (st != ABI_OK) {
        return st;
    }
    st = tdx_sept_aug(&tdx_of(vm)->td, gpa, at, level);
    if (st != ABI_OK) {
        CHECK(page_move(at, order, PAGE_PRIVATE, PAGE_GUEST, vm->id) == ABI_OK);
    } else if (level == TDX_2M) {
        *chunk_flags(vm, gpa) |= TDX_CHUNK_LARGE;
    }
    return st;
}

/* Nothing is there yet: all of the 2 MiB, before they are mapped. */
static enum abi_status claim(struct vm *vm, gpa_t at, pa_t to)
{
    struct tdx_td *td = &tdx_of(vm)->td;
    enum abi_status st;

    lock(&td->lock);
    st = give_page(vm, at.v, to, TDX_2M);
    unlock(&td->lock);
    return st;
}

static enum abi_status give(struct vm *vm, uint64_t gpa, pa_t at, bool large)
{
    uint64_t base = ALIGN_DOWN(gpa, SIZE_2M);
    uint8_t *flags = chunk_flags(vm, gpa);
    enum abi_status st = ABI_OK;

    if ((*flags & TDX_CHUNK_SHARED) != 0) {
        if (unshare(vm, large ? base : gpa, large ? base + SIZE_2M : gpa + PAGE_SIZE)) {
            st = new_epoch(vm);
        }
        *flags &= large ? (uint8_t)~TDX_CHUNK_SHARED : 0xff;
    }
    if (st == ABI_OK && large) {
        st = give_page(vm, base, pa(ALIGN_DOWN(at.v, SIZE_2M)), TDX_2M);
        if (st != ABI_EXISTS && st != ABI_BAD_STATE) {
            return st;
        }
        st = ABI_OK;
    }
    return st == ABI_OK ? give_page(vm, gpa, at, TDX_4K) : st;
}

enum abi_status tdx_mem_add(struct vm *vm, uint64_t at, pa_t source, bool extend)
{
    struct tdx_td *td = &tdx_of(vm)->td;
    enum abi_status st;
    pa_t to;

    st = vm_mem_populate(vm, gpa(at), &to);
    st = st == ABI_OK ? page_move(to, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, vm->id) : st;
    if (st != ABI_OK) {
        return st;
    }
    lock(&td->lock);
    st = tdx_sept_add(td, at, to, source);
    if (st != ABI_OK) {
        CHECK(page_move(to, ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, vm->id) == ABI_OK);
    }
    st = st == ABI_OK && extend ? tdx_sept_measure(td, at) : st;
    unlock(&td->lock);
    return st;
}

/* ---- to shared: blocked, an epoch later taken ---- */

/* A big page of which a part is wanted back becomes small ones. */
static enum abi_status split(struct vm *vm, uint64_t base)
{
    struct tdx_td *td = &tdx_of(vm)->td;
    enum abi_status st = ABI_NO_MEMORY;

    if (arch_map_cut(vm_chunk_pa(vm, chunk_index(vm, base)))) {
        st = tdx_sept_block(td, base, TDX_2M);
    }
    st = st == ABI_OK ? new_epoch(vm) : st;
    st = st == ABI_OK ? tdx_sept_split(td, base) : st;
    if (st == ABI_OK) {
        *chunk_flags(vm, base) &= (uint8_t)~TDX_CHUNK_LARGE;
    }
    return st;
}

/* Mapped or not: a chunk is the TD's before it is in the shared half. */
static bool is_private(struct vm *vm, uint64_t at, pa_t *to)
{
    *to = pa(vm_chunk_pa(vm, chunk_index(vm, at)).v + at % SIZE_2M);
    return page_state_of(*to) == PAGE_PRIVATE;
}

/* One step of a walk through [from, to): the page at `at` that is private, whole if it can be. */
static uint64_t step(struct vm *vm, uint64_t at, uint64_t to, bool *large)
{
    *large = (*chunk_flags(vm, at) & TDX_CHUNK_LARGE) != 0 && IS_ALIGNED(at, SIZE_2M) &&
             to - at >= SIZE_2M;
    return *large ? SIZE_2M : PAGE_SIZE;
}

static enum abi_status block_range(struct vm *vm, uint64_t from, uint64_t to, bool *any)
{
    enum abi_status st = ABI_OK;
    bool large;
    pa_t page;

    for (uint64_t at = from, n; at < to && st == ABI_OK; at += n) {
        n = step(vm, at, to, &large);
        if (!large && (*chunk_flags(vm, at) & TDX_CHUNK_LARGE) != 0) {
            st = split(vm, ALIGN_DOWN(at, SIZE_2M));
        }
        if (st == ABI_OK && is_private(vm, at, &page)) {
            st = tdx_sept_block(&tdx_of(vm)->td, at, large ? TDX_2M : TDX_4K);
            *any = true;
        }
    }
    return st;
}

static enum abi_status take_range(struct vm *vm, uint64_t from, uint64_t to)
{
    struct tdx_td *td = &tdx_of(vm)->td;
    enum abi_status st = ABI_OK;
    bool large;
    pa_t page;

    for (uint64_t at = from, n; at < to && st == ABI_OK; at += n) {
        n = step(vm, at, to, &large);
        if (!is_private(vm, at, &page)) {
            continue;
        }
        st = tdx_sept_remove(td, at, large ? TDX_2M : TDX_4K);
        if (st == ABI_OK) {
            CHECK(page_move(page, large ? ORDER_2M : ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, vm->id) ==
                  ABI_OK);
            *chunk_flags(vm, at) &= large ? (uint8_t)~TDX_CHUNK_LARGE : 0xff;
        }
    }
    return st;
}

static enum abi_status to_shared(struct vm *vm, uint64_t from, uint64_t to)
{
    bool any = false;
    enum abi_status st = block_range(vm, from, to, &any);

    if (st != ABI_OK || !any) {
        return st;
    }
    st = new_epoch(vm);
    return st == ABI_OK ? take_range(vm, from, to) : st;
}

/* What is there becomes the TD's at once, for it to accept: nobody shares it in between. What was
 * never touched comes when the TD accepts it. */
static enum abi_status to_private(struct vm *vm, uint64_t from, uint64_t to)
{
    enum abi_status st = unshare(vm, from, to) ? new_epoch(vm) : ABI_OK;
    pa_t page;

    for (uint64_t at = from, n; at < to && st == ABI_OK; at += n) {
        bool large = IS_ALIGNED(at, SIZE_2M) && to - at >= SIZE_2M;

        n = PAGE_SIZE;
        if (vm_mem_there(vm, (gpa_t){at}, &page) && tdx_shared(vm, page)) {
            st = give(vm, at, page, large);
            n = (*chunk_flags(vm, at) & TDX_CHUNK_LARGE) != 0 ? SIZE_2M : PAGE_SIZE;
        }
    }
    return st;
}

#define FIRMWARE_SPACE MiB(16) /* below 4 GiB */

static bool in_ram(const struct vm *vm, uint64_t at, uint64_t size)
{
    if (at < vm->ram_low) {
        return size <= vm->ram_low - at;
    }
    return at >= GiB(4) && at - GiB(4) < vm->ram_high && size <= vm->ram_high - (at - GiB(4));
}

/* Where devices are, and nothing was ever private: the hole below the firmware, and above RAM. */
static bool in_device_space(const struct vm *vm, uint64_t at, uint64_t size)
{
    uint64_t start = at < GiB(4) ? vm->ram_low : GiB(4) + vm->ram_high;
    uint64_t end = at < GiB(4) ? GiB(4) - FIRMWARE_SPACE : TDX_SHARED;

    return at >= start && at < end && size <= end - at;
}

uint64_t tdx_map_gpa(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *next)
{
    uint64_t at = gpa & ~TDX_SHARED, now = MIN(size, MAP_GPA_MOST);
    struct tdx_td *td = &tdx_of(vm)->td;
    bool shared = (gpa & TDX_SHARED) != 0;
    enum abi_status st;

    if (!IS_ALIGNED(gpa | size, PAGE_SIZE)) {
        return TDVMCALL_ALIGN_ERROR;
    }
    if (shared && size != 0 && in_device_space(vm, at, size)) { /* so it is already */
        *next = gpa + size;
        return TDVMCALL_SUCCESS;
    }
    if (size == 0 || !in_ram(vm, at, size) || (!shared && !buf_hold(vm, (gpa_t){at}, now))) {
        return TDVMCALL_INVALID_OPERAND;
    }
    lock(&td->lock);
    st = shared ? to_shared(vm, at, at + now) : to_private(vm, at, at + now);
    tdx_of(vm)->conversions += now / PAGE_SIZE;
    unlock(&td->lock);
    if (!shared) {
        buf_let_go(vm);
    }
    if (st != ABI_OK) { /* a part of them may stay blocked: it cannot go on */
        vm_end(vm, VM_ERROR, "cannot convert %lx bytes at %lx", (unsigned long)now,
               (unsigned long)gpa);
        return TDVMCALL_INVALID_OPERAND;
    }
    *next = gpa + now;
    return now < size ? TDVMCALL_RETRY : TDVMCALL_SUCCESS;
}

/* ---- faults ---- */

static bool lookup(struct vm *vm, uint64_t at, pa_t *to)
{
    unsigned int attr, level;
    bool found;

    lock(&vm->mem_lock);
    found = pt_lookup(&vm->stage2, at, to, &attr, &level);
    unlock(&vm->mem_lock);
    return found;
}

/* What is outside RAM: a device's page, or a stray. */
static bool find_other(struct vm *vm, uint64_t at, pa_t *to)
{
    return lookup(vm, at, to) || (vm_fault(vm, gpa(at), false) == ABI_OK && lookup(vm, at, to));
}

/* Kernels look for a PC's ROMs by both aliases, and ask nobody before. */
static bool is_rom(uint64_t at)
{
    return at >= 0xa0000 && at < MiB(1);
}

/*
 * The memory lock is the outer one (claim()). What is gone meanwhile is not mapped: tdx_forget
 * comes, or was here, and the access finds out when it is tried again.
 */
static bool share_other(struct vm *vm, uint64_t at)
{
    struct tdx_vm *s = tdx_of(vm);
    enum abi_status st = ABI_OK;
    unsigned int attr, level;
    pa_t to;

    lock(&vm->mem_lock);
    lock(&s->td.lock);
    if (pt_lookup(&vm->stage2, at, &to, &attr, &level)) {
        st = tdx_ept_map(&s->ept, at | TDX_SHARED, pa(to.v & PAGE_MASK));
    }
    unlock(&s->td.lock);
    unlock(&vm->mem_lock);
    return st == ABI_OK;
}

static bool share(struct vm *vm, uint64_t at)
{
    struct tdx_vm *s = tdx_of(vm);
    enum abi_status st;
    pa_t to;

    if (vm_mem_populate(vm, gpa(at), &to) != ABI_OK) {
        return find_other(vm, at, &to) && share_other(vm, at);
    }
    lock(&s->td.lock);
    if (is_rom(at)) {
        st = tdx_ept_map(&s->ept, at | TDX_SHARED, hva_to_pa(s->blank));
    } else if (tdx_shared(vm, to)) {
        st = tdx_ept_map(&s->ept, at | TDX_SHARED, pa(to.v & PAGE_MASK));
        *chunk_flags(vm, at) |= st == ABI_OK ? TDX_CHUNK_SHARED : 0;
    } else {
        st = ABI_BAD_STATE;
    }
    unlock(&s->td.lock);
    return st == ABI_OK;
}

void tdx_forget(struct vm *vm, gpa_t at)
{
    lock(&tdx_of(vm)->td.lock);
    (void)unshare(vm, at.v, at.v + PAGE_SIZE);
    unlock(&tdx_of(vm)->td.lock);
}

/*
 * The page is private already. Another vCPU accepted it first, or has it blocked for a moment; or
 * the TD accepts it in another size. What it touches without accepting it, it never gets.
 */
static bool again(struct vm *vm, uint64_t at, unsigned int type, bool small)
{
    if (small && (*chunk_flags(vm, at) & TDX_CHUNK_LARGE) != 0) {
        return split(vm, ALIGN_DOWN(at, SIZE_2M)) == ABI_OK;
    }
    return type != TDX_EEQ_PENDING;
}

bool tdx_fault(struct vm *vm, uint64_t at, uint64_t extended)
{
    unsigned int type = extended & TDX_EEQ_TYPE;
    bool small = type == TDX_EEQ_ACCEPT && (extended >> 32 & 7) == TDX_4K;
    bool ok;
    pa_t to;

    if ((at & TDX_SHARED) != 0) {
        return share(vm, at & ~TDX_SHARED);
    }
    if ((small ? vm_mem_populate(vm, gpa(at), &to)
               : vm_mem_populate_private(vm, gpa(at), claim, &to)) != ABI_OK) {
        return false;
    }
    lock(&tdx_of(vm)->td.lock);
    if (page_state_of(to) == PAGE_PRIVATE) {
        ok = again(vm, at, type, small);
    } else {
        ok = give(vm, at & PAGE_MASK, pa(to.v & PAGE_MASK), !small) == ABI_OK;
    }
    unlock(&tdx_of(vm)->td.lock);
    return ok;
}

/* ---- the end ---- */

/* False: the module keeps it. */
static bool release(struct vm *vm, pa_t at, unsigned int order)
{
    struct tdx_td *td = &tdx_of(vm)->td;

    return td->dead && tdx_td_reclaim(td, at) == ABI_OK &&
           page_return(at, order, vm->id) == ABI_OK;
}

static bool release_chunk(struct vm *vm, pa_t base, bool large)
{
    bool all = true;

    if (large) {
        return release(vm, base, ORDER_2M);
    }
    for (uint64_t at = base.v; at < base.v + SIZE_2M; at += PAGE_SIZE) {
        if (page_state_of(pa(at)) == PAGE_PRIVATE) {
            all = release(vm, pa(at), ORDER_4K) && all;
        }
    }
    return all;
}

void tdx_mem_release(struct vm *vm)
{
    struct tdx_vm *s = tdx_of(vm);

    for (uint64_t i = 0; vm->chunks != NULL && i < vm_memory(vm) / SIZE_2M; i++) {
        pa_t base = vm_chunk_pa(vm, i);

        if (vm_chunk_used(vm, i) &&
            !release_chunk(vm, base, (s->chunk[i] & TDX_CHUNK_LARGE) != 0)) {
            vm_chunk_lose(vm, i);
        }
    }
}
