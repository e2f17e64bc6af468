#include "bundle.h"
#include "cu.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char image_file[80];
static struct bundle_error error;

#define DOMAIN(members)                                                                            \
    "{\"images\":{\"k\":\"%s\"},\"domains\":{\"g\":{\"memory\":\"2M\",\"kernel\":\"k\"" members    \
    "}}}"

/* Writes a description whose %s is the path of an image of 512 bytes. */
static bool write_text(const char *format, struct bundle_blob *out)
{
    char text[4096];
    const char *path = strstr(format, "%s");
    json_t *description;
    bool good;

    snprintf(text, sizeof(text), "%.*s%s%s", (int)(path - format), format, image_file, path + 2);
    description = json_loads(text, 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(description);
    error.text[0] = '\0';
    good = bundle_write(description, "/", out, &error);
    json_decref(description);
    return good;
}

static json_t *round_trip(const char *format)
{
    struct bundle_blob blob;
    json_t *back;

    if (!write_text(format, &blob)) {
        return NULL;
    }
    back = bundle_read(blob.data, blob.size, &error);
    free(blob.data);
    return back;
}

static bool refused(const char *format, const char *node, const char *what)
{
    struct bundle_blob blob;

    if (write_text(format, &blob)) {
        free(blob.data);
        return false;
    }
    if (strstr(error.text, node) == NULL || strstr(error.text, what) == NULL) {
        fprintf(stderr, "the error was: %s\n", error.text);
        return false;
    }
    return true;
}

static const char *domain_text(const json_t *bundle, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(json_object_get(bundle, "domains"), "g"), key));
}

static void what_is_written_is_read_back(void)
{
    json_t *b = round_trip(DOMAIN(
        ",\"vcpus\":3,\"cc\":\"tdx\",\"affinity\":\"0x8000000000000001\",\"prefault\":true,"
        "\"cmdline\":\"a b\",\"devices\":{\"c\":{\"type\":\"virtio-console\"},"
        "\"d\":{\"type\":\"virtio-blk\",\"image\":\"k\",\"writable\":true},"
        "\"e\":{\"type\":\"virtio-blk\",\"size\":\"1M\"},"
        "\"n\":{\"type\":\"virtio-net\",\"network\":\"lan\",\"mac\":\"02:00:00:00:00:fe\"}}"));
    json_t *devices;

    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_STRING_EQUAL(domain_text(b, "cc"), "tdx");
    CU_ASSERT_STRING_EQUAL(domain_text(b, "affinity"), "0x8000000000000001");
    CU_ASSERT_STRING_EQUAL(domain_text(b, "cmdline"), "a b");
    devices = json_object_get(json_object_get(json_object_get(b, "domains"), "g"), "devices");
    CU_ASSERT_EQUAL(json_object_size(devices), 4);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(devices, "n"), "mac")),
                           "02:00:00:00:00:fe");
    json_decref(b);
}

static void what_is_left_out_gets_its_default(void)
{
    json_t *b = round_trip(DOMAIN(""));

    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_STRING_EQUAL(domain_text(b, "cc"), "none");
    CU_ASSERT_STRING_EQUAL(domain_text(b, "abi"), "1.0");
    CU_ASSERT_STRING_EQUAL(domain_text(b, "on-reboot"), "restart");
    json_decref(b);
}

static void impossible_values_are_refused_by_node_and_property(void)
{
    CU_ASSERT_TRUE(refused(DOMAIN(",\"vcpus\":65"), "/domains/g", "vcpus"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"vcpus\":0"), "/domains/g", "vcpus"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"vcpus\":4294967297"), "/domains/g", "vcpus"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"vcpus\":-1"), "/domains/g", "vcpus"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"weight\":10001"), "/domains/g", "weight"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"affinity\":\"0x0\""), "/domains/g", "affinity"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"affinity\":\"0x\""), "/domains/g", "affinity"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"cc\":\"sgx\""), "/domains/g", "cc"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"abi\":\"2.0\""), "/domains/g", "abi"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"on-reboot\":\"\""), "/domains/g", "on-reboot"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"ramdisk\":\"r\""), "/domains/g", "ramdisk"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"ramdisk\":\"A B\""), "/domains/g", "ramdisk"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"colour\":1"), "/domains/g", "colour"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"cmdline\":7"), "/domains/g", "cmdline"));
    CU_ASSERT_TRUE(refused("{\"images\":{\"k\":\"%s\"},\"domains\":{}}", "/domains", "no domain"));
    CU_ASSERT_TRUE(refused("{\"images\":{\"k\":\"%s\"},\"domains\":{\"G\":{}}}", "/domains", "G"));
    CU_ASSERT_TRUE(refused("{\"images\":{\"k\":\"%s\"},\"domains\":{\"g\":{\"kernel\":\"k\"}}}",
                           "/domains/g", "memory"));
    CU_ASSERT_TRUE(refused("{\"images\":{\"k\":\"%s.no\"},\"domains\":{}}", "/images/k",
                           "No such file"));
}

#define DEVICE(members) DOMAIN(",\"devices\":{\"d\":{" members "}}")

