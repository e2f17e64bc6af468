/* Hypercalls that change page tables: mmu_update, update_va_mapping, mmuext_op (public/xen.h). */
#include "page.h"

static bool is_self(uint64_t domid)
{
    return (uint32_t)domid == DOMID_SELF;
}

static void put_count(uint64_t va, uint32_t done)
{
    if (va != 0 && !guest_put(va, &done, sizeof(done))) {
        return; /* the caller's own loss */
    }
}

/* A frame that is no table is written like memory, if nothing forbids it. */
static int64_t write_word(uint64_t mfn, uint32_t index, uint64_t value)
{
    if (!page_use(mfn, USE_WRITABLE)) {
        return -XEN_EINVAL;
    }
    __atomic_store_n((uint64_t *)page_data(mfn) + index, value, __ATOMIC_RELAXED);
    page_unuse(mfn);
    return 0;
}

static int64_t update_entry(uint64_t at, uint64_t value, bool keep)
{
    uint64_t mfn = PTE_MFN(at);
    uint32_t index = at % PAGE_SIZE / 8;
    struct page *p = page_of(mfn);

    if (p == NULL) {
        return -XEN_EINVAL;
    }
    if (p->uses > 0 && p->use >= USE_L1 && p->use <= USE_L4) {
        return table_set(mfn, index, value, keep);
    }
    return write_word(mfn, index, value);
}

static int64_t update_machphys(uint64_t at, uint64_t pfn)
{
    uint64_t mfn = PTE_MFN(at);

    if (page_of(mfn) == NULL) {
        return -XEN_EINVAL;
    }
    m2p[mfn & ~box.c_mfn] = pfn;
    return 0;
}

static int64_t update(const struct pv_mmu_update *u)
{
    uint64_t at = u->ptr & ~7ull;

    switch (u->ptr & 7) {
    case MMU_NORMAL:
    case MMU_NO_TRANSLATE:
        return update_entry(at, u->val, false);
    case MMU_PRESERVE_AD:
        return update_entry(at, u->val, true);
    case MMU_MACHPHYS:
        return update_machphys(at, u->val);
    default:
        return -XEN_ENOSYS;
    }
}

int64_t call_mmu_update(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t count = (uint32_t)arg[1], done = 0;
    int64_t rc = is_self(arg[3]) ? 0 : -XEN_ESRCH;

    (void)v;
    (void)f;
    while (rc == 0 && done < count) {
        struct pv_mmu_update u;

        rc = guest_get(&u, arg[0] + (uint64_t)done * sizeof(u), sizeof(u)) ? update(&u)
                                                                           : -XEN_EFAULT;
        done += rc == 0;
    }
    put_count(arg[2], done);
    return rc;
}

static int64_t flush_by_flags(struct vcpu *v, uint64_t va, uint64_t flags)
{
    uint64_t mask;

    if ((flags & ~7ull) != 0) { /* the address of a mask of vCPUs: all of them hold it */
        if (!guest_get(&mask, flags & ~7ull, sizeof(mask))) {
            return -XEN_EFAULT;
        }
        flags |= UVMF_ALL;
    }
    switch (flags & UVMF_TYPE) {
    case UVMF_TLB_FLUSH:
        if ((flags & UVMF_ALL) != 0) {
            flush_all(v);
        } else {
            flush_local(v);
        }
        break;
    case UVMF_INVLPG:
        flush_address(v, va, (flags & UVMF_ALL) != 0);
        break;
    default:
        break;
    }
    return 0;
}

int64_t call_update_va_mapping(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint64_t mfn;
    uint32_t index;
    int64_t rc;

    (void)f;
    if (!table_walk(v->kernel_table, arg[0], &mfn, &index)) {
        return -XEN_EINVAL;
    }
    rc = table_set(mfn, index, arg[1], false);
    return rc == 0 ? flush_by_flags(v, arg[0], arg[2]) : rc;
}

static int64_t pin(uint64_t mfn, enum use level)
{
    struct page *p = page_of(mfn);

    if (p == NULL || !page_use(mfn, level)) {
        return -XEN_EINVAL;
    }
    if (p->pinned) {
        page_unuse(mfn);
        return -XEN_EINVAL;
    }
    p->pinned = true;
    return 0;
}

static int64_t unpin(uint64_t mfn)
{
    struct page *p = page_of(mfn);

    if (p == NULL || !p->pinned) {
        return -XEN_EINVAL;
    }
    p->pinned = false;
    page_unuse(mfn);
    return 0;
}

