/* The legacy Xen ABI's files, to each other. One lock guards it all: that of the VM's devices. */
#ifndef XENPV_H
#define XENPV_H

#include "arch/guest_abi.h"
#include "hv/guestmem.h"
#include "hv/vm_priv.h"
#include "xen_abi.h"

/* Pages of the guest's reserved memory below 1 MiB that it shares with us; layout_x86.c's map. */
#define GPA_XEN_CONSOLE 0x9c000u
#define GPA_XEN_STORE   0x9d000u

#define PORTS 1024u /* 0 is none */
enum port_kind {
    PORT_FREE,
    PORT_UNBOUND,
    PORT_LOOP,
    PORT_CONSOLE,
    PORT_STORE,
    PORT_VIRQ,
    PORT_IPI,
};
struct port {
    uint8_t kind;
    uint8_t virq;
    uint16_t vcpu;   /* whom it notifies */
    uint16_t remote; /* PORT_LOOP: the other end */
};

#define GRANT_FRAMES    32u
#define GRANT_MOVES_MAX 128u /* places outside RAM, in a domain's life */

struct xenpv_vcpu {
    struct vcpu *v;
    bool has_info, registered; /* registered: by VCPUOP_register_vcpu_info */
    gpa_t info;
    uint8_t vector;           /* HVMOP_set_evtchn_upcall_vector; 0: none */
    uint16_t virq[XEN_VIRQS]; /* ports; 0: none */
    struct timer timer;       /* armed by its own vCPU alone */
};

struct store;

struct xenpv {
    struct vm *vm;
    struct vm_hook hook;
    uint16_t domid;
    bool has_shared;
    gpa_t shared;
    uint8_t callback;       /* vector for vCPUs that have none of their own */
    uint64_t callback_param; /* as it was set */
    uint16_t console_port, store_port;
    struct port port[PORTS];
    void *grant_page[GRANT_FRAMES]; /* mapped outside the guest's RAM, or NULL */
    gpa_t grant_at[GRANT_FRAMES];
    uint32_t grant_moves;
    uint32_t grant_frames;          /* 1 + the highest that was placed */
    uint64_t *released;             /* a bit for each page that the guest gave back, or NULL */
    uint64_t released_pages;
    struct store *store;
    struct xenpv_vcpu *vcpu;
};

static inline struct xenpv *xenpv_of(const struct vcpu *v)
{
    return v->vm->abi_data;
}

static inline bool xenpv_is_self(const struct xenpv *x, uint16_t domid)
{
    return domid == DOMID_SELF || domid == x->domid;
}

/* One handler a hypercall; the answer is >= 0, or a negative errno. */
typedef int64_t xenpv_call_fn(struct vcpu *v, const uint64_t arg[5]);
xenpv_call_fn xenpv_memory_op, xenpv_set_timer_op, xenpv_version, xenpv_console_io,
    xenpv_grant_table_op, xenpv_vcpu_op, xenpv_sched_op, xenpv_event_channel_op,
    xenpv_physdev_op, xenpv_hvm_op;

/*
 * walk.c: copies from and to a virtual address of the calling vCPU, at most a page; by its own page
 * tables, which are hostile. A copy that fails has written nothing. 0 or -XEN_EFAULT.
 */
MUST_CHECK int64_t xenpv_get(struct vcpu *v, void *dst, uint64_t va, size_t len);
MUST_CHECK int64_t xenpv_put(struct vcpu *v, uint64_t va, const void *src, size_t len);
/* The guest-physical address that a virtual one has now. */
MUST_CHECK bool xenpv_guest_pt_walk(struct vcpu *v, uint64_t va, bool write, gpa_t *at);

/* cpuid.c */
void xenpv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4]);
bool xenpv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool xenpv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* event.c; device lock held */
void xenpv_port_raise(struct xenpv *x, uint32_t port);
void xenpv_port_unmask(struct xenpv *x, uint32_t port);
bool xenpv_port_pending(struct xenpv *x, uint32_t port);
/* Interrupts a vCPU that has events it was not told of: its vector has changed. */
void xenpv_tell(struct xenpv *x, uint32_t vcpu);
uint32_t xenpv_port_new(struct xenpv *x, enum port_kind kind, uint32_t vcpu); /* 0: none free */

/* time.c */
void xenpv_timer_init(struct xenpv *x);
void xenpv_timer_cancel(struct xenpv *x);
void xenpv_publish_time(struct xenpv *x, gpa_t info);
void xenpv_publish_wall(struct xenpv *x);

/* console.c, store.c: the guest looked at its ring; device lock held */
void xenpv_console_attach(struct xenpv *x);
void xenpv_console_kick(struct xenpv *x);
MUST_CHECK enum abi_status xenpv_store_create(struct xenpv *x);
void xenpv_store_kick(struct xenpv *x);

#endif
