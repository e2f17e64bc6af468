/* The snp- properties of a domain: what is read, and each rule broken by name. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"

#define G0 "/domains/guest0"

static void must(bool ok)
{
    CU_ASSERT_TRUE_FATAL(ok);
}

static void image(void *fdt, const char *name, size_t len)
{
    static const uint8_t bytes[4096] = {0x77};
    int node = fdt_add_subnode(fdt, bundle_node(fdt, "/images"), name);

    must(node >= 0 && fdt_setprop(fdt, node, "data", bytes, (int)len) == 0);
}

static void set(void *fdt, const char *prop, const void *value, size_t len)
{
    must(fdt_setprop(fdt, bundle_node(fdt, G0), prop, value, (int)len) == 0);
}

static void text(void *fdt, const char *prop, const char *value)
{
    set(fdt, prop, value, strlen(value) + 1);
}

/* A good sev-snp domain with all of the properties. */
static void *full(void)
{
    uint64_t policy = cpu_to_fdt64(0xb0000);
    void *fdt = bundle_good();

    image(fdt, "host", 32);
    image(fdt, "block", 96);
    image(fdt, "auth", 4096);
    image(fdt, "certs", 100);
    set(fdt, "snp-policy", &policy, sizeof(policy));
    text(fdt, "snp-host-data", "host");
    text(fdt, "snp-id-block", "block");
    text(fdt, "snp-id-auth", "auth");
    set(fdt, "snp-author-key", NULL, 0);
    text(fdt, "snp-certs", "certs");
    return fdt;
}

static void expect(void *fdt, const char *message)
{
    char err[256] = "";

    CU_ASSERT_EQUAL(bundle_try(fdt, fdt_totalsize(fdt), err), ABI_BAD_FORMAT);
    cu_says(err, message);
    free(fdt);
}

static void read_domain(const void *fdt, struct domain_config *cfg)
{
    struct bundle b;
    char err[256];

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, fdt_totalsize(fdt), err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, cfg);
}

static void every_property_is_read(void)
{
    void *fdt = full();
    struct domain_config cfg;

    read_domain(fdt, &cfg);
    CU_ASSERT_EQUAL(cfg.snp.policy, 0xb0000);
    CU_ASSERT(cfg.snp.host_data.len == 32 && cfg.snp.host_data.data[0] == 0x77);
    CU_ASSERT(cfg.snp.id_block.len == 96 && cfg.snp.id_auth.len == 4096);
    CU_ASSERT_TRUE(cfg.snp.author_key);
    CU_ASSERT_EQUAL(cfg.snp.certs.len, 100);
    free(fdt);
}

static void a_domain_that_says_nothing_has_the_default_policy(void)
{
    void *fdt = bundle_good();
    struct domain_config cfg;

    read_domain(fdt, &cfg);
    CU_ASSERT_EQUAL(cfg.snp.policy, SNP_POLICY_DEFAULT);
    CU_ASSERT(cfg.snp.host_data.len == 0 && cfg.snp.id_block.len == 0 && cfg.snp.certs.len == 0);
    CU_ASSERT_FALSE(cfg.snp.author_key);
    free(fdt);
}

static void reserved_policy_bits_are_refused(void)
{
    static const struct {
        uint64_t policy;
        const char *message;
    } bad[] = {
        {0x10000, "domains/guest0: snp-policy: 10000: bit 17 must be set, and bits 63 to 26 not"},
        {0x4030000, "domains/guest0: snp-policy: 4030000: bit 17 must be set, and bits 63 to 26 "
                    "not"},
        {1ull << 63 | 0x30000, "domains/guest0: snp-policy: 8000000000030000: bit 17 must be set, "
                               "and bits 63 to 26 not"},
    };
    void *fdt;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t policy = cpu_to_fdt64(bad[i].policy);

        fdt = full();
        set(fdt, "snp-policy", &policy, sizeof(policy));
        expect(fdt, bad[i].message);
    }
    fdt = full();
    set(fdt, "snp-policy", "1234", 4);
    expect(fdt, "domains/guest0: snp-policy: 4 bytes, not two cells");
}

static void images_of_the_wrong_size_are_refused(void)
{
    void *fdt = full();

    text(fdt, "snp-host-data", "block");
    expect(fdt, "domains/guest0: snp-host-data: the image has 96 bytes, not 32");
    fdt = full();
    text(fdt, "snp-id-block", "host");
    expect(fdt, "domains/guest0: snp-id-block: the image has 32 bytes, not 96");
    fdt = full();
    text(fdt, "snp-id-auth", "host");
    expect(fdt, "domains/guest0: snp-id-auth: the image has 32 bytes, not 4096");
    fdt = full();
    image(fdt, "tiny", 23);
    text(fdt, "snp-certs", "tiny");
    expect(fdt, "domains/guest0: snp-certs: the image has 23 bytes, not 24 to 262144");
    fdt = full();
    text(fdt, "snp-certs", "nowhere");
    expect(fdt, "domains/guest0: snp-certs: there is no image 'nowhere'");
}

static void remove_prop(void *fdt, const char *prop)
{
    must(fdt_delprop(fdt, bundle_node(fdt, G0), prop) == 0);
}

static void block_authentication_and_author_go_together(void)
{
    void *fdt = full();

    remove_prop(fdt, "snp-id-block");
    expect(fdt, "domains/guest0: snp-id-block and snp-id-auth go together");
    fdt = full();
    remove_prop(fdt, "snp-id-auth");
    expect(fdt, "domains/guest0: snp-id-block and snp-id-auth go together");
    fdt = full();
    remove_prop(fdt, "snp-id-auth");
    remove_prop(fdt, "snp-id-block");
    expect(fdt, "domains/guest0: snp-author-key: only with snp-id-auth");
}

static void they_are_for_sev_snp_alone(void)
{
    void *fdt = full();

    text(fdt, "cc", "none");
    expect(fdt, "domains/guest0: snp-policy: only with cc = \"sev-snp\"");
    fdt = full();
    text(fdt, "cc", "tdx");
    remove_prop(fdt, "snp-policy");
    expect(fdt, "domains/guest0: snp-host-data: only with cc = \"sev-snp\"");
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_property_is_read),
        CU(a_domain_that_says_nothing_has_the_default_policy),
        CU(reserved_policy_bits_are_refused),
        CU(images_of_the_wrong_size_are_refused),
        CU(block_authentication_and_author_go_together),
        CU(they_are_for_sev_snp_alone),
        CU_END,
    };

    return cu_main("domain_snp", tests, argc, argv);
}
