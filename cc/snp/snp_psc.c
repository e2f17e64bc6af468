/* Page state changes that the guest asks for: GHCB 4.1.6 and the MSR protocol's single page. */
#include "hv/page.h"
#include "snp.h"

static enum abi_status to_shared(struct vm *vm, gpa_t at, pa_t to, bool large)
{
    enum abi_status st;

    if (large && snp_is_large(to)) {
        return snp_make_shared(vm, to, true);
    }
    if (large) {
        return ABI_BAD_ARG; /* the caller goes page by page */
    }
    if (snp_shared(vm, to)) {
        return ABI_OK;
    }
    st = snp_smash(vm, at, to);
    return st == ABI_OK ? snp_make_shared(vm, to, false) : st;
}

static enum abi_status to_private(struct vm *vm, gpa_t at, pa_t to, bool large)
{
    if (large ? snp_is_large(to) : !snp_shared(vm, to)) {
        return ABI_OK; /* it is already */
    }
    return snp_make_private(vm, at, to, large, false);
}

static bool change(struct vm *vm, gpa_t at, unsigned int op, bool large)
{
    struct snp_vm *s = snp_of(vm);
    enum abi_status st;
    pa_t to;

    if (snp_populate(vm, at, op == PSC_PRIVATE && large, &to) != ABI_OK) {
        return false;
    }
    lock(&s->lock);
    st = op == PSC_SHARED ? to_shared(vm, at, to, large) : to_private(vm, at, to, large);
    s->conversions += large ? SIZE_2M / PAGE_SIZE : 1;
    unlock(&s->lock);
    return st == ABI_OK;
}

bool snp_psc_one(struct vm *vm, uint64_t gfn, unsigned int op)
{
    return (op == PSC_PRIVATE || op == PSC_SHARED) && change(vm, gpa(gfn << PAGE_SHIFT), op, false);
}

static uint64_t pages_of(uint64_t e)
{
    return PSC_ENTRY_LARGE(e) ? SIZE_2M / PAGE_SIZE : 1;
}

/*
 * The cursor of an entry says how many of its 4 KiB pages are done: it stays where one failed. One
 * of 2 MiB that nobody has begun is tried as a whole.
 */
static bool do_entry(struct vm *vm, uint64_t *e)
{
    const uint64_t gfn = PSC_ENTRY_GFN(*e);
    const unsigned int op = PSC_ENTRY_OP(*e);

    if (PSC_ENTRY_LARGE(*e) && PSC_ENTRY_PAGE(*e) == 0 &&
        change(vm, gpa(gfn << PAGE_SHIFT), op, true)) {
        return true;
    }
    for (; PSC_ENTRY_PAGE(*e) < pages_of(*e); (*e)++) {
        if (!change(vm, gpa((gfn + PSC_ENTRY_PAGE(*e)) << PAGE_SHIFT), op, false)) {
            return false;
        }
    }
    return true;
}

static bool entry_is_sound(uint64_t e)
{
    return PSC_ENTRY_RESERVED(e) == 0 && IS_ALIGNED(PSC_ENTRY_GFN(e), pages_of(e)) &&
           PSC_ENTRY_PAGE(e) <= pages_of(e) &&
           (PSC_ENTRY_OP(e) == PSC_PRIVATE || PSC_ENTRY_OP(e) == PSC_SHARED);
}

/* The header names the entry that stopped it: one past the end when all are done. */
static bool say_how_far(struct vcpu *v, const struct psc_header *h, const uint64_t *entries)
{
    const uint64_t at = GHCB_SHARED_BUFFER, size = sizeof(entries[0]);

    return snp_ghcb_write(v, at, h, sizeof(*h)) &&
           (h->cur > h->end ||
            snp_ghcb_write(v, at + sizeof(*h) + h->cur * size, &entries[h->cur], size));
}

uint64_t snp_psc_list(struct vcpu *v, uint64_t scratch)
{
    const uint64_t at = GHCB_SHARED_BUFFER;
    uint64_t entries[PSC_ENTRIES_MAX];
    struct psc_header h;
    uint64_t result = 0;

    /* The list must be the GHCB's own buffer: it is shared, and it stays so. */
    if (scratch != snp_vcpu_of(v)->ghcb + at || !snp_ghcb_read(v, at, &h, sizeof(h)) ||
        h.reserved != 0 || h.end >= PSC_ENTRIES_MAX || h.cur > h.end) {
        return PSC_BAD_HEADER;
    }
    if (!snp_ghcb_read(v, at + sizeof(h), entries, (h.end + 1u) * sizeof(entries[0]))) {
        return PSC_BAD_HEADER;
    }
    for (; h.cur <= h.end; h.cur++) {
        result = !entry_is_sound(entries[h.cur])     ? PSC_BAD_ENTRY
                 : !do_entry(v->vm, &entries[h.cur]) ? PSC_GENERIC
                                                     : 0;
        if (result != 0) {
            break;
        }
    }
    return say_how_far(v, &h, entries) ? result : PSC_BAD_HEADER;
}
