/* Any bytes as what a machine says: on the link, on COM1 and on QEMU's stderr. */
#include "run.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct run_opts opts = {.quiet = true, .timeout = 1};
    struct run *run = calloc(1, sizeof(*run));
    struct link_frame frame = {.type = LINK_EVENT, .domain = 1};

    if (run == NULL || size < 2) {
        free(run);
        return 0;
    }
    run->opts = &opts;
    guest_add(run, "guest0", "none");
    run->guest[0].id = 1;
    frame.type = (enum link_type)(LINK_EVENT + data[0] % LINK_COMMAND);
    frame.length = (uint16_t)(size - 1 < LINK_PAYLOAD_MAX ? size - 1 : LINK_PAYLOAD_MAX);
    frame.payload = data + 1;
    events_take(run, &frame);
    console_take(run, (const char *)data, size);
    errors_take(run, (const char *)data, size);
    link_feed(&run->decoder, data, size, events_take, run);
    guests_judge(run);
    for (unsigned int i = 0; i < run->guests; i++) {
        guest_free(&run->guest[i]);
    }
    json_decref(run->hypervisor);
    json_decref(run->idle);
    free(run);
    return 0;
}
