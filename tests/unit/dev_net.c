/* virtio-net: domains on one network hear each other, and nobody else. */
#include <pthread.h>
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

enum { RX, TX };
#define HEADER 12u
#define GUESTS 3

static struct drv d[GUESTS];

static void add_guest(unsigned int i, const char *network)
{
    struct device_config cfg = {.mac = {0x52, 0, 0, 0, 0, (uint8_t)(i + 1)}, .has_mac = true};

    strcpy(cfg.network, network);
    drv_probe(&d[i], drv_vm(DEV_VIRTIO_NET, &cfg), 1, 0x10000);
    drv_start(&d[i], DRV_EVENT_IDX, 2);
}

static void setup(const char *a, const char *b, const char *c)
{
    add_guest(0, a);
    add_guest(1, b);
    add_guest(2, c);
    for (unsigned int i = 0; i < GUESTS; i++) {
        fake_poll(d[i].vm); /* who has become a master is asked */
    }
}

static void teardown(void)
{
    for (unsigned int i = 0; i < GUESTS; i++) {
        fake_vm_free(d[i].vm);
    }
}

/* A frame to guest `to`, or to all when it is GUESTS. */
static void send(unsigned int from, unsigned int to, uint8_t fill, uint32_t len)
{
    struct drv_buf b = {0x200000, HEADER + len, false};
    uint8_t *p = fake_ram(d[from].vm, b.addr, b.len);

    memset(p, fill, b.len);
    memset(p, 0, HEADER);
    if (len >= 14) {
        uint8_t mac[6] = {0x52, 0, 0, 0, 0, (uint8_t)(to + 1)};

        memset(p + HEADER, 0xff, 6);
        if (to < GUESTS) {
            memcpy(p + HEADER, mac, 6);
        }
    }
    drv_add(&d[from], TX, &b, 1);
    drv_kick(&d[from], TX);
}

static void give_buffer(unsigned int i, uint32_t len)
{
    struct drv_buf b = {0x300000, len, true};

    drv_add(&d[i], RX, &b, 1);
    drv_kick(&d[i], RX);
}

static bool got(unsigned int i, uint8_t fill, uint32_t frame_len)
{
    uint32_t id, len;
    const uint8_t *p = fake_ram(d[i].vm, 0x300000, 2048);

    return drv_used(&d[i], RX, &id, &len) && len == HEADER + frame_len && p[10] == 1 &&
           p[11] == 0 && p[HEADER + frame_len - 1] == fill;
}

static void the_configuration_names_address_and_mtu(void)
{
    setup("lan", "lan", "lan");
    CU_ASSERT_EQUAL(drv_in(&d[1], 0x80, 4), 0x00000052);
    CU_ASSERT_EQUAL(drv_in(&d[1], 0x84, 2), 0x0200);
    CU_ASSERT_EQUAL(drv_in(&d[1], 0x8a, 2), 1500);
    CU_ASSERT((drv_offered(&d[1]) & 0x28) == 0x28);
    teardown();
}

static void an_address_of_our_own_is_local_and_unicast(void)
{
    struct device_config cfg = {.network = "lan"};
    struct drv one;

    drv_probe(&one, drv_vm(DEV_VIRTIO_NET, &cfg), 1, 0x10000);
    CU_ASSERT_EQUAL(drv_in(&one, 0x80, 1), 0x02);
    fake_vm_free(one.vm);
}

static void a_frame_reaches_its_address_only(void)
{
    setup("lan", "lan", "lan");
    give_buffer(1, 2048);
    give_buffer(2, 2048);
    send(0, 1, 7, 100);
    CU_ASSERT(fake_serve_asked(d[1].vm));
    CU_ASSERT_FALSE(fake_serve_asked(d[2].vm));
    fake_poll(d[1].vm);
    fake_poll(d[2].vm);
    CU_ASSERT(got(1, 7, 100));
    CU_ASSERT_FALSE(got(2, 7, 100));
    CU_ASSERT_EQUAL(fake_msi_data(d[1].vm), 0x40 + RX + 1);
    teardown();
}

static void a_broadcast_reaches_all_but_the_sender(void)
{
    setup("lan", "lan", "lan");
    for (unsigned int i = 0; i < GUESTS; i++) {
        give_buffer(i, 2048);
    }
    send(0, GUESTS, 9, 60);
    for (unsigned int i = 0; i < GUESTS; i++) {
        fake_poll(d[i].vm);
    }
    CU_ASSERT_FALSE(got(0, 9, 60));
    CU_ASSERT(got(1, 9, 60));
    CU_ASSERT(got(2, 9, 60));
    teardown();
}

static void an_unknown_address_reaches_all(void)
{
    setup("lan", "lan", "lan");
    give_buffer(1, 2048);
    give_buffer(2, 2048);
    send(0, GUESTS, 9, 60);
    memcpy(fake_ram(d[0].vm, 0x200000 + HEADER, 6), "\x02zzzzz", 6);
    drv_avail(&d[0], TX, 0); /* the same buffer again, to an address that nobody has */
    drv_kick(&d[0], TX);
    fake_poll(d[1].vm);
    fake_poll(d[2].vm);
    CU_ASSERT(got(1, 9, 60));
    CU_ASSERT(got(2, 9, 60));
    give_buffer(1, 2048);
    give_buffer(2, 2048);
    CU_ASSERT(got(1, 9, 60));
    CU_ASSERT(got(2, 9, 60));
    CU_ASSERT_EQUAL(memcmp(fake_ram(d[1].vm, 0x300000 + HEADER, 6), "\x02zzzzz", 6), 0);
    teardown();
}

