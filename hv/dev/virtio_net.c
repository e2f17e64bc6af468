/*
 * virtio network device (virtio 1.2, 5.1) on a hub between domains: one pair of queues, whole
 * frames, no offloads.
 */
#include "arch/barrier.h"
#include "bytes.h"
#include "device_types.h"
#include "hv/string.h"
#include "hv/vm.h"
#include "net_hub.h"
#include "virtio.h"

#define F_MTU 3 /* 5.1.3: feature bits */
#define F_MAC 5
#define MTU   1500u

/* 5.1.2 */
enum { RX, TX, QUEUES };

/* 5.1.4: struct virtio_net_config, up to mtu. */
#define CONFIG_LEN 12u
#define CONFIG_MTU 10u

/* 5.1.6: struct virtio_net_hdr; le16 num_buffers is its last field. */
#define HEADER_LEN         12u
#define HEADER_NUM_BUFFERS 10u

struct net {
    struct virtio_dev dev; /* first */
    struct vm_hook hook;
    struct net_port port;
    struct net_frame frame; /* on its way in or out */
    uint8_t config[CONFIG_LEN];
    struct virtq queue[QUEUES];
};

static struct net *net_of(struct virtio_dev *dev)
{
    return container_of(dev, struct net, dev);
}

/* What is no Ethernet frame is dropped, as a wire would. */
static bool transmit(struct net *n, struct virtq *q)
{
    uint8_t header[HEADER_LEN];
    uint64_t len = virtq_readable(q);

    if (len >= HEADER_LEN + NET_FRAME_MIN && len <= HEADER_LEN + NET_FRAME_MAX) {
        n->frame.len = (uint16_t)(len - HEADER_LEN);
        if (!virtq_get(q, header, sizeof(header)) || !virtq_get(q, n->frame.data, n->frame.len)) {
            return false;
        }
        q->budget -= (int32_t)net_send(&n->port, n->frame.data, n->frame.len);
    }
    return virtq_push(q);
}

/* Buffers without VIRTIO_NET_F_MRG_RXBUF hold a whole frame (5.1.6.3.1). */
static bool receive(struct net *n, struct virtq *q)
{
    uint8_t header[HEADER_LEN] = {0};

    if (!net_receive(&n->port, &n->frame)) {
        return false;
    }
    if (virtq_writable(q) < HEADER_LEN + (uint64_t)n->frame.len) {
        q->broken = "a receive buffer is too small";
        return false;
    }
    put_le16(header + HEADER_NUM_BUFFERS, 1);
    return virtq_put(q, header, sizeof(header)) && virtq_put(q, n->frame.data, n->frame.len) &&
           virtq_push(q);
}

static void net_serve(struct virtio_dev *dev, struct virtq *q, unsigned int index)
{
    struct net *n = net_of(dev);

    while (virtq_pop(q) && (index == TX ? transmit(n, q) : receive(n, q))) {
    }
}

static void net_reset(struct virtio_dev *dev)
{
    net_flush(&net_of(dev)->port);
}

/* Whoever put the first frame there asked for this; what finds no buffer goes with a later kick. */
static void net_arrived(struct vm_hook *hook)
{
    struct net *n = container_of(hook, struct net, hook);

    if (load_once(&n->port.count) != 0) {
        virtio_kick(&n->dev, RX);
    }
}

static void net_destroy(struct vm_hook *hook)
{
    net_detach(&container_of(hook, struct net, hook)->port);
}

static const struct virtio_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .class_code = 0x020000,
    .queues = QUEUES,
    .reset = net_reset,
    .serve = net_serve,
};

/* A locally administered address that no other device in this hypervisor has. */
static void default_mac(uint8_t *mac, uint32_t vm, unsigned int slot)
{
    mac[0] = 0x02;
    mac[1] = 'C';
    mac[2] = 'L';
    mac[3] = (uint8_t)(vm >> 8);
    mac[4] = (uint8_t)vm;
    mac[5] = (uint8_t)slot;
}

static enum abi_status init_port(struct net *n, struct vm *vm, const struct device_config *cfg,
                                 unsigned int slot)
{
    n->port.vm = vm;
    (void)str_copy(n->port.network, sizeof(n->port.network), cfg->network);
    if (cfg->has_mac) {
        memcpy(n->port.mac, cfg->mac, sizeof(n->port.mac));
    } else {
        default_mac(n->port.mac, vm_id(vm), slot);
    }
    n->port.ring = vm_alloc(vm, NET_RING * sizeof(*n->port.ring));
    return n->port.ring == NULL ? ABI_NO_MEMORY : ABI_OK;
}

enum abi_status virtio_net_create(struct vm *vm, const struct device_config *cfg, unsigned int slot)
{
    struct net *n = vm_alloc(vm, sizeof(*n));
    enum abi_status st;

    if (n == NULL) {
        return ABI_NO_MEMORY;
    }
    st = init_port(n, vm, cfg, slot);
    if (st != ABI_OK) {
        return st;
    }
    (void)str_copy(n->dev.name, sizeof(n->dev.name), cfg->name);
    n->dev.ops = &net_ops;
    n->dev.offered = BIT(F_MAC) | BIT(F_MTU);
    memcpy(n->config, n->port.mac, sizeof(n->port.mac));
    put_le16(n->config + CONFIG_MTU, MTU);
    n->dev.config = n->config;
    n->dev.config_len = sizeof(n->config);
    st = virtio_create(&n->dev, vm, slot, n->queue);
    if (st == ABI_OK) {
        net_attach(&n->port);
        n->hook.serve = net_arrived;
        n->hook.destroy = net_destroy;
        vm_hook_add(vm, &n->hook);
    }
    return st;
}
