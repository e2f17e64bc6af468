/*
 * Ethernet between the domains that name the same network. A port belongs to one VM's device and
 * has a bounded queue of received frames: a sender puts frames there under the hub's lock alone
 * and asks for the receiver's poll; it never takes another VM's device lock. The order of locks is
 * device lock, then hub.
 */
#ifndef HV_DEV_NET_HUB_H
#define HV_DEV_NET_HUB_H

#include "hv/device.h"
#include "hv/types.h"

#define NET_FRAME_MIN 14u   /* destination, source, type */
#define NET_FRAME_MAX 1518u /* 1500 bytes of payload, header, a VLAN tag */
#define NET_RING      64u   /* frames that wait for a receiver; more are dropped */

struct net_frame {
    uint16_t len;
    uint8_t data[NET_FRAME_MAX];
};

struct net_port {
    struct net_port *next;
    struct vm *vm;
    char network[NAME_MAX_LEN + 1];
    uint8_t mac[6];
    struct net_frame *ring; /* NET_RING of them */
    uint32_t head;
    uint32_t count; /* may be peeked at without the lock */
};

/* vm, network, mac and ring are set. Detached before its memory goes. */
void net_attach(struct net_port *port);
void net_detach(struct net_port *port);

/* NET_FRAME_MIN to NET_FRAME_MAX bytes, to whoever should hear them. Returns the copies made. */
unsigned int net_send(struct net_port *from, const void *frame, uint16_t len);

/* Takes the oldest frame that waits; false when there is none. */
MUST_CHECK bool net_receive(struct net_port *port, struct net_frame *frame);

/* Forgets what waits. */
void net_flush(struct net_port *port);

#endif
