/*
 * A TD that starts with a firmware of its own instead of our shim: Intel TDX Virtual Firmware
 * Design Guide (344991), chapter 11 (what the firmware wants in memory) and 4 (the TD HOB, UEFI PI
 * 1.7 Vol. 3, 5). The image comes from a bundle: every offset in it is checked before it is used.
 */
#include "hv/check.h"
#include "hv/string.h"
#include "plan_x86.h"
#include "text.h"

#define TABLE_END  0x20u /* the GUIDed table ends this far before the image's end */
#define ENTRY      18u   /* behind each entry's data: u16 length, GUID */
#define DESCRIPTOR 16u   /* "TDVF", length, version, sections */
#define SECTION    32u
#define SECTIONS_MAX 24u
#define IMAGE_MAX  MiB(16)

#define MR_EXTEND 1u
enum { SECTION_BFV = 0, SECTION_CFV = 1, SECTION_TD_HOB = 2, SECTION_TEMP_MEM = 3 };

struct section {
    uint64_t offset, raw, gpa, size;
    uint32_t type, attributes;
};

/* 96b582de-1fb2-45f7-baea-a366c55a082d: the table's last entry. */
static const uint8_t guid_footer[16] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                        0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
/* e47a6535-984a-4798-865e-4685a7bf8ec2: how far before the end the descriptor is. */
static const uint8_t guid_metadata[16] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                          0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

bool tdvf_x86_is(struct blob image)
{
    return image.len >= TABLE_END + ENTRY && image.len <= IMAGE_MAX &&
           memcmp(image.data + image.len - TABLE_END - 16, guid_footer, 16) == 0;
}

/* The table is walked from its end; each entry's data lie before its length and GUID. */
static bool find_descriptor(struct blob f, size_t *at)
{
    size_t end = f.len - TABLE_END - ENTRY, start, n;
    uint64_t size = le_load(f.data + end, 2);

    if (size < ENTRY || size > f.len - TABLE_END) {
        return false;
    }
    start = f.len - TABLE_END - size;
    for (; end - start >= ENTRY; end -= n) {
        n = le_load(f.data + end - ENTRY, 2);
        if (n < ENTRY || n > end - start) {
            return false;
        }
        if (memcmp(f.data + end - 16, guid_metadata, 16) == 0 && n >= ENTRY + 4) {
            uint64_t back = le_load(f.data + end - n, 4);

            *at = f.len - back;
            return back <= f.len && back >= DESCRIPTOR &&
                   memcmp(f.data + *at, "TDVF", 4) == 0;
        }
    }
    return false;
}

static enum abi_status bad(const struct plan *p, uint64_t i, const char *what)
{
    return plan_fail(p, ABI_BAD_FORMAT, "kernel: firmware section %llu: %s",
                     (unsigned long long)i, what);
}

static enum abi_status read_section(const struct plan *p, const uint8_t *raw, uint64_t i,
                                    struct section *s)
{
    struct blob f = p->cfg->kernel;

    *s = (struct section){le_load(raw, 4),      le_load(raw + 4, 4),
                          le_load(raw + 8, 8),  le_load(raw + 16, 8),
                          (uint32_t)le_load(raw + 24, 4), (uint32_t)le_load(raw + 28, 4)};
    if (s->type > SECTION_TEMP_MEM || (s->attributes & ~MR_EXTEND) != 0) {
        return plan_fail(p, ABI_NOT_SUPPORTED,
                         "kernel: firmware section %llu: type %u, attributes %x",
                         (unsigned long long)i, s->type, s->attributes);
    }
    if (s->size == 0 || !IS_ALIGNED(s->gpa | s->size, PAGE_SIZE) || s->gpa >= GiB(4) ||
        s->size > GiB(4) - s->gpa) {
        return bad(p, i, "not whole pages below 4 GiB");
    }
    if (s->raw > s->size || s->offset > f.len || s->raw > f.len - s->offset) {
        return bad(p, i, "contents outside the image or the section");
    }
    if ((s->type <= SECTION_CFV) != (s->raw != 0)) {
        return bad(p, i, "contents where none belong, or none where some do");
    }
    return ABI_OK;
}

/* ---- the hand-off block list: what memory there is ---- */

#define HOB_HANDOFF  1u
#define HOB_RESOURCE 3u
#define HOB_END      0xffffu
#define HANDOFF_SIZE 56u
#define RESOURCE_SIZE 48u
#define END_SIZE     8u
#define RESOURCE_MEMORY     0u /* EFI_RESOURCE_SYSTEM_MEMORY: launched */
#define RESOURCE_UNACCEPTED 7u
#define RESOURCE_TESTED     7u /* present, initialised, tested */
#define RESOURCES_MAX 32u

struct hobs {
    uint8_t *data;
    uint64_t used, room;
};

static uint8_t *hob_add(struct hobs *h, uint32_t type, uint32_t size)
{
    uint8_t *at = h->data + h->used;

    if (h->used + size > h->room) {
        return NULL;
    }
    le_store(at, 2, type);
    le_store(at + 2, 2, size);
    h->used += size;
    return at;
}

