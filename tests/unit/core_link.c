/* What leaves the hypervisor and comes in: channels, frames of the host link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/log.h"

#define MS 1000000ull

static struct vm *vm;

static void start(void)
{
    core_boot(MiB(64), 1);
    link_init();
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    fake_console_clear();
    fake_link_clear();
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static unsigned int count(const char *text)
{
    unsigned int n = 0;

    for (const char *at = fake_console(); *at != '\0'; at++) {
        n += strncmp(at, text, strlen(text)) == 0;
    }
    return n;
}

/* A device that takes as much input as there is room. */
static uint8_t taken[8192];
static size_t taken_len, room;

static size_t take_input(void *dev, const uint8_t *buf, size_t len)
{
    size_t n = MIN(len, room);

    CU_ASSERT_PTR_EQUAL(dev, &room);
    memcpy(&taken[taken_len], buf, n);
    taken_len += n;
    room -= n;
    return n;
}

static const struct stream_ops input_ops = {.input = take_input};

/* Reads the next frame that left on the link. */
struct frame {
    unsigned int type, domain, len;
    const uint8_t *payload;
};
static size_t read_at;

static bool next_frame(struct frame *f)
{
    size_t len;
    const uint8_t *link = fake_link(&len);
    const uint8_t *p = link + read_at;

    if (read_at + 8 > len) {
        return false;
    }
    CU_ASSERT_FATAL(p[0] == 'C' && p[1] == 'L' && p[3] == 0);
    *f = (struct frame){p[2], p[4] + 256u * p[5], p[6] + 256u * p[7], p + 8};
    CU_ASSERT_FATAL(read_at + 8 + f->len <= len);
    read_at += 8 + f->len;
    return true;
}

static bool event_says(const char *text)
{
    struct frame f;

    while (next_frame(&f)) {
        if (f.type == 1 && memmem(f.payload, f.len, text, strlen(text)) != NULL) {
            return true;
        }
    }
    return false;
}

static void link_start(void)
{
    start();
    read_at = 0;
}

static void channel_bytes_leave_in_frames_of_4_kib_at_most(void)
{
    static uint8_t bytes[10000];
    struct frame f;
    size_t got = 0;

    link_start();
    for (unsigned int i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 13 >> 2);
    }
    stream_write(vm, STREAM_CHANNEL, bytes, sizeof(bytes));
    while (next_frame(&f)) {
        CU_ASSERT(f.type == 3 && f.domain == vm_id(vm) && f.len <= 4096);
        CU_ASSERT_EQUAL(memcmp(f.payload, &bytes[got], f.len), 0);
        got += f.len;
    }
    CU_ASSERT_EQUAL(got, sizeof(bytes));
    finish();
}

static void the_host_gets_credit_when_the_channel_opens_and_for_what_was_taken(void)
{
    struct frame f;

    link_start();
    stream_input(vm, STREAM_CHANNEL, (const uint8_t *)"stale", 5);
    taken_len = 0;
    room = 3;
    stream_attach(vm, STREAM_CHANNEL, &input_ops, &room);
    stream_open(vm, STREAM_CHANNEL, true);
    stream_open(vm, STREAM_CHANNEL, true);
    CU_ASSERT(next_frame(&f) && f.type == 1);
    CU_ASSERT_PTR_NOT_NULL(memmem(f.payload, f.len, "\"open\":true", 11));
    CU_ASSERT(next_frame(&f) && f.type == 4 && f.len == 4 && f.domain == vm_id(vm));
    CU_ASSERT_EQUAL(memcmp(f.payload, "\x00\x10\x00\x00", 4), 0);
    stream_input(vm, STREAM_CHANNEL, (const uint8_t *)"fresh", 5);
    CU_ASSERT(next_frame(&f) && f.type == 4 && f.payload[0] == 3);
    CU_ASSERT_EQUAL(memcmp(taken, "fre", 3), 0);
    stream_open(vm, STREAM_CHANNEL, false);
    CU_ASSERT(event_says("\"open\":false"));
    finish();
}

static void put(uint8_t type, uint16_t domain, const void *payload, uint16_t len)
{
    const uint8_t header[8] = {'C', 'L', type, 0, (uint8_t)domain, (uint8_t)(domain >> 8),
                               (uint8_t)len, (uint8_t)(len >> 8)};

    fake_link_input(header, sizeof(header));
    fake_link_input(payload, len);
}

static void poll_all(void)
{
    while (link_poll()) {
    }
}

static void frames_reach_the_domain_they_name(void)
{
    static uint8_t big[4096];

    link_start();
    taken_len = 0;
    room = sizeof(taken);
    stream_attach(vm, STREAM_CONSOLE, &input_ops, &room);
    memset(big, 'b', sizeof(big));
    put(2, (uint16_t)vm_id(vm), "ls\n", 3);
    put(2, (uint16_t)vm_id(vm), "", 0);
    put(2, (uint16_t)vm_id(vm), big, 4096);
    put(2, 999, "xx", 2);
    poll_all();
    CU_ASSERT_EQUAL(taken_len, 3 + 4096);
    CU_ASSERT_EQUAL(memcmp(taken, "ls\nbbb", 6), 0);
    CU_ASSERT(event_says("\"detail\":\"no domain 999\""));
    finish();
}

