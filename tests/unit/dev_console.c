/* virtio-console, as a guest drives it. */
#include <string.h>

#include "cu.h"
#include "dev_driver.h"

#define MULTIPORT 2ull
#define QUEUES    6
enum { RX0, TX0, CTRL_RX, CTRL_TX, RX1, TX1, RX2, TX2 };

struct control {
    uint32_t id;
    uint16_t event, value;
};

static struct drv d;
static uint64_t ctrl_buf[DRV_QUEUE_SIZE];

static void setup(uint64_t features)
{
    struct device_config cfg = {0};

    drv_probe(&d, drv_vm(DEV_VIRTIO_CONSOLE, &cfg), 1, 0x10000);
    drv_start(&d, features, QUEUES);
}

/* A domain with a control port, which takes so many bytes. */
static void setup_control(size_t room)
{
    struct device_config cfg = {0};
    struct vm *vm = fake_vm_new("guest", MiB(4));

    fake_control(vm, room);
    drv_probe(&d, drv_device(vm, DEV_VIRTIO_CONSOLE, &cfg), 1, 0x10000);
    drv_start(&d, MULTIPORT, QUEUES + 2);
}

static void teardown(void)
{
    fake_vm_free(d.vm);
}

static void give_control_buffers(unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        struct drv_buf b = {drv_alloc(&d, 32), 32, true};

        ctrl_buf[drv_add(&d, CTRL_RX, &b, 1)] = b.addr;
    }
    drv_kick(&d, CTRL_RX);
}

static void send_control(uint32_t id, uint16_t event, uint16_t value)
{
    struct control msg = {id, event, value};
    struct drv_buf b = {drv_alloc(&d, sizeof(msg)), sizeof(msg), false};

    memcpy(fake_ram(d.vm, b.addr, sizeof(msg)), &msg, sizeof(msg));
    drv_add(&d, CTRL_TX, &b, 1);
    drv_kick(&d, CTRL_TX);
}

/* True when the next control message from the device is this one. */
static bool got_control(uint32_t id, uint16_t event, uint16_t value, const char *text)
{
    uint32_t head, len;
    struct control msg;
    const char *p;

    if (!drv_used(&d, CTRL_RX, &head, &len) || len != sizeof(msg) + strlen(text)) {
        return false;
    }
    p = fake_ram(d.vm, ctrl_buf[head], len);
    memcpy(&msg, p, sizeof(msg));
    return msg.id == id && msg.event == event && msg.value == value &&
           memcmp(p + sizeof(msg), text, strlen(text)) == 0;
}

static void send_text(unsigned int queue, const char *text)
{
    struct drv_buf b = {drv_alloc(&d, strlen(text)), (uint32_t)strlen(text), false};

    memcpy(fake_ram(d.vm, b.addr, b.len), text, b.len);
    drv_add(&d, queue, &b, 1);
    drv_kick(&d, queue);
}

static bool output_is(enum stream_id id, const char *text)
{
    size_t len;
    const char *out = fake_output(d.vm, id, &len);

    return len == strlen(text) && memcmp(out, text, len) == 0;
}

static void a_guest_finds_two_ports_with_their_roles(void)
{
    setup(MULTIPORT);
    CU_ASSERT_EQUAL(drv_in(&d, 0x84, 4), 2);
    give_control_buffers(8);
    send_control(0xffffffff, 0, 1);
    CU_ASSERT(got_control(0, 1, 1, ""));
    CU_ASSERT(got_control(1, 1, 1, ""));
    send_control(0, 3, 1);
    CU_ASSERT(got_control(0, 4, 1, ""));
    CU_ASSERT(got_control(0, 6, 1, ""));
    send_control(1, 3, 1);
    CU_ASSERT(got_control(1, 7, 1, "cloister.host"));
    CU_ASSERT(got_control(1, 6, 1, ""));
    teardown();
}

static void control_messages_wait_for_buffers(void)
{
    setup(MULTIPORT);
    send_control(0, 0, 1);
    give_control_buffers(1);
    CU_ASSERT(got_control(0, 1, 1, ""));
    CU_ASSERT_FALSE(got_control(1, 1, 1, ""));
    give_control_buffers(1);
    CU_ASSERT(got_control(1, 1, 1, ""));
    teardown();
}

static void console_output_reaches_the_stream_and_interrupts(void)
{
    uint32_t id, len;
    unsigned int before;

    setup(0);
    before = fake_msis(d.vm);
    send_text(TX0, "hello\n");
    CU_ASSERT(output_is(STREAM_CONSOLE, "hello\n"));
    CU_ASSERT(drv_used(&d, TX0, &id, &len));
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(fake_msis(d.vm), before + 1);
    CU_ASSERT_EQUAL(fake_msi_data(d.vm), 0x40 + TX0 + 1);
    teardown();
}

