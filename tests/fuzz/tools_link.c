/* Any bytes on the host link, in two pieces: frames keep their bounds, and no byte is lost count
 * of. */
#include "link.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t taken;

static void take(void *context, const struct link_frame *frame)
{
    static uint8_t copy[LINK_PAYLOAD_MAX];

    (void)context;
    if (frame->length > LINK_PAYLOAD_MAX || frame->type < LINK_EVENT ||
        frame->type > LINK_ANSWER) {
        abort();
    }
    memcpy(copy, frame->payload, frame->length);
    taken += LINK_HEADER + frame->length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link_decoder d = {.have = 0};
    size_t cut = size > 0 ? data[0] % size : 0;

    taken = 0;
    link_feed(&d, data, cut, take, NULL);
    link_feed(&d, data + cut, size - cut, take, NULL);
    if (taken + d.dropped + d.have != size) {
        abort();
    }
    return 0;
}
