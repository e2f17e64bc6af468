/* Layouts of TDs that start with a firmware: its sections, the HOBs it finds, images that lie. */
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_lay.h"

enum { IMAGE = 0x10000, TABLE = IMAGE - 0x20, DESC = 0x8000, HOB_AT = 0x809000, HOB_SIZE = 0x2000 };

struct entry {
    uint32_t offset, raw;
    uint64_t gpa, size;
    uint32_t type, attributes;
};

static const struct entry good[] = {
    {0x4000, IMAGE - 0x4000, 0xffff4000, IMAGE - 0x4000, 0, 1},
    {0, 0x4000, 0xffff0000, 0x4000, 1, 0},
    {0, 0, 0x810000, 0x10000, 3, 0},
    {0, 0, HOB_AT, HOB_SIZE, 2, 0},
};

static uint8_t image[IMAGE];

static void put(size_t at, const void *p, size_t len)
{
    memcpy(image + at, p, len);
}

static void make(const struct entry *e, uint32_t count)
{
    static const uint8_t footer[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                     0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
    static const uint8_t metadata[] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                       0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};
    const uint32_t head[] = {0x46564454, 16 + count * 32, 1, count}, back = IMAGE - DESC;
    const uint16_t all = 18 + 22, one = 22;

    memset(image, 0x5a, sizeof(image));
    put(DESC, head, sizeof(head));
    put(DESC + 16, e, count * sizeof(*e));
    put(TABLE - 16, footer, 16);
    put(TABLE - 18, &all, 2);
    put(TABLE - 18 - 16, metadata, 16);
    put(TABLE - 18 - 18, &one, 2);
    put(TABLE - 18 - 22, &back, 4);
}
_Static_assert(sizeof(struct entry) == 32, "design guide, 11.2");

static bool lay_image(struct laid *t, uint64_t memory, size_t len)
{
    lay_config(t, memory, image, len);
    t->cfg.cc = CC_TDX;
    t->scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
    t->st = layout_domain(&t->cfg, t->scratch, &t->l, t->err, sizeof(t->err));
    return t->st == ABI_OK;
}

/* MRTD depends on it; and on which of them are measured. */
static void sections_are_launched_in_their_order(void)
{
    struct laid t;

    make(good, ARRAY_SIZE(good));
    CU_ASSERT_TRUE_FATAL(lay_image(&t, MiB(64), sizeof(image)));
    CU_ASSERT_EQUAL_FATAL(t.l.pieces, ARRAY_SIZE(good));
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        const struct piece *q = &t.l.piece[i];

        CU_ASSERT(q->at == good[i].gpa && piece_launched_end(q) == good[i].gpa + good[i].size);
        CU_ASSERT_EQUAL(q->kind, i == 0 ? PIECE_FIRMWARE : PIECE_TEMP);
        CU_ASSERT(good[i].raw == 0 || q->data == image + good[i].offset);
    }
    CU_ASSERT_EQUAL(t.l.entry.boot_data, HOB_AT);
    lay_free(&t);
}

static uint64_t field(const uint8_t *p, unsigned int len)
{
    uint64_t v = 0;

    memcpy(&v, p, len);
    return v;
}

/* All of RAM, once: what was launched as memory, the rest as unaccepted. */
static void the_hobs_tell_of_all_memory(void)
{
    static const uint64_t sizes[] = {MiB(64), GiB(3), GiB(8)};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t memory = 0, unaccepted = 0;
        const uint8_t *p;
        struct laid t;

        make(good, ARRAY_SIZE(good));
        CU_ASSERT_TRUE_FATAL(lay_image(&t, sizes[i], sizeof(image)));
        p = t.l.piece[3].data;
        CU_ASSERT(field(p, 2) == 1 && field(p + 2, 2) == 56 && field(p + 8, 4) == 9);
        for (p += 56; field(p, 2) == 3; p += field(p + 2, 2)) {
            *(field(p + 24, 4) == 0 ? &memory : &unaccepted) += field(p + 40, 8);
        }
        CU_ASSERT_EQUAL(field(p, 2), 0xffff);
        CU_ASSERT_EQUAL(memory, 0x10000 + HOB_SIZE);
        CU_ASSERT_EQUAL(memory + unaccepted, sizes[i]);
        CU_ASSERT_EQUAL(field((const uint8_t *)t.l.piece[3].data + 48, 8),
                        HOB_AT + (uint64_t)(p - (const uint8_t *)t.l.piece[3].data));
        lay_free(&t);
    }
}

