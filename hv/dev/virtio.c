/* Device status, features, and the serving of queues. The registers are the transport's. */
#include "virtio.h"

#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

/* Bits that the driver may set. */
#define STATUS_SETTABLE                                                                            \
    (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_FAILED)

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

static const uint64_t common_features = BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) |
                                        BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) |
                                        BIT(VIRTIO_F_RING_RESET);

static void interrupt(struct virtio_dev *dev, uint8_t isr, uint16_t vector)
{
    dev->isr |= isr;
    virtio_signal(dev, vector);
}

/* 2.1.2: a live driver hears of it by a configuration change. */
void virtio_fail(struct virtio_dev *dev, const char *fmt, ...)
{
    char why[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    log_vm(dev->vm, LOG_WARN, "%s: %s; the device needs a reset", dev->name, why);
    dev->status |= VIRTIO_NEEDS_RESET;
    if ((dev->status & VIRTIO_DRIVER_OK) != 0) {
        interrupt(dev, ISR_CONFIG, dev->config_vector);
    }
}

static bool usable(const struct virtio_dev *dev, unsigned int index)
{
    return (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK &&
           virtio_is_on(dev) && dev->queue[index].enabled;
}

struct virtq *virtio_begin(struct virtio_dev *dev, unsigned int index)
{
    REQUIRE(index < dev->ops->queues);
    if (!usable(dev, index)) {
        return NULL;
    }
    dev->queue[index].budget = VIRTQ_BUDGET;
    return &dev->queue[index];
}

void virtio_end(struct virtio_dev *dev, struct virtq *q)
{
    unsigned int index = (unsigned int)(q - dev->queue);

    if (virtq_should_signal(q)) {
        interrupt(dev, ISR_QUEUE, q->vector);
    }
    if (q->broken != NULL) {
        if ((dev->status & VIRTIO_NEEDS_RESET) == 0) {
            virtio_fail(dev, "queue %u: %s", index, q->broken);
        }
    } else if (q->budget <= 0) {
        dev->work |= 1u << index;
        vm_serve_soon(dev->vm);
    }
}

static void serve(struct virtio_dev *dev, unsigned int index)
{
    struct virtq *q = virtio_begin(dev, index);

    if (q != NULL) {
        dev->work &= ~(1u << index);
        dev->ops->serve(dev, q, index);
        virtio_end(dev, q);
    }
}

void virtio_kick(struct virtio_dev *dev, unsigned int index)
{
    dev->work |= 1u << index;
    serve(dev, index);
}

/* Each queue with work once: what does not fit into its budget waits until it is asked again. */
static void serve_all(struct virtio_dev *dev)
{
    for (uint32_t left = dev->work; left != 0; left &= left - 1) {
        serve(dev, (unsigned int)__builtin_ctz(left));
    }
}

static void serve_hook(struct vm_hook *hook)
{
    serve_all(container_of(hook, struct virtio_dev, hook));
}

static void reset(struct virtio_dev *dev)
{
    for (unsigned int i = 0; i < dev->ops->queues; i++) {
        virtq_reset(&dev->queue[i], dev->vm);
    }
    dev->accepted = 0;
    dev->device_feature_select = 0;
    dev->driver_feature_select = 0;
    dev->queue_select = 0;
    dev->config_vector = VIRTQ_NO_VECTOR;
    dev->status = 0;
    dev->isr = 0;
    virtio_signal_off(dev);
    dev->work = 0;
    dev->ops->reset(dev);
}

static bool accept_features(struct virtio_dev *dev)
{
    bool event_idx = virtio_has(dev, VIRTIO_F_EVENT_IDX);
    bool indirect = virtio_has(dev, VIRTIO_F_INDIRECT_DESC);

    if ((dev->accepted & ~dev->offered) != 0 || !virtio_has(dev, VIRTIO_F_VERSION_1)) {
        log_vm(dev->vm, LOG_WARN, "%s: features %llx refused, %llx are offered", dev->name,
               (unsigned long long)dev->accepted, (unsigned long long)dev->offered);
        return false;
    }
    for (unsigned int i = 0; i < dev->ops->queues; i++) {
        dev->queue[i].event_idx = event_idx;
        dev->queue[i].indirect = indirect;
    }
    return true;
}

/* 3.1.1: the driver only adds bits; a step that is refused stays clear. */
void virtio_write_status(struct virtio_dev *dev, uint8_t value)
{
    uint8_t added = value & STATUS_SETTABLE & ~dev->status;

    if (value == 0) {
        reset(dev);
        return;
    }
    if ((added & VIRTIO_FEATURES_OK) != 0 && !accept_features(dev)) {
        added &= ~(VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    }
    if ((added & VIRTIO_DRIVER_OK) != 0 && ((dev->status | added) & VIRTIO_FEATURES_OK) == 0) {
        log_vm(dev->vm, LOG_WARN, "%s: DRIVER_OK before FEATURES_OK refused", dev->name);
        added &= ~VIRTIO_DRIVER_OK;
    }
    dev->status |= added;
    if ((added & VIRTIO_DRIVER_OK) != 0) {
        dev->work = (1u << dev->ops->queues) - 1;
        serve_all(dev);
    }
}

void virtio_enable_queue(struct virtio_dev *dev, unsigned int index)
{
    const char *why;

    if (!virtq_enable(&dev->queue[index], &why)) {
        virtio_fail(dev, "queue %u cannot be enabled: %s", index, why);
    }
}

/* 2.6.1: only this queue starts over. */
void virtio_reset_queue(struct virtio_dev *dev, unsigned int index)
{
    struct virtq *q = &dev->queue[index];

    virtq_reset(q, dev->vm);
    q->event_idx = virtio_has(dev, VIRTIO_F_EVENT_IDX);
    q->indirect = virtio_has(dev, VIRTIO_F_INDIRECT_DESC);
    dev->work &= ~(1u << index);
}

enum abi_status virtio_create(struct virtio_dev *dev, struct vm *vm, unsigned int slot,
                              struct virtq *queues)
{
    enum abi_status st;

    REQUIRE(dev->ops->queues >= 1 && dev->ops->queues <= VIRTIO_QUEUES_MAX);
    dev->vm = vm;
    dev->queue = queues;
    dev->offered |= common_features;
    st = virtio_attach(dev, slot);
    if (st != ABI_OK) {
        return st;
    }
    reset(dev);
    dev->hook.serve = serve_hook;
    vm_hook_add(vm, &dev->hook);
    return ABI_OK;
}
