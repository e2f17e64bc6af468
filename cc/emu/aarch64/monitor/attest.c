/* RMM_ATTEST_*: the RMM's key and the platform's token, through the page that both share. */
#include "monitor.h"

#include "hv/string.h"
#include "token.h"

static bool locked;

/* X1 address and X2 size of a buffer in the shared page. NULL: it is not. */
static uint8_t *buffer(const struct frame *f)
{
    uint64_t at = f->x[1], size = f->x[2];

    return at < RMM_SHARED || size > GRANULE_SIZE || at - RMM_SHARED > GRANULE_SIZE - size
               ? NULL
               : monitor_realm(at);
}

void attest_realm_key(struct frame *f)
{
    uint8_t *to = buffer(f);

    if (to == NULL || f->x[2] < EMU_P384 || f->x[3] != 0) { /* curve 0: P-384 */
        f->x[0] = (uint64_t)RMM_EL3_INVALID;
        return;
    }
    platform_rak(to);
    f->x[0] = RMM_EL3_OK;
    f->x[1] = EMU_P384;
}

/* X3: the challenge's length; it is in the buffer. */
void attest_platform_token(struct frame *f)
{
    uint8_t *to = buffer(f), challenge[32];
    size_t len;

    if (to == NULL || f->x[3] != sizeof(challenge) || f->x[2] < sizeof(challenge)) {
        f->x[0] = (uint64_t)RMM_EL3_INVALID;
        return;
    }
    memcpy(challenge, to, sizeof(challenge));
    while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE)) {
    }
    len = platform_token(challenge, to, f->x[2]);
    __atomic_clear(&locked, __ATOMIC_RELEASE);
    f->x[0] = len != 0 ? RMM_EL3_OK : (uint64_t)RMM_EL3_NO_MEMORY;
    f->x[1] = len;
}
