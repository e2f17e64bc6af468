/* Any text as a policy: taken or refused with a reason, never half. */
#include <attest/policy.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_policy *p = NULL;
    struct attest_error err = {0};
    enum attest_status st = attest_policy_parse((const char *)data, size, &p, &err);

    if ((st == ATTEST_OK) != (p != NULL) || (st != ATTEST_OK && err.field[0] == '\0')) {
        abort();
    }
    attest_policy_free(p);
    return 0;
}
