/*
 * New domains at the request of another: a bundle is handed over in parts, which are copied once;
 * BUILD takes it out of its owner's reach, then it is checked as a whole by the code that reads
 * the boot loader's bundle, and built by the only code that builds domains.
 */
#include "hv/abi.h"
#include "hv/control.h"
#include "hv/log.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

static void drop(struct abi_vm *a)
{
    if (a->stage != NULL) {
        bundle_drop(&a->stage->bundle);
        a->stage = NULL;
    }
}

enum abi_status control_stage(struct request *r)
{
    struct abi_vm *a = r->by->abi;
    struct abi_bundle_stage s;
    enum abi_status st = control_more(r, &s, sizeof(s));

    if (st != ABI_OK) {
        return st;
    }
    if (s.reserved != 0) {
        return ABI_RESERVED_BITS;
    }
    if (s.bytes > ABI_MAX_STAGE_BYTES) {
        return ABI_BAD_ARG;
    }
    drop(a);
    return s.bytes == 0 ? ABI_OK : stage_create(a->controller, s.bytes, &a->stage);
}

static enum abi_status check_part(const struct stage *s, uint64_t to, uint64_t length,
                                  uint64_t reserved)
{
    if (reserved != 0) {
        return ABI_RESERVED_BITS;
    }
    if (s == NULL) {
        return ABI_BAD_STATE;
    }
    return length == 0 || length > s->bytes || to > s->bytes - length ? ABI_BAD_ARG : ABI_OK;
}

enum abi_status control_load(struct request *r)
{
    struct stage *s = r->by->abi->stage;
    struct abi_buffer_part p;
    struct buf_range range;
    enum abi_status st = control_more(r, &p, sizeof(p));
    gpa_t at;

    st = st == ABI_OK ? check_part(s, p.to, p.length, p.reserved) : st;
    if (st == ABI_OK && p.length > ABI_MAX_LOAD_BYTES) {
        st = ABI_BAD_ARG;
    }
    if (st != ABI_OK) {
        return st;
    }
    range = (struct buf_range){p.handle, p.offset, p.length, 1, false};
    st = buf_acquire(r->by, &range, &at);
    if (st == ABI_OK) {
        st = guestmem_read(r->by, at, stage_data(s) + p.to, p.length);
        buf_release(r->by, p.handle);
    }
    return st;
}

enum abi_status control_fill(struct request *r)
{
    struct stage *s = r->by->abi->stage;
    struct abi_bundle_part p;
    enum abi_status st = control_more(r, &p, sizeof(p));
    uint32_t length = r->more_len - (uint32_t)sizeof(p); /* when that was there */

    st = st == ABI_OK ? check_part(s, p.to, length, p.reserved) : st;
    if (st == ABI_OK) {
        memcpy(stage_data(s) + p.to, r->more + sizeof(p), length);
    }
    return st;
}

/* Checks the bundle, and builds its domain. */
static enum abi_status build(struct request *r, struct stage *s)
{
    struct controller *creator = s->bundle.creator;
    struct bundle b;
    enum abi_status st = bundle_open(&b, stage_data(s), s->bytes, r->why, sizeof(r->why));

    if (st != ABI_OK) {
        return st;
    }
    b.creator = creator;
    s->bundle = b;
    if (b.domains != 1) {
        snprintf(r->why, sizeof(r->why), "domains: %u of them, not one", b.domains);
        return ABI_BAD_FORMAT;
    }
    return domain_build(&s->bundle, 0, &r->head.made, r->why, sizeof(r->why));
}

enum abi_status control_build(struct request *r)
{
    struct stage *s = r->by->abi->stage;
    enum abi_status st;

    if (s == NULL) {
        return ABI_BAD_STATE;
    }
    r->by->abi->stage = NULL;
    st = build(r, s);
    bundle_drop(&s->bundle);
    if (st != ABI_OK) {
        log_vm(r->by, LOG_WARN, "cannot build: %s", r->why);
        return st;
    }
    return control_describe(r, r->head.made);
}

void control_destroy_all(struct vm *vm)
{
    drop(vm->abi);
}
