/* A TPM that answers what it likes: nothing is read past its end, and nothing waits for ever. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "core_ops.h"
#include "hv/measure.h"

static struct ops input;

/* Mostly a length that agrees and a code of success, then anything. */
static void serve(const uint8_t *command, uint32_t len, uint8_t *response, uint32_t *response_len)
{
    uint64_t kind = ops_take(&input, 1);
    uint32_t n = 10 + (uint32_t)ops_take(&input, 2) % 700;

    (void)command;
    (void)len;
    for (uint32_t i = 0; i < n; i++) {
        response[i] = (uint8_t)(kind % 4 == 0 ? i : ops_take(&input, 1));
    }
    if (kind % 16 != 0) {
        memcpy(response, (uint8_t[10]){0x80, 1, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}, 10);
    }
    *response_len = n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[SHA256_SIZE];
    struct evidence_request r = {.owner = 1};
    struct evidence e;
    uint8_t part[64];
    uint32_t len;

    input = (struct ops){data, size};
    core_boot(MiB(16), 1);
    fake_tpm_kind = ops_take(&input, 1) % 2 == 0 ? TPM_CRB : TPM_FIFO;
    fake_tpm_slow = (unsigned int)ops_take(&input, 1) % 8;
    fake_tpm_serve = serve;
    measure_start();
    for (unsigned int i = 0; i < 16 && input.size > 0; i++) {
        r.pcrs = 1 + (uint32_t)ops_take(&input, 1);
        r.owner = (uint32_t)ops_take(&input, 1) % 2;
        if (r.pcrs % 8 == 0) {
            (void)!measure_domain("g", hash, NULL);
        }
        if (measure_quote(&r, &e) == ABI_OK &&
            (e.quote.message_len > sizeof(e.quote.message) ||
             e.quote.signature_len > sizeof(e.quote.signature) ||
             e.quote.key_len > sizeof(e.quote.key))) {
            abort();
        }
        if (measure_log(r.pcrs, part, sizeof(part), &len) == ABI_OK && len > sizeof(part)) {
            abort();
        }
    }
    fake_console_clear();
    return 0;
}
