/* Page ownership: states and their edges, the buddy pool. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/page.h"

static pa_t take(unsigned int order, enum page_state as, uint16_t owner)
{
    pa_t at = pa(0);

    CU_ASSERT_FATAL(page_alloc(order, as, owner, &at));
    return at;
}

static void a_page_moves_from_free_to_its_owner_and_back(void)
{
    static const enum page_state states[] = {PAGE_HV, PAGE_TABLE, PAGE_GUEST};

    core_boot(MiB(64), 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
        pa_t at = take(ORDER_4K, states[i], (uint16_t)(i + 7));

        CU_ASSERT_EQUAL(page_state_of(at), states[i]);
        CU_ASSERT_EQUAL(page_owner_of(at), i + 7);
        page_free(at, states[i], (uint16_t)(i + 7));
        CU_ASSERT_EQUAL(page_state_of(at), PAGE_FREE);
        CU_ASSERT_EQUAL(page_owner_of(at), 0);
    }
    core_done();
}

static void taking_a_page_as_anything_else_panics(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    ASSERT_PANICS((void)!page_alloc(0, PAGE_NONE, 1, &at));
    ASSERT_PANICS((void)!page_alloc(0, PAGE_IMAGE, 1, &at));
    ASSERT_PANICS((void)!page_alloc(0, PAGE_FREE, 1, &at));
    ASSERT_PANICS((void)!page_alloc(PAGE_ORDER_MAX + 1, PAGE_HV, 1, &at));
    core_done();
}

/* Every state but the right one, for every state there is; the right state of a wrong owner. */
static void giving_a_page_back_as_what_it_is_not_panics(void)
{
    core_boot(MiB(64), 1);
    for (unsigned int is = PAGE_HV; is <= PAGE_GUEST; is++) {
        pa_t at = take(0, (enum page_state)is, 3);

        for (unsigned int was = PAGE_NONE; was <= PAGE_GUEST; was++) {
            if (was != is) {
                ASSERT_PANICS(page_free(at, (enum page_state)was, 3));
            }
        }
        ASSERT_PANICS(page_free(at, (enum page_state)is, 4));
        page_free(at, (enum page_state)is, 3);
        ASSERT_PANICS(page_free(at, (enum page_state)is, 3));
        ASSERT_PANICS(page_free(at, PAGE_FREE, 0));
    }
    core_done();
}

static void the_image_and_what_is_not_ram_cannot_be_given_back(void)
{
    core_boot(MiB(64), 1);
    CU_ASSERT_EQUAL(page_state_of(pa(MiB(2))), PAGE_IMAGE);
    CU_ASSERT_EQUAL(page_state_of(pa(KiB(640))), PAGE_NONE);
    CU_ASSERT_EQUAL(page_state_of(pa(GiB(9))), PAGE_NONE);
    CU_ASSERT_EQUAL(page_owner_of(pa(GiB(9))), 0);
    ASSERT_PANICS(page_free(pa(MiB(2)), PAGE_IMAGE, 0));
    ASSERT_PANICS(page_free(pa(KiB(640)), PAGE_NONE, 0));
    ASSERT_PANICS(page_free(pa(GiB(9)), PAGE_HV, 0));
    ASSERT_PANICS(page_free(pa(0), PAGE_IMAGE, 0));
    core_done();
}

static void only_the_head_of_a_block_can_be_given_back(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    at = take(3, PAGE_HV, 1);
    for (uint64_t i = 1; i < 8; i++) {
        ASSERT_PANICS(page_free(pa(at.v + i * PAGE_SIZE), PAGE_HV, 1));
    }
    ASSERT_PANICS(page_free(pa(at.v + 8), PAGE_HV, 1));
    page_free(at, PAGE_HV, 1);
    core_done();
}

