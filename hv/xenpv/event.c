/*
 * Event channels, two-level (public/event_channel.h, xen.h): a port's pending bit, its mask, a
 * vCPU's selector of words and its upcall flag are in the guest's own memory; whom a port notifies
 * is kept here. The device lock is held throughout.
 */
#include "xenpv.h"

#include "hv/log.h"

static gpa_t word_of(const struct xenpv *x, size_t bitmap, uint32_t port)
{
    return gpa(x->shared.v + bitmap + port / 32 * 4);
}

#define PENDING offsetof(struct xen_shared_info, pending)
#define MASK    offsetof(struct xen_shared_info, mask)

static uint8_t vector_of(const struct xenpv *x, const struct xenpv_vcpu *xv)
{
    return xv->vector != 0 ? xv->vector : x->callback;
}

static void interrupt(struct xenpv *x, struct xenpv_vcpu *xv)
{
    uint8_t vector = vector_of(x, xv);

    if (vector != 0) {
        arch_vcpu_interrupt(xv->v, vector);
    }
}

/* Sets the selector's bit of that port's word, then the flag; who sets the flag interrupts. */
static void upcall(struct xenpv *x, uint32_t port)
{
    struct xenpv_vcpu *xv = &x->vcpu[x->port[port].vcpu];
    uint32_t sel = port / 64, old;

    if (!xv->has_info ||
        guestmem_or32(x->vm,
                      gpa(xv->info.v + offsetof(struct xen_vcpu_info, pending_sel) + sel / 32 * 4),
                      (uint32_t)BIT(sel % 32), &old) != ABI_OK ||
        (old & BIT(sel % 32)) != 0) {
        return;
    }
    if (guestmem_or32(x->vm, xv->info, 1, &old) == ABI_OK && (old & 0xff) == 0) {
        interrupt(x, xv);
    }
}

void xenpv_port_raise(struct xenpv *x, uint32_t port)
{
    uint32_t bit = (uint32_t)BIT(port % 32), old, mask;

    if (!x->has_shared ||
        guestmem_or32(x->vm, word_of(x, PENDING, port), bit, &old) != ABI_OK || (old & bit) != 0 ||
        guestmem_load32(x->vm, word_of(x, MASK, port), &mask) != ABI_OK || (mask & bit) != 0) {
        return;
    }
    upcall(x, port);
}

bool xenpv_port_pending(struct xenpv *x, uint32_t port)
{
    uint32_t word;

    return x->has_shared && guestmem_load32(x->vm, word_of(x, PENDING, port), &word) == ABI_OK &&
           (word & BIT(port % 32)) != 0;
}

void xenpv_port_unmask(struct xenpv *x, uint32_t port)
{
    uint32_t bit = (uint32_t)BIT(port % 32), old;

    if (x->has_shared &&
        guestmem_and32(x->vm, word_of(x, MASK, port), ~bit, &old) == ABI_OK && (old & bit) != 0 &&
        xenpv_port_pending(x, port)) {
        upcall(x, port);
    }
}

void xenpv_tell(struct xenpv *x, uint32_t vcpu)
{
    struct xenpv_vcpu *xv = &x->vcpu[vcpu];
    uint32_t flags;

    if (xv->has_info && guestmem_load32(x->vm, xv->info, &flags) == ABI_OK &&
        (flags & 0xff) != 0) {
        interrupt(x, xv);
    }
}

uint32_t xenpv_port_new(struct xenpv *x, enum port_kind kind, uint32_t vcpu)
{
    for (uint32_t i = 1; i < PORTS; i++) {
        if (x->port[i].kind == PORT_FREE) {
            x->port[i] = (struct port){.kind = (uint8_t)kind, .vcpu = (uint16_t)vcpu};
            return i;
        }
    }
    return 0;
}
