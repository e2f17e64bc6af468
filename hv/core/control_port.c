/*
 * The control port: requests of user space as a stream of bytes (STREAM_CONTROL). A frame is put
 * together here, in memory that no guest reaches; when it is whole, the domain's first vCPU does
 * it, holding no lock, by the code that serves VM_CONTROL. The answer is taken before the next
 * frame is. All of this is under the device lock, but the frame while it is being done.
 *
 *   DEAF <--> TAKING --> WAITING --> DOING --> ANSWERING --> TAKING; after nonsense DEAF
 */
#include "hv/abi.h"
#include "hv/control.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

enum port_state {
    PORT_DEAF, /* closed, or lost its place: what comes is passed over until it is opened */
    PORT_TAKING,
    PORT_WAITING,
    PORT_DOING,
    PORT_ANSWERING,
};

struct control_port {
    enum port_state state;
    bool lost;     /* closed while DOING: nobody waits for the answer */
    bool nonsense; /* where the next frame begins is not known */
    uint32_t have; /* of the frame that comes */
    uint32_t sent; /* of the answer */
    struct {
        struct abi_port_frame head;
        uint8_t data[ABI_MAX_PORT_BYTES - sizeof(struct abi_port_frame)];
    } frame;
};
_Static_assert(sizeof(((struct control_port *)0)->frame) == ABI_MAX_PORT_BYTES, "no padding");

enum abi_status control_port_init(struct vm *vm)
{
    struct abi_vm *a = vm->abi;

    if ((vm->abi_features >> ABI_FEATURE_CONTROL_PORT & 1) == 0) {
        return ABI_OK;
    }
    a->control_port = vm_alloc(vm, sizeof(*a->control_port));
    a->message = vm_alloc(vm, ABI_MAX_MESSAGE_BYTES); /* so that control_begin needs none */
    a->idle = a->message;
    return a->control_port == NULL || a->message == NULL ? ABI_NO_MEMORY : ABI_OK;
}

/* Bytes of the frame, as far as it tells. */
static uint32_t frame_size(const struct control_port *p)
{
    uint32_t head = sizeof(p->frame.head);

    return p->have < head ? head : head + p->frame.head.length;
}

size_t control_port_room(const struct vm *vm)
{
    const struct control_port *p = vm->abi->control_port;

    switch (p->state) {
    case PORT_DEAF:
        return SIZE_MAX;
    case PORT_TAKING:
        return frame_size(p) - p->have;
    case PORT_WAITING:
    case PORT_DOING:
    case PORT_ANSWERING:
        break;
    }
    return 0;
}

void control_port_take(struct vm *vm, const uint8_t *buf, size_t len)
{
    struct control_port *p = vm->abi->control_port;

    if (p->state == PORT_DEAF) {
        return;
    }
    REQUIRE(len <= control_port_room(vm));
    memcpy((uint8_t *)&p->frame + p->have, buf, len);
    p->have += (uint32_t)len;
    p->nonsense = p->have >= sizeof(p->frame.head) && p->frame.head.length > sizeof(p->frame.data);
    if (p->nonsense || p->have == frame_size(p)) {
        p->state = PORT_WAITING;
        vm_serve_soon(vm);
    }
}

static void begin_anew(struct vm *vm, struct control_port *p)
{
    p->have = 0;
    p->nonsense = false;
    p->state = vm->stream[STREAM_CONTROL].open ? PORT_TAKING : PORT_DEAF;
}

void control_port_open(struct vm *vm)
{
    struct control_port *p = vm->abi->control_port;

    if (p->state == PORT_DOING) {
        p->lost = true;
    } else {
        begin_anew(vm, p);
    }
}

void control_port_deliver(struct vm *vm)
{
    struct control_port *p = vm->abi->control_port;
    const struct stream *s = &vm->stream[STREAM_CONTROL];
    size_t left, took;

    if (p->state != PORT_ANSWERING) {
        return;
    }
    left = sizeof(p->frame.head) + p->frame.head.length - p->sent;
    took = s->ops->input(s->dev, (uint8_t *)&p->frame + p->sent, left);
    p->sent += (uint32_t)MIN(took, left);
    if (took >= left) {
        if (p->nonsense) {
            p->state = PORT_DEAF;
        } else {
            begin_anew(vm, p);
        }
        s->ops->room(s->dev);
    }
}

/* Buffers are the kernel's affair: a frame names none, and carries what it is about. */
static enum abi_status check(struct request *r, const struct abi_port_frame *head)
{
    if (head->length > r->room) {
        snprintf(r->why, sizeof(r->why),
                 "length: %u: at most %u; close the port and open it again", head->length, r->room);
        return ABI_BAD_FORMAT;
    }
    if (head->status != 0 || head->reserved != 0) {
        return ABI_RESERVED_BITS;
    }
    if (head->operation == ABI_CONTROL_RING || head->operation == ABI_CONTROL_LOAD) {
        (void)str_copy(r->why, sizeof(r->why), "operation: not here: it names a buffer");
        return ABI_BAD_FORMAT;
    }
    return ABI_OK;
}

static void perform(struct vm *vm, struct control_port *p)
{
    const struct abi_port_frame *head = &p->frame.head;
    struct request r = {
        .by = vm,
        .head = {.id = head->id, .operation = head->operation, .domain = head->domain},
        .more = p->frame.data,
        .more_len = head->length,
        .answer = p->frame.data,
        .room = sizeof(p->frame.data),
    };
    enum abi_status st = control_answer(&r, check(&r, head));

    p->frame.head.status = st;
    p->frame.head.length = r.told;
    p->frame.head.reserved = 0;
    p->sent = 0;
}

/* Only the first vCPU moves on from WAITING. */
static bool is_waiting(struct vm *vm, struct control_port *p, bool begin)
{
    bool waits;

    vm_dev_lock(vm);
    waits = p->state == PORT_WAITING;
    if (waits && begin) {
        p->state = PORT_DOING;
    }
    vm_dev_unlock(vm);
    return waits;
}

static void finish(struct vm *vm, struct control_port *p)
{
    const struct stream *s = &vm->stream[STREAM_CONTROL];

    vm_dev_lock(vm);
    if (p->lost) {
        p->lost = false;
        begin_anew(vm, p);
        s->ops->room(s->dev);
    } else {
        p->state = PORT_ANSWERING;
        control_port_deliver(vm);
    }
    vm_dev_unlock(vm);
}

void control_port_serve(struct vm *vm)
{
    struct control_port *p = vm->abi->control_port;

    if (p == NULL || !is_waiting(vm, p, false) || !control_begin(vm)) {
        return; /* one that VM_CONTROL is at: control_end asks again */
    }
    if (is_waiting(vm, p, true)) {
        perform(vm, p);
        finish(vm, p);
    }
    control_end(vm);
}
