/*
 * grant_table_op (public/grant_table.h): a table of the guest's own, in both versions. There is no
 * other domain in a box: nobody maps what it grants, and it has nothing to map.
 */
#include "grant.h"

#define FRAMES        4u
#define STATUS_FRAMES 1u

enum {
    OP_MAP = 0,
    OP_UNMAP = 1,
    OP_SETUP = 2,
    OP_COPY = 5,
    OP_STATUS_FRAMES = 9,
};
enum { GNTST_OKAY = 0, GNTST_GENERAL = -1, GNTST_BAD_DOMAIN = -2 };

struct setup {
    uint16_t dom, pad;
    uint32_t frames;
    int16_t status;
    uint16_t pad1[3];
    uint64_t list;
};
struct status_frames {
    uint32_t frames;
    uint16_t dom;
    int16_t status;
    uint64_t list;
};
struct map {
    uint64_t host;
    uint32_t flags, ref;
    uint16_t dom;
    int16_t status;
    uint32_t handle;
    uint64_t bus;
};
struct unmap {
    uint64_t host, bus;
    uint32_t handle;
    int16_t status;
    uint16_t pad;
};
struct copy {
    uint64_t source[2], dest[2];
    uint16_t len, flags;
    int16_t status;
    uint16_t pad;
};
_Static_assert(sizeof(struct setup) == 24 && sizeof(struct status_frames) == 16, "grant_table.h");
_Static_assert(sizeof(struct map) == 32 && sizeof(struct unmap) == 24, "grant_table.h");
_Static_assert(sizeof(struct copy) == 40, "grant_table.h");

static uint64_t frame[FRAMES], status_frame[STATUS_FRAMES]; /* machine frames */
static uint32_t version = 1;

void grant_create(void)
{
    for (unsigned int i = 0; i < FRAMES; i++) {
        frame[i] = frame_for_guest();
    }
    for (unsigned int i = 0; i < STATUS_FRAMES; i++) {
        status_frame[i] = frame_for_guest();
    }
}

static bool is_self(uint32_t domid)
{
    return domid == DOMID_SELF;
}

static int64_t setup(void *arg)
{
    struct setup *s = arg;

    s->status = !is_self(s->dom) ? GNTST_BAD_DOMAIN : s->frames > FRAMES ? GNTST_GENERAL : 0;
    if (s->status != GNTST_OKAY) {
        return 0;
    }
    return guest_put(s->list, frame, s->frames * sizeof(frame[0])) ? 0 : -XEN_EFAULT;
}

static int64_t get_status_frames(void *arg)
{
    struct status_frames *s = arg;

    s->status = !is_self(s->dom) ? GNTST_BAD_DOMAIN
                : version != 2 || s->frames > STATUS_FRAMES ? GNTST_GENERAL
                                                            : 0;
    if (s->status != GNTST_OKAY) {
        return 0;
    }
    return guest_put(s->list, status_frame, s->frames * sizeof(status_frame[0])) ? 0 : -XEN_EFAULT;
}

static int64_t query_size(void *arg)
{
    struct xen_gnttab_size *q = arg;

    q->status = is_self(q->dom) ? GNTST_OKAY : GNTST_BAD_DOMAIN;
    q->frames = FRAMES;
    q->max = FRAMES;
    return 0;
}

/* Frames that are the box's again must not be mapped any more (XSA-255). */
static int64_t set_version(void *arg)
{
    struct xen_gnttab_version *s = arg;
    uint32_t wanted = *(uint32_t *)(void *)s;

    if (wanted != 1 && wanted != 2) {
        return -XEN_EINVAL;
    }
    if (wanted != version) {
        for (unsigned int i = 0; i < STATUS_FRAMES; i++) {
            if (page_of(status_frame[i])->refs > 1) {
                return -XEN_EBUSY;
            }
        }
        for (unsigned int i = 0; i < FRAMES; i++) {
            memset(page_data(frame[i]), 0, PAGE_SIZE);
        }
    }
    version = wanted;
    return 0;
}

static int64_t get_version(void *arg)
{
    struct xen_gnttab_version *g = arg;

    g->version = version;
    return is_self(g->dom) ? 0 : -XEN_ESRCH;
}

static int64_t map(void *arg)
{
    ((struct map *)arg)->status = GNTST_BAD_DOMAIN;
    return 0;
}

static int64_t unmap(void *arg)
{
    ((struct unmap *)arg)->status = GNTST_GENERAL;
    return 0;
}

static int64_t copy(void *arg)
{
    ((struct copy *)arg)->status = GNTST_BAD_DOMAIN;
    return 0;
}

static const struct {
    int64_t (*fn)(void *arg);
    uint32_t size;
} ops[] = {
    [OP_MAP] = {map, sizeof(struct map)},
    [OP_UNMAP] = {unmap, sizeof(struct unmap)},
    [OP_SETUP] = {setup, sizeof(struct setup)},
    [OP_COPY] = {copy, sizeof(struct copy)},
    [GNTTAB_QUERY_SIZE] = {query_size, sizeof(struct xen_gnttab_size)},
    [GNTTAB_SET_VERSION] = {set_version, sizeof(uint32_t)},
    [OP_STATUS_FRAMES] = {get_status_frames, sizeof(struct status_frames)},
    [GNTTAB_GET_VERSION] = {get_version, sizeof(struct xen_gnttab_version)},
};

int64_t call_grant_table_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t op = (uint32_t)arg[0], count = (uint32_t)arg[2];
    uint64_t a[8];
    int64_t rc = 0;

    (void)v;
    (void)f;
    if (op >= ARRAY_SIZE(ops) || ops[op].fn == NULL) {
        return -XEN_ENOSYS;
    }
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        uint64_t at = arg[1] + i * ops[op].size;

        if (!guest_get(a, at, ops[op].size)) {
            return -XEN_EFAULT;
        }
        rc = ops[op].fn(a);
        if (rc == 0 && !guest_put(at, a, ops[op].size)) {
            return -XEN_EFAULT;
        }
    }
    return rc;
}