static void the_channel_is_separate_from_the_console(void)
{
    setup(MULTIPORT);
    send_text(TX1, "to the host");
    CU_ASSERT(output_is(STREAM_CHANNEL, "to the host"));
    CU_ASSERT(output_is(STREAM_CONSOLE, ""));
    teardown();
}

static void a_domain_with_a_control_port_finds_a_third(void)
{
    setup_control(0);
    CU_ASSERT_EQUAL(drv_in(&d, 0x84, 4), 3);
    give_control_buffers(8);
    send_control(0xffffffff, 0, 1);
    CU_ASSERT(got_control(0, 1, 1, ""));
    CU_ASSERT(got_control(1, 1, 1, ""));
    CU_ASSERT(got_control(2, 1, 1, ""));
    send_control(2, 3, 1);
    CU_ASSERT(got_control(2, 7, 1, "cloister.control"));
    CU_ASSERT(got_control(2, 6, 1, ""));
    send_control(2, 6, 1);
    CU_ASSERT(fake_stream_open(d.vm, STREAM_CONTROL));
    CU_ASSERT_FALSE(fake_stream_open(d.vm, STREAM_CHANNEL));
    teardown();
}

static void what_the_control_port_has_no_room_for_waits(void)
{
    uint32_t id, len;

    setup_control(4);
    send_control(2, 6, 1);
    send_text(TX2, "request");
    send_text(TX2, "next");
    CU_ASSERT(output_is(STREAM_CONTROL, "requ"));
    CU_ASSERT_FALSE(drv_used(&d, TX2, &id, &len));
    send_text(TX1, "to the host"); /* others go on */
    CU_ASSERT(output_is(STREAM_CHANNEL, "to the host"));
    fake_control(d.vm, 5);
    CU_ASSERT(output_is(STREAM_CONTROL, "requestne"));
    CU_ASSERT(drv_used(&d, TX2, &id, &len));
    CU_ASSERT_FALSE(drv_used(&d, TX2, &id, &len));
    fake_control(d.vm, 100);
    CU_ASSERT(output_is(STREAM_CONTROL, "requestnext"));
    CU_ASSERT(drv_used(&d, TX2, &id, &len));
    teardown();
}

static void what_waits_at_the_control_port_goes_when_it_is_closed(void)
{
    uint32_t id, len;

    setup_control(4);
    send_control(2, 6, 1);
    send_text(TX2, "request");
    send_text(TX2, "next");
    send_control(2, 6, 0);
    CU_ASSERT(drv_used(&d, TX2, &id, &len));
    CU_ASSERT(drv_used(&d, TX2, &id, &len));
    send_control(2, 6, 1);
    fake_control(d.vm, 100);
    CU_ASSERT(output_is(STREAM_CONTROL, "requ"));
    send_text(TX2, "anew");
    CU_ASSERT(output_is(STREAM_CONTROL, "requanew"));
    teardown();
}

static void without_multiport_the_channel_is_dead(void)
{
    setup(0);
    send_text(TX1, "to the host");
    CU_ASSERT(output_is(STREAM_CHANNEL, ""));
    teardown();
}

static void input_waits_until_the_guest_has_room(void)
{
    struct drv_buf b;
    uint32_t id, len;

    setup(0);
    CU_ASSERT_EQUAL(fake_input(d.vm, STREAM_CONSOLE, "abcdef", 6), 6);
    b = (struct drv_buf){drv_alloc(&d, 4), 4, true};
    drv_add(&d, RX0, &b, 1);
    drv_kick(&d, RX0);
    CU_ASSERT(drv_used(&d, RX0, &id, &len));
    CU_ASSERT_EQUAL(len, 4);
    CU_ASSERT_EQUAL(memcmp(fake_ram(d.vm, b.addr, 4), "abcd", 4), 0);
    CU_ASSERT_EQUAL(fake_input_waiting(d.vm, STREAM_CONSOLE), 2);
    drv_add(&d, RX0, &b, 1);
    drv_kick(&d, RX0);
    CU_ASSERT(drv_used(&d, RX0, &id, &len));
    CU_ASSERT_EQUAL(len, 2);
    CU_ASSERT_EQUAL(memcmp(fake_ram(d.vm, b.addr, 2), "ef", 2), 0);
    teardown();
}

