/* Frames of the host link. */
#include "link.h"

#include <string.h>

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* Can these first bytes of a frame (1 to LINK_HEADER of them) begin a sound one? */
static bool header_sound(const uint8_t *p, size_t have)
{
    return p[0] == 'C' && (have < 2 || p[1] == 'L') &&
           (have < 3 || (p[2] >= LINK_EVENT && p[2] <= LINK_ANSWER)) && (have < 4 || p[3] == 0) &&
           (have < LINK_HEADER || le16(p + 6) <= LINK_PAYLOAD_MAX);
}

/* Drops bytes from the front until what is left can begin a frame. */
static void resynchronise(struct link_decoder *d)
{
    size_t skip = 0;

    while (skip < d->have) {
        size_t left = d->have - skip;

        if (header_sound(d->buffer + skip, left < LINK_HEADER ? left : LINK_HEADER)) {
            break;
        }
        skip++;
    }
    if (skip > 0) {
        memmove(d->buffer, d->buffer + skip, d->have - skip);
        d->have -= skip;
        d->dropped += skip;
    }
}

/* Hands over the frame at the front if it is whole. */
static bool deliver(struct link_decoder *d, link_frame_fn *take, void *context)
{
    struct link_frame frame;
    size_t whole;

    if (d->have < LINK_HEADER) {
        return false;
    }
    whole = LINK_HEADER + le16(d->buffer + 6);
    if (d->have < whole) {
        return false;
    }
    frame.type = (enum link_type)d->buffer[2];
    frame.domain = le16(d->buffer + 4);
    frame.length = le16(d->buffer + 6);
    frame.payload = d->buffer + LINK_HEADER;
    take(context, &frame);
    memmove(d->buffer, d->buffer + whole, d->have - whole);
    d->have -= whole;
    return true;
}

void link_feed(struct link_decoder *d, const uint8_t *bytes, size_t length, link_frame_fn *take,
               void *context)
{
    while (length > 0) {
        size_t n = sizeof(d->buffer) - d->have;

        n = n < length ? n : length;
        memcpy(d->buffer + d->have, bytes, n);
        d->have += n;
        bytes += n;
        length -= n;
        do {
            resynchronise(d);
        } while (deliver(d, take, context));
    }
}

size_t link_encode(uint8_t *out, size_t room, enum link_type type, uint16_t domain,
                   const void *payload, size_t length)
{
    if (length > LINK_PAYLOAD_MAX || room < LINK_HEADER + length) {
        return 0;
    }
    out[0] = 'C';
    out[1] = 'L';
    out[2] = (uint8_t)type;
    out[3] = 0;
    out[4] = (uint8_t)domain;
    out[5] = (uint8_t)(domain >> 8);
    out[6] = (uint8_t)length;
    out[7] = (uint8_t)(length >> 8);
    memcpy(out + LINK_HEADER, payload, length);
    return LINK_HEADER + length;
}
