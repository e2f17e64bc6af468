/* Quotes between the link and a quote service: the test is both. */
#include "cu.h"
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST (4u + 16u + 8u + RUN_REPORT_SIZE)

static const struct run_opts opts = {.quiet = true};
static struct run *run;
static int requests, answers; /* the service's ends */

static void start(void)
{
    struct child *service;
    int in[2], out[2];

    run = calloc(1, sizeof(*run));
    run->opts = &opts;
    run->hypervisor = json_pack("{s:b}", "emulated", 1);
    guest_add(run, "guest0", "tdx")->id = 3;
    CU_ASSERT_EQUAL_FATAL(pipe(in) | pipe(out), 0);
    service = &run->quotes.service;
    service->pid = fork();
    if (service->pid == 0) {
        close(out[1]);
        pause();
        _exit(0);
    }
    service->to = in[1];
    service->from = out[0];
    requests = in[0];
    answers = out[1];
}

static void finish(void)
{
    quote_end(run);
    close(requests);
    close(answers);
    guest_free(&run->guest[0]);
    json_decref(run->hypervisor);
    free(run);
}

static void ask(uint16_t domain, uint32_t id, size_t len)
{
    uint8_t payload[LINK_PAYLOAD_MAX] = {(uint8_t)id, 0, 0, 0, 0x81};
    struct link_frame frame = {
        .type = LINK_REQUEST, .domain = domain, .length = (uint16_t)len, .payload = payload};

    events_take(run, &frame);
}

static void service_says(const void *p, size_t len)
{
    CU_ASSERT_EQUAL(write(answers, p, len), (ssize_t)len);
    while (quote_descriptor(run) >= 0 && len > 0) {
        size_t had = run->quotes.have;

        quote_readable(run);
        if (run->quotes.have == had || run->quotes.count == 0) {
            break;
        }
        len -= run->quotes.have > had ? run->quotes.have - had : len;
    }
}

/* An answer with that error code and a quote of `len` bytes 5Ah. */
static size_t answer_of(uint8_t *out, uint32_t error, uint32_t len)
{
    uint32_t size = 24 + len;
    const uint32_t words[6] = {1 | 1 << 16, 1, size, error, 0, len};

    out[0] = (uint8_t)(size >> 24);
    out[1] = (uint8_t)(size >> 16);
    out[2] = (uint8_t)(size >> 8);
    out[3] = (uint8_t)size;
    memcpy(out + 4, words, sizeof(words));
    memset(out + 28, 0x5a, len);
    return 4 + size;
}

/* What went to the hypervisor: the bytes of a quote; *status of the last frame, *id likewise. */
static size_t quote_sent(uint32_t *id, uint32_t *status)
{
    size_t at = 0, sum = 0;

    *id = *status = UINT32_MAX;
    while (at < run->to_link) {
        const uint8_t *f = run->link_bytes + at;
        size_t len = f[6] | (size_t)f[7] << 8;
        uint32_t offset;

        CU_ASSERT(memcmp(f, "CL", 2) == 0 && f[2] == LINK_ANSWER && f[4] == 3 && len >= 16);
        memcpy(id, f + 8, 4);
        memcpy(status, f + 12, 4);
        memcpy(&offset, f + 20, 4);
        CU_ASSERT_EQUAL(offset, sum);
        sum += len - 16;
        at += 8 + len;
    }
    run->to_link = 0;
    return sum;
}

static void expect(size_t bytes, uint32_t id, uint32_t status)
{
    uint32_t got_id, got_status;

    CU_ASSERT_EQUAL(quote_sent(&got_id, &got_status), bytes);
    CU_ASSERT(got_id == id && got_status == status);
}

static void a_request_is_passed_on_and_its_quote_comes_back_in_frames(void)
{
    uint8_t m[RUN_QUOTE_SIZE];
    uint32_t words[6];

    start();
    ask(3, 7, 4 + RUN_REPORT_SIZE);
    CU_ASSERT_EQUAL(read(requests, m, sizeof(m)), (ssize_t)REQUEST);
    CU_ASSERT_EQUAL(memcmp(m, "\0\0\4\30", 4), 0);
    memcpy(words, m + 4, sizeof(words));
    CU_ASSERT(words[0] == (1 | 1 << 16) && words[1] == 0 && words[2] == REQUEST - 4);
    CU_ASSERT(words[3] == 0 && words[4] == RUN_REPORT_SIZE && words[5] == 0 && m[28] == 0x81);
    service_says(m, answer_of(m, 0, 9000));
    expect(9000, 7, 0);
    finish();
}

