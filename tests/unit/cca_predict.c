/*
 * A realm's RIM, predicted from a bundle: the RMM, given the commands that the prediction names,
 * measures the same. Two implementations of the specification, and one layout.
 */
#include <cloister/predict.h>

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/cloister/attest_measure_rim.h"
#include "cca_realm.h"
#include "cu.h"

#define IMAGE_LEN 0x2345u
#define ROOM      65536

static uint8_t kernel[IMAGE_LEN], ramdisk[3000], rpv[64];
static struct {
    uint64_t memory;
    uint32_t vcpus;
    const char *hash, *cmdline;
    bool personalized;
} domain;
static unsigned int next_page, commands[4];

/* Linux, booting.rst: text_offset 8, image_size 16, magic 56. */
static void setup(void)
{
    const uint64_t size = 0x10000;

    for (unsigned int i = 0; i < IMAGE_LEN; i++) {
        kernel[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    memset(kernel, 0, 64);
    memcpy(kernel + 16, &size, sizeof(size));
    memcpy(kernel + 56, "ARM\x64", 4);
    memset(ramdisk, 0x5a, sizeof(ramdisk));
    memset(rpv, 0x77, sizeof(rpv));
    domain.memory = 4 * SIZE_2M;
    domain.vcpus = 2;
    domain.hash = NULL;
    domain.cmdline = "quiet";
    domain.personalized = false;
}

static int node(void *fdt, int parent, const char *name)
{
    int n = fdt_add_subnode(fdt, parent, name);

    CU_ASSERT_TRUE_FATAL(n >= 0);
    return n;
}

static void image(void *fdt, const char *name, const void *p, size_t len)
{
    int n = node(fdt, fdt_path_offset(fdt, "/images"), name);

    CU_ASSERT_EQUAL_FATAL(fdt_setprop(fdt, n, "data", p, (int)len), 0);
}

static void text(void *fdt, const char *prop, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(
        fdt_setprop_string(fdt, fdt_path_offset(fdt, "/domains/g"), prop, value), 0);
}

static void *bundle(void)
{
    void *fdt = aligned_alloc(8, ROOM);
    int g;

    CU_ASSERT_EQUAL_FATAL(fdt_create_empty_tree(fdt, ROOM), 0);
    CU_ASSERT_EQUAL(fdt_setprop_string(fdt, 0, "compatible", "cloister,bundle-v1"), 0);
    node(fdt, 0, "images");
    g = node(fdt, node(fdt, 0, "domains"), "g");
    CU_ASSERT_EQUAL(fdt_setprop_u64(fdt, g, "memory", domain.memory), 0);
    CU_ASSERT_EQUAL(fdt_setprop_u32(fdt, g, "vcpus", domain.vcpus), 0);
    image(fdt, "k", kernel, sizeof(kernel));
    image(fdt, "r", ramdisk, sizeof(ramdisk));
    text(fdt, "compatible", "cloister,domain-v1");
    text(fdt, "abi", "1.0");
    text(fdt, "cc", "cca");
    text(fdt, "kernel", "k");
    text(fdt, "ramdisk", "r");
    text(fdt, "cmdline", domain.cmdline);
    if (domain.hash != NULL) {
        text(fdt, "cca-hash", domain.hash);
    }
    if (domain.personalized) {
        image(fdt, "p", rpv, sizeof(rpv));
        text(fdt, "cca-rpv", "p");
    }
    return fdt;
}

static struct realm_measures predicted(void)
{
    void *fdt = bundle();
    struct realm_measures m;
    char why[256] = "";

    memset(&m, 0, sizeof(m));
    CU_ASSERT(domain_rim(fdt, ROOM, "g", &m, why, sizeof(why)));
    CU_ASSERT_STRING_EQUAL(why, "");
    free(fdt);
    return m;
}

/* ---- the same by the RMM ---- */

static const struct predict_rmi *realm;

static void as_predicted(struct rmi_realm_params *p)
{
    p->s2sz = realm->realm.s2sz;
    p->num_bps = realm->realm.num_bps;
    p->num_wps = realm->realm.num_wps;
    p->hash_algo = realm->realm.hash_algo;
    memcpy(p->rpv, realm->realm.rpv, sizeof(p->rpv));
}

/* Tables of levels from + 1 to `to`, as far as they are missing. */
static void add_tables(uint64_t ipa, unsigned int from, unsigned int to)
{
    for (unsigned int level = from + 1; level <= to; level++) {
        CU_ASSERT_EQUAL(cca_delegate(next_page), RMI_SUCCESS);
        CU_ASSERT_EQUAL(CALL(RMI_RTT_CREATE, P(RD), P(next_page),
                             ALIGN_DOWN(ipa, BIT(12 + 9 * (4 - level))), level),
                        RMI_SUCCESS);
        next_page++;
    }
}

static void init_ripas(uint64_t base, uint64_t top)
{
    while (base < top) {
        uint64_t code = CALL(RMI_RTT_INIT_RIPAS, P(RD), base, top);

        if (code == RMI_SUCCESS) {
            base = cca_last.x[1];
        } else {
            CU_ASSERT_EQUAL_FATAL(RMI_STATUS(code), RMI_ERROR_RTT);
            add_tables(base, RMI_INDEX(code), RMI_INDEX(code) + 1);
        }
    }
}

static void create_data(uint64_t ipa, const uint8_t *content)
{
    unsigned int data = next_page++;
    uint64_t code;

    memcpy(cca_bytes(P(SRC)), content, GRANULE_SIZE);
    CU_ASSERT_EQUAL(cca_delegate(data), RMI_SUCCESS);
    code = cca_rmi5(RMI_DATA_CREATE, P(RD), P(data), ipa, P(SRC), RMI_MEASURE_CONTENT);
    if (RMI_STATUS(code) == RMI_ERROR_RTT) {
        add_tables(ipa, RMI_INDEX(code), 3);
        code = cca_rmi5(RMI_DATA_CREATE, P(RD), P(data), ipa, P(SRC), RMI_MEASURE_CONTENT);
    }
    CU_ASSERT_EQUAL(code, RMI_SUCCESS);
}

static void create_rec(uint64_t pc, const uint64_t gprs[8])
{
    struct rmi_rec_params *p = cca_bytes(P(PARAMS));

    CU_ASSERT_EQUAL(cca_delegate(REC), RMI_SUCCESS);
    CU_ASSERT_EQUAL(cca_delegate(AUX), RMI_SUCCESS);
    memset(p, 0, sizeof(*p));
    p->flags = RMI_REC_RUNNABLE;
    p->pc = pc;
    memcpy(p->gprs, gprs, sizeof(p->gprs));
    p->num_aux = 1;
    p->aux[0] = P(AUX);
    CU_ASSERT_EQUAL(CALL(RMI_REC_CREATE, P(RD), P(REC), P(PARAMS)), RMI_SUCCESS);
}

static bool issue(void *arg, const struct predict_rmi *c)
{
    (void)arg;
    commands[c->command]++;
    switch (c->command) {
    case PREDICT_REALM_CREATE:
        realm = c;
        CU_ASSERT_EQUAL(cca_delegate(RD), RMI_SUCCESS);
        CU_ASSERT_EQUAL(cca_delegate(ROOT), RMI_SUCCESS);
        CU_ASSERT_EQUAL_FATAL(cca_create_with(as_predicted), RMI_SUCCESS);
        break;
    case PREDICT_RTT_INIT_RIPAS:
        init_ripas(c->ripas.base, c->ripas.top);
        break;
    case PREDICT_DATA_CREATE:
        create_data(c->data.ipa, c->data.content);
        break;
    case PREDICT_REC_CREATE:
        create_rec(c->rec.pc, c->rec.gprs);
        break;
    }
    return true;
}

static const struct rd *measured(void)
{
    void *fdt = bundle();
    char why[256];

    cca_host_reset();
    rmm_realm_reset();
    next_page = 16;
    memset(commands, 0, sizeof(commands));
    CU_ASSERT(predict_cca(fdt, ROOM, NULL, issue, NULL, why, sizeof(why)));
    free(fdt);
    return cca_bytes(P(RD));
}

static bool alike(void)
{
    struct realm_measures m = predicted();
    const struct rd *rd = measured();

    return memcmp(m.rim.value, rd->rim, sizeof(rd->rim)) == 0 &&
           memcmp(m.personalization, rd->rpv, sizeof(rd->rpv)) == 0;
}

static void the_rmm_measures_what_was_predicted(void)
{
    setup();
    CU_ASSERT(alike());
    CU_ASSERT_EQUAL(commands[PREDICT_REALM_CREATE], 1);
    CU_ASSERT_EQUAL(commands[PREDICT_RTT_INIT_RIPAS], 1);
    CU_ASSERT_EQUAL(commands[PREDICT_DATA_CREATE], 3 + 1 + 8); /* kernel, ramdisk, Device Tree */
    CU_ASSERT_EQUAL(commands[PREDICT_REC_CREATE], 1);
    domain.hash = "sha-256";
    CU_ASSERT(alike());
    CU_ASSERT_EQUAL(attest_hash_size(predicted().rim.hash), 32);
}

/* Whole GiB are one entry, the rest is by 2 MiB; above the devices it goes on at 4 GiB. */
static void memory_counts_by_the_largest_entries(void)
{
    static const uint64_t sizes[] = {GiB(1), GiB(1) + 3 * SIZE_2M, GiB(3), GiB(5) + SIZE_2M};

    setup();
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        domain.memory = sizes[i];
        CU_ASSERT(alike());
    }
    CU_ASSERT_EQUAL(commands[PREDICT_RTT_INIT_RIPAS], 2);
}

static void everything_counts_but_the_personalisation_value(void)
{
    struct realm_measures first, other;

    setup();
    first = predicted();
    domain.personalized = true;
    CU_ASSERT(alike());
    other = predicted();
    CU_ASSERT_EQUAL(memcmp(&first.rim, &other.rim, sizeof(first.rim)), 0);
    CU_ASSERT_EQUAL(other.personalization[63], 0x77);
    setup();
    domain.vcpus = 3;
    other = predicted();
    CU_ASSERT_NOT_EQUAL(memcmp(&first.rim, &other.rim, sizeof(first.rim)), 0);
    setup();
    domain.cmdline = "quiet ";
    other = predicted();
    CU_ASSERT_NOT_EQUAL(memcmp(&first.rim, &other.rim, sizeof(first.rim)), 0);
    setup();
    ramdisk[sizeof(ramdisk) - 1] ^= 1;
    other = predicted();
    CU_ASSERT_NOT_EQUAL(memcmp(&first.rim, &other.rim, sizeof(first.rim)), 0);
}

static void what_cannot_be_laid_out_is_named(void)
{
    struct realm_measures m;
    char why[256];
    void *fdt;

    setup();
    kernel[56] = 0;
    fdt = bundle();
    CU_ASSERT_FALSE(domain_rim(fdt, ROOM, NULL, &m, why, sizeof(why)));
    CU_ASSERT_STRING_EQUAL(why, "g: kernel: not an arm64 Image");
    CU_ASSERT_FALSE(domain_rim(fdt, ROOM, "h", &m, why, sizeof(why)));
    CU_ASSERT_STRING_EQUAL(why, "h: no such domain in the bundle");
    free(fdt);
}

static const struct cu_test tests[] = {
    CU(the_rmm_measures_what_was_predicted),
    CU(memory_counts_by_the_largest_entries),
    CU(everything_counts_but_the_personalisation_value),
    CU(what_cannot_be_laid_out_is_named),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("cca_predict", tests, argc, argv);
}
