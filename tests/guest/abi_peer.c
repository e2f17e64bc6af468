/*
 * Two domains that name each other, one in each role, run a ring in shared memory: the hypervisor
 * carries events, no byte of data. role=1 offers, and takes it back; role=2 accepts.
 */
#include "abi/abi.h"
#include "guest.h"

#define TAG     0xc10u
#define WINDOW  (8ull << 30) /* where role 2 wants it: outside RAM */
#define SLOTS   64u
#define NUMBERS 5000u

struct ring {
    uint32_t produced, consumed;
    uint64_t slot[SLOTS];
    uint32_t done;
};

static struct {
    struct abi_event_area area __attribute__((aligned(64)));
} own SHARED;
static union {
    struct ring ring;
    uint8_t page[4096];
} offered SHARED;

static uint64_t peer, port, shared_handle;

static void wait_for_event(void)
{
    while (__atomic_exchange_n(&own.area.pending[port / 64], 0, __ATOMIC_ACQUIRE) == 0) {
        (void)call(ABI_CALL_EVENT_WAIT, 0, 0, 0, 0);
    }
}

/* Calls until another answer comes than `while_it_is`, 20 s at most. */
static uint64_t repeat(uint64_t number, uint64_t a, uint64_t b, uint64_t while_it_is)
{
    uint64_t end = counter() + ticks_of_us(20000000), st;

    do {
        st = call(number, a, b, 0, 0).status;
    } while (st == while_it_is && counter() < end);
    return st;
}

/* Until the other one is there: BAD_STATE says that it is not, an event that it may be. */
static void send(void)
{
    expect_eq(repeat(ABI_CALL_EVENT_SEND, port, 0, ABI_BAD_STATE), ABI_OK);
}

static void peers_are_named_by_their_place_in_the_description(void)
{
    uint64_t role = option("role", 0);

    peer = role == 1 ? 1 : 0;
    expect_eq(call(ABI_CALL_ABI_QUERY, ABI_QUERY_PEER, peer, 0, 0).value[0], 1);
    expect_eq(call(ABI_CALL_ABI_QUERY, ABI_QUERY_PEER, peer + 1, 0, 0).value[0], 0);
    expect_eq(call(ABI_CALL_EVENT_SETUP, call(ABI_CALL_BUF_REGISTER, (uint64_t)&own, sizeof(own),
                                              0, 0).value[0], 0, 0, 0).status, ABI_OK);
    expect_eq(call(ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, peer + 1, 0, 0).status, ABI_BAD_ARG);
}

static void who_is_not_there_is_not_heard(void)
{
    uint64_t alone = 99 + option("role", 0); /* a tag that the other never uses */
    struct call_result r = call(ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, peer | alone << 32, 0, 0);

    expect_eq(r.status, ABI_OK);
    expect_eq(call(ABI_CALL_EVENT_SEND, r.value[0], 0, 0, 0).status, ABI_BAD_STATE);
    expect_eq(call(ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER, peer | alone << 32, 0, 0).status,
              ABI_EXISTS);
    expect_eq(call(ABI_CALL_SHARE_ACCEPT, peer, alone, WINDOW, 0).status, ABI_NOT_FOUND);
    expect_eq(call(ABI_CALL_EVENT_CLOSE, r.value[0], 0, 0, 0).status, ABI_OK);
}

static void produce(struct ring *r)
{
    shared_handle = call(ABI_CALL_BUF_REGISTER, (uint64_t)r, 4096, 0, 0).value[0];
    expect_eq(call(ABI_CALL_SHARE_OFFER, shared_handle, peer, TAG, 0).status, ABI_OK);
    expect_eq(call(ABI_CALL_SHARE_OFFER, shared_handle, peer, TAG, 0).status, ABI_EXISTS);
    expect_eq(call(ABI_CALL_BUF_UNREGISTER, shared_handle, 0, 0, 0).status, ABI_BUSY);
    send(); /* the offer is there */
    for (uint32_t i = 0; i < NUMBERS; i++) {
        while (i - load_acquire(&r->consumed) == SLOTS) {
            wait_for_event();
        }
        r->slot[i % SLOTS] = i * 977ull;
        store_release(&r->produced, i + 1);
        send();
    }
    while (load_acquire(&r->done) == 0) {
        wait_for_event();
    }
}

