/*
 * Layouts of encrypted guests: how each 2 MiB of RAM becomes the guest's, and how Linux finds what
 * it is to accept itself. The kernel's own <asm/bootparam.h> reads boot_params.
 */
#include <asm/bootparam.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_lay.h"
#include "hv/shim.h"

enum { PAYLOAD = 0x400, PAYLOAD_LEN = 0x400, KNOWS_AT = 0x1000 };

static const uint64_t sizes[] = {MiB(64),         MiB(256), GiB(1), GiB(3),
                                 GiB(3) + MiB(2), GiB(4),   GiB(16), GiB(300)};
static const uint8_t guid[16] = {0x3c, 0xde, 0xd1, 0xd5, 0x5c, 0x10, 0xf9, 0x44,
                                 0x9e, 0xa9, 0xbc, 0xef, 0x98, 0x12, 0x00, 0x31};

static uint8_t file[LAY_BZIMAGE];

/* The GUID as compilers write it: two operands of 8 bytes, code between them. */
static void kernel_make(size_t guid_at)
{
    struct setup_header *h = (struct setup_header *)(file + 0x1f1);

    lay_bzimage(file);
    h->init_size = 0x500000;
    h->payload_offset = PAYLOAD;
    h->payload_length = PAYLOAD_LEN;
    memcpy(file + LAY_SETUP + guid_at, guid, 8);
    memcpy(file + LAY_SETUP + guid_at + 10, guid + 8, 8);
}

static void start(struct laid *t, uint64_t memory)
{
    lay_config(t, memory, file, sizeof(file));
    t->cfg.cc = CC_SEV_SNP;
    t->cfg.c_bit = 47;
    t->scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
    t->st = layout_domain(&t->cfg, t->scratch, &t->l, t->err, sizeof(t->err));
    CU_ASSERT_EQUAL_FATAL(t->st, ABI_OK);
}

static const struct boot_params *params(const struct laid *t)
{
    return (const struct boot_params *)lay_piece(t, PIECE_BOOT_DATA, 0)->data;
}

static const struct shim_table *shim(const struct laid *t)
{
    return (const struct shim_table *)(lay_piece(t, PIECE_SHIM, 0)->data + SHIM_TABLE_OFFSET);
}

/* Bytes of the launch at a guest-physical address; NULL: none are there. */
static const uint8_t *launched(const struct laid *t, uint64_t at)
{
    for (uint32_t i = 0; i < t->l.pieces; i++) {
        const struct piece *q = &t->l.piece[i];

        if (at >= q->at && at < q->at + q->len) {
            return q->data + (at - q->at);
        }
    }
    return NULL;
}

static uint64_t field(const struct laid *t, uint64_t at, unsigned int bytes)
{
    const uint8_t *p = launched(t, at);
    uint64_t v = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    memcpy(&v, p, bytes);
    return v;
}

static unsigned int pages_launched(const struct laid *t, uint64_t chunk)
{
    unsigned int n = 0;

    for (uint32_t i = 0; i < t->l.pieces; i++) {
        const struct piece *q = &t->l.piece[i];
        uint64_t from = MAX(ALIGN_DOWN(q->at, PAGE_SIZE), chunk);
        uint64_t to = MIN(piece_launched_end(q), chunk + SIZE_2M);

        n += from < to ? (unsigned int)((to - from) / PAGE_SIZE) : 0;
    }
    return n;
}

static bool by_shim(const struct laid *t, uint64_t at)
{
    const struct shim_table *s = shim(t);
    bool found = false;

    for (uint64_t i = 0; i < s->count; i++) {
        found = found || (at >= s->range[i].start && at < s->range[i].end);
    }
    return found;
}

/* As Linux goes there: the system table, its one table, the bitmap. */
static uint64_t bitmap_of(const struct laid *t)
{
    return params(t)->efi_info.efi_systab == 0
               ? 0
               : field(t, field(t, params(t)->efi_info.efi_systab + 68, 4) + 16, 4);
}

static bool by_kernel(const struct laid *t, uint64_t at)
{
    uint64_t table = bitmap_of(t), bit = at / SIZE_2M;

    return table != 0 && bit < field(t, table + 16, 8) * 8 &&
           (field(t, table + 24 + bit / 8, 1) >> bit % 8 & 1) != 0;
}

static bool once(const struct laid *t, uint64_t chunk)
{
    unsigned int n = pages_launched(t, chunk);

    return (n == 0 || n == 512) && (n != 0) + by_shim(t, chunk) + by_kernel(t, chunk) == 1;
}

