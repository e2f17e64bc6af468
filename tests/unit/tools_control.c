/* The control port's client, with a hypervisor that a thread plays: good answers, and bad ones. */
#include "control.h"
#include "cu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct control_bytes none = {NULL, 0};

/* One answer: what differs from a good one, and how many bytes of it come. */
struct played {
    int fd;
    uint32_t status, length;
    uint64_t other_id, reserved;
    size_t cut; /* 0: none */
    const void *data;
    uint32_t domains; /* LIST: so many, from the id asked for on */
    struct abi_port_frame asked;
    uint8_t asked_data[64];
};

static void fill_domains(struct played *p, uint8_t *to, struct abi_port_frame *f)
{
    struct abi_control_domain d = {.state = 1, .memory = 4096};
    uint32_t room = CONTROL_DATA_MAX / sizeof(d), n = 0;

    for (uint32_t id = p->asked.domain + 1; id <= p->domains && n < room; id++, n++) {
        d.id = id;
        snprintf((char *)d.name, sizeof(d.name), "guest%u", id);
        memcpy(to + n * sizeof(d), &d, sizeof(d));
    }
    f->length = n * (uint32_t)sizeof(d);
}

static bool take(struct played *p)
{
    static uint8_t data[CONTROL_DATA_MAX];

    if (recv(p->fd, &p->asked, sizeof(p->asked), MSG_WAITALL) != sizeof(p->asked)) {
        return false;
    }
    if (p->asked.length > 0 &&
        recv(p->fd, data, p->asked.length, MSG_WAITALL) != (ssize_t)p->asked.length) {
        return false;
    }
    memcpy(p->asked_data, data, sizeof(p->asked_data));
    return true;
}

static void *play(void *arg)
{
    static struct {
        struct abi_port_frame f;
        uint8_t data[CONTROL_DATA_MAX];
    } answer;
    struct played *p = arg;

    while (take(p)) {
        size_t n;

        answer.f = p->asked;
        answer.f.id += p->other_id;
        answer.f.status = p->status;
        answer.f.reserved = p->reserved;
        answer.f.length = p->length;
        if (p->data != NULL) {
            memcpy(answer.data, p->data, p->length);
        }
        if (p->domains != 0) {
            fill_domains(p, answer.data, &answer.f);
        }
        n = p->cut != 0 ? p->cut : sizeof(answer.f) + answer.f.length;
        (void)!write(p->fd, &answer, n < sizeof(answer) ? n : sizeof(answer));
        if (p->cut != 0) {
            break;
        }
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static struct control c;
static struct played hv;
static pthread_t thread;

static void start(struct played how)
{
    int ends[2];

    CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    hv = how;
    hv.fd = ends[1];
    c = (struct control){.fd = ends[0]};
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, play, &hv) == 0);
}

static void finish(void)
{
    shutdown(c.fd, SHUT_WR);
    pthread_join(thread, NULL);
    control_close(&c);
    close(hv.fd);
}

static void a_request_and_its_answer_are_whole(void)
{
    start((struct played){.status = ABI_BUSY, .length = 5, .data = "hello"});
    CU_ASSERT(control_ask(&c, ABI_CONTROL_CONSOLE, 7, (struct control_bytes){"ab", 2},
                          (struct control_bytes){"cd", 2}));
    CU_ASSERT_EQUAL(hv.asked.domain, 7);
    CU_ASSERT_EQUAL(hv.asked.operation, ABI_CONTROL_CONSOLE);
    CU_ASSERT_EQUAL(hv.asked.length, 4);
    CU_ASSERT_EQUAL(hv.asked.status, 0);
    CU_ASSERT_NOT_EQUAL(hv.asked.id, 0);
    CU_ASSERT_EQUAL(memcmp(hv.asked_data, "abcd", 4), 0);
    CU_ASSERT_EQUAL(c.answer.status, ABI_BUSY);
    CU_ASSERT_EQUAL(memcmp(c.data, "hello", 5), 0);
    finish();
}

static void ids_are_not_used_twice(void)
{
    uint64_t first;

    start((struct played){0});
    CU_ASSERT(control_ask(&c, ABI_CONTROL_PING, 0, none, none));
    first = hv.asked.id;
    CU_ASSERT(control_ask(&c, ABI_CONTROL_PING, 0, none, none));
    CU_ASSERT_NOT_EQUAL(hv.asked.id, first);
    finish();
}

static void an_answer_that_makes_no_sense_is_refused(void)
{
    static const struct played bad[] = {
        {.other_id = 1},
        {.reserved = 1},
        {.length = CONTROL_DATA_MAX + 1, .cut = 32},
        {.length = UINT32_MAX, .cut = 32},
        {.length = 100, .cut = 131},
        {.cut = 31},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start(bad[i]);
        CU_ASSERT_FALSE(control_ask(&c, ABI_CONTROL_PING, 0, none, none));
        finish();
    }
}

static void count(const struct abi_control_domain *d, void *arg)
{
    uint32_t *last = arg;

    CU_ASSERT_EQUAL(d->id, *last + 1);
    *last = d->id;
}

/* As many as fit come in an answer: 454. */
static void a_list_goes_on_until_all_are_told(void)
{
    static const uint32_t sizes[] = {1, 453, 454, 455, 1000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t last = 0;

        start((struct played){.domains = sizes[i]});
        CU_ASSERT(control_list(&c, count, &last));
        CU_ASSERT_EQUAL(last, sizes[i]);
        finish();
    }
    start((struct played){.length = 71});
    CU_ASSERT_FALSE(control_list(&c, count, NULL));
    finish();
}

static void a_domain_is_found_by_name_or_number(void)
{
    struct abi_control_domain d;
    int status = 9;

    start((struct played){.domains = 600});
    CU_ASSERT(control_find(&c, "stats", "guest599", &d, &status));
    CU_ASSERT_EQUAL(d.id, 599);
    CU_ASSERT(control_find(&c, "stats", "3", &d, &status));
    CU_ASSERT_STRING_EQUAL((const char *)d.name, "guest3");
    CU_ASSERT_EQUAL(status, 9);
    CU_ASSERT_FALSE(control_find(&c, "stats", "guest", &d, &status));
    CU_ASSERT_EQUAL(status, 1);
    CU_ASSERT_FALSE(control_find(&c, "stats", "0", &d, &status));
    CU_ASSERT_FALSE(control_find(&c, "stats", "4294967297", &d, &status)); /* 2^32 + 1 */
    finish();
}

static const struct cu_test tests[] = {
    CU(a_request_and_its_answer_are_whole),
    CU(ids_are_not_used_twice),
    CU(an_answer_that_makes_no_sense_is_refused),
    CU(a_list_goes_on_until_all_are_told),
    CU(a_domain_is_found_by_name_or_number),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_control", tests, argc, argv);
}
