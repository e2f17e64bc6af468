/*
 * TDVMCALL GetQuote and SetupEventNotify: GHCI 3.3, 3.5. A TD leaves its TDREPORT in shared memory;
 * a service of the host makes a quote of it (docs/link.md), which is written there as it comes in.
 * The buffer may stop being shared at any time, and nothing here holds it: then the quote is lost,
 * and nobody else is hurt.
 */
#include "arch/timer.h"
#include "arch/vcpu.h"
#include "hv/guestmem.h"
#include "hv/log.h"
#include "hv/string.h"
#include "tdx_ram.h"

#define VERSION     1u
#define SIZE_MAX_   KiB(128)
#define IN_FLIGHT   ~0ull
#define QUOTE_ERROR 0x8000000000000000ull
#define UNAVAILABLE 0x8000000000000001ull
#define STALE_NS    30000000000ull /* unanswered for so long: its place goes to another */

/* GHCI table 3-11; the message follows. */
struct quote_header {
    uint64_t version, status;
    uint32_t in_len, out_len;
};
_Static_assert(sizeof(struct quote_header) == 24, "GHCI table 3-11");

/* The host's answers: docs/link.md */
struct quote_answer {
    uint32_t id, status, total, offset;
};

/* At once, for the TD waits for this word to change. */
static bool set_status(struct vm *vm, uint64_t at, uint64_t status)
{
    return guestmem_store64(vm, gpa(at + offsetof(struct quote_header, status)), status) == ABI_OK;
}

static void notify(struct vm *vm)
{
    struct tdx_quotes *q = &tdx_of(vm)->quotes;
    uint32_t vector = load_once(&q->vector);

    if (vector != 0) {
        arch_vcpu_irq(vm->vcpu[load_once(&q->vcpu)], vector);
    }
}

static void finish(struct vm *vm, struct tdx_quote *slot, uint64_t status)
{
    (void)set_status(vm, slot->at, status);
    slot->id = 0;
    notify(vm);
}

/* A free one, or one that nobody answers; the lock is held. */
static struct tdx_quote *take_slot(struct vm *vm)
{
    struct tdx_quotes *q = &tdx_of(vm)->quotes;

    for (unsigned int i = 0; i < TDX_QUOTES; i++) {
        struct tdx_quote *slot = &q->slot[i];

        if (slot->id != 0 && clock_ns() - slot->since > STALE_NS) {
            finish(vm, slot, UNAVAILABLE);
        }
        if (slot->id == 0) {
            return slot;
        }
    }
    return NULL;
}

static void begin(struct vm *vm, struct tdx_quote *slot, const uint8_t *report)
{
    uint32_t id = slot->id;

    if (!set_status(vm, slot->at, IN_FLIGHT)) {
        slot->id = 0;
    } else if (!link_request(vm, id, report, sizeof(struct tdx_report))) {
        finish(vm, slot, UNAVAILABLE);
    }
}

static uint64_t start(struct vm *vm, uint64_t at, uint64_t size, const uint8_t *report)
{
    struct tdx_quotes *q = &tdx_of(vm)->quotes;
    struct tdx_quote *slot;

    lock(&q->lock);
    slot = take_slot(vm);
    if (slot != NULL) {
        q->last_id = q->last_id == UINT32_MAX ? 1 : q->last_id + 1;
        *slot = (struct tdx_quote){.id = q->last_id, .at = at, .size = size, .since = clock_ns()};
        begin(vm, slot, report);
    }
    unlock(&q->lock);
    return slot != NULL ? TDVMCALL_SUCCESS : TDVMCALL_RETRY;
}

/* Copied once: what the TD writes there afterwards is its own affair. */
uint64_t tdx_get_quote(struct vm *vm, uint64_t addr, uint64_t size)
{
    uint8_t report[sizeof(struct tdx_report)];
    uint64_t at = addr & ~TDX_SHARED;
    struct quote_header h;

    if ((addr & TDX_SHARED) == 0 || at > TDX_SHARED || size == 0 || size > SIZE_MAX_) {
        return TDVMCALL_INVALID_OPERAND;
    }
    if (!IS_ALIGNED(at, PAGE_SIZE) || !IS_ALIGNED(size, PAGE_SIZE)) {
        return TDVMCALL_ALIGN_ERROR;
    }
    if (guestmem_read(vm, gpa(at), &h, sizeof(h)) != ABI_OK || h.version != VERSION ||
        h.in_len > size - sizeof(h)) {
        return TDVMCALL_INVALID_OPERAND;
    }
    if (h.in_len != sizeof(report)) {
        return set_status(vm, at, QUOTE_ERROR) ? TDVMCALL_SUCCESS : TDVMCALL_INVALID_OPERAND;
    }
    if (guestmem_read(vm, gpa(at + sizeof(h)), report, sizeof(report)) != ABI_OK) {
        return TDVMCALL_INVALID_OPERAND;
    }
    return start(vm, at, size, report);
}

uint64_t tdx_event_notify(struct vcpu *v, uint64_t vector)
{
    struct tdx_quotes *q = &tdx_of(v->vm)->quotes;

    if (vector > UINT32_MAX || !arch_vcpu_irq_valid((uint32_t)vector)) {
        return TDVMCALL_INVALID_OPERAND;
    }
    lock(&q->lock);
    store_once(&q->vcpu, v->index);
    store_once(&q->vector, (uint32_t)vector);
    unlock(&q->lock);
    return TDVMCALL_SUCCESS;
}

static struct tdx_quote *find(struct tdx_quotes *q, uint32_t id)
{
    for (unsigned int i = 0; i < TDX_QUOTES; i++) {
        if (q->slot[i].id == id) {
            return &q->slot[i];
        }
    }
    return NULL;
}

/* The next part of a quote: in order, and no more than the TD's buffer takes. */
static void take_part(struct vm *vm, struct tdx_quote *slot, const struct quote_answer *a,
                      const uint8_t *p, size_t len)
{
    uint64_t data = slot->at + sizeof(struct quote_header);
    uint32_t out_len = a->total;

    if (a->status != 0 || a->offset != slot->have || a->total <= a->offset ||
        a->total > slot->size - sizeof(struct quote_header) || len == 0 ||
        len > a->total - a->offset) {
        finish(vm, slot, a->status == 1 ? UNAVAILABLE : QUOTE_ERROR);
        return;
    }
    if (guestmem_write(vm, gpa(data + slot->have), p, len) != ABI_OK) {
        slot->id = 0; /* it took the memory back */
        return;
    }
    slot->have += (uint32_t)len;
    if (slot->have == a->total) {
        bool told = guestmem_store32(vm, gpa(slot->at + offsetof(struct quote_header, out_len)),
                                     out_len) == ABI_OK;

        finish(vm, slot, told ? 0 : QUOTE_ERROR);
    }
}

void tdx_quote_answer(struct vm *vm, const uint8_t *p, size_t len)
{
    struct tdx_quotes *q = &tdx_of(vm)->quotes;
    struct tdx_quote *slot = NULL;
    struct quote_answer a;

    if (len >= sizeof(a)) {
        memcpy(&a, p, sizeof(a));
        lock(&q->lock);
        slot = a.id != 0 ? find(q, a.id) : NULL;
        if (slot != NULL) {
            take_part(vm, slot, &a, p + sizeof(a), len - sizeof(a));
        }
        unlock(&q->lock);
    }
    if (slot == NULL) {
        log_vm(vm, LOG_WARN, "an answer of %lu bytes to no request", (unsigned long)len);
    }
}