static void the_next_is_asked_for_when_the_last_is_answered(void)
{
    uint8_t m[RUN_QUOTE_SIZE];

    start();
    ask(3, 1, 4 + RUN_REPORT_SIZE);
    ask(3, 2, 4 + RUN_REPORT_SIZE);
    CU_ASSERT_EQUAL(read(requests, m, sizeof(m)), (ssize_t)REQUEST);
    service_says(m, answer_of(m, 0, 100));
    expect(100, 1, 0);
    CU_ASSERT_EQUAL(read(requests, m, sizeof(m)), (ssize_t)REQUEST);
    service_says(m, answer_of(m, 0x12003, 0));
    expect(0, 2, 2);
    finish();
}

static void what_is_no_request_is_refused(void)
{
    start();
    ask(3, 1, 3);
    expect(0, 0, 2);
    ask(3, 1, 4 + RUN_REPORT_SIZE - 1);
    expect(0, 1, 2);
    ask(3, 1, LINK_PAYLOAD_MAX);
    expect(0, 1, 2);
    CU_ASSERT_EQUAL(run->quotes.count, 0);
    finish();
}

static void there_is_no_service_for_real_silicon(void)
{
    start();
    json_object_set_new(run->hypervisor, "emulated", json_false());
    ask(3, 1, 4 + RUN_REPORT_SIZE);
    expect(0, 1, 1);
    finish();
}

static void more_than_all_may_ask_is_refused(void)
{
    start();
    for (uint32_t i = 0; i < RUN_QUOTES_MAX; i++) {
        ask(3, 9, 4 + RUN_REPORT_SIZE);
    }
    CU_ASSERT_EQUAL(run->to_link, 0);
    ask(3, 9, 4 + RUN_REPORT_SIZE);
    expect(0, 9, 1);
    finish();
}

static void a_wrong_answer_costs_its_request_alone(void)
{
    uint8_t good[200], m[200];
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{4, 2}, {8, 0}, {12, 99}, {16, 1}, {20, 1}, {24, 99}, {24, 101}, {27, 0xff}};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        start();
        ask(3, 5, 4 + RUN_REPORT_SIZE);
        ask(3, 6, 4 + RUN_REPORT_SIZE);
        (void)answer_of(good, 0, 100);
        memcpy(m, good, sizeof(m));
        m[wrong[i].at] = wrong[i].value;
        service_says(m, 128);
        expect(0, 5, 2);
        service_says(good, 128);
        expect(100, 6, 0);
        finish();
    }
}

static void a_service_that_ends_or_floods_is_no_service(void)
{
    static const uint8_t flood[8] = {0xff, 0xff, 0xff, 0xff};

    start();
    ask(3, 5, 4 + RUN_REPORT_SIZE);
    CU_ASSERT_EQUAL(write(answers, flood, sizeof(flood)), (ssize_t)sizeof(flood));
    quote_readable(run);
    quote_readable(run);
    expect(0, 5, 1);
    CU_ASSERT_EQUAL(run->quotes.service.pid, 0);
    CU_ASSERT_EQUAL(quote_descriptor(run), -1);
    finish();
    start();
    ask(3, 5, 4 + RUN_REPORT_SIZE);
    close(answers);
    quote_readable(run);
    answers = dup(requests);
    expect(0, 5, 1);
    finish();
}

static const struct cu_test tests[] = {
    CU(a_request_is_passed_on_and_its_quote_comes_back_in_frames),
    CU(the_next_is_asked_for_when_the_last_is_answered),
    CU(what_is_no_request_is_refused),
    CU(there_is_no_service_for_real_silicon),
    CU(more_than_all_may_ask_is_refused),
    CU(a_wrong_answer_costs_its_request_alone),
    CU(a_service_that_ends_or_floods_is_no_service),
    CU_END,
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return cu_main("tools_quote", tests, argc, argv);
}
