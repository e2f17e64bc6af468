/* Any bytes as an event log: parsed, walked, replayed in every bank, shown. */
#include <attest/eventlog.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    struct eventlog log;
    struct eventlog_event ev;
    struct eventlog_walk w;
    struct eventlog_bank bank;
    struct attest_error err;
    size_t events = 0;

    memcpy(copy, data, size);
    if (eventlog_parse(copy, size, &log, &err) == ATTEST_OK) {
        w = eventlog_walk(&log);
        while (eventlog_next(&w, &ev)) {
            if (ev.size > size || ev.data + ev.size > copy + size || ev.number != events) {
                abort();
            }
            events++;
        }
        /* What was parsed as a whole is walked as a whole. */
        if (events != log.events || log.len > size) {
            abort();
        }
        for (size_t i = 0; i < log.algs; i++) {
            if (eventlog_replay_pcrs(&log, log.alg[i].alg, &bank, &err) == ATTEST_OK &&
                bank.extended >> EVENTLOG_PCRS != 0) {
                abort();
            }
        }
        json_decref(eventlog_claims(&log));
    }
    free(copy);
    return 0;
}
