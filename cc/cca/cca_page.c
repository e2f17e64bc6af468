/*
 * Delegation: a page that the hypervisor gives away is PRIVATE (a guest's) or CHIP (the RMM's own)
 * in the owners' table before the RMM gets it, and comes back in the reverse order.
 */
#include "cca.h"

#include "hv/check.h"
#include "hv/page.h"

static enum page_state given(enum page_state s)
{
    return s == PAGE_GUEST ? PAGE_PRIVATE : PAGE_CHIP;
}

static bool undelegate(pa_t at)
{
    struct cca_result r;

    return cca_platform.rmi->undelegate(at, PAGE_SIZE, &r) == PAGE_SIZE;
}

/* All of a block, or nothing of it. */
enum abi_status cca_page_delegate(uint16_t owner, pa_t at, unsigned int order)
{
    enum page_state was = page_state_of(at);
    enum abi_status st = page_move(at, order, was, given(was), owner);
    uint64_t size = PAGE_SIZE << order, done;
    struct cca_result r, back;

    if (st != ABI_OK) {
        return st;
    }
    done = cca_platform.rmi->delegate(at, size, &r);
    if (done == size) {
        return ABI_OK;
    }
    CHECK(done == 0 || cca_platform.rmi->undelegate(at, done, &back) == done);
    CHECK(page_move(at, order, given(was), was, owner) == ABI_OK);
    return cca_fail("cca", "RMI_GRANULE_DELEGATE", r);
}

bool cca_page_undelegate(uint16_t owner, pa_t at)
{
    enum page_state now = page_state_of(at);

    if (!undelegate(at)) {
        return false;
    }
    CHECK(page_move(at, ORDER_4K, now, now == PAGE_PRIVATE ? PAGE_GUEST : PAGE_HV, owner) ==
          ABI_OK);
    return true;
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
        bool back = page_state_of(at) == PAGE_PRIVATE && undelegate(at);

        CHECK(!back || page_return(at, ORDER_4K, owner) == ABI_OK);
        all = all && page_state_of(at) != PAGE_PRIVATE;
    }
    return all;
}

bool cca_block_return(uint16_t owner, pa_t base)
{
    struct cca_result r;
    uint64_t done = 0;

    if (all_private(base)) {
        done = cca_platform.rmi->undelegate(base, SIZE_2M, &r);
        if (done == SIZE_2M) {
            return page_return(base, ORDER_2M, owner) == ABI_OK;
        }
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
    if (cca_page_undelegate(owner, at)) {
        page_free(at, PAGE_HV, owner);
    }
}
