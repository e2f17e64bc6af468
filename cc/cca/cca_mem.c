/*
 * A realm's memory. The lower half of its addresses is protected: pages that the RMM has. The upper
 * half shows the same RAM as far as the realm shares it: pages of ours.
 */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

enum abi_status cca_take_block(struct vm *vm, gpa_t ipa, pa_t at)
{
    (void)ipa;
    return cca_page_delegate(vm->id, at, ORDER_2M);
}

/* The realm's page becomes ours, cleared; false when it has none there. */
static bool take_back(struct vm *vm, uint64_t ipa, uint64_t *top)
{
    struct cca_result r = cca_platform.rmi->data_destroy(cca_of(vm)->rd, ipa);

    *top = r.value[1];
    return rmi_ok(r) && cca_page_undelegate(vm->id, pa(r.value[0]), ORDER_4K);
}

/* All of a block, or none: but what the RMM then does not give back stays given away. */
static enum abi_status give(struct vm *vm, uint64_t ipa, pa_t at, unsigned int order)
{
    uint64_t done;
    enum abi_status st = cca_data_unknown(vm, ipa, at, PAGE_SIZE << order, &done);

    if (st == ABI_OK) {
        return ABI_OK;
    }
    for (uint64_t i = 0; i < done; i += PAGE_SIZE) {
        (void)cca_platform.rmi->data_destroy(cca_of(vm)->rd, ipa + i); /* or it stays delegated */
    }
    if (!cca_page_undelegate(vm->id, at, order)) {
        log_error("%s: the RMM keeps some of %lx", vm->name, (unsigned long)at.v);
    }
    return st;
}

/* 2 MiB at once, with the memory lock held: vm_mem_populate_private. */
static enum abi_status make_private(struct vm *vm, gpa_t ipa, pa_t at)
{
    enum abi_status st = cca_take_block(vm, ipa, at);

    if (st == ABI_OK) {
        lock(&cca_of(vm)->lock);
        st = give(vm, ipa.v, at, ORDER_2M);
        if (st == ABI_OK) {
            cca_rtt_fold(vm, ipa.v);
        }
        unlock(&cca_of(vm)->lock);
    }
    return st;
}

/* A page that was shared is to be the realm's own again. Devices must not be at it. */
static enum abi_status make_page_private(struct vm *vm, uint64_t ipa, pa_t at)
{
    enum abi_status st;

    (void)cca_hide_shared(vm, ipa);
    st = cca_page_delegate(vm->id, at, ORDER_4K);
    return st == ABI_OK ? give(vm, ipa, at, ORDER_4K) : st;
}

enum abi_status cca_fault_private(struct vm *vm, uint64_t ipa)
{
    enum abi_status st;
    pa_t at;

    ipa = ALIGN_DOWN(ipa, PAGE_SIZE);
    st = vm_mem_populate_private(vm, gpa(ipa), make_private, &at);
    if (st != ABI_OK) {
        return st;
    }
    vm_dev_lock(vm);
    lock(&cca_of(vm)->lock);
    if (page_state_of(at) == PAGE_GUEST) {
        st = make_page_private(vm, ipa, at);
    }
    unlock(&cca_of(vm)->lock);
    vm_dev_unlock(vm);
    return st;
}

static enum abi_status mapped(const struct vm *vm, struct cca_result r)
{
    if (RMI_STATUS(r.code) == RMI_ERROR_RTT && RMI_INDEX(r.code) == 3) {
        return ABI_OK; /* another vCPU was faster */
    }
    return cca_fail(vm->name, "RMI_RTT_MAP_UNPROTECTED", r);
}

/* A device's page, or one that a peer shares: what the second stage has, the realm's upper half
 * shows. Held until it does, so that cca_forget comes before or after. */
static enum abi_status share_other(struct vm *vm, uint64_t ipa)
{
    struct cca_mapping m = {.ipa = ipa, .level = 3};
    struct cca_result r = {0};
    unsigned int attr, level;
    bool found;

