/*
 * A domain's console and channel (stream.h, docs/link.md). Console output is put together in lines,
 * each behind the domain's name, so that no guest can print a line in another's name or in ours.
 */
#include "hv/stream.h"

#include "arch/timer.h"
#include "hv/abi.h"
#include "hv/log_ring.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

/* A flooding guest gets a burst, then a rate that a boot's messages fit in. */
#define CONSOLE_BURST KiB(128)
#define CONSOLE_RATE  KiB(32) /* a second */

static bool may_print(struct stream *s)
{
    uint64_t now = clock_ns();
    uint64_t gained = (now - s->budget_time) / (1000000000u / CONSOLE_RATE);

    if (s->budget_time == 0) {
        s->budget = CONSOLE_BURST;
        s->budget_time = now;
    } else if (gained > 0) {
        s->budget = (uint32_t)MIN(s->budget + gained, CONSOLE_BURST);
        s->budget_time = now;
    }
    if (s->budget == 0) {
        s->dropped++;
        return false;
    }
    s->budget--;
    return true;
}

static void emit_line(struct vm *vm, struct stream *s)
{
    char text[sizeof(s->line) + NAME_MAX_LEN + 8];
    int len = snprintf(text, sizeof(text), "%s| %.*s\r\n", vm->name, (int)s->line_len, s->line);

    s->line_len = 0;
    log_raw(text, (size_t)len);
}

static void line_add(struct vm *vm, struct stream *s, const char *text, size_t len)
{
    if (s->line_len + len > sizeof(s->line)) {
        emit_line(vm, s);
    }
    memcpy(&s->line[s->line_len], text, len);
    s->line_len += (uint32_t)len;
    s->idle_ticks = 0;
}

static void tell_dropped(struct vm *vm, struct stream *s)
{
    if (s->dropped > 0 && s->budget >= CONSOLE_RATE / 8) {
        log_warn("%s: console flooded: %lu bytes dropped", vm->name, (unsigned long)s->dropped);
        s->dropped = 0;
    }
}

static void add_byte(struct vm *vm, struct stream *s, uint8_t c)
{
    char shown[8] = {(char)c};
    int len = 1;

    if ((c < ' ' || c > '~') && c != '\t') {
        len = snprintf(shown, sizeof(shown), "\\x%02x", c);
    }
    line_add(vm, s, shown, (size_t)len);
}

/* Unicode 15, table 3-7: well-formed UTF-8; less U+0080 to U+009F, which terminals obey. */
static bool is_text(const uint8_t *c)
{
    switch (c[0]) {
    case 0xc2:
        return c[1] >= 0xa0;
    case 0xe0:
        return c[1] >= 0xa0;
    case 0xed:
        return c[1] <= 0x9f;
    case 0xf0:
        return c[1] >= 0x90;
    case 0xf4:
        return c[1] <= 0x8f;
    default:
        return true;
    }
}

/* What came of a character beyond ASCII: as it is when it is whole and one, else byte by byte. */
static void end_character(struct vm *vm, struct stream *s)
{
    uint32_t have = s->char_have;

    s->char_have = 0;
    if (have > 0 && have == s->char_len && is_text(s->character)) {
        line_add(vm, s, (const char *)s->character, have);
        return;
    }
    for (uint32_t i = 0; i < have; i++) {
        add_byte(vm, s, s->character[i]);
    }
}

static void console_byte(struct vm *vm, struct stream *s, uint8_t c)
{
    if (c == '\r' || !may_print(s)) {
        return;
    }
    if (s->char_have > 0 && (c & 0xc0) == 0x80) {
        s->character[s->char_have++] = c;
        if (s->char_have == s->char_len) {
            end_character(vm, s);
        }
        return;
    }
    end_character(vm, s);
    if (c == '\n') {
        emit_line(vm, s);
        tell_dropped(vm, s);
    } else if (c >= 0xc2 && c <= 0xf4) {
        s->character[0] = c;
        s->char_have = 1;
        s->char_len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    } else {
        add_byte(vm, s, c);
    }
}

/* The last of it, for CONSOLE_OUTPUT: what is not printed as well. */
static void keep(struct output *o, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        o->bytes[o->total++ % sizeof(o->bytes)] = bytes[i];
    }
}

