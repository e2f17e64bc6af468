/*
 * A bundle that the input has changed: each three bytes of it are an offset and a new byte there.
 * It is refused with a reason, or read into a description that is complete.
 */
#include "bundle.h"

#include <libfdt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_text(void *fdt, const char *name, const char *const *texts)
{
    fdt_begin_node(fdt, name);
    for (; texts[0] != NULL; texts += 2) {
        fdt_property_string(fdt, texts[0], texts[1]);
    }
}

static void add_domain(void *fdt)
{
    static const char *const domain[] = {
        "compatible", "cloister,domain-v1", "abi",     "1.0", "cc", "tdx", "kernel", "k", "cmdline",
        "quiet",      "on-reboot",          "destroy", NULL};
    static const char *const blk[] = {"type", "virtio-blk", "image", "k", NULL};
    static const char *const net[] = {"type", "virtio-net", "network", "lan", NULL};

    add_text(fdt, "guest0", domain);
    fdt_property_u64(fdt, "memory", 2u << 20);
    fdt_property_u32(fdt, "vcpus", 2);
    fdt_property_u64(fdt, "affinity", 1);
    fdt_begin_node(fdt, "devices");
    add_text(fdt, "disk", blk);
    fdt_end_node(fdt);
    add_text(fdt, "net", net);
    fdt_property(fdt, "mac", "\2\0\0\0\0\1", 6);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

static size_t make_bundle(uint8_t *fdt, int room)
{
    static const uint8_t image[512];

    fdt_create(fdt, room);
    fdt_finish_reservemap(fdt);
    fdt_begin_node(fdt, "");
    fdt_property_string(fdt, "compatible", "cloister,bundle-v1");
    fdt_begin_node(fdt, "images");
    fdt_begin_node(fdt, "k");
    fdt_property(fdt, "data", image, sizeof(image));
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "domains");
    add_domain(fdt);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    return fdt_finish(fdt) == 0 ? fdt_totalsize(fdt) : 0;
}

static void read_it(const uint8_t *bytes, size_t size, bool must_be_good)
{
    struct bundle_error error = {{0}};
    json_t *description = bundle_read(bytes, size, &error);

    if (description == NULL) {
        if (error.text[0] == '\0' || must_be_good) {
            abort();
        }
        return;
    }
    if (json_object_size(json_object_get(description, "domains")) == 0) {
        abort();
    }
    json_decref(description);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[4096] __attribute__((aligned(8)));
    size_t length = make_bundle(room, sizeof(room));
    uint8_t *bytes = malloc(length);

    if (bytes == NULL || length == 0) {
        abort();
    }
    memcpy(bytes, room, length);
    for (size_t i = 0; i + 2 < size; i += 3) {
        bytes[(data[i] | (size_t)data[i + 1] << 8) % length] = data[i + 2];
    }
    read_it(bytes, length, size < 3);
    free(bytes);
    return 0;
}