static void every_2_mib_of_ram_become_the_guests_in_one_way(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
        uint64_t memory = sizes[i / 2], low = MIN(memory, (uint64_t)RAM_BELOW_4G), wrong = 0;
        struct laid t;

        kernel_make(i % 2 == 0 ? KNOWS_AT : PAYLOAD);
        start(&t, memory);
        for (uint64_t at = 0; at < memory; at += SIZE_2M) {
            wrong += !once(&t, at < low ? at : at - low + GiB(4));
        }
        CU_ASSERT_EQUAL(wrong, 0);
        CU_ASSERT_FALSE(by_shim(&t, GiB(4) + memory - low));
        CU_ASSERT_FALSE(by_kernel(&t, GiB(4) + memory - low));
        lay_free(&t);
    }
}

static void linux_finds_what_it_is_to_accept(void)
{
    struct efi_info e;
    struct laid t;

    kernel_make(KNOWS_AT);
    start(&t, GiB(1));
    e = params(&t)->efi_info;
    CU_ASSERT_EQUAL(memcmp(&e.efi_loader_signature, "EL32", 4), 0);
    CU_ASSERT_EQUAL(field(&t, e.efi_systab, 8), 0x5453595320494249);
    CU_ASSERT_EQUAL(field(&t, e.efi_systab + 64, 4), 1);
    CU_ASSERT_EQUAL(memcmp(launched(&t, field(&t, e.efi_systab + 68, 4)), guid, 16), 0);
    CU_ASSERT_EQUAL(field(&t, bitmap_of(&t), 4), 1);
    CU_ASSERT_EQUAL(field(&t, bitmap_of(&t) + 4, 4), SIZE_2M);
    CU_ASSERT_EQUAL(field(&t, bitmap_of(&t) + 8, 8), 0);
    CU_ASSERT_TRUE(by_kernel(&t, MiB(800)));
    CU_ASSERT_FALSE(by_shim(&t, MiB(800)));
    lay_free(&t);
}

static void linux_unpacks_itself_where_nothing_is_left_to_accept(void)
{
    struct laid t;
    uint64_t map, at, end;

    kernel_make(KNOWS_AT);
    start(&t, GiB(1));
    map = params(&t)->efi_info.efi_memmap;
    CU_ASSERT_EQUAL(params(&t)->efi_info.efi_memdesc_size, params(&t)->efi_info.efi_memmap_size);
    CU_ASSERT_EQUAL(field(&t, map, 4), 7); /* EfiConventionalMemory */
    at = field(&t, map + 8, 8);
    end = at + field(&t, map + 24, 8) * PAGE_SIZE;
    CU_ASSERT_EQUAL(at, 0x1000000);
    CU_ASSERT_TRUE(end >= at + 2 * 0x500000);
    for (; at < end; at += SIZE_2M) {
        CU_ASSERT_FALSE(by_kernel(&t, at));
    }
    lay_free(&t);
}

static void a_kernel_that_does_not_look_for_the_table_gets_none(void)
{
    struct laid t;

    kernel_make(PAYLOAD); /* compressed bytes that look like it are no code */
    start(&t, GiB(1));
    CU_ASSERT_EQUAL(params(&t)->efi_info.efi_loader_signature, 0);
    CU_ASSERT_PTR_NULL(lay_piece(&t, PIECE_EFI, 0));
    CU_ASSERT_TRUE(by_shim(&t, MiB(800)));
    CU_ASSERT_EQUAL(field(&t, params(&t)->hdr.setup_data, 8), 0);
    lay_free(&t);
}

static void setup_data_name_the_blob_and_then_efi(void)
{
    struct laid t;
    uint64_t next;

    kernel_make(KNOWS_AT);
    start(&t, GiB(1));
    CU_ASSERT_EQUAL(field(&t, params(&t)->hdr.setup_data + 8, 4), 7); /* SETUP_CC_BLOB */
    next = field(&t, params(&t)->hdr.setup_data, 8);
    CU_ASSERT_EQUAL(field(&t, next, 8), 0);
    CU_ASSERT_EQUAL(field(&t, next + 8, 4), 4); /* SETUP_EFI */
    CU_ASSERT_EQUAL(field(&t, next + 12, 4), 96);
    lay_free(&t);
}

static const struct cu_test tests[] = {
    CU(every_2_mib_of_ram_become_the_guests_in_one_way),
    CU(linux_finds_what_it_is_to_accept),
    CU(linux_unpacks_itself_where_nothing_is_left_to_accept),
    CU(a_kernel_that_does_not_look_for_the_table_gets_none),
    CU(setup_data_name_the_blob_and_then_efi),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_unaccepted", tests, argc, argv);
}
