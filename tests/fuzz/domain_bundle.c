/* Any bytes as a bundle: it opens and every domain reads and lays out, or it says why not. */
#include <libfdt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/domain_fuzz.h"
#include "../lib/domain_host.h"
#include "hv/check.h"
#include "hv/layout.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t *good = bundle_good();

    (void)argc;
    (void)argv;
    CHECK(fdt_pack(good) == 0);
    fuzz_good = good;
    fuzz_good_len = fdt_totalsize(good);
    return 0;
}

static void lay_out(const struct bundle *b, uint32_t i)
{
    struct domain_config cfg;
    struct layout l;
    char err[200];
    void *scratch = calloc(1, LAYOUT_SCRATCH_SIZE);

    bundle_domain(b, i, &cfg);
    CHECK(cfg.vcpus >= 1 && cfg.vcpus <= DOMAIN_VCPUS_MAX && cfg.kernel.len != 0);
    CHECK(cfg.devices <= DOMAIN_DEVICES_MAX && strlen(cfg.cmdline) <= CMDLINE_MAX_LEN);
    config_hash(&cfg, cfg.hash);
    if (layout_domain(&cfg, scratch, &l, err, sizeof(err)) != ABI_OK) {
        CHECK(err[0] != '\0');
    }
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    struct bundle b;
    char err[200] = "";

    memcpy(copy, data, size);
    if (bundle_open(&b, copy, size, err, sizeof(err)) == ABI_OK) {
        for (uint32_t i = 0; i < b.domains; i++) {
            lay_out(&b, i);
        }
    } else {
        CHECK(err[0] != '\0');
    }
    free(copy);
    return 0;
}