static void refused(const struct entry *e, uint32_t count, const char *why)
{
    struct laid t;

    make(e, count);
    CU_ASSERT_FALSE(lay_image(&t, MiB(64), sizeof(image)));
    CU_ASSERT_PTR_NOT_NULL(strstr(t.err, why));
    lay_free(&t);
}

static void a_section_that_lies_is_refused_by_its_number(void)
{
    static const struct {
        unsigned int which;
        struct entry e;
        const char *why;
    } bad[] = {
        {0, {0x4000, IMAGE, 0xfff00000, IMAGE, 0, 1}, "section 0: contents outside"},
        {0, {~0u, 0x1000, 0xffff4000, 0x1000, 0, 1}, "section 0: contents outside"},
        {0, {0, 0x2000, 0xffff4000, 0x1000, 0, 1}, "section 0: contents outside"},
        {0, {0, 0x1000, 0xffff4800, 0x1000, 0, 1}, "section 0: not whole pages"},
        {0, {0, 0x1000, ~0xfffull, 0x1000, 0, 1}, "section 0: not whole pages"},
        {0, {0, 0x1000, 0xfffff000, 0x2000, 0, 1}, "section 0: not whole pages"},
        {0, {0, 0, 0xffff4000, 0x1000, 0, 1}, "section 0: contents where"},
        {2, {0, 0x1000, 0x810000, 0x1000, 3, 0}, "section 2: contents where"},
        {2, {0, 0, 0x810000, 0, 3, 0}, "section 2: not whole pages"},
        {2, {0, 0, 0x810000, 0x1000, 4, 2}, "section 2: type 4"},
        {2, {0, 0, 0x810000, 0x1000, 3, 0x80}, "section 2: type 3, attributes 80"},
        {2, {0, 0, HOB_AT, 0x1000, 3, 0}, "overlaps"},
        {2, {0, 0, 0xffff5000, 0x1000, 3, 0}, "overlaps"},
        {2, {0, 0, MiB(64), 0x1000, 3, 0}, "does not fit"},
        {2, {0, 0, 0xa0000, 0x1000, 3, 0}, "does not fit"},
        {2, {0, 0, 0x900000, 0x1000, 2, 0}, "two HOB sections"},
        {3, {0, 0, 0x900000, 0x1000, 3, 0}, "no HOB section"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct entry e[ARRAY_SIZE(good)];

        memcpy(e, good, sizeof(good));
        e[bad[i].which] = bad[i].e;
        refused(e, ARRAY_SIZE(good), bad[i].why);
    }
    refused(good, 0, "contradict");
}

/* Each byte of the table and the descriptor, and each length: an answer, and no read outside. */
static void no_byte_of_the_metadata_is_trusted(void)
{
    for (size_t i = 0; i < 2 * (16 + sizeof(good) + 64); i++) {
        size_t at = i / 2 < 16 + sizeof(good) ? DESC + i / 2 : IMAGE - 0x60 + i / 2 - 144;
        struct laid t;

        make(good, ARRAY_SIZE(good));
        image[at] ^= i % 2 != 0 ? 0xff : 0x01;
        (void)lay_image(&t, MiB(64), sizeof(image));
        lay_free(&t);
    }
    for (size_t len = 0; len < 0x100; len++) {
        uint8_t *part = malloc(len + 1);
        struct laid t;

        make(good, ARRAY_SIZE(good));
        memcpy(part, image + IMAGE - len, len);
        lay_config(&t, MiB(64), part, len);
        t.cfg.cc = CC_TDX;
        t.scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
        CU_ASSERT_NOT_EQUAL(layout_domain(&t.cfg, t.scratch, &t.l, t.err, sizeof(t.err)), ABI_OK);
        lay_free(&t);
        free(part);
    }
}

static void a_firmware_takes_no_ramdisk(void)
{
    struct laid t;

    make(good, ARRAY_SIZE(good));
    lay_config(&t, MiB(64), image, sizeof(image));
    t.cfg.cc = CC_TDX;
    t.cfg.ramdisk = (struct blob){image, 16};
    t.scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
    CU_ASSERT_EQUAL(layout_domain(&t.cfg, t.scratch, &t.l, t.err, sizeof(t.err)),
                    ABI_NOT_SUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.err, "ramdisk: a firmware takes none"));
    lay_free(&t);
}

static const struct cu_test tests[] = {
    CU(sections_are_launched_in_their_order),
    CU(the_hobs_tell_of_all_memory),
    CU(a_section_that_lies_is_refused_by_its_number),
    CU(no_byte_of_the_metadata_is_trusted),
    CU(a_firmware_takes_no_ramdisk),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_tdvf", tests, argc, argv);
}
