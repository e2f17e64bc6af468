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

#define PAGES_2M (SIZE_2M / PAGE_SIZE)
/* Of the host's: write-back (FEAT_S2FWB), read and write. */
#define DESC_SHARED (6ull << 2 | 3ull << 6)

/* Tables of levels from + 1 to `to`. */
enum abi_status cca_rtt_make(struct vm *vm, uint64_t ipa, unsigned int from, unsigned int to)
{
    struct cca_vm *s = cca_of(vm);
    struct cca_result r = {0};
    pa_t table;

    for (unsigned int level = from + 1; level <= to; level++) {
        if (!cca_page_alloc(vm->id, &table)) {
            return ABI_NO_MEMORY;
        }
        r = rmi(RMI_RTT_CREATE, s->rd.v, table.v, ALIGN_DOWN(ipa, BIT(12 + 9 * (4 - level))),
                level);
        if (!rmi_ok(r)) {
            cca_page_free(vm->id, table);
            return cca_fail(vm->name, "RMI_RTT_CREATE", r);
        }
    }
    return ABI_OK;
}

/* Runs a command that needs a table of level 3; makes the tables that it says are missing. */
static struct cca_result with_tables(struct vm *vm, enum rmi_command cmd, const uint64_t arg[5],
                                     uint64_t ipa)
{
    struct cca_result r = rmi5(cmd, arg[0], arg[1], arg[2], arg[3], arg[4]);

    if (RMI_STATUS(r.code) == RMI_ERROR_RTT && RMI_INDEX(r.code) < 3 &&
        cca_rtt_make(vm, ipa, RMI_INDEX(r.code), 3) == ABI_OK) {
        r = rmi5(cmd, arg[0], arg[1], arg[2], arg[3], arg[4]);
    }
    return r;
}

/* A delegated page becomes the realm's: with that content, measured, or as zeros. */
enum abi_status cca_data(struct vm *vm, uint64_t ipa, pa_t at, const void *content)
{
    struct cca_vm *s = cca_of(vm);
    const uint64_t known[5] = {s->rd.v, at.v, ipa, hva_to_pa(s->bounce).v, RMI_MEASURE_CONTENT};
    const uint64_t unknown[5] = {s->rd.v, at.v, ipa};

    if (content == NULL) {
        return cca_fail(vm->name, "RMI_DATA_CREATE_UNKNOWN",
                        with_tables(vm, RMI_DATA_CREATE_UNKNOWN, unknown, ipa));
    }
    memcpy(s->bounce, content, PAGE_SIZE);
    return cca_fail(vm->name, "RMI_DATA_CREATE", with_tables(vm, RMI_DATA_CREATE, known, ipa));
}

static bool take_back(struct vm *vm, uint64_t ipa, uint64_t *top)
{
    struct cca_vm *s = cca_of(vm);
    struct cca_result r = rmi(RMI_DATA_DESTROY, s->rd.v, ipa, 0, 0);

    *top = r.value[1];
    return rmi_ok(r) && cca_page_undelegate(vm->id, pa(r.value[0]));
}

/* 2 MiB at once, with the memory lock held: vm_mem_populate_private. */
static enum abi_status make_private(struct vm *vm, gpa_t ipa, pa_t at)
{
    struct cca_vm *s = cca_of(vm);
    uint64_t start = ALIGN_DOWN(ipa.v, SIZE_2M), top;
    enum abi_status st = cca_page_delegate(vm->id, at, ORDER_2M);
    uint64_t done = 0;

    if (st != ABI_OK) {
        return st;
    }
    lock(&s->lock);
    while (done < PAGES_2M && st == ABI_OK) {
        st = cca_data(vm, start + done * PAGE_SIZE, pa(at.v + done * PAGE_SIZE), NULL);
        done += st == ABI_OK;
    }
    for (uint64_t i = 0; st != ABI_OK && i < PAGES_2M; i++) {
        CHECK(i < done ? take_back(vm, start + i * PAGE_SIZE, &top)
                       : cca_page_undelegate(vm->id, pa(at.v + i * PAGE_SIZE)));
    }
    unlock(&s->lock);
    return st;
}

static void hide_shared(struct vm *vm, uint64_t ipa)
{
    /* Refused when it is not mapped: just as well. */
    (void)rmi(RMI_RTT_UNMAP_UNPROTECTED, cca_of(vm)->rd.v, ipa | CCA_SHARED_BIT, 3, 0);
}

/* A page that was shared is to be the realm's own again. Devices must not be at it. */
static enum abi_status make_page_private(struct vm *vm, uint64_t ipa, pa_t at)
{
    enum abi_status st;

    hide_shared(vm, ipa);
    st = cca_page_delegate(vm->id, at, ORDER_4K);
    if (st == ABI_OK) {
        st = cca_data(vm, ipa, at, NULL);
        if (st != ABI_OK) {
            CHECK(cca_page_undelegate(vm->id, at));
        }
    }
    return st;
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
    uint64_t arg[5] = {cca_of(vm)->rd.v, ipa, 3};
    struct cca_result r = {0};
    unsigned int attr, level;
    bool found;
    pa_t at;

    lock(&vm->mem_lock);
    found = pt_lookup(&vm->stage2, ipa & ~CCA_SHARED_BIT, &at, &attr, &level);
    if (found) {
        arg[3] = at.v | DESC_SHARED;
        lock(&cca_of(vm)->lock);
        r = with_tables(vm, RMI_RTT_MAP_UNPROTECTED, arg, ipa);
        unlock(&cca_of(vm)->lock);
    }
    unlock(&vm->mem_lock);
    if (!found) {
        return ABI_BAD_ADDRESS;
    }
    return mapped(vm, r);
}