static void channel_input_waits_until_the_guest_opens_the_port(void)
{
    struct drv_buf b;
    uint32_t id, len;

    setup(MULTIPORT);
    b = (struct drv_buf){drv_alloc(&d, 64), 64, true};
    drv_add(&d, RX1, &b, 1);
    drv_kick(&d, RX1);
    CU_ASSERT_EQUAL(fake_input(d.vm, STREAM_CHANNEL, "secret", 6), 6);
    CU_ASSERT_FALSE(drv_used(&d, RX1, &id, &len));
    send_control(1, 6, 1);
    CU_ASSERT(fake_stream_open(d.vm, STREAM_CHANNEL));
    CU_ASSERT(drv_used(&d, RX1, &id, &len));
    CU_ASSERT_EQUAL(len, 6);
    send_control(1, 6, 0);
    CU_ASSERT_FALSE(fake_stream_open(d.vm, STREAM_CHANNEL));
    teardown();
}

static void a_reset_closes_the_channel(void)
{
    setup(MULTIPORT);
    send_control(1, 6, 1);
    CU_ASSERT(fake_stream_open(d.vm, STREAM_CHANNEL));
    drv_out(&d, 0x14, 1, 0);
    CU_ASSERT_FALSE(fake_stream_open(d.vm, STREAM_CHANNEL));
    CU_ASSERT_EQUAL(drv_status(&d), 0);
    teardown();
}

static void a_message_for_a_port_that_is_not_there_is_logged(void)
{
    setup(MULTIPORT);
    fake_log_clear();
    send_control(2, 6, 1);
    CU_ASSERT_EQUAL(fake_log_lines(), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "port 2"));
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_short_control_message_is_only_given_back(void)
{
    struct drv_buf b;
    uint32_t id, len;

    setup(MULTIPORT);
    b = (struct drv_buf){drv_alloc(&d, 7), 7, false};
    drv_add(&d, CTRL_TX, &b, 1);
    drv_kick(&d, CTRL_TX);
    CU_ASSERT(drv_used(&d, CTRL_TX, &id, &len));
    CU_ASSERT_EQUAL(drv_status(&d), 0xf);
    teardown();
}

static void a_control_buffer_that_is_too_small_needs_a_reset(void)
{
    struct drv_buf b;

    setup(MULTIPORT);
    b = (struct drv_buf){drv_alloc(&d, 7), 7, true};
    drv_add(&d, CTRL_RX, &b, 1);
    send_control(0, 0, 1);
    CU_ASSERT_EQUAL(drv_status(&d) & 0x40, 0x40);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_last(), "control buffer"));
    teardown();
}

/* One chain that names the same 64 KiB sixteen times: one exit must not print it all. */
static void a_flood_is_cut_into_pieces(void)
{
    struct drv_buf b[DRV_QUEUE_SIZE];
    uint32_t id, len;
    size_t first;
    int polls = 0;

    setup(0);
    for (unsigned int i = 0; i < DRV_QUEUE_SIZE; i++) {
        b[i] = (struct drv_buf){0x100000, 0x10000, false};
    }
    drv_add(&d, TX0, b, DRV_QUEUE_SIZE);
    drv_kick(&d, TX0);
    first = fake_output_total(d.vm, STREAM_CONSOLE);
    CU_ASSERT(first > 0 && first <= 0x1000);
    CU_ASSERT_FALSE(drv_used(&d, TX0, &id, &len));
    while (!drv_used(&d, TX0, &id, &len) && polls < 1000) {
        fake_poll(d.vm);
        polls++;
    }
    CU_ASSERT_EQUAL(fake_output_total(d.vm, STREAM_CONSOLE), 0x100000);
    CU_ASSERT(polls < 300);
    teardown();
}

static const struct cu_test tests[] = {
    CU(a_guest_finds_two_ports_with_their_roles),
    CU(control_messages_wait_for_buffers),
    CU(console_output_reaches_the_stream_and_interrupts),
    CU(the_channel_is_separate_from_the_console),
    CU(a_domain_with_a_control_port_finds_a_third),
    CU(what_the_control_port_has_no_room_for_waits),
    CU(what_waits_at_the_control_port_goes_when_it_is_closed),
    CU(without_multiport_the_channel_is_dead),
    CU(input_waits_until_the_guest_has_room),
    CU(channel_input_waits_until_the_guest_opens_the_port),
    CU(a_reset_closes_the_channel),
    CU(a_message_for_a_port_that_is_not_there_is_logged),
    CU(a_short_control_message_is_only_given_back),
    CU(a_control_buffer_that_is_too_small_needs_a_reset),
    CU(a_flood_is_cut_into_pieces),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_console", tests, argc, argv);
}