static void blocks_are_naturally_aligned_and_whole(void)
{
    core_boot(GiB(2), 1);
    for (unsigned int order = 0; order <= ORDER_2M + 6; order++) {
        pa_t at = take(order, PAGE_GUEST, 9);

        CU_ASSERT(IS_ALIGNED(at.v, PAGE_SIZE << order));
        for (uint64_t i = 0; i < BIT(order); i += 1 + BIT(order) / 64) {
            CU_ASSERT_EQUAL(page_state_of(pa(at.v + i * PAGE_SIZE)), PAGE_GUEST);
            CU_ASSERT_EQUAL(page_owner_of(pa(at.v + i * PAGE_SIZE)), 9);
        }
        page_free(at, PAGE_GUEST, 9);
    }
    core_done();
}

static void pages_of_the_hypervisor_come_cleared_and_guests_do_not_pay_for_it(void)
{
    static const uint8_t zero[PAGE_SIZE];
    pa_t at;

    core_boot(MiB(64), 1);
    at = take(1, PAGE_HV, 1);
    memset(pa_to_hva(at), 0xa5, 2 * PAGE_SIZE);
    page_free(at, PAGE_HV, 1);
    at = take(1, PAGE_TABLE, 2);
    CU_ASSERT_EQUAL(memcmp(pa_to_hva(at), zero, PAGE_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(pa_to_hva(pa(at.v + PAGE_SIZE)), zero, PAGE_SIZE), 0);
    memset(pa_to_hva(at), 0xa5, 2 * PAGE_SIZE);
    page_free(at, PAGE_TABLE, 2);
    at = take(1, PAGE_GUEST, 3); /* cleared by vm_mem.c, when it is first touched */
    page_free(at, PAGE_GUEST, 3);
    core_done();
}

/* Taken to the last page in pieces of every size, and given back in another order. */
static void the_pool_can_be_exhausted_and_becomes_whole_again(void)
{
    static pa_t got[20000];
    static unsigned int orders[20000];
    unsigned int n = 0;
    uint64_t whole = 0;
    pa_t at;

    core_boot(MiB(48), 1);
    while (page_alloc(ORDER_2M, PAGE_GUEST, 1, &at)) {
        page_free(at, PAGE_GUEST, 1);
        CU_ASSERT_FATAL(page_alloc(ORDER_2M, PAGE_GUEST, 1, &got[whole]));
        whole++;
    }
    for (uint64_t i = 0; i < whole; i++) {
        page_free(got[i], PAGE_GUEST, 1);
    }
    for (unsigned int order = 5; n < ARRAY_SIZE(got);) {
        if (page_alloc(order, PAGE_GUEST, 1, &got[n])) {
            orders[n++] = order;
        } else if (order == 0) {
            break;
        }
        order = order == 0 ? (page_count_free() > 0 ? 4 : 0) : order - 1;
    }
    CU_ASSERT_EQUAL(page_count_free(), 0);
    CU_ASSERT_FALSE(page_alloc(0, PAGE_HV, 1, &at));
    for (unsigned int i = 0; i < n; i++) {
        unsigned int j = (i * 7919u) % n;

        if (orders[j] != 99) {
            page_free(got[j], PAGE_GUEST, 1);
            orders[j] = 99;
        }
    }
    for (unsigned int j = 0; j < n; j++) {
        if (orders[j] != 99) {
            page_free(got[j], PAGE_GUEST, 1);
        }
    }
    for (uint64_t i = 0; i < whole; i++) { /* merged: as many big blocks as at first */
        CU_ASSERT_FATAL(page_alloc(ORDER_2M, PAGE_GUEST, 1, &got[i]));
    }
    CU_ASSERT_FALSE(page_alloc(ORDER_2M, PAGE_GUEST, 1, &at));
    for (uint64_t i = 0; i < whole; i++) {
        page_free(got[i], PAGE_GUEST, 1);
    }
    core_done();
}

static void a_split_block_is_given_back_piece_by_piece(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    at = take(ORDER_2M + 1, PAGE_GUEST, 5);
    page_split(at, ORDER_2M);
    page_free(pa(at.v + SIZE_2M), PAGE_GUEST, 5);
    CU_ASSERT_EQUAL(page_state_of(at), PAGE_GUEST);
    CU_ASSERT_EQUAL(page_state_of(pa(at.v + SIZE_2M)), PAGE_FREE);
    page_free(at, PAGE_GUEST, 5);
    ASSERT_PANICS(page_split(at, 0));
    at = take(1, PAGE_HV, 5);
    ASSERT_PANICS(page_split(at, 2));
    ASSERT_PANICS(page_split(pa(at.v + PAGE_SIZE), 0));
    page_split(at, 0);
    page_free(at, PAGE_HV, 5);
    page_free(pa(at.v + PAGE_SIZE), PAGE_HV, 5);
    core_done();
}

static void counters_follow_every_move(void)
{
    uint64_t total, free;
    pa_t a, b;

    core_boot(MiB(64), 1);
    total = page_count_total();
    free = page_count_free();
    a = take(4, PAGE_GUEST, 1);
    CU_ASSERT_EQUAL(page_count_free(), free - 16);
    b = take(0, PAGE_TABLE, 1);
    CU_ASSERT_EQUAL(page_count_free(), free - 17);
    page_free(a, PAGE_GUEST, 1);
    CU_ASSERT_EQUAL(page_count_free(), free - 1);
    page_free(b, PAGE_TABLE, 1);
    CU_ASSERT_EQUAL(page_count_total(), total);
    core_done();
}

static void a_page_that_cannot_be_hidden_stays_whose_it_was(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    at = take(ORDER_2M, PAGE_GUEST, 3);
    fake_map_is_full = true;
    CU_ASSERT_EQUAL(page_move(at, ORDER_2M, PAGE_GUEST, PAGE_PRIVATE, 3), ABI_NO_MEMORY);
    fake_map_is_full = false;
    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        CU_ASSERT_EQUAL(page_state_of(pa(at.v + i)), PAGE_GUEST);
    }
    CU_ASSERT(page_pin(at, 3));
    page_unpin(at, 3);
    page_free(at, PAGE_GUEST, 3);
    core_done();
}

