#include "x86.h"

#include "hv/io.h"
#include "hv/string.h"

#define TRIES 16u /* AMD's and Intel's advice is 10 */

static bool rdrand(uint64_t *v)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        bool ok;

        __asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
        if (ok) {
            return true;
        }
    }
    return false;
}

bool random_bytes(void *buf, size_t len)
{
    uint8_t *bytes = buf;
    uint64_t v;

    while (cpu_features.rdrand && len > 0) {
        size_t n = MIN(len, sizeof(v));

        if (!rdrand(&v)) {
            return false;
        }
        memcpy(bytes, &v, n);
        bytes += n;
        len -= n;
    }
    return len == 0;
}
