/*
 * virtio console (virtio 1.2, 5.3): port 0 is the console, port 1 a byte channel to the host link,
 * "cloister.host", and port 2, of a domain with that feature, the control port,
 * "cloister.control". Without VIRTIO_CONSOLE_F_MULTIPORT there is only port 0.
 */
#include "bytes.h"
#include "device_types.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/stream.h"
#include "hv/string.h"
#include "virtio.h"

#define F_MULTIPORT 1 /* 5.3.3: feature bit */
#define PORTS       3u
#define CHUNK       512u /* bytes copied at a time, on the stack */

/* Bytes for a unit of a queue's budget: a serial port takes a third of a second for 4 KiB. */
#define SERIAL_COST 4u

static const struct {
    enum stream_id stream;
    const char *name;
} port_kinds[PORTS] = {
    {STREAM_CONSOLE, ""}, /* Linux calls it hvc0 */
    {STREAM_CHANNEL, "cloister.host"},
    {STREAM_CONTROL, "cloister.control"},
};
#define NAME_LONGEST 16u

/* 5.3.2: queues. */
enum { RX0, TX0, CONTROL_RX, CONTROL_TX, RX1, TX1, RX2, TX2, QUEUES };

/* 5.3.6.2: struct virtio_console_control { le32 id; le16 event; le16 value; } and its events. */
#define CONTROL_LEN 8u
enum {
    DEVICE_READY = 0,
    PORT_ADD = 1,
    PORT_READY = 3,
    CONSOLE_PORT = 4,
    PORT_OPEN = 6,
    PORT_NAME = 7,
};

/* 5.3.4: struct virtio_console_config { le16 cols, rows; le32 max_nr_ports, emerg_wr; }. */
#define CONFIG_LEN      12u
#define CONFIG_NR_PORTS 4u

struct console;

struct port {
    struct console *console;
    enum stream_id stream;
    uint8_t rx;       /* queue */
    bool open;        /* by the guest */
    uint16_t pending; /* control messages to send: BIT(event) */
};

struct console {
    struct virtio_dev dev; /* first */
    uint32_t ports;
    struct port port[PORTS];
    uint8_t config[CONFIG_LEN];
    struct virtq queue[QUEUES];
};

static struct console *console_of(struct virtio_dev *dev)
{
    return container_of(dev, struct console, dev);
}

/* 5.3.2: queues come in pairs; those of port 0, then of control messages, then of the others. */
static unsigned int rx_of(unsigned int port)
{
    return port == 0 ? RX0 : 2 * port + 2;
}

static struct port *port_of(struct console *c, unsigned int queue)
{
    return &c->port[queue < CONTROL_RX ? 0 : queue / 2 - 1];
}

/* What there is no room for stays in hand. */
static void transmit(struct console *c, struct virtq *q, enum stream_id stream)
{
    uint8_t buf[CHUNK];

    while (virtq_pop(q)) {
        size_t left = (size_t)MIN(virtq_readable(q), (uint64_t)sizeof(buf));
        size_t n = MIN(left, stream_room(c->dev.vm, stream));

        if (n == 0 && left > 0) {
            return;
        }
        if (n > 0) {
            if (!virtq_get(q, buf, n)) {
                return;
            }
            stream_write(c->dev.vm, stream, buf, n);
            q->budget -= (int32_t)(n / SERIAL_COST);
        }
        if (virtq_readable(q) == 0 && !virtq_push(q)) {
            return;
        }
    }
}

static size_t fill(struct virtq *q, const uint8_t *buf, size_t len)
{
    size_t taken = 0;

    while (taken < len && virtq_pop(q)) {
        size_t n = (size_t)MIN(virtq_writable(q), (uint64_t)(len - taken));

        if ((n > 0 && !virtq_put(q, buf + taken, n)) || !virtq_push(q)) {
            break;
        }
        taken += n;
    }
    return taken;
}

/* A port that the guest has not opened takes nothing: Linux would throw it away. */
static size_t input(void *opaque, const uint8_t *buf, size_t len)
{
    struct port *p = opaque;
    struct virtq *q;
    size_t taken;

    if (p->stream != STREAM_CONSOLE && !p->open) {
        return 0;
    }
    q = virtio_begin(&p->console->dev, p->rx);
    if (q == NULL) {
        return 0;
    }
    taken = fill(q, buf, len);
    virtio_end(&p->console->dev, q);
    return taken;
}

static void room(void *opaque)
{
    struct port *p = opaque;

    virtio_kick(&p->console->dev, p->rx + 1u);
}

static const struct stream_ops port_stream = {input, room};

/* Sends one message. False: no buffer now, or the queue broke. */
static bool send(struct virtq *q, uint32_t id, uint16_t event, const char *text)
{
    uint8_t msg[CONTROL_LEN + NAME_LONGEST];
    size_t len = CONTROL_LEN + strlen(text);

    REQUIRE(len <= sizeof(msg));
    put_le32(msg, id);
    put_le16(msg + 4, event);
    put_le16(msg + 6, 1);
    memcpy(msg + CONTROL_LEN, text, strlen(text));
    if (!virtq_pop(q)) {
        return false;
    }
    if (virtq_writable(q) < len) {
        q->broken = "a control buffer is too small";
        return false;
    }
    return virtq_put(q, msg, len) && virtq_push(q);
}

