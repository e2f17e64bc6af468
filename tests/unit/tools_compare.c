/* How a bundle that was booted differs from the one that was predicted. */
#include "cu.h"
#include "run_attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static void put(const char *name, const char *text)
{
    char path[96];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", cu_scratch(), name);
    f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static const char *rpv; /* its personalisation value; NULL: none */

static void personalize(json_t *d)
{
    json_t *domain = json_object_get(json_object_get(d, "domains"), "guest0");

    put("p", rpv);
    json_object_set_new(domain, "cc", json_string("cca"));
    json_object_set_new(json_object_get(d, "images"), "rpv", json_string("p"));
    json_object_set_new(domain, "cca-rpv", json_string("rpv"));
}

static void make(struct bundle_blob *out, const char *cmdline, const char *ramdisk)
{
    struct bundle_error error;
    json_t *d;

    put("k", "kernel");
    put("r", ramdisk);
    put("d", "disk");
    d = json_pack("{s:{s:s, s:s, s:s}, s:{s:{s:s, s:i, s:s, s:s, s:s}}}", "images", "kern", "k",
                  "ram", "r", "disk", "d", "domains", "guest0", "cc", "sev-snp", "memory",
                  256 << 20, "kernel", "kern", "ramdisk", "ram", "cmdline", cmdline);
    if (rpv != NULL) {
        personalize(d);
    }
    CU_ASSERT_FATAL(bundle_write(d, cu_scratch(), out, &error));
    json_decref(d);
}

static const char *compare(const struct bundle_blob *a, const struct bundle_blob *b)
{
    static char text[200];

    bundle_compare(a->data, a->size, b->data, b->size, "guest0", text, sizeof(text));
    return text;
}

static const char *compared(const char *cmdline, const char *ramdisk)
{
    struct bundle_blob a;
    struct bundle_blob b;
    const char *text;

    make(&a, "quiet", "a ramdisk");
    make(&b, cmdline, ramdisk);
    text = compare(&a, &b);
    free(a.data);
    free(b.data);
    return text;
}

static void a_changed_bit_is_named_with_its_image_and_place(void)
{
    CU_ASSERT_STRING_EQUAL(compared("quiet", "a ramdisj"),
                           "the ramdisk (image 'ram') differs in 1 bit, first at byte 8 of 9");
    CU_ASSERT_STRING_EQUAL(compared("quiet", "A rAmdisk"),
                           "the ramdisk (image 'ram') differs in 2 bits, first at byte 0 of 9");
}

static void another_length_is_named(void)
{
    CU_ASSERT_STRING_EQUAL(compared("quiet", "a ramdisk!"),
                           "the ramdisk (image 'ram') is another: 10 bytes in place of 9");
}

static void a_changed_command_line_is_named(void)
{
    CU_ASSERT_STRING_EQUAL(compared("quieT", "a ramdisk"),
                           "its cmdline differs in 1 bit, first at byte 4 of 6");
}

#define SIXTY "000000000000000000000000000000000000000000000000000000000000"

static void a_changed_personalisation_value_is_named(void)
{
    struct bundle_blob a;
    struct bundle_blob b;

    rpv = SIXTY "1234";
    make(&a, "quiet", "a ramdisk");
    rpv = SIXTY "1235";
    make(&b, "quiet", "a ramdisk");
    rpv = NULL;
    CU_ASSERT_STRING_EQUAL(compare(&a, &b),
                           "the cca-rpv (image 'rpv') differs in 1 bit, first at byte 63 of 64");
    free(b.data);
    make(&b, "quiet", "a ramdisk");
    CU_ASSERT_STRING_EQUAL(compare(&a, &b), "its cca-rpv is missing");
    CU_ASSERT_STRING_EQUAL(compare(&b, &a), "its cca-rpv was not there");
    free(a.data);
    free(b.data);
}

static void bundles_that_are_alike_are_called_so(void)
{
    CU_ASSERT_STRING_EQUAL(compared("quiet", "a ramdisk"),
                           "the bundles are alike, so the launch was another one");
}

static void what_is_no_bundle_is_called_so(void)
{
    struct bundle_blob a;
    struct bundle_blob b = {.data = (void *)(uintptr_t) "no tree", .size = 7};

    make(&a, "quiet", "a ramdisk");
    CU_ASSERT_STRING_EQUAL(compare(&a, &b), "what was booted is no bundle");
    for (b = a; b.size > 0; b.size--) { /* every truncation, and no read beyond it */
        struct bundle_blob copy = {.data = malloc(b.size - 1), .size = b.size - 1};

        memcpy(copy.data, a.data, copy.size);
        CU_ASSERT_STRING_EQUAL(compare(&a, &copy), "what was booted is no bundle");
        free(copy.data);
    }
    free(a.data);
}

static const struct cu_test tests[] = {
    CU(a_changed_bit_is_named_with_its_image_and_place),
    CU(another_length_is_named),
    CU(a_changed_command_line_is_named),
    CU(a_changed_personalisation_value_is_named),
    CU(bundles_that_are_alike_are_called_so),
    CU(what_is_no_bundle_is_called_so),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_compare", tests, argc, argv);
}