static void commands_act_and_unknown_ones_are_answered(void)
{
    static const char *const unknown[] = {"", "paus", "pausee", "destroy\n", "DESTROY", "resume\0"};
    uint16_t id;

    link_start();
    id = (uint16_t)vm_id(vm);
    vm_start(vm);
    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
        put(5, id, unknown[i], (uint16_t)(strlen(unknown[i]) + (i == 5)));
        poll_all();
        CU_ASSERT(event_says("unknown command"));
    }
    put(5, id, "pause", 5);
    poll_all();
    CU_ASSERT_EQUAL(vm->state, VM_PAUSED);
    put(5, id, "resume", 6);
    poll_all();
    CU_ASSERT(vm->resume_asked);
    put(5, id, "destroy", 7);
    poll_all();
    CU_ASSERT(vm->end_asked && vm->cause == VM_DESTROYED);
    put(1, id, "{}", 2);
    put(77, id, "", 0);
    poll_all();
    CU_ASSERT(event_says("frame of type 1") && event_says("frame of type 77"));
    vm->vcpu[0]->arch.want = 0;
    fake_start_in_step(1);
    cpu_kick(cpu_at(0));
    fake_run_until(time_ns() + 100 * MS);
    fake_stop();
    core_done();
}

static void garbage_is_dropped_and_the_next_frame_is_found(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } garbage[] = {
        {"", 0},
        {"C", 1},
        {"CCCCC", 5},
        {"CL", 2},
        {"CL\x02\x01", 4},
        {"CL\x02\x00\x01\x00\x01\x10", 8}, /* 4097 bytes */
        {"CL\x02\x00\x01\x00\xff\xff", 8},
        {"\0\0\0\xff\xffLC", 7},
        {"CL\x02\x00\x01\x00" "C", 7}, /* with "C" of the first: 4343h */
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(garbage); i++) {
        link_start();
        taken_len = 0;
        room = sizeof(taken);
        stream_attach(vm, STREAM_CONSOLE, &input_ops, &room);
        fake_link_input(garbage[i].bytes, garbage[i].len);
        put(2, (uint16_t)vm_id(vm), "echo", 4);
        put(2, (uint16_t)vm_id(vm), "more", 4);
        poll_all();
        CU_ASSERT(taken_len >= 4 && memcmp(&taken[taken_len - 4], "more", 4) == 0);
        if (i >= 4 && i <= 6) {
            CU_ASSERT(event_says("a malformed frame was dropped"));
        }
        CU_ASSERT_EQUAL(taken_len, 8);
        finish();
    }
}

/* Every event is one object on one line: quotes balance, nothing needs an escape. */
static bool is_plain_json(const struct frame *f)
{
    unsigned int quotes = 0;
    int depth = 0;

    for (unsigned int i = 0; i < f->len; i++) {
        uint8_t c = f->payload[i];

        if (c < ' ' || c > '~' || c == '\\') {
            return false;
        }
        quotes += c == '"';
        depth += quotes % 2 == 0 ? (c == '{') - (c == '}') : 0;
        if (depth < 0 || (depth == 0 && i != f->len - 1)) {
            return false;
        }
    }
    return quotes % 2 == 0 && depth == 0 && f->payload[0] == '{';
}

static void events_are_json_whatever_names_and_details_say(void)
{
    static const char *const hostile[] = {"\"},{\"x\":\"", "back\\slash", "new\nline\r\x01",
                                          "\xff\xfe\xc3\x28 half", "%s%n%x", "{{{{"};

    for (unsigned int i = 0; i < ARRAY_SIZE(hostile); i++) {
        struct frame f;
        unsigned int events = 0;

        link_start();
        (void)snprintf(vm->name, sizeof(vm->name), "%s", hostile[i]);
        link_vm_event(vm, "created", NULL);
        link_panic(hostile[i]);
        vm_end(vm, VM_ERROR, "%s and %0120d", hostile[i], 1); /* cut */
        vm_reap();
        while (next_frame(&f)) {
            CU_ASSERT(is_plain_json(&f));
            events++;
        }
        CU_ASSERT(events >= 4); /* created, panic, ended, gone */
        core_done();
    }
}

static void without_the_option_the_link_is_silent_and_deaf(void)
{
    size_t len;

    core_boot(MiB(64), 1);
    vm = core_vm("guest", 1, 100, UINT64_MAX);
    link_event("\"event\":\"x\"");
    stream_write(vm, STREAM_CHANNEL, "abc", 3);
    put(5, (uint16_t)vm_id(vm), "destroy", 7);
    CU_ASSERT_FALSE(link_poll());
    CU_ASSERT_FALSE(vm->end_asked);
    (void)fake_link(&len);
    CU_ASSERT_EQUAL(len, 0);
    fake_link_present(false);
    link_init();
    fake_link_present(true);
    CU_ASSERT_FALSE(link_poll());
    CU_ASSERT_EQUAL(count("link=com2: no such port"), 1);
    finish();
}

static const struct cu_test tests[] = {
    CU(channel_bytes_leave_in_frames_of_4_kib_at_most),
    CU(the_host_gets_credit_when_the_channel_opens_and_for_what_was_taken),
    CU(frames_reach_the_domain_they_name),
    CU(commands_act_and_unknown_ones_are_answered),
    CU(garbage_is_dropped_and_the_next_frame_is_found),
    CU(events_are_json_whatever_names_and_details_say),
    CU(without_the_option_the_link_is_silent_and_deaf),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_link", tests, argc, argv);
}
