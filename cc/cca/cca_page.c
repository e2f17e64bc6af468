/*
 * Delegation: a page that the hypervisor gives away is PRIVATE (a guest's) or CHIP (the RMM's own)
 * in the owners' table before the RMM gets it, and comes back in the reverse order.
 */
#include "cca.h"

#include "hv/check.h"
#include "hv/page.h"

#define PAGES_2M (SIZE_2M / PAGE_SIZE)

static enum page_state given(enum page_state s)
{
    return s == PAGE_GUEST ? PAGE_PRIVATE : PAGE_CHIP;
}

static bool undelegate(pa_t at)
{
    return rmi_ok(rmi(RMI_GRANULE_UNDELEGATE, at.v, 0, 0, 0));
}

/* All of a block, or nothing of it. */
enum abi_status cca_page_delegate(uint16_t owner, pa_t at, unsigned int order)
{
    enum page_state was = page_state_of(at);
    enum abi_status st = page_move(at, order, was, given(was), owner);
    uint64_t size = PAGE_SIZE << order, done = 0;

    if (st != ABI_OK) {
        return st;
    }
    while (done < size && rmi_ok(rmi(RMI_GRANULE_DELEGATE, at.v + done, 0, 0, 0))) {
        done += PAGE_SIZE;
    }
    if (done == size) {
        return ABI_OK;
    }
    while (done > 0) {
        done -= PAGE_SIZE;
        CHECK(undelegate(pa(at.v + done)));
    }
    CHECK(page_move(at, order, given(was), was, owner) == ABI_OK);
    return ABI_HARDWARE;
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

bool cca_block_return(uint16_t owner, pa_t base)
{
    bool back[PAGES_2M] = {false};
    uint64_t n = 0;

    for (uint64_t i = 0; i < PAGES_2M; i++) {
        pa_t at = pa(base.v + i * PAGE_SIZE);

        back[i] = page_state_of(at) != PAGE_PRIVATE || undelegate(at);
        n += back[i];
    }
    if (n == PAGES_2M && page_return(base, ORDER_2M, owner) == ABI_OK) {
        return true;
    }
    for (uint64_t i = 0; i < PAGES_2M; i++) {
        pa_t at = pa(base.v + i * PAGE_SIZE);

        if (back[i] && page_state_of(at) == PAGE_PRIVATE) {
            CHECK(page_return(at, ORDER_4K, owner) == ABI_OK);
        }
    }
    return n == PAGES_2M;
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