static void impossible_devices_are_refused_by_name(void)
{
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"floppy\""), "/domains/g/devices/d", "floppy"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-blk\""), "devices/d", "image or a size"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-blk\",\"size\":512,\"image\":\"k\""),
                           "devices/d", "not both"));
    CU_ASSERT_TRUE(
        refused(DEVICE("\"type\":\"virtio-blk\",\"size\":513"), "devices/d", "multiple of 512"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-blk\",\"size\":512,\"writable\":true"),
                           "devices/d", "writable"));
    CU_ASSERT_TRUE(
        refused(DEVICE("\"type\":\"virtio-blk\",\"image\":\"x\""), "devices/d", "no image"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-net\""), "devices/d", "network"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-net\",\"network\":\"l\",\"mac\":"
                                  "\"01:00:00:00:00:01\""),
                           "devices/d", "unicast"));
    CU_ASSERT_TRUE(refused(DEVICE("\"type\":\"virtio-net\",\"network\":\"l\",\"mac\":\"1:2:3\""),
                           "devices/d", "mac"));
    CU_ASSERT_TRUE(refused(DOMAIN(",\"devices\":{\"a\":{\"type\":\"virtio-console\"},"
                                  "\"b\":{\"type\":\"virtio-console\"}}"),
                           "devices/b", "second console"));
}

static void the_seventeenth_device_is_refused(void)
{
    char text[4096] = DOMAIN(",\"devices\":{");
    char *end = strstr(text, "}}}");

    for (int i = 0; i < 17; i++) {
        end += sprintf(end, "%s\"d%d\":{\"type\":\"virtio-rng\"}", i ? "," : "", i);
    }
    strcpy(end, "}}}}");
    CU_ASSERT_TRUE(refused(text, "/domains/g/devices", "more than 16"));
}

/* Every truncation and every changed byte of the structure either reads or is refused. */
static void a_damaged_tree_is_read_or_refused_but_never_overrun(void)
{
    struct bundle_blob blob;
    unsigned int refusals = 0;

    CU_ASSERT_TRUE_FATAL(
        write_text(DOMAIN(",\"devices\":{\"c\":{\"type\":\"virtio-rng\"}}"), &blob));
    for (size_t i = 0; i < blob.size; i++) {
        unsigned char *copy = malloc(blob.size);
        json_t *back;

        memcpy(copy, blob.data, blob.size);
        back = bundle_read(copy, i, &error);
        CU_ASSERT_PTR_NULL(back);
        copy[i] ^= (unsigned char)(1u << (i % 8));
        back = bundle_read(copy, blob.size, &error);
        refusals += back == NULL;
        json_decref(back);
        free(copy);
    }
    CU_ASSERT_TRUE(refusals > 100);
    free(blob.data);
}

/* A tree by hand, to say what our own writer would not. */
static json_t *read_tree(void (*fill)(void *fdt))
{
    static char fdt[8192];

    fdt_create(fdt, sizeof(fdt));
    fdt_finish_reservemap(fdt);
    fdt_begin_node(fdt, "");
    fdt_property_string(fdt, "compatible", "cloister,bundle-v1");
    fill(fdt);
    fdt_end_node(fdt);
    fdt_finish(fdt);
    return bundle_read(fdt, fdt_totalsize(fdt), &error);
}

static void fill_twice(void *fdt)
{
    fdt_begin_node(fdt, "images");
    for (int i = 0; i < 2; i++) {
        fdt_begin_node(fdt, "k");
        fdt_property(fdt, "data", "x", 1);
        fdt_end_node(fdt);
    }
    fdt_end_node(fdt);
}

static void fill_unit_address(void *fdt)
{
    fdt_begin_node(fdt, "images@1");
    fdt_end_node(fdt);
}

static void fill_binary_text(void *fdt)
{
    fdt_begin_node(fdt, "images");
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "domains");
    fdt_begin_node(fdt, "g");
    fdt_property(fdt, "cmdline", "\x1b[2J\xff\0x", 8);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

static void fill_strange_name(void *fdt)
{
    fdt_begin_node(fdt, "images");
    fdt_begin_node(fdt, "\x1b[31m");
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

static void trees_that_no_writer_makes_are_refused(void)
{
    CU_ASSERT_PTR_NULL(read_tree(fill_twice));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/images/k: is there twice"));
    CU_ASSERT_PTR_NULL(read_tree(fill_unit_address));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/images: is missing"));
    CU_ASSERT_PTR_NULL(read_tree(fill_binary_text));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/domains/g: cmdline: is not one string"));
    CU_ASSERT_PTR_NULL(read_tree(fill_strange_name));
    CU_ASSERT_PTR_NULL(strchr(error.text, '\x1b'));
}

static const struct cu_test tests[] = {
    CU(what_is_written_is_read_back),
    CU(what_is_left_out_gets_its_default),
    CU(impossible_values_are_refused_by_node_and_property),
    CU(impossible_devices_are_refused_by_name),
    CU(the_seventeenth_device_is_refused),
    CU(a_damaged_tree_is_read_or_refused_but_never_overrun),
    CU(trees_that_no_writer_makes_are_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    static const char block[512] = "image";
    FILE *f;

    snprintf(image_file, sizeof(image_file), "%s/image", cu_scratch());
    f = fopen(image_file, "wb");
    if (f == NULL || fwrite(block, sizeof(block), 1, f) != 1 || fclose(f) != 0) {
        return 2;
    }
    return cu_main("tools_bundle", tests, argc, argv);
}
