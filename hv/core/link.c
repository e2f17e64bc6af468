/* The host link on COM2 (docs/link.md): frames out, frames in. Off unless the command line asks. */
#include "arch/console.h"
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define HEADER      8u
#define PAYLOAD_MAX 4096u

enum frame_type {
    FRAME_EVENT = 1,
    FRAME_CONSOLE = 2,
    FRAME_CHANNEL = 3,
    FRAME_CREDIT = 4,
    FRAME_COMMAND = 5,
    FRAME_REQUEST = 6,
    FRAME_ANSWER = 7,
};

static struct {
    struct lock lock;
    bool on;
    uint32_t have; /* bytes of the frame being received */
    uint8_t frame[HEADER + PAYLOAD_MAX];
} chan;

void link_init(void)
{
    chan.on = uart_init(UART_LINK);
    if (!chan.on) {
        log_warn("link=com2: no such port");
    }
}

static void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* A payload in two parts. */
static void send2(enum frame_type type, uint16_t domain, const void *head, size_t head_len,
                  const void *payload, size_t len)
{
    uint8_t header[HEADER] = {'C', 'L', (uint8_t)type, 0};

    if (!chan.on) {
        return;
    }
    put16(&header[4], domain);
    put16(&header[6], (uint16_t)(head_len + len));
    lock(&chan.lock);
    uart_write(UART_LINK, header, sizeof(header));
    if (head_len != 0) {
        uart_write(UART_LINK, head, head_len);
    }
    uart_write(UART_LINK, payload, len);
    unlock(&chan.lock);
}

static void send(enum frame_type type, uint16_t domain, const void *payload, size_t len)
{
    send2(type, domain, NULL, 0, payload, len);
}

/* Text that was formatted for people, made fit for a JSON string: nothing in it needs an escape. */
void link_clean(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || *text < ' ' || *text > '~') {
            *text = '\'';
        }
    }
}

static void send_event(const char *members)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "{\"t\":%lu,%s}", (unsigned long)(clock_ns() / 1000),
                       members);

    send(FRAME_EVENT, 0, text, MIN((size_t)len, sizeof(text) - 1));
}

void link_event(const char *fmt, ...)
{
    char members[440];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(members, sizeof(members), fmt, ap);
    va_end(ap);
    send_event(members);
}

void link_vm_event(struct vm *vm, const char *state, const char *fmt, ...)
{
    char members[440];
    char more[240] = "";
    char name[NAME_MAX_LEN + 1];
    va_list ap;

    if (fmt != NULL) {
        va_start(ap, fmt);
        vsnprintf(more, sizeof(more), fmt, ap);
        va_end(ap);
    }
    (void)str_copy(name, sizeof(name), vm->name);
    link_clean(name);
    snprintf(members, sizeof(members),
             "\"event\":\"domain\",\"id\":%u,\"name\":\"%s\",\"cc\":\"%s\",\"state\":\"%s\"%s%s",
             vm->id, name, cc_name(vm->cc), state, more[0] != '\0' ? "," : "", more);
    send_event(members);
}

void link_panic(const char *detail)
{
    char members[300];
    char text[200];

    (void)str_copy(text, sizeof(text), detail);
    link_clean(text);
    snprintf(members, sizeof(members), "\"event\":\"panic\",\"detail\":\"%s\"", text);
    chan.lock = (struct lock){0}; /* whoever held it was stopped */
    send_event(members);
}

void link_channel(struct vm *vm, const void *buf, size_t len)
{
    const uint8_t *bytes = buf;

    while (len > 0) {
        size_t n = MIN(len, PAYLOAD_MAX);

        send(FRAME_CHANNEL, vm->id, bytes, n);
        bytes += n;
        len -= n;
    }
}

void link_credit(struct vm *vm, uint32_t bytes)
{
    uint8_t payload[4] = {(uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16),
                          (uint8_t)(bytes >> 24)};

    send(FRAME_CREDIT, vm->id, payload, sizeof(payload));
}

bool link_request(struct vm *vm, uint32_t id, const void *p, size_t len)
{
    REQUIRE(len <= PAYLOAD_MAX - sizeof(id));
    send2(FRAME_REQUEST, vm->id, &id, sizeof(id), p, len);
    return chan.on;
}

static void command(struct vm *vm, const char *word, size_t len)
{
    static const struct {
        const char *word;
        void (*fn)(struct vm *vm);
    } simple[] = {{"pause", vm_pause}, {"resume", vm_resume}};

    for (size_t i = 0; i < ARRAY_SIZE(simple); i++) {
        if (strlen(simple[i].word) == len && memcmp(simple[i].word, word, len) == 0) {
            simple[i].fn(vm);
            return;
        }
    }
    if (len == 7 && memcmp(word, "destroy", 7) == 0) {
        vm_end(vm, VM_DESTROYED, "by the host");
        return;
    }
    link_event("\"event\":\"error\",\"detail\":\"unknown command\"");
}

static void take_frame(const uint8_t *frame, size_t len)
{
    struct vm *vm;

    vms_lock();
    vm = vm_by_id(get16(&frame[4]));
    if (vm == NULL) {
        link_event("\"event\":\"error\",\"detail\":\"no domain %u\"", get16(&frame[4]));
    } else if (frame[2] == FRAME_CONSOLE) {
        stream_input(vm, STREAM_CONSOLE, &frame[HEADER], len);
    } else if (frame[2] == FRAME_CHANNEL) {
        stream_input(vm, STREAM_CHANNEL, &frame[HEADER], len);
    } else if (frame[2] == FRAME_COMMAND) {
        command(vm, (const char *)&frame[HEADER], len);
    } else if (frame[2] == FRAME_ANSWER && vm->host_answer != NULL) {
        vm->host_answer(vm, &frame[HEADER], len);
    } else {
        link_event("\"event\":\"error\",\"detail\":\"frame of type %u\"", frame[2]);
    }
    vms_unlock();
}

/* Is what we have the beginning of a frame? */
static bool plausible(void)
{
    static const uint8_t magic[2] = {'C', 'L'};
    const uint8_t *f = chan.frame;

    return memcmp(f, magic, MIN(chan.have, sizeof(magic))) == 0 &&
           (chan.have < 4 || f[3] == 0) && (chan.have < HEADER || get16(&f[6]) <= PAYLOAD_MAX);
}

static void take_byte(uint8_t byte)
{
    chan.frame[chan.have++] = byte;
    if (!plausible()) {
        if (chan.have > 2) {
            link_event("\"event\":\"error\",\"detail\":\"a malformed frame was dropped\"");
        }
        do { /* the next frame may have begun in what we took for this one's header */
            chan.have--;
            memmove(chan.frame, &chan.frame[1], chan.have);
        } while (!plausible());
        return;
    }
    if (chan.have >= HEADER && chan.have == HEADER + get16(&chan.frame[6])) {
        chan.have = 0;
        take_frame(chan.frame, get16(&chan.frame[6]));
    }
}

bool link_poll(void)
{
    uint8_t bytes[256];
    size_t n;

    if (!chan.on) {
        return false;
    }
    n = uart_read(UART_LINK, bytes, sizeof(bytes));
    for (size_t i = 0; i < n; i++) {
        take_byte(bytes[i]);
    }
    return n > 0;
}
