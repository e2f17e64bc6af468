/*
 * The hypercalls memory_op and grant_table_op (public/memory.h, grant_table.h). What Xen would put
 * into a guest's map in place of its page, shared_info and grant frames, lives in that very page of
 * the guest's: it is its own to read and write either way. Outside RAM a page of ours is mapped.
 */
#include "xenpv.h"

#include "hv/string.h"

static bool in_ram(struct vm *vm, uint64_t gfn, gpa_t *at)
{
    uint8_t probe;

    *at = gpa(gfn << PAGE_SHIFT);
    return gfn >> (64 - PAGE_SHIFT) == 0 && guestmem_read(vm, *at, &probe, 1) == ABI_OK;
}

static void place_infos(struct xenpv *x)
{
    for (uint32_t i = 0; i < MIN(x->vm->vcpus, XEN_VCPU_INFOS); i++) {
        if (!x->vcpu[i].registered) {
            x->vcpu[i].has_info = true;
            x->vcpu[i].info = gpa(x->shared.v + i * sizeof(struct xen_vcpu_info));
            xenpv_publish_time(x, x->vcpu[i].info);
        }
    }
}

/* What it had goes with it. */
static int64_t place_shared(struct xenpv *x, uint64_t gfn)
{
    struct xen_shared_info s;
    enum abi_status st = ABI_OK;
    gpa_t at;

    if (!in_ram(x->vm, gfn, &at)) {
        return -XEN_EINVAL;
    }
    memset(&s, 0, sizeof(s));
    if (x->has_shared) {
        st = guestmem_read(x->vm, x->shared, &s, sizeof(s));
    }
    if (st != ABI_OK || guestmem_fill(x->vm, at, 0, PAGE_SIZE) != ABI_OK ||
        guestmem_write(x->vm, at, &s, sizeof(s)) != ABI_OK) {
        return -XEN_EINVAL;
    }
    x->shared = at;
    x->has_shared = true;
    xenpv_publish_wall(x);
    place_infos(x);
    return 0;
}

/*
 * A frame that was mapped outside RAM moves as the page it is. Each place may cost second-stage
 * tables, which stay: so there are not many.
 */
static int64_t place_frame_outside(struct xenpv *x, uint32_t i, uint64_t gfn)
{
    gpa_t to = gpa(gfn << PAGE_SHIFT);

    if (gfn >> (47 - PAGE_SHIFT) != 0) {
        return -XEN_EINVAL;
    }
    if (x->grant_page[i] == NULL) {
        x->grant_page[i] = vm_alloc_page(x->vm);
    }
    if (x->grant_page[i] == NULL || x->grant_moves == GRANT_MOVES_MAX) {
        return -XEN_ENOSPC;
    }
    x->grant_moves++;
    if (vm_map_page(x->vm, to, x->grant_page[i]) != ABI_OK) {
        return -XEN_EINVAL;
    }
    if (x->grant_at[i].v != 0) {
        vm_unmap_page(x->vm, x->grant_at[i]);
    }
    x->grant_at[i] = to;
    return 0;
}

/* Nobody maps this domain's grants: the frames are its own notes, and begin empty. */
static int64_t place_frame(struct xenpv *x, uint64_t i, uint64_t gfn)
{
    int64_t rc = 0;
    gpa_t at;

    if (i >= GRANT_FRAMES) {
        return -XEN_EINVAL;
    }
    if (in_ram(x->vm, gfn, &at)) {
        rc = guestmem_fill(x->vm, at, 0, PAGE_SIZE) == ABI_OK ? 0 : -XEN_EINVAL;
    } else {
        rc = place_frame_outside(x, (uint32_t)i, gfn);
    }
    if (rc == 0) {
        x->grant_frames = MAX(x->grant_frames, (uint32_t)i + 1);
    }
    return rc;
}

static int64_t add_to_physmap(struct vcpu *v, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_add_to_physmap a;
    int64_t rc = xenpv_get(v, &a, va, sizeof(a));

    if (rc != 0) {
        return rc;
    }
    if (!xenpv_is_self(x, a.domid)) {
        return -XEN_ESRCH;
    }
    vm_dev_lock(v->vm);
    if (a.space == XENMAPSPACE_SHARED_INFO && a.idx == 0) {
        rc = place_shared(x, a.gpfn);
    } else if (a.space == XENMAPSPACE_GRANT_TABLE) {
        rc = place_frame(x, a.idx, a.gpfn);
    } else {
        rc = -XEN_EINVAL;
    }
    vm_dev_unlock(v->vm);
    return rc;
}

#define RELEASED_MAX (MiB(4) * 8) /* pages, as vm_alloc's greatest block has bits */

/* The bitmap of pages that the guest gave back; NULL: it cannot have one. */
static uint64_t *released_map(struct xenpv *x)
{
    uint64_t pages = (vm_memory(x->vm) + GiB(4)) >> PAGE_SHIFT;

    if (x->released == NULL && pages <= RELEASED_MAX) {
        x->released = vm_alloc(x->vm, ALIGN_UP(pages, 64) / 8);
    }
    return x->released;
}

