/*
 * Delegation: a page that the hypervisor gives away is PRIVATE (a guest's) or CHIP (the RMM's own)
 * in the owners' table before the RMM gets it, and comes back in the reverse order.
 */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"

static enum page_state given(enum page_state s)
{
    return s == PAGE_GUEST ? PAGE_PRIVATE : PAGE_CHIP;
}

/* How many bytes it gave back. */
static uint64_t undelegate(pa_t at, uint64_t len)
{
    struct cca_result r;

    return len == 0 ? 0 : cca_platform.rmi->undelegate(at, len, &r);
}

static void is_ours(uint16_t owner, pa_t at, unsigned int order)
{
    enum page_state now = page_state_of(at);

    CHECK(page_move(at, order, now, now == PAGE_PRIVATE ? PAGE_GUEST : PAGE_HV, owner) == ABI_OK);
}

/* Of a block that was given away the RMM has the first `had` bytes. False: it keeps some. */
static bool take_back(uint16_t owner, pa_t at, unsigned int order, uint64_t had)
{
    bool all = true;
    uint64_t done;

    if (order == ORDER_4K && !arch_map_cut(at)) { /* it may have gone with all its 2 MiB */
        return false;
    }
    done = undelegate(at, had);
    if (done == had) {
        is_ours(owner, at, order);
        return true;
    }
    if (!arch_map_cut(at)) {
        return false;
    }
    for (uint64_t i = 0; i < PAGE_SIZE << order; i += PAGE_SIZE) {
        pa_t page = pa(at.v + i);

        if (i < done || i >= had || undelegate(page, PAGE_SIZE) == PAGE_SIZE) {
            is_ours(owner, page, ORDER_4K);
        } else {
            all = false;
        }
    }
    return all;
}

enum abi_status cca_page_delegate(uint16_t owner, pa_t at, unsigned int order)
{
    enum page_state was = page_state_of(at);
    enum abi_status st = page_move(at, order, was, given(was), owner);
    uint64_t size = PAGE_SIZE << order, done;
    struct cca_result r;

    if (st != ABI_OK) {
        return st;
    }
    done = cca_platform.rmi->delegate(at, size, &r);
    if (done == size) {
        return ABI_OK;
    }
    st = cca_fail("cca", "RMI_GRANULE_DELEGATE", r);
    if (!take_back(owner, at, order, done)) {
        log_error("cca: the RMM keeps some of %lx", (unsigned long)at.v);
    }
    return st;
}

bool cca_page_undelegate(uint16_t owner, pa_t at, unsigned int order)
{
    return take_back(owner, at, order, PAGE_SIZE << order);
}

static bool all_private(pa_t base)
{
    bool all = true;

    for (uint64_t i = 0; i < SIZE_2M && all; i += PAGE_SIZE) {
        all = page_state_of(pa(base.v + i)) == PAGE_PRIVATE;
    }
    return all;
}

/* Page by page, where some are the host's already or the RMM keeps one. */
static bool return_pages(uint16_t owner, pa_t base)
{
    bool all = true;

    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        pa_t at = pa(base.v + i);
        bool back = page_state_of(at) == PAGE_PRIVATE && undelegate(at, PAGE_SIZE) == PAGE_SIZE;

        CHECK(!back || page_return(at, ORDER_4K, owner) == ABI_OK);
        all = all && page_state_of(at) != PAGE_PRIVATE;
    }
    return all;
}

bool cca_block_return(uint16_t owner, pa_t base)
{
    uint64_t done = 0;

    if (all_private(base)) {
        done = undelegate(base, SIZE_2M);
        if (done == SIZE_2M) {
            return page_return(base, ORDER_2M, owner) == ABI_OK;
        }
    }
    if (!arch_map_cut(base)) {
        return false;
    }
    for (uint64_t i = 0; i < done; i += PAGE_SIZE) {
        CHECK(page_return(pa(base.v + i), ORDER_4K, owner) == ABI_OK);
    }
    return return_pages(owner, base);
}

bool cca_page_alloc(uint16_t owner, pa_t *at)
{
    if (!page_alloc(ORDER_4K, PAGE_HV, owner, at)) {
        return false;
    }
    if (cca_page_delegate(owner, *at, ORDER_4K) != ABI_OK) {
        page_free(*at, PAGE_HV, owner);
        return false;
    }
    return true;
}

/* What the RMM does not give back stays where it is: lost, but nobody's danger. */
void cca_page_free(uint16_t owner, pa_t at)
{
    if (cca_page_undelegate(owner, at, ORDER_4K)) {
        page_free(at, PAGE_HV, owner);
    }
}