enum abi_status stream_output(struct vm *vm, uint64_t *from, uint8_t *to, uint32_t room,
                              uint32_t *count)
{
    const struct output *o = &vm->output;
    enum abi_status st = ABI_BAD_ARG;

    vm_dev_lock(vm);
    if (*from <= o->total) {
        *from = MAX(*from, o->total - MIN(o->total, sizeof(o->bytes)));
        *count = (uint32_t)MIN(o->total - *from, (uint64_t)room);
        for (uint32_t i = 0; i < *count; i++) {
            to[i] = o->bytes[(*from + i) % sizeof(o->bytes)];
        }
        st = ABI_OK;
    }
    vm_dev_unlock(vm);
    return st;
}

bool stream_exists(const struct vm *vm, enum stream_id id)
{
    return id != STREAM_CONTROL || vm->abi->control_port != NULL;
}

size_t stream_room(const struct vm *vm, enum stream_id id)
{
    return id == STREAM_CONTROL ? control_port_room(vm) : SIZE_MAX;
}

void stream_write(struct vm *vm, enum stream_id id, const void *buf, size_t len)
{
    struct stream *s = &vm->stream[id];
    const uint8_t *bytes = buf;

    if (id == STREAM_CHANNEL) {
        link_channel(vm, buf, len);
        return;
    }
    if (id == STREAM_CONTROL) {
        control_port_take(vm, buf, len);
        return;
    }
    keep(&vm->output, buf, len);
    for (size_t i = 0; i < len; i++) {
        console_byte(vm, s, bytes[i]);
    }
}

void stream_flush_line(struct vm *vm)
{
    struct stream *s = &vm->stream[STREAM_CONSOLE];

    vm_dev_lock(vm);
    end_character(vm, s);
    if (s->line_len > 0) {
        emit_line(vm, s);
    }
    s->budget = CONSOLE_BURST;
    tell_dropped(vm, s);
    vm_dev_unlock(vm);
}

#define STALE_TICKS 20u /* a slow writer's line stays in one piece */

/* A prompt without a newline shows after a while. */
void stream_tick(struct vm *vm)
{
    struct stream *s = &vm->stream[STREAM_CONSOLE];

    vm_dev_lock(vm);
    if (s->line_len > 0 && s->idle_ticks++ >= STALE_TICKS) {
        emit_line(vm, s);
    }
    vm_dev_unlock(vm);
}

void stream_attach(struct vm *vm, enum stream_id id, const struct stream_ops *ops, void *dev)
{
    vm->stream[id].ops = ops;
    vm->stream[id].dev = dev;
}

/* Offers what waits; the device lock is held. */
static void deliver(struct vm *vm, enum stream_id id)
{
    struct stream *s = &vm->stream[id];
    size_t took;

    if (s->ops == NULL || s->count == 0) {
        return;
    }
    took = s->ops->input(s->dev, s->input, s->count);
    took = MIN(took, s->count);
    s->count -= (uint32_t)took;
    memmove(s->input, &s->input[took], s->count);
    if (id == STREAM_CHANNEL && took > 0) {
        link_credit(vm, (uint32_t)took);
    }
}

void stream_input(struct vm *vm, enum stream_id id, const uint8_t *buf, size_t len)
{
    struct stream *s = &vm->stream[id];
    size_t take;

    vm_dev_lock(vm);
    take = MIN(len, sizeof(s->input) - s->count);
    memcpy(&s->input[s->count], buf, take);
    s->count += (uint32_t)take;
    deliver(vm, id);
    vm_dev_unlock(vm);
    if (take < len) {
        log_vm(vm, LOG_WARN, "input beyond what the guest reads: %lu bytes dropped",
               (unsigned long)(len - take));
    }
}

void stream_open(struct vm *vm, enum stream_id id, bool open)
{
    struct stream *s = &vm->stream[id];

    if (s->open == open) {
        return;
    }
    s->open = open;
    if (id == STREAM_CHANNEL) {
        link_event("\"event\":\"channel\",\"id\":%u,\"open\":%s", vm->id, open ? "true" : "false");
        if (open) {
            s->count = 0;
            link_credit(vm, sizeof(s->input));
        }
    }
    if (id == STREAM_CONTROL) {
        control_port_open(vm);
    }
}

void stream_ready(struct vm *vm, enum stream_id id)
{
    if (id == STREAM_CONTROL) {
        control_port_deliver(vm);
    } else {
        deliver(vm, id);
    }
}
