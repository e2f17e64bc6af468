/*
 * Memory shared between domains. The offerer's pages stay its own, and pinned; the acceptor's
 * second stage maps them. Everything here is under the table of VMs' lock.
 *
 *   offered --SHARE_ACCEPT--> accepted --SHARE_END--> ending --vCPUs let go--> gone
 *       `-------------------------SHARE_END------------------------------------->'
 */
#include "hv/abi.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

struct search {
    const char *name;
    const struct vm *but;
    struct vm *found;
};

static void match(struct vm *vm, void *arg)
{
    struct search *s = arg;

    if (vm != s->but && strcmp(vm->name, s->name) == 0) {
        s->found = vm;
    }
}

struct vm *peer_find(const struct vm *vm, unsigned int peer)
{
    struct search s = {vm->abi->peer[peer], vm, NULL};

    vm_for_each(match, &s);
    return s.found;
}

bool peer_is(const struct vm *vm, unsigned int peer, const struct vm *whom)
{
    return strcmp(vm->abi->peer[peer], whom->name) == 0;
}

static struct share *find(struct abi_vm *a, unsigned int role, uint64_t peer, uint64_t tag)
{
    for (unsigned int i = 0; i < ABI_MAX_SHARES; i++) {
        struct share *s = &a->share[i];

        if (s->live && s->role == role && s->peer == peer && s->tag == tag) {
            return s;
        }
    }
    return NULL;
}

static struct share *find_free(struct abi_vm *a)
{
    for (unsigned int i = 0; i < ABI_MAX_SHARES; i++) {
        if (!a->share[i].live) {
            return &a->share[i];
        }
    }
    return NULL;
}

/* ---- offering ---- */

static enum abi_status offer(struct vm *vm, const struct call *c, gpa_t at, uint64_t len)
{
    struct abi_vm *a = vm->abi;
    struct share *s = find_free(a);

    if (find(a, ABI_SHARE_OFFERED, c->arg[1], c->arg[2]) != NULL) {
        return ABI_EXISTS;
    }
    if (s == NULL) {
        return ABI_LIMIT;
    }
    *s = (struct share){
        .live = true,
        .role = ABI_SHARE_OFFERED,
        .peer = (uint8_t)c->arg[1],
        .tag = (uint32_t)c->arg[2],
        .handle = (uint32_t)c->arg[0],
        .at = at,
        .len = len,
    };
    return ABI_OK;
}

enum abi_status call_SHARE_OFFER(struct vcpu *v, struct call *c)
{
    struct abi_vm *a = v->vm->abi;
    struct buf_range r = {.handle = (uint32_t)c->arg[0], .align = PAGE_SIZE, .write = true};
    enum abi_status st;
    gpa_t at;
    uint64_t len;

    if (c->arg[1] >= a->peers) {
        return ABI_BAD_ARG;
    }
    st = buf_acquire(v->vm, &r, &at);
    if (st != ABI_OK) {
        return st;
    }
    len = a->buffer[r.handle % ABI_MAX_BUFFERS].len; /* in use: it stays as it is */
    st = ABI_BAD_ARG;
    if (IS_ALIGNED(len, PAGE_SIZE)) {
        vms_lock();
        st = offer(v->vm, c, at, len);
        vms_unlock();
    }
    if (st != ABI_OK) {
        buf_release(v->vm, r.handle);
    }
    return st;
}

/* ---- accepting ---- */

static struct share *find_offer(const struct vm *vm, struct vm *from, uint64_t tag)
{
    struct share *s = NULL;

    for (unsigned int i = 0; s == NULL && i < from->abi->peers; i++) {
        if (peer_is(from, i, vm)) {
            s = find(from->abi, ABI_SHARE_OFFERED, i, tag);
        }
    }
    return s == NULL || s->ending ? NULL : s;
}

