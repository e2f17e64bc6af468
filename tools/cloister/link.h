/*
 * The host link (docs/link.md): frames to and from the hypervisor. Both sides of it are bytes from
 * outside, so the decoder takes any input, in pieces of any size, and finds the next sound frame.
 */
#ifndef CLOISTER_LINK_H
#define CLOISTER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_HEADER      8u
#define LINK_PAYLOAD_MAX 4096u

enum link_type {
    LINK_EVENT = 1,
    LINK_CONSOLE = 2,
    LINK_CHANNEL = 3,
    LINK_CREDIT = 4,
    LINK_COMMAND = 5,
    LINK_REQUEST = 6,
    LINK_ANSWER = 7,
};

struct link_frame {
    enum link_type type;
    uint16_t domain; /* 0: the hypervisor */
    uint16_t length; /* 0..LINK_PAYLOAD_MAX */
    const uint8_t *payload;
};

struct link_decoder {
    size_t have;
    uint64_t dropped; /* bytes that belonged to no sound frame */
    uint8_t buffer[LINK_HEADER + LINK_PAYLOAD_MAX];
};

/* Called for each sound frame; the payload is valid until it returns. */
typedef void link_frame_fn(void *context, const struct link_frame *frame);

void link_feed(struct link_decoder *d, const uint8_t *bytes, size_t length, link_frame_fn *take,
               void *context);

/* Writes header and payload to out[LINK_HEADER + length]; returns the bytes, 0 if too long. */
size_t link_encode(uint8_t *out, size_t room, enum link_type type, uint16_t domain,
                   const void *payload, size_t length);

#endif
