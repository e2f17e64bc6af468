/*
 * What a TD measures itself, and where: the launch puts it in place without measuring its contents,
 * the shim extends an RTMR with the SHA-384 of each, and completes the event log that is laid out
 * here. Registers are used as TDVF uses them (Intel TDX Virtual Firmware Design Guide, 8.1): 0 what
 * the host configures, 1 the kernel, 2 what goes with it; 3 is the guest's.
 */
#include "hv/check.h"
#include "hv/shim.h"
#include "hv/string.h"
#include "plan_x86.h"

/* TCG PC Client Platform Firmware Profile 1.06, chapter 10; TCG algorithm registry */
#define EV_NO_ACTION 3u
#define EV_IPL       13u
#define ALG_SHA384   12u
#define DIGEST_SIZE  48u

static const struct {
    enum piece_kind kind;
    uint32_t rtmr;
    const char *name;
} measured[] = {
    {PIECE_BOOT_DATA, 0, "boot_params"}, {PIECE_ACPI, 0, "ACPI tables"},
    {PIECE_KERNEL, 1, "kernel"},         {PIECE_CMDLINE, 2, "command line"},
    {PIECE_RAMDISK, 2, "ramdisk"},
};
_Static_assert(ARRAY_SIZE(measured) <= SHIM_MEASURES_MAX, "the shim's table");

struct log {
    uint8_t *p;
    uint32_t used;
};

static void put(struct log *l, uint64_t v, unsigned int bytes)
{
    CHECK(l->used + bytes <= PAGE_SIZE);
    le_store(l->p + l->used, bytes, v);
    l->used += bytes;
}

static void put_text(struct log *l, const char *s, size_t len)
{
    CHECK(l->used + len <= PAGE_SIZE);
    memcpy(l->p + l->used, s, len);
    l->used += (uint32_t)len;
}

/* The first record, in the older form; it says that those that follow have SHA-384 digests. */
static void put_header(struct log *l)
{
    static const char signature[16] = "Spec ID Event03";

    put(l, 0, 4);
    put(l, EV_NO_ACTION, 4);
    l->used += 20; /* no digest */
    put(l, sizeof(signature) + 17, 4);
    put_text(l, signature, sizeof(signature));
    put(l, 0, 4);          /* platform class: client */
    put(l, 2 << 8, 2);     /* version 2.0 */
    put(l, 2 << 8, 2);     /* errata 0, UINTN of 64 bits */
    put(l, 1, 4);          /* one algorithm */
    put(l, ALG_SHA384, 2);
    put(l, DIGEST_SIZE, 2);
    put(l, 0, 1); /* nothing of the vendor's */
}

/* A record without its digest; returns where that belongs. */
static uint32_t put_event(struct log *l, uint32_t rtmr, const char *name)
{
    uint32_t digest;

    put(l, rtmr + 1, 4); /* a CCEL counts from MRTD */
    put(l, EV_IPL, 4);
    put(l, 1, 4);
    put(l, ALG_SHA384, 2);
    digest = l->used;
    l->used += DIGEST_SIZE;
    put(l, strlen(name), 4);
    put_text(l, name, strlen(name));
    return digest;
}

/* The command line without its zero, which the shim writes. */
static uint64_t measured_len(const struct piece *q)
{
    return q->kind == PIECE_CMDLINE ? q->len - 1 : q->len;
}

/* Pieces of one kind (a kernel has several segments in some formats) are measured one by one. */
static enum abi_status measure_piece(struct plan *p, uint32_t piece, size_t row, struct log *log,
                                     struct shim_measures *m)
{
    const struct piece *q = &p->l->piece[piece];

    if (m->count == SHIM_MEASURES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has too many pieces for an encrypted guest");
    }
    p->l->self_measured |= BIT(piece);
    m->item[m->count].at = q->at;
    m->item[m->count].len = measured_len(q);
    m->item[m->count].rtmr = measured[row].rtmr;
    m->item[m->count].digest = put_event(log, measured[row].rtmr, measured[row].name);
    m->count++;
    return ABI_OK;
}

enum abi_status measured_x86_plan(struct plan *p, struct shim_measures *m)
{
    struct log log = {.p = plan_take(p, PAGE_SIZE)};
    enum abi_status st = ABI_OK;

    m->log = GPA_EVENT_LOG;
    put_header(&log);
    for (size_t row = 0; row < ARRAY_SIZE(measured); row++) {
        for (uint32_t i = 0; i < p->l->pieces && st == ABI_OK; i++) {
            if (p->l->piece[i].kind == measured[row].kind) {
                st = measure_piece(p, i, row, &log, m);
            }
        }
    }
    return st != ABI_OK ? st
                        : plan_place(p, "event log",
                                     (struct piece){PIECE_EVENT_LOG, GPA_EVENT_LOG, PAGE_SIZE,
                                                    log.p, log.used});
}