    lock(&vm->mem_lock);
    found = pt_lookup(&vm->stage2, ipa & ~CCA_SHARED_BIT, &m.at, &attr, &level);
    if (found) {
        lock(&cca_of(vm)->lock);
        r = cca_rtt_map(vm, cca_platform.rmi->map_shared, &m);
        unlock(&cca_of(vm)->lock);
    }
    unlock(&vm->mem_lock);
    if (!found) {
        return ABI_BAD_ADDRESS;
    }
    return mapped(vm, r);
}

void cca_forget(struct vm *vm, gpa_t at)
{
    lock(&cca_of(vm)->lock);
    (void)cca_hide_shared(vm, at.v);
    for (unsigned int level = 3; level > CCA_START_LEVEL; level--) {
        uint64_t size = BIT(12 + 9 * (4 - level));

        (void)cca_rtt_drop(vm, ALIGN_DOWN(at.v | CCA_SHARED_BIT, size), level);
    }
    unlock(&cca_of(vm)->lock);
}

static bool all_shared(pa_t base)
{
    bool all = true;

    for (uint64_t i = 0; i < SIZE_2M && all; i += PAGE_SIZE) {
        all = page_state_of(pa(base.v + i)) == PAGE_GUEST;
    }
    return all;
}

/* All of its 2 MiB if none of it is the realm's own, or the page. */
static struct cca_result show_shared(struct vm *vm, uint64_t ipa, pa_t at)
{
    const struct cca_mapping page = {.ipa = ipa, .level = 3, .at = at};
    const struct cca_mapping block = {
        .ipa = ALIGN_DOWN(ipa, SIZE_2M), .level = 2, .at = pa(ALIGN_DOWN(at.v, SIZE_2M))};
    struct cca_result r = {RMI_ERROR_RTT, {0}};

    if (all_shared(block.at)) {
        r = cca_rtt_map(vm, cca_platform.rmi->map_shared, &block);
    }
    return rmi_ok(r) ? r : cca_rtt_map(vm, cca_platform.rmi->map_shared, &page);
}

enum abi_status cca_fault_shared(struct vm *vm, uint64_t ipa)
{
    struct cca_vm *s = cca_of(vm);
    enum abi_status st;
    struct cca_result r;
    pa_t at;

    ipa = ALIGN_DOWN(ipa, PAGE_SIZE);
    st = vm_mem_populate(vm, gpa(ipa & ~CCA_SHARED_BIT), &at);
    if (st == ABI_BAD_ADDRESS) {
        return share_other(vm, ipa);
    }
    if (st != ABI_OK) {
        return st;
    }
    lock(&s->lock);
    if (page_state_of(at) != PAGE_GUEST) {
        unlock(&s->lock);
        return ABI_BAD_STATE; /* it never said that it shares this page */
    }
    r = show_shared(vm, ipa, at);
    unlock(&s->lock);
    return mapped(vm, r);
}

/*
 * What is there is the realm's again at once: nobody shares it in between. What was never touched
 * comes when the realm touches it, and so does what could not be given now, unless the RMM has it
 * for nobody.
 */
static enum abi_status give_back(struct vm *vm, uint64_t from, uint64_t to)
{
    uint64_t step;
    pa_t at;

    for (uint64_t ipa = from; ipa < to; ipa += step) {
        step = PAGE_SIZE;
        if (!vm_mem_there(vm, gpa(ipa), &at)) {
            step = SIZE_2M - ipa % SIZE_2M;
        } else if (page_state_of(at) == PAGE_GUEST) {
            enum abi_status st = make_page_private(vm, ipa, at);

            if (st != ABI_OK) {
                return page_state_of(at) == PAGE_GUEST ? ABI_OK : st;
            }
        }
    }
    return ABI_OK;
}

/* So that pages of those 2 MiB can be had back. */
static enum abi_status open_block(struct vm *vm, uint64_t ipa)
{
    pa_t at;

    if (vm_mem_there(vm, gpa(ipa), &at) && !arch_map_cut(at)) {
        return ABI_NO_MEMORY;
    }
    return cca_rtt_unfold(vm, ipa);
}