static bool add_resource(struct hobs *h, uint32_t type, uint64_t from, uint64_t to)
{
    uint8_t *at;

    if (from >= to) {
        return true;
    }
    at = hob_add(h, HOB_RESOURCE, RESOURCE_SIZE);
    if (at == NULL) {
        return false;
    }
    le_store(at + 24, 4, type);
    le_store(at + 28, 4, RESOURCE_TESTED);
    le_store(at + 32, 8, from);
    le_store(at + 40, 8, to - from);
    return true;
}

static bool add_memory(const struct plan *p, struct hobs *h)
{
    uint64_t at = 0, start = 0, end = 0;
    bool ok = true;

    while (ok && shim_next_launched(p->l, at, &start, &end) && start < p->ram_end) {
        ok = add_resource(h, RESOURCE_UNACCEPTED, at, start) &&
             add_resource(h, RESOURCE_MEMORY, start, end);
        at = end;
    }
    return ok && add_resource(h, RESOURCE_UNACCEPTED, at, p->ram_end) &&
           add_resource(h, RESOURCE_UNACCEPTED, GiB(4), GiB(4) + p->cfg->memory - p->ram_end);
}

static enum abi_status fill_hobs(const struct plan *p, uint8_t *data, uint64_t gpa, uint64_t room)
{
    struct hobs h = {data, 0, MIN(room, TDVF_HOB_MAX)};
    uint8_t *first = hob_add(&h, HOB_HANDOFF, HANDOFF_SIZE);

    if (first == NULL || !add_memory(p, &h) || hob_add(&h, HOB_END, END_SIZE) == NULL) {
        return plan_fail(p, ABI_LIMIT, "kernel: the firmware has too little room for its HOBs");
    }
    le_store(first + 8, 4, 9); /* version; boot with full configuration */
    le_store(first + 48, 8, gpa + h.used - END_SIZE);
    return ABI_OK;
}

/* ---- the layout ---- */

static enum abi_status place_section(struct plan *p, const struct section *s, uint8_t **hob)
{
    static const enum piece_kind kinds[] = {PIECE_FIRMWARE, PIECE_TEMP, PIECE_TEMP, PIECE_TEMP};
    struct piece q = {(s->attributes & MR_EXTEND) != 0 ? PIECE_FIRMWARE : kinds[s->type], s->gpa,
                      s->size, s->raw != 0 ? p->cfg->kernel.data + s->offset : NULL, s->raw};

    if (s->type == SECTION_TD_HOB) {
        if (*hob != NULL) {
            return plan_fail(p, ABI_BAD_FORMAT, "kernel: the firmware has two HOB sections");
        }
        *hob = plan_take(p, TDVF_HOB_MAX);
        p->l->entry.boot_data = s->gpa;
        q.data = *hob;
        q.len = MIN(s->size, TDVF_HOB_MAX);
    }
    if (q.kind == PIECE_TEMP) {
        p->l->self_measured |= BIT(p->l->pieces);
    }
    return s->gpa >= RAM_BELOW_4G ? plan_place_high(p, "firmware section", q)
                                  : plan_place(p, "firmware section", q);
}

/* How many sections there are, and where the first of them is described. */
static enum abi_status find_sections(const struct plan *p, uint64_t *count, const uint8_t **first)
{
    struct blob f = p->cfg->kernel;
    size_t at;

    if (!find_descriptor(f, &at)) {
        return plan_fail(p, ABI_NOT_SUPPORTED, "kernel: a firmware that is not for TDs");
    }
    *count = le_load(f.data + at + 12, 4);
    if (le_load(f.data + at + 8, 4) != 1 || *count == 0 || *count > SECTIONS_MAX ||
        le_load(f.data + at + 4, 4) != DESCRIPTOR + *count * SECTION ||
        DESCRIPTOR + *count * SECTION > f.len - at) {
        return plan_fail(p, ABI_BAD_FORMAT,
                         "kernel: the firmware's metadata contradict themselves");
    }
    *first = f.data + at + DESCRIPTOR;
    return ABI_OK;
}

enum abi_status tdvf_x86_plan(struct plan *p)
{
    uint64_t hob_size = 0, count = 0;
    uint8_t *hob = NULL;
    const uint8_t *raw = NULL;
    enum abi_status st;
    struct section s;

    if (p->cfg->ramdisk.len != 0) {
        return plan_fail(p, ABI_NOT_SUPPORTED, "ramdisk: a firmware takes none");
    }
    st = find_sections(p, &count, &raw);
    for (uint64_t i = 0; st == ABI_OK && i < count; i++) {
        st = read_section(p, raw + i * SECTION, i, &s);
        st = st == ABI_OK ? place_section(p, &s, &hob) : st;
        hob_size = s.type == SECTION_TD_HOB ? s.size : hob_size;
    }
    if (st == ABI_OK && hob == NULL) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: the firmware has no HOB section");
    }
    p->l->entry.rip = 0xfffffff0u;
    return st == ABI_OK ? fill_hobs(p, hob, p->l->entry.boot_data, hob_size) : st;
}