/* Whose entries are all dead; refused otherwise. */
static void drop_table(struct vm *vm, uint64_t ipa, unsigned int level)
{
    struct cca_result r = rmi(RMI_RTT_DESTROY, cca_of(vm)->rd.v,
                              ALIGN_DOWN(ipa, BIT(12 + 9 * (4 - level))), level, 0);

    if (rmi_ok(r)) {
        cca_page_free(vm->id, pa(r.value[0]));
    }
}

void cca_forget(struct vm *vm, gpa_t at)
{
    lock(&cca_of(vm)->lock);
    hide_shared(vm, at.v);
    for (unsigned int level = 3; level > CCA_START_LEVEL; level--) {
        drop_table(vm, at.v | CCA_SHARED_BIT, level);
    }
    unlock(&cca_of(vm)->lock);
}

enum abi_status cca_fault_shared(struct vm *vm, uint64_t ipa)
{
    struct cca_vm *s = cca_of(vm);
    enum abi_status st;
    struct cca_result r;
    uint64_t arg[5] = {s->rd.v, ALIGN_DOWN(ipa, PAGE_SIZE), 3};
    pa_t at;

    st = vm_mem_populate(vm, gpa(arg[1] & ~CCA_SHARED_BIT), &at);
    if (st == ABI_BAD_ADDRESS) {
        return share_other(vm, arg[1]);
    }
    if (st != ABI_OK) {
        return st;
    }
    arg[3] = at.v | DESC_SHARED;
    lock(&s->lock);
    if (page_state_of(at) != PAGE_GUEST) {
        unlock(&s->lock);
        return ABI_BAD_STATE; /* it never said that it shares this page */
    }
    r = with_tables(vm, RMI_RTT_MAP_UNPROTECTED, arg, arg[1]);
    unlock(&s->lock);
    return mapped(vm, r);
}

/* What is EMPTY now is ours again, cleared; what is RAM is hidden from the upper half. */
static void settle(struct vm *vm, uint64_t from, uint64_t to, enum rmi_ripas ripas)
{
    uint64_t top;

    for (uint64_t ipa = from; ipa < to; ipa += PAGE_SIZE) {
        if (ripas == RIPAS_RAM) {
            struct cca_result r = rmi(RMI_RTT_UNMAP_UNPROTECTED, cca_of(vm)->rd.v,
                                      ipa | CCA_SHARED_BIT, 3, 0);

            top = r.value[0] & ~CCA_SHARED_BIT;
        } else {
            (void)take_back(vm, ipa, &top);
        }
        if (top > ipa + PAGE_SIZE) {
            ipa = top - PAGE_SIZE; /* there is nothing before it */
        }
    }
}

enum abi_status cca_ripas_change(struct vcpu *v, uint64_t base, uint64_t top, enum rmi_ripas to)
{
    struct cca_vm *s = cca_of(v->vm);
    pa_t rec = cca_vcpu_of(v)->rec;
    enum abi_status st = ABI_OK;
    struct cca_result r;

    vm_dev_lock(v->vm);
    lock(&s->lock);
    for (uint64_t at = base; at < top && st == ABI_OK; at = r.value[0]) {
        r = rmi(RMI_RTT_SET_RIPAS, s->rd.v, rec.v, at, top);
        if (RMI_STATUS(r.code) == RMI_ERROR_RTT && RMI_INDEX(r.code) < 3) {
            st = cca_rtt_make(v->vm, at, RMI_INDEX(r.code), RMI_INDEX(r.code) + 1);
            r.value[0] = at;
        } else if (!rmi_ok(r)) {
            break; /* the realm itself must agree first: it is told how far it went */
        } else {
            settle(v->vm, at, r.value[0], to);
        }
    }
    unlock(&s->lock);
    vm_dev_unlock(v->vm);
    return st;
}

/* Data of all RAM, then what is shared, then the tables from the leaves to the root. */
static void release_half(struct vm *vm, uint64_t start, uint64_t len)
{
    struct cca_vm *s = cca_of(vm);
    uint64_t top;

    for (uint64_t ipa = start; ipa < start + len; ipa = MAX(ipa + PAGE_SIZE, top)) {
        if ((ipa & CCA_SHARED_BIT) == 0) {
            (void)take_back(vm, ipa, &top);
        } else {
            top = rmi(RMI_RTT_UNMAP_UNPROTECTED, s->rd.v, ipa, 3, 0).value[0];
        }
    }
    for (unsigned int level = 3; level > CCA_START_LEVEL; level--) {
        uint64_t size = BIT(12 + 9 * (4 - level));

        for (uint64_t ipa = ALIGN_DOWN(start, size); ipa < start + len; ipa += size) {
            drop_table(vm, ipa, level);
        }
    }
}

void cca_mem_release(struct vm *vm)
{
    release_half(vm, 0, vm->ram_low);
    release_half(vm, CCA_SHARED_BIT, vm->ram_low);
    if (vm->ram_high != 0) {
        release_half(vm, GiB(4), vm->ram_high);
        release_half(vm, CCA_SHARED_BIT | GiB(4), vm->ram_high);
    }
}

bool cca_shared(struct vm *vm, pa_t at)
{
    (void)vm;
    return page_state_of(at) == PAGE_GUEST;
}