/* What is EMPTY now is ours again, cleared; what is RAM is hidden from the upper half. */
static enum abi_status settle(struct vm *vm, uint64_t from, uint64_t to, enum rmi_ripas ripas)
{
    enum abi_status st = ABI_OK;
    uint64_t next = 0;

    for (uint64_t ipa = from; ipa < to && st == ABI_OK; ipa = MAX(next, ipa + PAGE_SIZE)) {
        if (ripas == RIPAS_RAM) {
            next = cca_hide_shared(vm, ipa);
            continue;
        }
        if (ipa == from || IS_ALIGNED(ipa, SIZE_2M)) {
            st = open_block(vm, ALIGN_DOWN(ipa, SIZE_2M));
        }
        if (st == ABI_OK) {
            (void)take_back(vm, ipa, &next);
        }
    }
    return ripas == RIPAS_RAM ? give_back(vm, from, to) : st;
}

enum abi_status cca_ripas_change(struct vcpu *v, uint64_t base, uint64_t top, enum rmi_ripas to)
{
    struct cca_vm *s = cca_of(v->vm);
    pa_t rec = cca_vcpu_of(v)->rec;
    enum abi_status st = ABI_OK;
    struct cca_result r;

    vm_dev_lock(v->vm);
    if (to == RIPAS_RAM && !buf_hold(v->vm, gpa(base), top - base)) {
        vm_dev_unlock(v->vm);
        return ABI_BUSY;
    }
    lock(&s->lock);
    for (uint64_t at = base; at < top && st == ABI_OK; at = r.value[0]) {
        r = rmi(RMI_RTT_SET_RIPAS, s->rd.v, rec.v, at, top);
        if (cca_rtt_missing(r, 3)) {
            st = cca_rtt_make(v->vm, at, RMI_INDEX(r.code), RMI_INDEX(r.code) + 1);
            r.value[0] = at;
        } else if (!rmi_ok(r)) {
            break; /* the realm itself must agree first: it is told how far it went */
        } else {
            st = settle(v->vm, at, r.value[0], to);
        }
    }
    unlock(&s->lock);
    if (to == RIPAS_RAM) {
        buf_let_go(v->vm);
    }
    vm_dev_unlock(v->vm);
    return st;
}

/* ---- the end ---- */

/* All data of 2 MiB goes, then the pages come back. False: the RMM keeps some. */
static bool release_chunk(struct vm *vm, uint64_t ipa, pa_t base)
{
    pa_t rd = cca_of(vm)->rd;

    if (all_shared(base)) {
        return true;
    }
    if (cca_rtt_unfold(vm, ipa) != ABI_OK) {
        return false;
    }
    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        (void)cca_platform.rmi->data_destroy(rd, ipa + i); /* where there is none: just as well */
    }
    (void)cca_rtt_drop(vm, ipa, 3);
    return cca_block_return(vm->id, base);
}

static void hide_all(struct vm *vm, uint64_t start, uint64_t len)
{
    uint64_t next;

    for (uint64_t ipa = start; ipa < start + len; ipa = MAX(ipa + PAGE_SIZE, next)) {
        next = cca_hide_shared(vm, ipa);
    }
}

void cca_mem_release(struct vm *vm)
{
    for (uint64_t i = 0; vm->chunks != NULL && i < vm_memory(vm) / SIZE_2M; i++) {
        uint64_t ipa = vm_chunk_gpa(vm, i).v;

        if (vm_chunk_used(vm, i) && !release_chunk(vm, ipa, vm_chunk_pa(vm, i))) {
            vm_chunk_lose(vm, i);
        }
    }
    hide_all(vm, 0, vm->ram_low);
    hide_all(vm, GiB(4), vm->ram_high);
    cca_rtt_release(vm);
}

bool cca_shared(struct vm *vm, pa_t at)
{
    (void)vm;
    return page_state_of(at) == PAGE_GUEST;
}
