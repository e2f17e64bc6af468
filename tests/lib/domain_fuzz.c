#include "domain_fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "hv/check.h"
#include "hv/layout.h"

const uint8_t *fuzz_good;
size_t fuzz_good_len;

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
    if (seed % 8 == 0 && max >= fuzz_good_len) {
        memcpy(data, fuzz_good, fuzz_good_len);
        size = fuzz_good_len;
    }
    return LLVMFuzzerMutate(data, size, max);
}

/* Cleared pages may be a part of what a kernel has no bytes for. */
static uint64_t end_of(const struct piece *q, const struct piece *other)
{
    return other->kind == PIECE_ZERO ? piece_launched_end(q) : q->at + q->span;
}

static void check_pieces(const struct layout *l, uint64_t ram_end)
{
    static volatile uint8_t sum;

    for (uint32_t i = 0; i < l->pieces; i++) {
        const struct piece *q = &l->piece[i];

        CHECK(q->span != 0 && q->len <= q->span);
        CHECK(q->span <= ram_end && q->at <= ram_end - q->span);
        for (uint32_t j = 0; j < i; j++) {
            const struct piece *o = &l->piece[j];

            CHECK(q->at >= end_of(o, q) || o->at >= end_of(q, o));
        }
        for (uint64_t n = 0; n < q->len; n++) {
            sum += q->data[n];
        }
    }
}

void fuzz_kernel(const uint8_t *data, size_t size, size_t at, const void *magic, size_t magic_len)
{
    static const uint64_t sizes[] = {MiB(2), MiB(64), GiB(3), GiB(5)};
    struct domain_config cfg = {.name = "g", .vcpus = 1, .cmdline = "x"};
    struct layout l;
    char err[200] = "";
    uint8_t *kernel, *scratch;

    if (size < 1 + at + magic_len) {
        return;
    }
    kernel = malloc(size - 1);
    scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
    memcpy(kernel, data + 1, size - 1);
    memcpy(kernel + at, magic, magic_len);
    cfg.memory = sizes[data[0] & 3];
    cfg.kernel = (struct blob){kernel, size - 1};
    if ((data[0] & 4) != 0) {
        cfg.ramdisk = cfg.kernel;
    }
    if ((data[0] & 8) != 0) {
        cfg.cc = CC_SEV_SNP;
        cfg.c_bit = 47;
    }
    if (layout_domain(&cfg, scratch, &l, err, sizeof(err)) == ABI_OK) {
        check_pieces(&l, cfg.memory < GiB(3) ? cfg.memory : GiB(3));
    } else {
        CHECK(strncmp(err, "g: ", 3) == 0);
    }
    free(scratch);
    free(kernel);
}
