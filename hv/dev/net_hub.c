#include "net_hub.h"

#include "arch/lock.h"
#include "hv/check.h"
#include "hv/io.h"
#include "hv/string.h"

#define MAC_LEN   6u
#define MAC_GROUP 1u /* first byte: multicast or broadcast */

static struct lock hub_lock;
static struct net_port *ports;

void net_attach(struct net_port *port)
{
    lock(&hub_lock);
    port->next = ports;
    ports = port;
    unlock(&hub_lock);
}

void net_detach(struct net_port *port)
{
    struct net_port **p = &ports;

    lock(&hub_lock);
    while (*p != NULL && *p != port) {
        p = &(*p)->next;
    }
    CHECK(*p == port);
    *p = port->next;
    unlock(&hub_lock);
}

static bool neighbours(const struct net_port *a, const struct net_port *b)
{
    return a != b && strcmp(a->network, b->network) == 0;
}

/* Whether one port is known to have that address; if none is, all hear the frame. */
static bool is_known(const struct net_port *from, const uint8_t *mac)
{
    for (const struct net_port *p = ports; p != NULL; p = p->next) {
        if (strcmp(p->network, from->network) == 0 && memcmp(p->mac, mac, MAC_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* The first frame in an empty ring needs a poll; behind others, somebody has already asked. */
static bool put(struct net_port *to, const void *frame, uint16_t len)
{
    struct net_frame *f = &to->ring[(to->head + to->count) % NET_RING];

    if (to->count == NET_RING) {
        return false;
    }
    f->len = len;
    memcpy(f->data, frame, len);
    store_once(&to->count, to->count + 1);
    if (to->count == 1) {
        vm_serve_soon(to->vm);
    }
    return true;
}

unsigned int net_send(struct net_port *from, const void *frame, uint16_t len)
{
    const uint8_t *mac = frame;
    unsigned int copies = 0;
    bool to_all;

    REQUIRE(len >= NET_FRAME_MIN && len <= NET_FRAME_MAX);
    lock(&hub_lock);
    to_all = (mac[0] & MAC_GROUP) != 0 || !is_known(from, mac);
    for (struct net_port *p = ports; p != NULL; p = p->next) {
        if (neighbours(from, p) && (to_all || memcmp(p->mac, mac, MAC_LEN) == 0) &&
            put(p, frame, len)) {
            copies++;
        }
    }
    unlock(&hub_lock);
    return copies;
}

bool net_receive(struct net_port *port, struct net_frame *frame)
{
    bool some;

    lock(&hub_lock);
    some = port->count > 0;
    if (some) {
        const struct net_frame *f = &port->ring[port->head];

        frame->len = f->len;
        memcpy(frame->data, f->data, f->len);
        port->head = (port->head + 1) % NET_RING;
        store_once(&port->count, port->count - 1);
    }
    unlock(&hub_lock);
    return some;
}

void net_flush(struct net_port *port)
{
    lock(&hub_lock);
    port->head = 0;
    store_once(&port->count, 0u);
    unlock(&hub_lock);
}