static enum abi_status accept(struct vm *vm, const struct call *c, uint64_t *len)
{
    struct vm *from = peer_find(vm, (unsigned int)c->arg[0]);
    struct share *o = from == NULL ? NULL : find_offer(vm, from, c->arg[1]);
    struct share *s = find_free(vm->abi);
    enum abi_status st;

    if (o == NULL) {
        return ABI_NOT_FOUND;
    }
    if (o->other != NULL) {
        return ABI_EXISTS;
    }
    if (s == NULL) {
        return ABI_LIMIT;
    }
    if (c->arg[2] + o->len > BIT(47)) {
        return ABI_BAD_ADDRESS;
    }
    st = vm_mem_lend(vm, gpa(c->arg[2]), from, o->at, o->len);
    if (st != ABI_OK) {
        return st;
    }
    *s = (struct share){
        .live = true,
        .role = ABI_SHARE_ACCEPTED,
        .peer = (uint8_t)c->arg[0],
        .tag = (uint32_t)c->arg[1],
        .at = gpa(c->arg[2]),
        .len = o->len,
        .other = from,
        .other_share = o,
    };
    o->other = vm;
    o->other_share = s;
    *len = o->len;
    return ABI_OK;
}

enum abi_status call_SHARE_ACCEPT(struct vcpu *v, struct call *c)
{
    enum abi_status st;

    if (c->arg[0] >= v->vm->abi->peers || !IS_ALIGNED(c->arg[2], PAGE_SIZE)) {
        return ABI_BAD_ARG;
    }
    vms_lock();
    st = accept(v->vm, c, &c->value[0]);
    vms_unlock();
    return st;
}

/* ---- ending ---- */

/*
 * Can no vCPU reach what was unmapped before? One that has taken its request has left the guest;
 * one that does not run takes it before it does.
 */
static bool let_go(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        const struct vcpu *v = vm->vcpu[i];

        if ((atomic_load(&v->requests) & REQ_FLUSH) != 0 &&
            atomic_load(&atomic_load(&v->cpu)->current) == v) {
            return false;
        }
    }
    return true;
}

static void unmap(struct share *o)
{
    if (o->other != NULL && !o->ending) {
        vm_mem_unlend(o->other, o->other_share->at, o->len);
        o->ending = true;
    }
}

/* The offer, of that VM. True: it is over. */
static bool end_offer(struct vm *vm, struct share *o)
{
    unmap(o);
    if (o->other != NULL) {
        if (!let_go(o->other)) {
            return false;
        }
        o->other_share->live = false;
    }
    o->live = false;
    buf_release(vm, o->handle);
    return true;
}

/* The acceptor gives up: the offer stands again, once no vCPU reaches it. */
static bool end_accepted(struct vm *vm, struct share *s)
{
    struct share *o = s->other_share;

    unmap(o);
    if (!let_go(vm)) {
        return false;
    }
    o->other = NULL;
    o->ending = false;
    s->live = false;
    return true;
}

enum abi_status call_SHARE_END(struct vcpu *v, struct call *c)
{
    struct vm *vm = v->vm;
    struct share *s;
    bool over = false;

    vms_lock();
    s = find(vm->abi, (unsigned int)c->arg[2], c->arg[0], c->arg[1]);
    if (s != NULL) {
        over = s->role == ABI_SHARE_OFFERED ? end_offer(vm, s) : end_accepted(vm, s);
    }
    vms_unlock();
    if (s == NULL) {
        return ABI_NOT_FOUND;
    }
    return over ? ABI_OK : ABI_BUSY;
}

/* The lock is let go in between: a vCPU that waits for it must be able to leave. */
void share_destroy_all(struct vm *vm)
{
    struct abi_vm *a = vm->abi;
    bool over;

    for (unsigned int i = 0; i < ABI_MAX_SHARES; i++) {
        do {
            struct share *s = &a->share[i];

            vms_lock();
            over = !s->live || (s->role == ABI_SHARE_OFFERED ? end_offer(vm, s)
                                                             : end_accepted(vm, s));
            vms_unlock();
        } while (!over);
    }
}