static struct ring *accept(void)
{
    struct call_result r;

    wait_for_event();
    r = call(ABI_CALL_SHARE_ACCEPT, peer, TAG, (uint64_t)&own, 0);
    expect_eq(r.status, ABI_EXISTS); /* that is RAM */
    r = call(ABI_CALL_SHARE_ACCEPT, peer, TAG, WINDOW + 8, 0);
    expect_eq(r.status, ABI_BAD_ARG);
    r = call(ABI_CALL_SHARE_ACCEPT, peer, TAG, WINDOW, 0);
    expect_eq(r.status, ABI_OK);
    expect_eq(r.value[0], 4096);
    expect_eq(call(ABI_CALL_SHARE_ACCEPT, peer, TAG, WINDOW + 4096, 0).status, ABI_EXISTS);
    expect_eq(call(ABI_CALL_BUF_REGISTER, WINDOW, 64, 0, 0).status, ABI_BAD_ADDRESS);
    return (struct ring *)(uint64_t)map_shared(WINDOW);
}

static void consume(void)
{
    struct ring *r = accept();
    uint64_t sum = 0;

    for (uint32_t i = 0; i < NUMBERS; i++) {
        while (load_acquire(&r->produced) == i) {
            wait_for_event();
        }
        sum += r->slot[i % SLOTS] == i * 977ull;
        store_release(&r->consumed, i + 1);
        send();
    }
    expect_eq(sum, NUMBERS);
    store_release(&r->done, 1);
    (void)call(ABI_CALL_EVENT_SEND, port, 0, 0, 0); /* it may have seen that, and be gone */
}

static void a_ring_carries_every_number(void)
{
    struct call_result r = call(ABI_CALL_EVENT_OPEN, ABI_SOURCE_PEER,
                                peer | (uint64_t)TAG << 32, 0, 0);

    expect_eq(r.status, ABI_OK);
    port = r.value[0];
    if (option("role", 0) == 1) {
        produce(&offered.ring);
    } else {
        consume();
    }
}

/* The offerer takes it back; the acceptor finds nothing of it there, and goes on. */
static void what_is_taken_back_is_gone(void)
{
    if (option("role", 0) == 1) {
        expect_eq(repeat(ABI_CALL_SHARE_END, peer, TAG, ABI_BUSY), ABI_OK);
        expect_eq(call(ABI_CALL_SHARE_END, peer, TAG, 0, 0).status, ABI_NOT_FOUND);
        expect_eq(call(ABI_CALL_BUF_UNREGISTER, shared_handle, 0, 0, 0).status, ABI_OK);
        offered.ring.done = 0x600d;
        expect_eq(call(ABI_CALL_EVENT_CLOSE, port, 0, 0, 0).status, ABI_OK);
        return;
    }
    expect_eq(repeat(ABI_CALL_EVENT_SEND, port, 0, ABI_OK), ABI_BAD_STATE);
    if (guest_kind != GUEST_REALM) { /* which would take an abort */
        expect(((volatile struct ring *)map_shared(WINDOW))->done != 0x600d);
    }
    expect_eq(call(ABI_CALL_SHARE_END, peer, TAG, 1, 0).status, ABI_NOT_FOUND);
}

const struct test tests[] = {
    TEST(peers_are_named_by_their_place_in_the_description),
    TEST(who_is_not_there_is_not_heard),
    TEST(a_ring_carries_every_number),
    TEST(what_is_taken_back_is_gone),
    TEST_END,
};
