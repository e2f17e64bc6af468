/* The configuration hash: SHA-256 itself, the canonical form, and what must not change it. */
#include <libfdt.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"

#define G0 "/domains/guest0"

static void digests_are_those_of_openssl_at_every_length(void)
{
    uint8_t data[300], ours[SHA256_SIZE], theirs[SHA256_SIZE];
    struct sha256 h;

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 + i / 3);
    }
    for (size_t len = 0; len <= sizeof(data); len++) {
        (void)SHA256(data, len, theirs);
        sha256(data, len, ours);
        CU_ASSERT_EQUAL(memcmp(ours, theirs, sizeof(ours)), 0);
        sha256_begin(&h);
        sha256_add(&h, data, len / 3);
        sha256_add(&h, data + len / 3, len - len / 3);
        sha256_end(&h, ours);
        CU_ASSERT_EQUAL(memcmp(ours, theirs, sizeof(ours)), 0);
    }
}

static void hash_of(const void *fdt, uint32_t i, uint8_t hash[SHA256_SIZE])
{
    struct domain_config cfg;
    struct bundle b;
    char err[256] = "";

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, i, &cfg);
    config_hash(&cfg, hash);
}

/* As docs/bundle.md says it, put together by hand. */
static void the_canonical_form_is_what_the_document_says(void)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    uint8_t kernel[SHA256_SIZE], ours[SHA256_SIZE], theirs[SHA256_SIZE];
    char text[1024], hex[65];
    void *fdt = bundle_good();
    struct domain_config cfg;
    struct bundle b;
    char err[256] = "";

    CU_ASSERT_EQUAL_FATAL(bundle_open(&b, fdt, BUNDLE_ROOM, err, sizeof(err)), ABI_OK);
    bundle_domain(&b, 0, &cfg);
    (void)SHA256(cfg.kernel.data, cfg.kernel.len, kernel);
    for (unsigned int i = 0; i < SHA256_SIZE; i++) {
        snprintf(&hex[2 * i], 3, "%02x", kernel[i]);
    }
    cfg = (struct domain_config){
        .name = "g",
        .abi_version = 0x10000,
        .abi_features = 0x23,
        .peers = 1,
        .peer = {"h"},
        .memory = MiB(64),
        .vcpus = 4,
        .kernel = cfg.kernel,
        .cmdline = "",
        .weight = 100,
        .affinity = 3,
        .create_memory = UINT64_MAX,
        .create_domains = UINT32_MAX,
        .devices = 2,
        .device = {{.name = "d", .type = DEV_VIRTIO_BLK, .size = 512, .writable = true},
                   {.name = "n", .type = DEV_VIRTIO_NET, .network = "lan", .has_mac = true}},
    };
    memcpy(cfg.device[1].mac, mac, sizeof(mac));
    snprintf(text, sizeof(text),
             "cloister,domain-v1 g\nabi=1.0\nfeatures=core buffers time \npeer=h\ncc=none\n"
             "memory=67108864\nvcpus=4\nkernel=%s\naffinity=3\non-reboot=destroy\n"
             "device=d virtio-blk size=512\ndevice=n virtio-net network=lan mac=020000000009\n",
             hex);
    (void)SHA256((const uint8_t *)text, strlen(text), theirs);
    config_hash(&cfg, ours);
    CU_ASSERT_EQUAL(memcmp(ours, theirs, sizeof(ours)), 0);
    free(fdt);
}

