/* The tdx- properties of a domain: what is read, and each rule broken by name. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"

#define G0 "/domains/guest0"

static const char *const names[] = {"tdx-mrconfigid", "tdx-mrowner", "tdx-mrownerconfig"};

static void image(void *fdt, const char *name, uint8_t first, size_t len)
{
    const uint8_t bytes[49] = {first, 1};
    int node = fdt_add_subnode(fdt, bundle_node(fdt, "/images"), name);

    CU_ASSERT_TRUE_FATAL(node >= 0);
    CU_ASSERT_EQUAL_FATAL(fdt_setprop(fdt, node, "data", bytes, (int)len), 0);
}

static void text(void *fdt, const char *prop, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), prop, value), 0);
}

static void *td(void)
{
    void *fdt = bundle_good();

    text(fdt, "cc", "tdx");
    return fdt;
}

static void expect(void *fdt, const char *property, const char *rule)
{
    char err[256] = "", want[256];

    snprintf(want, sizeof(want), "domains/guest0: %s: %s", property, rule);
    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(err, want);
    free(fdt);
}

static void each_is_read_where_it_belongs(void)
{
    void *fdt = td();
    char err[256] = "";
    struct domain_config cfg;
    struct bundle b;

    for (uint8_t i = 0; i < 3; i++) {
        image(fdt, names[i], (uint8_t)(0x70 + i), TDX_MR_SIZE);
        text(fdt, names[i], names[i]);
    }
    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, fdt_totalsize(fdt), err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &cfg);
    for (uint8_t i = 0; i < 3; i++) {
        CU_ASSERT(cfg.tdx.mr[i].len == TDX_MR_SIZE && cfg.tdx.mr[i].data[0] == 0x70 + i);
    }
    free(fdt);
}

static void without_them_there_are_none(void)
{
    void *fdt = td();
    char err[256] = "";
    struct domain_config cfg;
    struct bundle b;

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, fdt_totalsize(fdt), err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &cfg);
    for (unsigned int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(cfg.tdx.mr[i].len, 0);
    }
    free(fdt);
}

static void another_size_and_no_image_are_refused(void)
{
    for (unsigned int i = 0; i < 3; i++) {
        void *fdt = td();

        image(fdt, "mr", 1, 47);
        text(fdt, names[i], "mr");
        expect(fdt, names[i], "the image has 47 bytes, not 48");
        fdt = td();
        image(fdt, "mr", 1, 49);
        text(fdt, names[i], "mr");
        expect(fdt, names[i], "the image has 49 bytes, not 48");
        fdt = td();
        text(fdt, names[i], "nowhere");
        expect(fdt, names[i], "there is no image 'nowhere'");
    }
}

static void they_are_for_tds_alone(void)
{
    static const char *const kinds[] = {"none", "sev-snp", "cca"};

    for (unsigned int i = 0; i < 3; i++) {
        void *fdt = bundle_good();

        text(fdt, "cc", kinds[i]);
        image(fdt, "mr", 1, TDX_MR_SIZE);
        text(fdt, names[i], "mr");
        expect(fdt, names[i], "only with cc = \"tdx\"");
    }
}

static const struct cu_test tests[] = {
    CU(each_is_read_where_it_belongs),
    CU(without_them_there_are_none),
    CU(another_size_and_no_image_are_refused),
    CU(they_are_for_tds_alone),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_tdx_props", tests, argc, argv);
}
