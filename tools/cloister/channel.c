/* Lines from a guest, and bytes to it within its credit. */
#include "channel.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

static void end_line(struct channel *c, channel_line_fn *take, void *context)
{
    size_t length = c->length;
    bool whole = !c->overlong;

    c->length = 0;
    c->overlong = false;
    c->lines_dropped += !whole;
    if (whole) {
        c->line[length] = '\0';
        take(context, c->line, length);
    }
}

void channel_feed(struct channel *c, const uint8_t *bytes, size_t length, channel_line_fn *take,
                  void *context)
{
    if (c->line == NULL) {
        c->line = cli_alloc(CHANNEL_LINE_MAX + 1);
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n') {
            end_line(c, take, context);
        } else if (c->length == CHANNEL_LINE_MAX) {
            c->overlong = true;
        } else {
            c->line[c->length++] = (char)bytes[i];
        }
    }
}

void channel_credit(struct channel *c, const uint8_t *payload, size_t length)
{
    uint32_t more;

    if (length != 4) {
        return;
    }
    more = payload[0] | (uint32_t)payload[1] << 8 | (uint32_t)payload[2] << 16 |
           (uint32_t)payload[3] << 24;
    if (__builtin_add_overflow(c->credit, more, &c->credit)) {
        c->credit = UINT32_MAX;
    }
}

bool channel_queue(struct channel *c, const void *bytes, size_t length)
{
    if (length > CHANNEL_QUEUE_MAX - c->queued) {
        return false;
    }
    if (c->queue == NULL) {
        c->queue = cli_alloc(CHANNEL_QUEUE_MAX);
    }
    memcpy(c->queue + c->queued, bytes, length);
    c->queued += length;
    return true;
}

size_t channel_take(struct channel *c, uint8_t *out, size_t room)
{
    size_t n = c->queued < c->credit ? c->queued : c->credit;

    n = n < room ? n : room;
    if (n == 0) {
        return 0;
    }
    memcpy(out, c->queue, n);
    c->queued -= n;
    memmove(c->queue, c->queue + n, c->queued);
    c->credit -= (uint32_t)n;
    return n;
}

void channel_reset(struct channel *c)
{
    c->length = 0;
    c->overlong = false;
    c->queued = 0;
    c->credit = 0;
}

void channel_free(struct channel *c)
{
    free(c->line);
    free(c->queue);
    memset(c, 0, sizeof(*c));
}
