/*
 * Quotes for TDs: their requests come over the link (docs/link.md) and go to a quote generation
 * service by Intel's protocol (qgs_msg_lib 1.1), one after another. On emulated silicon that is
 * build/emu/tdx_qgs; elsewhere there is none here, and the answer says so.
 */
#include "cli.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMING = 4, HEADER = 16, SIZES = 8, PART_HEAD = 16 };
enum { GET_QUOTE_REQ = 0, GET_QUOTE_RESP = 1 };
enum { ANSWER_UNAVAILABLE = 1, ANSWER_ERROR = 2 };

static void put_le32(uint8_t *p, uint32_t v)
{
    for (size_t i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> 8 * i);
    }
}

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- the service ---- */

static bool start_service(struct run_quotes *q)
{
    char *program = cli_built("emu/tdx_qgs");
    char *chain = cli_built("emu/tdx/pck-chain.pem");
    bool started = child_start(&q->service, (const char *const[]){program, chain, NULL});

    free(program);
    free(chain);
    q->have = 0;
    return started;
}

void quote_end(struct run *run)
{
    child_end(&run->quotes.service);
}

/* For the oldest; a request fits in an empty pipe, and no other is in there. */
static bool ask_service(struct run_quotes *q)
{
    uint8_t m[FRAMING + HEADER + SIZES + RUN_REPORT_SIZE] = {0};
    uint32_t size = sizeof(m) - FRAMING;

    if (q->service.pid == 0 && !start_service(q)) {
        return false;
    }
    m[2] = (uint8_t)(size >> 8); /* big-endian */
    m[3] = (uint8_t)size;
    m[FRAMING] = 1; /* version 1.1 */
    m[FRAMING + 2] = 1;
    put_le32(m + FRAMING + 4, GET_QUOTE_REQ);
    put_le32(m + FRAMING + 8, size);
    put_le32(m + FRAMING + HEADER, RUN_REPORT_SIZE);
    memcpy(m + FRAMING + HEADER + SIZES, q->asked[0].report, RUN_REPORT_SIZE);
    return write(q->service.to, m, sizeof(m)) == (ssize_t)sizeof(m);
}

/* ---- requests ---- */

static void refuse(struct run *run, uint16_t domain, uint32_t id, uint32_t status)
{
    uint8_t answer[PART_HEAD] = {0};

    put_le32(answer, id);
    put_le32(answer + 4, status);
    run_send(run, LINK_ANSWER, domain, answer, sizeof(answer));
}

static void drop_oldest(struct run_quotes *q)
{
    q->count--;
    memmove(&q->asked[0], &q->asked[1], q->count * sizeof(q->asked[0]));
    q->have = 0;
    q->length = 0;
}

/* Asks for the oldest; those for which nobody can be asked are refused. */
static void ask_next(struct run *run)
{
    struct run_quotes *q = &run->quotes;

    while (q->count > 0 && !ask_service(q)) {
        quote_end(run);
        run_step(run, "a quote is asked for, and no service makes one");
        refuse(run, q->asked[0].domain, q->asked[0].id, ANSWER_UNAVAILABLE);
        drop_oldest(q);
    }
}

static bool is_emulated(const struct run *run)
{
    return json_is_true(json_object_get(run->hypervisor, "emulated"));
}

void quote_request(struct run *run, const struct link_frame *frame)
{
    struct run_quotes *q = &run->quotes;
    const struct guest *g = guest_by_id(run, frame->domain);
    uint32_t id = frame->length >= 4 ? get_le32(frame->payload) : 0;

    if (g == NULL || frame->length != 4 + RUN_REPORT_SIZE) {
        refuse(run, frame->domain, id, ANSWER_ERROR);
        return;
    }
    if (q->count == RUN_QUOTES_MAX || !is_emulated(run)) {
        refuse(run, frame->domain, id, ANSWER_UNAVAILABLE);
        return;
    }
    run_step(run, "%s asks for a quote", g->name);
    q->asked[q->count].domain = frame->domain;
    q->asked[q->count].id = id;
    memcpy(q->asked[q->count].report, frame->payload + 4, RUN_REPORT_SIZE);
    q->count++;
    if (q->count == 1) {
        ask_next(run);
    }
}

/* ---- answers ---- */

/* The answer is whole: a quote to send, or a refusal. */
static void take_answer(struct run *run, size_t size)
{
    struct run_quotes *q = &run->quotes;
    const uint8_t *m = q->answer + FRAMING;
    uint32_t ids = size >= HEADER + SIZES ? get_le32(m + HEADER) : 0;
    uint32_t quote = size >= HEADER + SIZES ? get_le32(m + HEADER + 4) : 0;

    if (size < HEADER + SIZES || m[0] != 1 || m[1] != 0 || get_le32(m + 4) != GET_QUOTE_RESP ||
        get_le32(m + 8) != size || get_le32(m + 12) != 0 || quote == 0 ||
        ids > size - HEADER - SIZES || quote != size - HEADER - SIZES - ids) {
        run_step(run, "the quote service refuses, by error %x",
                 size >= HEADER ? get_le32(m + 12) : 0);
        refuse(run, q->asked[0].domain, q->asked[0].id, ANSWER_ERROR);
        drop_oldest(q);
        ask_next(run);
        return;
    }
    q->quote = FRAMING + HEADER + SIZES + ids;
    q->length = quote;
    q->sent = 0;
    quote_fill(run);
}

void quote_fill(struct run *run)
{
    struct run_quotes *q = &run->quotes;

    while (q->length > q->sent) {
        uint8_t part[LINK_PAYLOAD_MAX];
        size_t n = q->length - q->sent;

        n = n < sizeof(part) - PART_HEAD ? n : sizeof(part) - PART_HEAD;
        put_le32(part, q->asked[0].id);
        put_le32(part + 4, 0);
        put_le32(part + 8, (uint32_t)q->length);
        put_le32(part + 12, (uint32_t)q->sent);
        memcpy(part + PART_HEAD, q->answer + q->quote + q->sent, n);
        if (!run_send(run, LINK_ANSWER, q->asked[0].domain, part, PART_HEAD + n)) {
            return;
        }
        q->sent += n;
    }
    if (q->length > 0) {
        drop_oldest(q);
        ask_next(run);
    }
}

int quote_descriptor(const struct run *run)
{
    const struct run_quotes *q = &run->quotes;

    return q->service.pid > 0 && q->length == 0 ? q->service.from : -1;
}

/* An answer that nobody waits for, or longer than any, ends the service; so does its end. */
static void service_failed(struct run *run)
{
    struct run_quotes *q = &run->quotes;

    quote_end(run);
    run_step(run, "the quote service ended, or does not speak its protocol");
    while (q->count > 0) {
        refuse(run, q->asked[0].domain, q->asked[0].id, ANSWER_UNAVAILABLE);
        drop_oldest(q);
    }
}

void quote_readable(struct run *run)
{
    struct run_quotes *q = &run->quotes;
    size_t want = FRAMING;
    ssize_t n;

    if (q->have >= FRAMING) {
        const uint8_t *p = q->answer;

        want += (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    }
    n = want <= sizeof(q->answer) && q->count > 0
            ? read(q->service.from, q->answer + q->have, want - q->have)
            : 0;
    if (n <= 0) {
        service_failed(run);
        return;
    }
    q->have += (size_t)n;
    if (q->have > FRAMING && q->have == want) {
        take_answer(run, want - FRAMING);
    }
}
