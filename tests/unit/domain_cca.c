/* The cca- properties of a domain: what is read, and each rule broken by name. */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"

#define G0 "/domains/guest0"

static void image(void *fdt, const char *name, size_t len)
{
    static const uint8_t bytes[65] = {0x77, 1};
    int node = fdt_add_subnode(fdt, bundle_node(fdt, "/images"), name);

    CU_ASSERT_TRUE_FATAL(node >= 0);
    CU_ASSERT_EQUAL_FATAL(fdt_setprop(fdt, node, "data", bytes, (int)len), 0);
}

static void text(void *fdt, const char *prop, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), prop, value), 0);
}

static void *realm(void)
{
    void *fdt = bundle_good();

    text(fdt, "cc", "cca");
    return fdt;
}

static void expect(void *fdt, const char *message)
{
    char err[256] = "";

    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, message);
    free(fdt);
}

static void read_it(const void *fdt, struct domain_config *cfg)
{
    struct bundle b;
    char err[256] = "";

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, fdt_totalsize(fdt), err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, cfg);
}

static void both_are_read(void)
{
    void *fdt = realm();
    struct domain_config cfg;

    image(fdt, "rpv", 64);
    text(fdt, "cca-rpv", "rpv");
    text(fdt, "cca-hash", "sha-256");
    read_it(fdt, &cfg);
    CU_ASSERT(cfg.cca.rpv.len == 64 && cfg.cca.rpv.data[0] == 0x77);
    CU_ASSERT_EQUAL(cfg.cca.hash, CCA_SHA_256);
    text(fdt, "cca-hash", "sha-512");
    read_it(fdt, &cfg);
    CU_ASSERT_EQUAL(cfg.cca.hash, CCA_SHA_512);
    free(fdt);
}

static void without_them_it_is_zeros_and_sha_512(void)
{
    void *fdt = realm();
    struct domain_config cfg;

    read_it(fdt, &cfg);
    CU_ASSERT_EQUAL(cfg.cca.rpv.len, 0);
    CU_ASSERT_EQUAL(cfg.cca.hash, CCA_SHA_512);
    free(fdt);
}

static void a_value_of_another_size_is_refused(void)
{
    static const struct {
        size_t len;
        const char *message;
    } cases[] = {
        {63, "domains/guest0: cca-rpv: the image has 63 bytes, not 64"},
        {65, "domains/guest0: cca-rpv: the image has 65 bytes, not 64"},
    };

    for (size_t i = 0; i < 2; i++) {
        void *fdt = realm();

        image(fdt, "rpv", cases[i].len);
        text(fdt, "cca-rpv", "rpv");
        expect(fdt, cases[i].message);
    }
}

static void a_value_that_is_nowhere_is_refused(void)
{
    void *fdt = realm();

    text(fdt, "cca-rpv", "nowhere");
    expect(fdt, "domains/guest0: cca-rpv: there is no image 'nowhere'");
}

static void other_hashes_are_refused(void)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"sha-384", "domains/guest0: cca-hash: 'sha-384' is neither sha-256 nor sha-512"},
        {"", "domains/guest0: cca-hash: '' is neither sha-256 nor sha-512"},
        {"sha-5120", "domains/guest0: cca-hash: 'sha-5120' is neither sha-256 nor sha-512"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *fdt = realm();

        text(fdt, "cca-hash", cases[i].name);
        expect(fdt, cases[i].message);
    }
}

static void they_are_for_realms_alone(void)
{
    static const char *const kinds[] = {"none", "sev-snp", "tdx"};

    for (size_t i = 0; i < 3; i++) {
        void *fdt = bundle_good();

        text(fdt, "cc", kinds[i]);
        text(fdt, "cca-hash", "sha-512");
        expect(fdt, "domains/guest0: cca-hash: only with cc = \"cca\"");
        fdt = bundle_good();
        text(fdt, "cc", kinds[i]);
        image(fdt, "rpv", 64);
        text(fdt, "cca-rpv", "rpv");
        expect(fdt, "domains/guest0: cca-rpv: only with cc = \"cca\"");
    }
}

static const struct cu_test tests[] = {
    CU(both_are_read),
    CU(without_them_it_is_zeros_and_sha_512),
    CU(a_value_of_another_size_is_refused),
    CU(a_value_that_is_nowhere_is_refused),
    CU(other_hashes_are_refused),
    CU(they_are_for_realms_alone),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_cca", tests, argc, argv);
}