static void another_network_hears_nothing(void)
{
    setup("lan", "lan2", "lan");
    give_buffer(1, 2048);
    send(0, GUESTS, 9, 60);
    send(0, 1, 9, 60);
    fake_poll(d[1].vm);
    CU_ASSERT_FALSE(got(1, 9, 60));
    teardown();
}

static void frames_wait_for_buffers_and_the_oldest_come_first(void)
{
    setup("lan", "lan", "lan");
    send(0, 1, 1, 60);
    send(0, 1, 2, 61);
    fake_poll(d[1].vm);
    give_buffer(1, 2048);
    CU_ASSERT(got(1, 1, 60));
    give_buffer(1, 2048);
    CU_ASSERT(got(1, 2, 61));
    CU_ASSERT_FALSE(got(1, 2, 61));
    teardown();
}

static void a_flood_fills_the_ring_and_no_more(void)
{
    uint32_t id, len;
    unsigned int n = 0;

    setup("lan", "lan", "lan");
    for (unsigned int i = 0; i < 200; i++) {
        send(0, 1, (uint8_t)i, 60);
    }
    fake_poll(d[1].vm);
    for (unsigned int i = 0; i < 200; i++) {
        give_buffer(1, 2048);
        n += drv_used(&d[1], RX, &id, &len) ? 1 : 0;
    }
    CU_ASSERT_EQUAL(n, 64);
    CU_ASSERT_EQUAL(drv_status(&d[0]), 0xf);
    teardown();
}

static void what_is_no_frame_is_dropped(void)
{
    static const uint32_t sizes[] = {0, 13, 1519, 4000};

    setup("lan", "lan", "lan");
    give_buffer(1, 2048);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint32_t id, len;

        send(0, GUESTS, 1, sizes[i]);
        CU_ASSERT(drv_used(&d[0], TX, &id, &len));
    }
    fake_poll(d[1].vm);
    CU_ASSERT_FALSE(got(1, 1, 13));
    CU_ASSERT_EQUAL(drv_status(&d[0]), 0xf);
    send(0, GUESTS, 1, 14);
    fake_poll(d[1].vm);
    CU_ASSERT(got(1, 1, 14));
    give_buffer(1, 2048);
    send(0, GUESTS, 1, 1518);
    fake_poll(d[1].vm);
    CU_ASSERT(got(1, 1, 1518));
    teardown();
}

static void a_receive_buffer_that_is_too_small_hurts_only_its_owner(void)
{
    setup("lan", "lan", "lan");
    give_buffer(1, HEADER + 59);
    send(0, 1, 1, 60);
    fake_poll(d[1].vm);
    CU_ASSERT_EQUAL(drv_status(&d[1]), 0x4f);
    CU_ASSERT_EQUAL(drv_status(&d[0]), 0xf);
    teardown();
}

static void a_guest_that_has_gone_is_not_sent_to(void)
{
    setup("lan", "lan", "lan");
    fake_vm_free(d[1].vm);
    send(0, 1, 1, 60);
    send(0, GUESTS, 1, 60);
    fake_poll(d[2].vm);
    fake_vm_free(d[0].vm);
    send(2, GUESTS, 1, 60);
    fake_vm_free(d[2].vm);
}

static void a_reset_drops_what_waits(void)
{
    setup("lan", "lan", "lan");
    send(0, 1, 1, 60);
    drv_start(&d[1], 0, 2);
    give_buffer(1, 2048);
    fake_poll(d[1].vm);
    CU_ASSERT_FALSE(got(1, 1, 60));
    teardown();
}

static void *chatter(void *arg)
{
    unsigned int i = *(const unsigned int *)arg;

    for (unsigned int n = 0; n < 3000; n++) {
        uint32_t id, len;

        send(i, GUESTS, (uint8_t)n, 200);
        (void)drv_used(&d[i], TX, &id, &len);
        fake_poll(d[i].vm);
        if (drv_used(&d[i], RX, &id, &len)) {
            give_buffer(i, 2048);
        }
    }
    return NULL;
}

static void guests_on_several_cpus_talk_without_a_deadlock(void)
{
    unsigned int index[GUESTS];
    pthread_t thread[GUESTS];

    setup("lan", "lan", "lan");
    for (unsigned int i = 0; i < GUESTS; i++) {
        index[i] = i;
        give_buffer(i, 2048);
    }
    for (unsigned int i = 0; i < GUESTS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, chatter, &index[i]), 0);
    }
    for (unsigned int i = 0; i < GUESTS; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT_EQUAL(drv_status(&d[i]), 0xf);
        CU_ASSERT(fake_msis(d[i].vm) > 0);
    }
    teardown();
}

static const struct cu_test tests[] = {
    CU(the_configuration_names_address_and_mtu),
    CU(an_address_of_our_own_is_local_and_unicast),
    CU(a_frame_reaches_its_address_only),
    CU(a_broadcast_reaches_all_but_the_sender),
    CU(an_unknown_address_reaches_all),
    CU(another_network_hears_nothing),
    CU(frames_wait_for_buffers_and_the_oldest_come_first),
    CU(a_flood_fills_the_ring_and_no_more),
    CU(what_is_no_frame_is_dropped),
    CU(a_receive_buffer_that_is_too_small_hurts_only_its_owner),
    CU(a_guest_that_has_gone_is_not_sent_to),
    CU(a_reset_drops_what_waits),
    CU(guests_on_several_cpus_talk_without_a_deadlock),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_net", tests, argc, argv);
}
