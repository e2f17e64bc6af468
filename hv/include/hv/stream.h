/*
 * Byte streams between a domain's console device and the outside (docs/link.md), or, of the control
 * port, the core itself. The core owns the other ends; the device model gets input through the
 * callbacks it registers. The device lock is held.
 */
#ifndef HV_STREAM_H
#define HV_STREAM_H

#include "hv/types.h"

struct vm;

enum stream_id { STREAM_CONSOLE, STREAM_CHANNEL, STREAM_CONTROL, STREAM_COUNT };

/* STREAM_CONTROL is for domains with the feature `control-port`; all have the others. */
bool stream_exists(const struct vm *vm, enum stream_id id);

/* Bytes that stream_write takes now: any number, but for STREAM_CONTROL. See stream_ops.room. */
size_t stream_room(const struct vm *vm, enum stream_id id);

/* Guest to outside. Never blocks: console bytes beyond the domain's rate are dropped, counted. */
void stream_write(struct vm *vm, enum stream_id id, const void *buf, size_t len);

/*
 * Outside to guest: called with the device lock held when bytes arrive; returns how many the guest
 * took now. The rest stays with the core, which offers it again after stream_ready().
 */
struct stream_ops {
    size_t (*input)(void *dev, const uint8_t *buf, size_t len);
    void (*room)(void *dev); /* of STREAM_CONTROL: there is room again */
};
/* The last one attached gets the input: a virtio console takes it over from COM1. */
void stream_attach(struct vm *vm, enum stream_id id, const struct stream_ops *ops, void *dev);

/* The guest opened or closed its side, or has room again. */
void stream_open(struct vm *vm, enum stream_id id, bool open);
void stream_ready(struct vm *vm, enum stream_id id);

#endif
