/*
 * What a VM has of the guest ABI: its feature set, buffers, ports and shares. For hv/core.
 *
 * Locks: connections between VMs (a port's peer, who accepted a share) change under the table of
 * VMs' lock and the lock below of the VM whose table it is; a sender holds its own VM's lock. So
 * who holds either finds the peer alive. Two VMs' locks are never held at once.
 */
#ifndef HV_ABI_H
#define HV_ABI_H

#include "abi/abi.h"
#include "arch/lock.h"
#include "hv/call.h"
#include "hv/control.h"
#include "hv/domain.h"
#include "hv/guestmem.h"
#include "hv/guestspan.h"
#include "hv/timer.h"
#include "hv/types.h"

struct vm;
struct vcpu;

struct buffer {
    gpa_t at;
    uint32_t len;
    uint32_t flags;      /* ABI_BUF_READ_ONLY */
    uint32_t generation; /* upper bits of its handle */
    uint32_t uses;       /* ports' area, shares, copies under way; atomic: see buf_release */
    bool live;
    struct guest_words span; /* all of it, when it lies in one piece */
};

struct port {
    struct vm *vm;
    uint8_t number;
    uint8_t source; /* enum abi_source; 0: closed */
    uint8_t vcpu;
    uint16_t vector; /* 0: none */
    uint8_t peer;    /* SOURCE_PEER: index into the description's peers */
    uint32_t tag;
    struct port *target; /* who hears EVENT_SEND: itself, a peer's port; NULL: nobody */
    struct timer timer;
};

struct share {
    bool live;
    bool ending; /* unmapped; the acceptor's vCPUs may still have translations */
    uint8_t role; /* ABI_SHARE_OFFERED or _ACCEPTED */
    uint8_t peer;
    uint32_t tag;
    uint32_t handle; /* OFFERED: of the buffer */
    gpa_t at;        /* OFFERED: of the buffer; ACCEPTED: where it is mapped */
    uint64_t len;
    struct vm *other;         /* OFFERED: who accepted, or NULL; ACCEPTED: who offered */
    struct share *other_share;
};

struct abi_vm {
    struct lock lock; /* buffers, ports */
    struct buffer buffer[ABI_MAX_BUFFERS];
    struct port *port; /* ABI_MAX_PORTS of them, from the first EVENT_SETUP on; atomic */
    uint32_t ports;    /* open */
    uint32_t area;     /* the pending words' handle; 0: none */
    struct guest_words pending;
    uint64_t masked[ABI_MAX_PORTS / 64]; /* atomic */
    uint32_t console;                    /* the ring's handle; 0: none. Device lock */
    gpa_t console_at;
    uint32_t console_out, console_in; /* our own indices: what the guest writes there is not read */
    struct port *console_port;        /* NULL: none; under the device lock */
    struct share share[ABI_MAX_SHARES]; /* the table of VMs' lock */
    uint8_t *message;    /* the request at hand, copied; ABI_MAX_MESSAGE_BYTES; NULL: none yet */
    uint8_t *idle;       /* the same while no request is under way, else NULL */
    struct stage *stage; /* a bundle in the making, or NULL; whose request is at hand has it */
    struct controller *controller; /* from 1.1 on, with `control`; else NULL */
    struct journal *journal;       /* the controller's, or the next; NULL without `control` */
    struct journal own;
    struct control_port *control_port; /* NULL: its user space has none */
    uint32_t peers;
    char peer[DOMAIN_PEERS_MAX][NAME_MAX_LEN + 1];
};

/* call.c */
MUST_CHECK enum abi_status abi_vm_init(struct vm *vm, const struct domain_config *cfg);
/* No vCPU of it runs any more; nobody holds a lock. Also of a VM whose abi_vm_init failed. */
void abi_vm_destroy(struct vm *vm);
/* The call masks of feature sets. */
uint32_t abi_calls_of(uint32_t features);

#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    enum abi_status call_##name(struct vcpu *v, struct call *c);
#include "abi/call.def"

/*
 * call_buf.c. buf_acquire: `len` bytes at `offset` of the buffer, which stays registered until
 * buf_release. ABI_NOT_FOUND; ABI_DENIED: read-only; ABI_BAD_ARG: beyond its end, or not aligned.
 */
struct buf_range {
    uint32_t handle;
    uint64_t offset, len, align;
    bool write;
};
/* What a call's first two arguments name: that much of a buffer, to be written. */
static inline struct buf_range buf_of_call(const struct call *c, uint64_t len, uint64_t align)
{
    return (struct buf_range){(uint32_t)c->arg[0], c->arg[1], len, align, true};
}
MUST_CHECK enum abi_status buf_acquire(struct vm *vm, const struct buf_range *r, gpa_t *at);
void buf_release(struct vm *vm, uint32_t handle);
#define BUF_INDEX_BITS 6u
_Static_assert(ABI_MAX_BUFFERS == 1u << BUF_INDEX_BITS, "handles");

/* The VM's lock is held, or the buffer is in use. */
static inline struct buffer *buf_find(struct abi_vm *a, uint64_t handle)
{
    struct buffer *b = &a->buffer[handle % ABI_MAX_BUFFERS];

    return LIKELY(b->live && b->generation == handle >> BUF_INDEX_BITS) ? b : NULL;
}

/* A range of a buffer, at any alignment, copied once; the VM's lock is held. */
MUST_CHECK static inline enum abi_status buf_read_locked(struct vm *vm, struct abi_vm *a,
                                                         uint64_t handle, uint64_t offset,
                                                         uint64_t len, void *dst)
{
    const struct buffer *b = buf_find(a, handle);

    if (UNLIKELY(b == NULL)) {
        return ABI_NOT_FOUND;
    }
    /* Both are in their ranges: the sum does not wrap. */
    if (UNLIKELY(offset + len > b->len)) {
        return ABI_BAD_ARG;
    }
    if (UNLIKELY(!guest_span_here(&b->span))) {
        return guestmem_read(vm, gpa(b->at.v + offset), dst, len);
    }
    guest_span_read(&b->span, offset, dst, len);
    return ABI_OK;
}
void buf_destroy_all(struct vm *vm);

/* call_event.c. Any CPU; no queue lock held. The port is open, and stays so meanwhile. */
void event_raise(struct port *p);
void event_destroy_all(struct vm *vm);

/* call_share.c */
struct vm *peer_find(const struct vm *vm, unsigned int peer); /* table's lock held; or NULL */
bool peer_is(const struct vm *vm, unsigned int peer, const struct vm *whom);
void share_destroy_all(struct vm *vm);

void control_destroy_all(struct vm *vm); /* call_build.c */

/* call_console.c. The device lock is not held. */
MUST_CHECK enum abi_status console_kick(struct vm *vm);

#endif
