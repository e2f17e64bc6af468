/* memory_op and grant_table_op (public/memory.h, grant_table.h): frames of the guest's. */
#include "boot.h"

#define EXTENTS_MAX BIT(30)

static uint64_t current_pages(void)
{
    return box.guest_pages;
}

/* A frame that nothing refers to leaves the guest's map, and is kept for when it asks again. */
static bool release_frame(uint64_t mfn)
{
    struct page *p = page_of(mfn);

    if (p == NULL || p->refs != 0 || p->returned) {
        return false;
    }
    p->returned = true;
    p->guest = false;
    memset(page_data(mfn), 0, PAGE_SIZE);
    m2p[mfn & ~box.c_mfn] = UINT64_MAX;
    box.guest_pages--;
    return true;
}

static bool find_returned(uint64_t *mfn)
{
    static uint64_t at;

    for (uint64_t n = 0; n < pages_count; n++, at = (at + 1) % pages_count) {
        if (pages[at].returned) {
            pages[at].returned = false;
            pages[at].guest = true;
            box.guest_pages++;
            *mfn = at | box.c_mfn;
            return true;
        }
    }
    return false;
}

static bool decrease_one(const struct xen_reservation *r, uint64_t i)
{
    uint64_t mfn;

    return guest_get(&mfn, r->extents + i * sizeof(mfn), sizeof(mfn)) && release_frame(mfn);
}

/* In: where in the guest's own numbering; out: the frame. The caller enters it in its list. */
static bool populate_one(const struct xen_reservation *r, uint64_t i, bool numbered)
{
    uint64_t at = r->extents + i * sizeof(uint64_t), pfn = UINT64_MAX, mfn;

    if (numbered && !guest_get(&pfn, at, sizeof(pfn))) {
        return false;
    }
    if (!find_returned(&mfn)) {
        return false;
    }
    m2p[mfn & ~box.c_mfn] = pfn;
    if (!guest_put(at, &mfn, sizeof(mfn))) {
        CHECK(release_frame(mfn)); /* nobody has heard of it */
        return false;
    }
    return true;
}

/* Answers how many extents it did. */
static int64_t reservation(uint32_t op, uint64_t va)
{
    struct xen_reservation r;
    uint64_t done = 0;
    bool good = true;

    if (!guest_get(&r, va, sizeof(r))) {
        return -XEN_EFAULT;
    }
    if (r.domid != DOMID_SELF) {
        return -XEN_ESRCH;
    }
    if (r.order != 0 || r.count > EXTENTS_MAX) { /* single frames are what there is */
        return 0;
    }
    while (good && done < r.count) {
        good = op == XENMEM_DECREASE ? decrease_one(&r, done)
                                     : populate_one(&r, done, op == XENMEM_POPULATE);
        done += good;
    }
    return (int64_t)done;
}

static int64_t machphys_mapping(uint64_t va)
{
    struct pv_machphys_mapping m = {m2p_guest,
                                    m2p_guest + (box.c_mfn + pages_count) * sizeof(uint64_t),
                                    box.c_mfn + pages_count - 1};

    return guest_put(va, &m, sizeof(m)) ? 0 : -XEN_EFAULT;
}

/* The map of a domU: its RAM, from 0 on. */
static int64_t memory_map(uint64_t va)
{
    struct {
        uint32_t entries, pad;
        uint64_t buffer;
    } m;
    struct __attribute__((packed)) {
        uint64_t start, len;
        uint32_t type;
    } e = {0, box.first_pages * PAGE_SIZE, 1};

    if (!guest_get(&m, va, sizeof(m))) {
        return -XEN_EFAULT;
    }
    if (m.entries == 0) {
        return -XEN_EINVAL;
    }
    m.entries = 1;
    return guest_put(m.buffer, &e, sizeof(e)) && guest_put(va, &m, sizeof(m)) ? 0 : -XEN_EFAULT;
}

int64_t call_memory_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)v;
    (void)f;
    switch ((uint32_t)arg[0]) {
    case XENMEM_INCREASE:
    case XENMEM_DECREASE:
    case XENMEM_POPULATE:
        return reservation((uint32_t)arg[0], arg[1]);
    case XENMEM_MAXIMUM_RAM_PAGE:
        return (int64_t)(box.c_mfn + pages_count - 1);
    case XENMEM_CURRENT:
    case XENMEM_MAXIMUM:
        return (int64_t)(arg[0] == XENMEM_CURRENT ? current_pages() : box.first_pages);
    case XENMEM_MACHPHYS_MAPPING:
        return machphys_mapping(arg[1]);
    case XENMEM_MEMORY_MAP:
        return memory_map(arg[1]);
    default: /* with XENMEM_exchange: not built */
        return -XEN_ENOSYS;
    }
}
