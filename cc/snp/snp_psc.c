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

bool snp_psc_one(struct vm *vm, uint64_t gfn, unsigned int op, bool large)
{
    gpa_t at = gpa(gfn << PAGE_SHIFT);

    if ((op != PSC_PRIVATE && op != PSC_SHARED) || (large && !IS_ALIGNED(at.v, SIZE_2M))) {
        return false;
    }
    if (change(vm, at, op, large)) {
        return true;
    }
    for (uint64_t i = 0; large && i < SIZE_2M; i += PAGE_SIZE) {
        if (!change(vm, gpa(at.v + i), op, false)) {
            return false;
        }
    }
    return large;
}

/* The cursor of an entry says how far it has come: 4 KiB pages of a 2 MiB one. */
static bool do_entry(struct vm *vm, uint64_t e)
{
    bool large = PSC_ENTRY_LARGE(e);

    if (PSC_ENTRY_PAGE(e) == 0) {
        return snp_psc_one(vm, PSC_ENTRY_GFN(e), PSC_ENTRY_OP(e), large);
    }
    for (unsigned int i = PSC_ENTRY_PAGE(e); i < (large ? 512u : 1u); i++) {
        if (!snp_psc_one(vm, PSC_ENTRY_GFN(e) + i, PSC_ENTRY_OP(e), false)) {
            return false;
        }
    }
    return true;
}

static bool entry_is_sound(uint64_t e)
{
    uint64_t pages = PSC_ENTRY_LARGE(e) ? SIZE_2M / PAGE_SIZE : 1;

    return PSC_ENTRY_RESERVED(e) == 0 && IS_ALIGNED(PSC_ENTRY_GFN(e), pages) &&
           PSC_ENTRY_PAGE(e) <= pages &&
           (PSC_ENTRY_OP(e) == PSC_PRIVATE || PSC_ENTRY_OP(e) == PSC_SHARED);
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
        result = !entry_is_sound(entries[h.cur])    ? PSC_BAD_ENTRY
                 : !do_entry(v->vm, entries[h.cur]) ? PSC_GENERIC
                                                    : 0;
        if (result != 0) {
            break;
        }
    }
    /* The guest sees in the header which entry is next: one past the end when all are done. */
    return snp_ghcb_write(v, at, &h, sizeof(h)) ? result : PSC_BAD_HEADER;
}
