/*
 * A TD's secure EPT: BASE 8. The module says which table is missing, and it is added then; nothing
 * is kept here about what the tree holds.
 */
#include "tdx.h"

#include "arch/timer.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"

#define LEVELS 4u
#define TRACK_NS 1000000000ull /* a CPU that does not leave a TD for so long is broken */

/* A table below the entry of that level. */
static enum abi_status add_table(struct tdx_td *td, uint64_t gpa, unsigned int level)
{
    struct tdx_regs r = {.rcx = TDX_PAGE(ALIGN_DOWN(gpa, TDX_LEVEL_SIZE(level)), level),
                         .rdx = td->tdr.v};
    enum abi_status st;
    pa_t at;

    st = tdx_td_page(td, &at);
    if (st != ABI_OK) {
        return st;
    }
    r.r8 = at.v;
    st = tdx_fail(td->name, TDH_MEM_SEPT_ADD, tdx_call(TDH_MEM_SEPT_ADD, &r));
    if (st != ABI_OK) {
        tdx_td_page_undo(td, at);
    }
    return st;
}

/* A leaf that needs tables down to its page; ABI_EXISTS, quietly, when there is something else. */
static enum abi_status with_tables(struct tdx_td *td, enum tdh_leaf leaf, const struct tdx_regs *in)
{
    enum abi_status st = ABI_OK;
    struct tdx_regs r;
    uint64_t rax;

    REQUIRE(lock_held(&td->lock));
    for (unsigned int i = 0; i <= LEVELS; i++) {
        r = *in;
        rax = tdx_call(leaf, &r);
        if (TDX_STATUS_OF(rax) == TDX_EPT_ENTRY_STATE_INCORRECT) {
            return ABI_EXISTS;
        }
        if (TDX_STATUS_OF(rax) != TDX_EPT_WALK_FAILED) {
            return tdx_fail(td->name, leaf, rax);
        }
        if ((r.rdx >> 8 & 0xff) != TDX_SEPT_FREE) {
            return ABI_EXISTS; /* a bigger page, or a blocked table */
        }
        st = add_table(td, in->rcx & PAGE_MASK, r.rdx & 7);
        if (st != ABI_OK) {
            return st;
        }
    }
    return tdx_fail(td->name, leaf, rax);
}

enum abi_status tdx_sept_add(struct tdx_td *td, uint64_t gpa, pa_t at, pa_t source)
{
    const struct tdx_regs r = {.rcx = gpa, .rdx = td->tdr.v, .r8 = at.v, .r9 = source.v};

    return with_tables(td, TDH_MEM_PAGE_ADD, &r);
}

enum abi_status tdx_sept_measure(struct tdx_td *td, uint64_t gpa)
{
    enum abi_status st = ABI_OK;

    REQUIRE(lock_held(&td->lock));
    for (uint64_t i = 0; i < PAGE_SIZE && st == ABI_OK; i += TDX_EXTEND_CHUNK) {
        st = tdx_fail(td->name, TDH_MR_EXTEND, tdx_call2(TDH_MR_EXTEND, gpa + i, td->tdr.v));
    }
    return st;
}

enum abi_status tdx_sept_aug(struct tdx_td *td, uint64_t gpa, pa_t at, enum tdx_level level)
{
    const struct tdx_regs r = {.rcx = TDX_PAGE(gpa, level), .rdx = td->tdr.v, .r8 = at.v};

    return with_tables(td, TDH_MEM_PAGE_AUG, &r);
}

static enum abi_status simple(struct tdx_td *td, enum tdh_leaf leaf, uint64_t gpa,
                              enum tdx_level level)
{
    REQUIRE(lock_held(&td->lock));
    return tdx_fail(td->name, leaf, tdx_call2(leaf, TDX_PAGE(gpa, level), td->tdr.v));
}

enum abi_status tdx_sept_block(struct tdx_td *td, uint64_t gpa, enum tdx_level level)
{
    return simple(td, TDH_MEM_RANGE_BLOCK, gpa, level);
}

enum abi_status tdx_sept_unblock(struct tdx_td *td, uint64_t gpa, enum tdx_level level)
{
    return simple(td, TDH_MEM_RANGE_UNBLOCK, gpa, level);
}

/* Somebody still runs in the epoch before the last: he is on his way out. */
enum abi_status tdx_sept_track(struct tdx_td *td)
{
    uint64_t end = clock_ns() + TRACK_NS, rax;

    REQUIRE(lock_held(&td->lock));
    do {
        rax = tdx_call2(TDH_MEM_TRACK, td->tdr.v, 0);
    } while (TDX_STATUS_OF(rax) == TDX_PREVIOUS_TLB_EPOCH_BUSY && clock_ns() < end);
    return tdx_fail(td->name, TDH_MEM_TRACK, rax);
}

/* The leaf refuses until every CPU that ran the TD when it was blocked has left it. */
static enum abi_status when_tracked(struct tdx_td *td, enum tdh_leaf leaf,
                                    const struct tdx_regs *in)
{
    uint64_t end = clock_ns() + TRACK_NS, rax;
    struct tdx_regs r;

    REQUIRE(lock_held(&td->lock));
    do {
        r = *in;
        rax = tdx_call(leaf, &r);
    } while (TDX_STATUS_OF(rax) == TDX_TLB_TRACKING_NOT_DONE && clock_ns() < end);
    return tdx_fail(td->name, leaf, rax);
}

enum abi_status tdx_sept_remove(struct tdx_td *td, uint64_t gpa, enum tdx_level level)
{
    const struct tdx_regs r = {.rcx = TDX_PAGE(gpa, level), .rdx = td->tdr.v};

    return when_tracked(td, TDH_MEM_PAGE_REMOVE, &r);
}

enum abi_status tdx_sept_split(struct tdx_td *td, uint64_t gpa)
{
    struct tdx_regs r = {.rcx = TDX_PAGE(gpa, TDX_2M), .rdx = td->tdr.v};
    enum abi_status st;
    pa_t at;

    st = tdx_td_page(td, &at);
    if (st != ABI_OK) {
        return st;
    }
    r.r8 = at.v;
    st = when_tracked(td, TDH_MEM_PAGE_DEMOTE, &r);
    if (st != ABI_OK) {
        tdx_td_page_undo(td, at);
    }
    return st;
}