static unsigned int shown;

/* Another CPU looks for the page while it comes back. */
static void look_at_it(pa_t at)
{
    CU_ASSERT_NOT_EQUAL(page_state_of(at), PAGE_GUEST);
    CU_ASSERT(!page_pin(at, 3));
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, 3), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, 3), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(*(uint8_t *)pa_to_hva(at), 0x5a);
    shown++;
}

static void a_private_page_is_nobodys_until_it_is_cleared(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    at = take(ORDER_4K, PAGE_GUEST, 3);
    memset(pa_to_hva(at), 0x5a, PAGE_SIZE);
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, 3), ABI_OK);
    shown = 0;
    fake_when_shown = look_at_it;
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, 3), ABI_OK);
    fake_when_shown = NULL;
    CU_ASSERT_EQUAL(shown, 1);
    CU_ASSERT_EQUAL(page_state_of(at), PAGE_GUEST);
    CU_ASSERT_EQUAL(*(uint8_t *)pa_to_hva(at), 0);
    page_free(at, PAGE_GUEST, 3);
    core_done();
}

static const struct cu_test tests[] = {
    CU(a_page_moves_from_free_to_its_owner_and_back),
    CU(taking_a_page_as_anything_else_panics),
    CU(giving_a_page_back_as_what_it_is_not_panics),
    CU(the_image_and_what_is_not_ram_cannot_be_given_back),
    CU(only_the_head_of_a_block_can_be_given_back),
    CU(blocks_are_naturally_aligned_and_whole),
    CU(pages_of_the_hypervisor_come_cleared_and_guests_do_not_pay_for_it),
    CU(the_pool_can_be_exhausted_and_becomes_whole_again),
    CU(a_split_block_is_given_back_piece_by_piece),
    CU(counters_follow_every_move),
    CU(a_page_that_cannot_be_hidden_stays_whose_it_was),
    CU(a_private_page_is_nobodys_until_it_is_cleared),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_page", tests, argc, argv);
}
