/* Any order of lines, credit and answers on a guest's channel: never a byte without credit. */
#include "channel.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *context, char *text, size_t length)
{
    struct channel *c = context;

    if (text[length] != '\0' || length > CHANNEL_LINE_MAX) {
        abort();
    }
    channel_queue(c, text, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct channel c = {.credit = 0};
    uint8_t out[300];
    uint64_t given = 0;
    uint64_t taken = 0;

    while (size > 0) {
        uint8_t what = data[0];
        size_t n = what / 4 < size - 1 ? what / 4 : size - 1;

        data++;
        size--;
        if (what % 4 == 0) {
            channel_credit(&c, data, n);
            given = n == 4 ? given + UINT32_MAX : given;
        } else if (what % 4 == 1) {
            channel_feed(&c, data, n, take, &c);
        } else if (what % 4 == 2) {
            uint32_t before = c.credit;
            size_t got = channel_take(&c, out, n);

            taken += got;
            if (got > before || got > n || taken > given || c.credit != before - got) {
                abort();
            }
        } else {
            channel_queue(&c, data, n);
        }
        data += n;
        size -= n;
    }
    channel_free(&c);
    return 0;
}