/* Events in the order in which the driver must see them. */
static void send_pending(struct console *c)
{
    static const uint16_t order[] = {PORT_ADD, CONSOLE_PORT, PORT_NAME, PORT_OPEN};
    struct virtq *q;

    if ((c->port[0].pending | c->port[1].pending | c->port[2].pending) == 0) {
        return;
    }
    q = virtio_begin(&c->dev, CONTROL_RX);
    if (q == NULL) {
        return;
    }
    for (uint32_t id = 0; id < c->ports; id++) {
        for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
            struct port *p = &c->port[id];
            uint16_t bit = (uint16_t)BIT(order[i]);

            if ((p->pending & bit) != 0 &&
                send(q, id, order[i], order[i] == PORT_NAME ? port_kinds[id].name : "")) {
                p->pending &= (uint16_t)~bit;
            }
        }
    }
    virtio_end(&c->dev, q);
}

/* What was written and not taken when a control port was closed goes with who wrote it. */
static void drop_output(struct console *c, struct port *p)
{
    struct virtq *q = virtio_begin(&c->dev, p->rx + 1u);

    if (q == NULL) {
        return;
    }
    while (virtq_pop(q) && virtq_push(q)) {
    }
    virtio_end(&c->dev, q);
}

static void set_open(struct console *c, struct port *p, bool open)
{
    if (p->open == open) {
        return;
    }
    p->open = open;
    if (!open && p->stream == STREAM_CONTROL) {
        drop_output(c, p);
    }
    stream_open(c->dev.vm, p->stream, open);
    if (open) {
        stream_ready(c->dev.vm, p->stream);
    }
}

static void control(struct console *c, const uint8_t *msg)
{
    uint32_t id = get_le32(msg);
    uint16_t event = get_le16(msg + 4);
    uint16_t value = get_le16(msg + 6);

    if (event == DEVICE_READY) {
        for (unsigned int i = 0; i < c->ports && value == 1; i++) {
            c->port[i].pending |= BIT(PORT_ADD);
        }
    } else if (id >= c->ports) {
        log_vm(c->dev.vm, LOG_WARN, "%s: control message %u for port %u, there are %u", c->dev.name,
               event, id, c->ports);
    } else if (event == PORT_READY && value == 1) {
        c->port[id].pending |= BIT(PORT_OPEN) | BIT(id == 0 ? CONSOLE_PORT : PORT_NAME);
    } else if (event == PORT_OPEN) {
        set_open(c, &c->port[id], value == 1);
    }
}

static void receive_control(struct console *c, struct virtq *q)
{
    uint8_t msg[CONTROL_LEN];

    while (virtq_pop(q)) {
        if (virtq_readable(q) >= CONTROL_LEN) {
            if (!virtq_get(q, msg, sizeof(msg))) {
                return;
            }
            control(c, msg);
        }
        if (!virtq_push(q)) {
            return;
        }
    }
}

static void console_serve(struct virtio_dev *dev, struct virtq *q, unsigned int index)
{
    struct console *c = console_of(dev);

    if (index > TX0 && !virtio_has(dev, F_MULTIPORT)) {
        return;
    }
    switch (index) {
    case TX0:
    case TX1:
    case TX2:
        transmit(c, q, port_of(c, index)->stream);
        break;
    case RX0:
    case RX1:
    case RX2:
        stream_ready(dev->vm, port_of(c, index)->stream);
        break;
    case CONTROL_TX:
        receive_control(c, q);
        send_pending(c);
        break;
    default:
        send_pending(c);
        break;
    }
}

static void console_reset(struct virtio_dev *dev)
{
    struct console *c = console_of(dev);

    for (unsigned int i = 0; i < c->ports; i++) {
        c->port[i].pending = 0;
        set_open(c, &c->port[i], false);
    }
}

#define CONSOLE_OPS(count)                                                                         \
    {                                                                                              \
        .id = VIRTIO_ID_CONSOLE, .class_code = 0x078000, .queues = (count),                        \
        .reset = console_reset, .serve = console_serve,                                            \
    }
static const struct virtio_ops console_ops = CONSOLE_OPS(RX2);
static const struct virtio_ops control_ops = CONSOLE_OPS(QUEUES);

enum abi_status virtio_console_create(struct vm *vm, const struct device_config *cfg,
                                      unsigned int slot)
{
    struct console *c = vm_alloc(vm, sizeof(*c));
    enum abi_status st;

    if (c == NULL) {
        return ABI_NO_MEMORY;
    }
    (void)str_copy(c->dev.name, sizeof(c->dev.name), cfg->name);
    c->ports = stream_exists(vm, STREAM_CONTROL) ? PORTS : PORTS - 1;
    c->dev.ops = c->ports == PORTS ? &control_ops : &console_ops;
    c->dev.offered = BIT(F_MULTIPORT);
    put_le32(c->config + CONFIG_NR_PORTS, c->ports);
    c->dev.config = c->config;
    c->dev.config_len = sizeof(c->config);
    for (unsigned int i = 0; i < c->ports; i++) {
        c->port[i] = (struct port){c, port_kinds[i].stream, .rx = (uint8_t)rx_of(i)};
    }
    st = virtio_create(&c->dev, vm, slot, c->queue);
    for (uint32_t i = 0; i < c->ports && st == ABI_OK; i++) {
        stream_attach(vm, port_kinds[i].stream, &port_stream, &c->port[i]);
    }
    return st;
}
