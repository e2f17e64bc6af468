#include "arch_impl/insn.h"
#include "hv/io.h"
#include "hv/string.h"

#define TRIES 16u

/* RNDR (FEAT_RNG): Z says that there was no number. */
static bool rndr(uint64_t *v)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        bool none;

        __asm__ volatile("mrs %0, s3_3_c2_c4_0" : "=r"(*v), "=@cceq"(none));
        if (!none) {
            return true;
        }
    }
    return false;
}

bool random_bytes(void *buf, size_t len)
{
    uint8_t *bytes = buf;
    bool have = field(sysreg_read(id_aa64isar0_el1), 60, 4) != 0;
    uint64_t v;

    while (have && len > 0) {
        size_t n = MIN(len, sizeof(v));

        if (!rndr(&v)) {
            return false;
        }
        memcpy(bytes, &v, n);
        bytes += n;
        len -= n;
    }
    return len == 0;
}