/* Gives one back, or takes it again. It reads as zeros from then on; the memory stays the VM's. */
static bool change_page(struct xenpv *x, uint64_t gfn, bool release)
{
    uint64_t *map = released_map(x);
    gpa_t at;

    if (map == NULL || !in_ram(x->vm, gfn, &at) ||
        ((map[gfn / 64] & BIT(gfn % 64)) != 0) == release) {
        return false;
    }
    if (release && (at.v == x->shared.v || guestmem_fill(x->vm, at, 0, PAGE_SIZE) != ABI_OK)) {
        return false;
    }
    map[gfn / 64] ^= BIT(gfn % 64);
    x->released_pages = release ? x->released_pages + 1 : x->released_pages - 1;
    return true;
}

#define EXTENTS_MAX 512u /* of one call: the rest is the caller's to ask for again */

/* Single pages, one after the other until one fails: the answer is how many were done. */
static int64_t reservation(struct vcpu *v, uint64_t va, bool release)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_reservation r;
    int64_t done = 0;
    uint64_t gfn;
    int64_t rc = xenpv_get(v, &r, va, sizeof(r));

    if (rc != 0) {
        return rc;
    }
    if (!xenpv_is_self(x, r.domid)) {
        return -XEN_ESRCH;
    }
    if (r.order != 0) {
        return 0;
    }
    for (uint64_t i = 0; i < MIN(r.count, EXTENTS_MAX); i++) {
        bool ok = xenpv_get(v, &gfn, r.extents + i * sizeof(gfn), sizeof(gfn)) == 0;

        vm_dev_lock(v->vm);
        ok = ok && change_page(x, gfn, release);
        vm_dev_unlock(v->vm);
        if (!ok) {
            break;
        }
        done++;
    }
    return done;
}

static int64_t remove_from_physmap(struct vcpu *v, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_remove_from_physmap a;
    int64_t rc = xenpv_get(v, &a, va, sizeof(a));

    if (rc != 0) {
        return rc;
    }
    if (!xenpv_is_self(x, a.domid)) {
        return -XEN_ESRCH;
    }
    vm_dev_lock(v->vm);
    rc = change_page(x, a.gpfn, true) ? 0 : -XEN_EINVAL;
    vm_dev_unlock(v->vm);
    return rc;
}

int64_t xenpv_memory_op(struct vcpu *v, const uint64_t arg[5])
{
    struct xenpv *x = xenpv_of(v);
    uint64_t pages = vm_memory(v->vm) >> PAGE_SHIFT;

    switch ((uint32_t)arg[0]) {
    case XENMEM_DECREASE:
        return reservation(v, arg[1], true);
    case XENMEM_POPULATE:
        return reservation(v, arg[1], false);
    case XENMEM_CURRENT:
        return (int64_t)(pages - load_once(&x->released_pages));
    case XENMEM_MAXIMUM:
    case XENMEM_MAXIMUM_RAM_PAGE:
        return (int64_t)pages;
    case XENMEM_MAXIMUM_GPFN:
        return (int64_t)((v->vm->ram_high != 0 ? GiB(4) + v->vm->ram_high : v->vm->ram_low) >>
                         PAGE_SHIFT) - 1;
    case XENMEM_ADD_TO_PHYSMAP:
        return add_to_physmap(v, arg[1]);
    case XENMEM_REMOVE_FROM_PHYSMAP:
        return remove_from_physmap(v, arg[1]);
    case XENMEM_INCREASE: /* only populate_physmap says where */
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t query_size(struct vcpu *v, uint64_t va)
{
    struct xenpv *x = xenpv_of(v);
    struct xen_gnttab_size s;
    int64_t rc = xenpv_get(v, &s, va, sizeof(s));

    if (rc != 0) {
        return rc;
    }
    s.status = xenpv_is_self(x, s.dom) ? 0 : -2; /* GNTST_bad_domain */
    s.frames = load_once(&x->grant_frames);
    s.max = GRANT_FRAMES;
    return xenpv_put(v, va, &s, sizeof(s));
}

static int64_t set_version(struct vcpu *v, uint64_t va)
{
    uint32_t version;
    int64_t rc = xenpv_get(v, &version, va, sizeof(version));

    if (rc != 0) {
        return rc;
    }
    if (version == 1) {
        return 0;
    }
    version = 1;
    rc = xenpv_put(v, va, &version, sizeof(version));
    return rc == 0 ? -XEN_ENOSYS : rc;
}

static int64_t get_version(struct vcpu *v, uint64_t va)
{
    struct xen_gnttab_version g;
    int64_t rc = xenpv_get(v, &g, va, sizeof(g));

    if (rc == 0 && !xenpv_is_self(xenpv_of(v), g.dom)) {
        return -XEN_ESRCH;
    }
    g.version = 1;
    return rc == 0 ? xenpv_put(v, va, &g, sizeof(g)) : rc;
}

/* Grants of others are not built: there is nobody to grant anything. */
int64_t xenpv_grant_table_op(struct vcpu *v, const uint64_t arg[5])
{
    if (arg[2] != 1) {
        return -XEN_EINVAL;
    }
    switch ((uint32_t)arg[0]) {
    case GNTTAB_QUERY_SIZE:
        return query_size(v, arg[1]);
    case GNTTAB_SET_VERSION:
        return set_version(v, arg[1]);
    case GNTTAB_GET_VERSION:
        return get_version(v, arg[1]);
    default:
        return -XEN_ENOSYS;
    }
}
