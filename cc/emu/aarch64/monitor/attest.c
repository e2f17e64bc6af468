/*
 * RMM_ATTEST_*: the RMM's key and the platform's token, through the page that both share. The RMM
 * sees to it that one CPU at a time uses that page.
 */
#include "monitor.h"

#include "hv/string.h"
#include "token.h"

#define CURVE_P384 0u

static struct {
    uint8_t bytes[PLATFORM_TOKEN_MAX];
    size_t len, given;
} token;

/* X1 address and X2 size of a buffer in the shared page. NULL: it is not, and X0 says so. */
static uint8_t *buffer(struct frame *f)
{
    uint64_t offset = f->x[1] - RMM_SHARED, size = f->x[2];

    if (offset >= GRANULE_SIZE) {
        f->x[0] = (uint64_t)RMM_EL3_BAD_ADDR;
        return NULL;
    }
    if (size > GRANULE_SIZE - offset) {
        f->x[0] = (uint64_t)RMM_EL3_INVALID;
        return NULL;
    }
    return monitor_realm(f->x[1]);
}

/* X3: the curve. X1: the key's length. */
void attest_realm_key(struct frame *f)
{
    uint8_t *to = buffer(f);

    if (to == NULL) {
        return;
    }
    if (f->x[2] < EMU_P384 || f->x[3] != CURVE_P384) {
        f->x[0] = (uint64_t)RMM_EL3_INVALID;
        return;
    }
    platform_rak(to);
    f->x[0] = RMM_EL3_OK;
    f->x[1] = EMU_P384;
}

/* A hash's length, and it is in the buffer. */
static bool begin(const uint8_t *challenge, uint64_t len, uint64_t room)
{
    if ((len != 32 && len != 48 && len != 64) || len > room) {
        return false;
    }
    token.len = platform_token(challenge, len, token.bytes, sizeof(token.bytes));
    token.given = 0;
    return true;
}

/* X3: the challenge's length; 0: go on. X1: what is in the buffer now, X2: what is to come. */
void attest_platform_token(struct frame *f)
{
    uint8_t *to = buffer(f);
    size_t n;

    if (to == NULL) {
        return;
    }
    if (f->x[3] != 0 ? !begin(to, f->x[3], f->x[2]) : token.given == token.len) {
        f->x[0] = (uint64_t)RMM_EL3_INVALID;
        return;
    }
    n = MIN(token.len - token.given, f->x[2]);
    memcpy(to, token.bytes + token.given, n);
    token.given += n;
    f->x[0] = token.len != 0 ? RMM_EL3_OK : (uint64_t)RMM_EL3_UNKNOWN;
    f->x[1] = n;
    f->x[2] = token.len - token.given;
}
