/*
 * A guest's byte channel (docs/link.md), seen from the host: lines out of what the guest sends, and
 * bytes for it that wait for its credit. All of it is bounded, whatever the guest does.
 */
#ifndef CLOISTER_CHANNEL_H
#define CLOISTER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_LINE_MAX  65536u /* bytes of a line; a longer one is dropped whole */
#define CHANNEL_QUEUE_MAX 65536u /* bytes that wait for credit */

struct channel {
    char *line; /* CHANNEL_LINE_MAX + 1 bytes, made when needed */
    size_t length;
    bool overlong;
    uint64_t lines_dropped;
    uint8_t *queue; /* CHANNEL_QUEUE_MAX bytes, made when needed */
    size_t queued;
    uint32_t credit; /* bytes that the guest takes now */
};

/* A whole line without its end; text[length] is NUL, and text may hold others. */
typedef void channel_line_fn(void *context, char *text, size_t length);

void channel_feed(struct channel *c, const uint8_t *bytes, size_t length, channel_line_fn *take,
                  void *context);

/* The payload of a credit frame: u32, little-endian; any other length is ignored. */
void channel_credit(struct channel *c, const uint8_t *payload, size_t length);
/* All or nothing; false: too much waits already. */
bool channel_queue(struct channel *c, const void *bytes, size_t length);
/* Moves at most room bytes, and no more than there is credit for. */
size_t channel_take(struct channel *c, uint8_t *out, size_t room);

/* The guest opened its end anew: no credit, and nothing of before counts. */
void channel_reset(struct channel *c);
void channel_free(struct channel *c);

#endif
