/* A layout in the making: pieces, holes, the ramdisk. Each platform says what goes in. */
#include "hv/layout.h"

#include "hv/check.h"
#include "hv/string.h"
#include "plan.h"
#include "text.h"

struct plan plan_begin(const struct domain_config *cfg, void *scratch, struct layout *l, char *err,
                       size_t err_size)
{
    REQUIRE(cfg->memory >= SIZE_2M && IS_ALIGNED((uintptr_t)scratch, 16));
    memset(l, 0, sizeof(*l));
    return (struct plan){
        .cfg = cfg,
        .l = l,
        .scratch = scratch,
        .scratch_left = LAYOUT_SCRATCH_SIZE,
        .ram_end = MIN(cfg->memory, (uint64_t)RAM_BELOW_4G),
        .err = err,
        .err_size = err_size,
    };
}

enum abi_status plan_fail(const struct plan *p, enum abi_status st, const char *fmt, ...)
{
    char prefix[NAME_MAX_LEN + 3];
    va_list ap;

    snprintf(prefix, sizeof(prefix), "%s: ", p->cfg->name);
    va_start(ap, fmt);
    message_vformat(p->err, p->err_size, prefix, fmt, ap);
    va_end(ap);
    return st;
}

void *plan_take(struct plan *p, size_t size)
{
    uint8_t *mem = p->scratch;

    size = ALIGN_UP(size, 16);
    CHECK(size <= p->scratch_left);
    p->scratch += size;
    p->scratch_left -= size;
    return mem;
}

/* at + span cannot wrap in what is compared here: callers' values are checked in this order. */
static bool in_ram(const struct plan *p, uint64_t at, uint64_t span)
{
    return span <= p->ram_end && at <= p->ram_end - span &&
           (at >= GPA_HIGH_START || at + span <= GPA_LOW_END);
}

static const struct piece *overlapped(const struct plan *p, uint64_t at, uint64_t span)
{
    for (uint32_t i = 0; i < p->l->pieces; i++) {
        const struct piece *q = &p->l->piece[i];

        if (at < q->at + q->span && q->at < at + span) {
            return q;
        }
    }
    return NULL;
}

static const char *kind_name(enum piece_kind kind)
{
    static const char *const names[] = {
        [PIECE_GDT] = "GDT",
        [PIECE_BOOT_DATA] = "boot data",
        [PIECE_CMDLINE] = "command line",
        [PIECE_PAGE_TABLES] = "page tables",
        [PIECE_ACPI] = "ACPI tables",
        [PIECE_RESET] = "reset code",
        [PIECE_KERNEL] = "kernel",
        [PIECE_RAMDISK] = "ramdisk",
        [PIECE_SETUP_DATA] = "setup data",
        [PIECE_CC_BLOB] = "CC blob",
        [PIECE_SHIM] = "shim",
        [PIECE_SECRETS] = "secrets page",
        [PIECE_CPUID] = "CPUID page",
        [PIECE_EFI] = "EFI tables",
        [PIECE_ZERO] = "cleared pages",
        [PIECE_MAILBOX] = "wakeup mailbox",
        [PIECE_FIRMWARE] = "firmware",
        [PIECE_TEMP] = "firmware's memory",
        [PIECE_EVENT_LOG] = "event log",
    };

    return names[kind];
}

static enum abi_status place(struct plan *p, const char *what, struct piece piece, bool fits)
{
    const struct piece *other = overlapped(p, piece.at, piece.span);

    CHECK(piece.span >= piece.len && piece.span != 0);
    if (!fits) {
        return plan_fail(p, ABI_NO_MEMORY, "%s of %s at %llx does not fit in %s of memory", what,
                         size_text(piece.span).s, (unsigned long long)piece.at,
                         size_text(p->cfg->memory).s);
    }
    if (other != NULL) {
        return plan_fail(p, ABI_BAD_FORMAT, "%s at %llx overlaps the %s at %llx", what,
                         (unsigned long long)piece.at, kind_name(other->kind),
                         (unsigned long long)other->at);
    }
    if (p->l->pieces == LAYOUT_PIECES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has more pieces than %u", LAYOUT_PIECES_MAX);
    }
    p->l->piece[p->l->pieces++] = piece;
    return ABI_OK;
}

enum abi_status plan_place(struct plan *p, const char *what, struct piece piece)
{
    return place(p, what, piece, in_ram(p, piece.at, piece.span));
}

enum abi_status plan_place_high(struct plan *p, const char *what, struct piece piece)
{
    return place(p, what, piece,
                 piece.at >= RAM_BELOW_4G && piece.at < GiB(4) && piece.span <= GiB(4) - piece.at);
}

/* Where the map says reserved, or nothing, and no kernel loads to. */
enum abi_status plan_place_reserved(struct plan *p, struct piece piece)
{
    CHECK((piece.at >= GPA_LOW_END && piece.at + piece.span <= GPA_HIGH_START) ||
          (piece.at >= RAM_BELOW_4G && piece.at + piece.span <= GiB(4)));
    CHECK(overlapped(p, piece.at, piece.span) == NULL);
    if (p->l->pieces == LAYOUT_PIECES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has more pieces than %u", LAYOUT_PIECES_MAX);
    }
    p->l->piece[p->l->pieces++] = piece;
    return ABI_OK;
}

const struct piece *plan_piece(const struct plan *p, enum piece_kind kind)
{
    for (uint32_t i = 0; i < p->l->pieces; i++) {
        if (p->l->piece[i].kind == kind) {
            return &p->l->piece[i];
        }
    }
    panic("layout without a piece of kind %u", (unsigned int)kind);
}

uint8_t *plan_data(const struct plan *p, enum piece_kind kind)
{
    return (uint8_t *)(uintptr_t)plan_piece(p, kind)->data;
}

bool plan_find_hole(const struct plan *p, uint64_t low, uint64_t high, uint64_t size, uint64_t *at)
{
    REQUIRE(IS_ALIGNED(low, PAGE_SIZE));
    high = MIN(high, p->ram_end);
    while (size <= high && high - size >= low) {
        uint64_t try = ALIGN_DOWN(high - size, PAGE_SIZE);
        const struct piece *other = overlapped(p, try, size);

        if (other == NULL) {
            *at = try;
            return true;
        }
        high = other->at;
    }
    return false;
}

enum abi_status plan_ramdisk(struct plan *p, uint64_t limit, uint64_t *at)
{
    struct blob r = p->cfg->ramdisk;
    struct piece piece = {PIECE_RAMDISK, 0, ALIGN_UP((uint64_t)r.len, PAGE_SIZE), r.data, r.len};

    *at = 0;
    if (r.len == 0) {
        return ABI_OK;
    }
    if (!plan_find_hole(p, GPA_HIGH_START, limit, piece.span, &piece.at)) {
        return plan_fail(p, ABI_NO_MEMORY, "ramdisk of %s does not fit in %s of memory",
                         size_text(r.len).s, size_text(p->cfg->memory).s);
    }
    *at = piece.at;
    return plan_place(p, "ramdisk", piece);
}