static void each_property_counts(void)
{
    static const struct {
        const char *node, *prop, *value;
        int len;
    } changes[] = {
        {G0, "memory", "\0\0\0\0\0\x80\0\0", 8},
        {G0, "vcpus", "\0\0\0\7", 4},
        {G0, "features", "time\0buffers", 13},
        {G0, "abi", "1.1", 4},
        {G0, "peers", "beta", 5},
        {G0, "cc", "tdx", 4},
        {G0, "cmdline", "quiet", 6},
        {G0, "weight", "\0\0\0\3", 4},
        {G0, "affinity", "\0\0\0\0\0\0\0\1", 8},
        {"/images/vmlinuz", "data", "another", 7},
        {"/images/initrd", "data", "another", 7},
        {"/images/rootfs", "data", NULL, 1024},
        {G0 "/devices/net", "network", "wan", 4},
    };
    static const uint8_t zeros[1024];
    uint8_t was[SHA256_SIZE], is[SHA256_SIZE];
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), "cc", "none"), 0);
    hash_of(fdt, 0, was);
    for (unsigned int i = 0; i < ARRAY_SIZE(changes); i++) {
        void *other = malloc(BUNDLE_ROOM);

        memcpy(other, fdt, BUNDLE_ROOM);
        CU_ASSERT_EQUAL_FATAL(
            fdt_setprop(other, bundle_node(other, changes[i].node), changes[i].prop,
                        changes[i].value != NULL ? (const void *)changes[i].value : zeros,
                        changes[i].len),
            0);
        hash_of(other, 0, is);
        CU_ASSERT_NOT_EQUAL(memcmp(was, is, sizeof(is)), 0);
        free(other);
    }
    free(fdt);
}

static void a_realms_own_properties_count(void)
{
    uint8_t was[SHA256_SIZE], is[SHA256_SIZE];
    void *fdt = bundle_good();

    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), "cc", "cca"), 0);
    hash_of(fdt, 0, was);
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), "cca-hash", "sha-512"), 0);
    hash_of(fdt, 0, is);
    CU_ASSERT_EQUAL(memcmp(was, is, sizeof(is)), 0);
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, bundle_node(fdt, G0), "cca-hash", "sha-256"), 0);
    hash_of(fdt, 0, is);
    CU_ASSERT_NOT_EQUAL(memcmp(was, is, sizeof(is)), 0);
    free(fdt);
}

static void a_tds_own_identities_count(void)
{
    static const uint8_t mr[TDX_MR_SIZE] = {1};
    struct domain_config cfg = {.name = "g", .cmdline = "", .cc = CC_TDX};
    uint8_t was[SHA256_SIZE], is[SHA256_SIZE];

    config_hash(&cfg, was);
    for (unsigned int i = 0; i < ARRAY_SIZE(cfg.tdx.mr); i++) {
        cfg.tdx.mr[i] = (struct blob){mr, sizeof(mr)};
        config_hash(&cfg, is);
        CU_ASSERT_NOT_EQUAL(memcmp(was, is, sizeof(is)), 0);
        memcpy(was, is, sizeof(was));
    }
}

static void what_says_no_more_than_the_default_changes_nothing(void)
{
    static const char all[] = "evidence\0time\0console\0sharing\0events\0buffers";
    uint8_t was[SHA256_SIZE], is[SHA256_SIZE];
    void *fdt = bundle_good();
    int node;

    CU_ASSERT_EQUAL(fdt_delprop(fdt, bundle_node(fdt, G0), "weight"), 0);
    hash_of(fdt, 0, was);
    node = bundle_node(fdt, G0);
    CU_ASSERT_EQUAL(fdt_setprop_u32(fdt, node, "weight", 100), 0);
    CU_ASSERT_EQUAL(fdt_setprop(fdt, node, "features", all, sizeof(all)), 0);
    hash_of(fdt, 0, is);
    CU_ASSERT_EQUAL(memcmp(was, is, sizeof(is)), 0);
    free(fdt);
}

static const struct cu_test tests[] = {
    CU(digests_are_those_of_openssl_at_every_length),
    CU(the_canonical_form_is_what_the_document_says),
    CU(each_property_counts),
    CU(a_realms_own_properties_count),
    CU(a_tds_own_identities_count),
    CU(what_says_no_more_than_the_default_changes_nothing),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_config", tests, argc, argv);
}