/* The tables that a vCPU runs on: the new ones, and the hardware's, before the old ones go. */
static int64_t set_table(struct vcpu *v, uint64_t *slot, uint64_t mfn)
{
    uint64_t old = *slot;

    if (!(mfn == 0 && slot == &v->user_table) && !page_use(mfn, USE_L4)) {
        return -XEN_EINVAL;
    }
    *slot = mfn;
    flush_local(v);
    if (old != 0) {
        page_unuse(old);
    }
    return 0;
}

static int64_t clear_page(uint64_t to)
{
    if (!page_use(to, USE_WRITABLE)) {
        return -XEN_EINVAL;
    }
    memset(page_data(to), 0, PAGE_SIZE);
    page_unuse(to);
    return 0;
}

static int64_t copy_page(uint64_t to, uint64_t from)
{
    if (page_of(from) == NULL || !page_use(to, USE_WRITABLE)) {
        return -XEN_EINVAL;
    }
    memmove(page_data(to), page_data(from), PAGE_SIZE);
    page_unuse(to);
    return 0;
}

static void drop_ldt(struct vcpu *v)
{
    while (v->ldt_pages > 0) {
        page_unuse(v->ldt_frame[--v->ldt_pages]);
    }
}

/* Its pages are looked up now, and kept: what the guest maps there later is not its LDT. */
static int64_t set_ldt(struct vcpu *v, uint64_t va, uint64_t entries)
{
    uint32_t pages_wanted = (uint32_t)ALIGN_UP(entries * 8, PAGE_SIZE) / PAGE_SIZE;
    int64_t rc = 0;

    if (entries > 8192 || va % PAGE_SIZE != 0) {
        return -XEN_EINVAL;
    }
    ldt_map(v, 0);
    drop_ldt(v);
    while (rc == 0 && v->ldt_pages < pages_wanted) {
        uint64_t l1, mfn;
        uint32_t index;
        const uint64_t *t;

        rc = -XEN_EINVAL;
        if (table_walk(v->kernel_table, va + v->ldt_pages * (uint64_t)PAGE_SIZE, &l1, &index)) {
            t = page_data(l1);
            mfn = PTE_MFN(t[index]);
            if ((t[index] & PTE_P) != 0 && page_use(mfn, USE_DESCRIPTORS)) {
                v->ldt_frame[v->ldt_pages++] = mfn;
                rc = 0;
            }
        }
    }
    if (rc != 0) {
        drop_ldt(v);
        return rc;
    }
    ldt_map(v, (uint32_t)entries);
    return 0;
}

static int64_t flush_op(struct vcpu *v, const struct pv_mmuext *op)
{
    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL:
        flush_local(v);
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        flush_address(v, op->arg1, false);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI: /* more of them than asked for */
    case MMUEXT_TLB_FLUSH_ALL:
        flush_all(v);
        return 0;
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_INVLPG_ALL:
        flush_address(v, op->arg1, true);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t extended(struct vcpu *v, const struct pv_mmuext *op)
{
    switch (op->cmd) {
    case MMUEXT_PIN_L1:
    case MMUEXT_PIN_L2:
    case MMUEXT_PIN_L3:
    case MMUEXT_PIN_L4:
        return pin(op->arg1, (enum use)(USE_L1 + (op->cmd - MMUEXT_PIN_L1)));
    case MMUEXT_UNPIN:
        return unpin(op->arg1);
    case MMUEXT_NEW_BASEPTR:
        return set_table(v, &v->kernel_table, op->arg1);
    case MMUEXT_NEW_USER_BASEPTR:
        return set_table(v, &v->user_table, op->arg1);
    case MMUEXT_FLUSH_CACHE: /* it has no device that sees memory behind the caches */
        return 0;
    case MMUEXT_SET_LDT:
        return set_ldt(v, op->arg1, (uint32_t)op->arg2);
    case MMUEXT_CLEAR_PAGE:
        return clear_page(op->arg1);
    case MMUEXT_COPY_PAGE:
        return copy_page(op->arg1, op->arg2);
    default:
        return flush_op(v, op);
    }
}

int64_t call_mmuext_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t count = (uint32_t)arg[1], done = 0;
    int64_t rc = is_self(arg[3]) ? 0 : -XEN_ESRCH;

    (void)f;
    while (rc == 0 && done < count) {
        struct pv_mmuext op;

        rc = guest_get(&op, arg[0] + (uint64_t)done * sizeof(op), sizeof(op)) ? extended(v, &op)
                                                                              : -XEN_EFAULT;
        done += rc == 0;
    }
    put_count(arg[2], done);
    return rc;
}
