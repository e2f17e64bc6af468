/* An arm64 guest has no confidential kind yet: it cannot prove what it is. */
#include "../agent.h"

void attest_if_asked(void)
{
    char path[256];

    if (cmdline_get("cloister.secret", path, sizeof(path))) {
        say_failed("attestation is not built yet for arm64: no evidence, no secret %s", path);
    }
}
