/* Frames of the host link: the hypervisor's events, and what guests tell on their channels. */
#include "run.h"

#include <stdio.h>
#include <string.h>

#define TOLD_MAX 256u /* lines that are kept of one guest */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static void on_hypervisor(struct run *run, json_t *event)
{
    char version[64];
    const char *v = text_of(event, "version");

    if (run->hypervisor != NULL) {
        return;
    }
    run->hypervisor = json_incref(event);
    run_step(run, "hypervisor %s up: %lld CPUs, %lld MiB%s",
             printable(version, sizeof(version), v, strlen(v)),
             (long long)json_integer_value(json_object_get(event, "cpus")),
             (long long)json_integer_value(json_object_get(event, "memory")) >> 20,
             json_is_true(json_object_get(event, "emulated")) ? ", EMULATED silicon" : "");
}

static struct guest *guest_of(struct run *run, json_t *event)
{
    const char *name = text_of(event, "name");
    json_int_t id = json_integer_value(json_object_get(event, "id"));
    struct guest *g = guest_by_name(run, name);

    if (id < 1 || id > UINT16_MAX) {
        return NULL;
    }
    if (g == NULL) {
        g = guest_add(run, name, text_of(event, "cc"));
    }
    if (g != NULL && g->id == 0) {
        g->id = (uint16_t)id;
    }
    return g;
}

static void on_domain(struct run *run, json_t *event)
{
    struct guest *g = guest_of(run, event);
    const char *state = text_of(event, "state"), *v;
    double now = machine_seconds(run);

    if (g == NULL) {
        run_step(run, "a domain event names no guest");
    } else if (strcmp(state, "created") == 0) {
        if (g->ended) {
            guest_restarted(g, (uint16_t)json_integer_value(json_object_get(event, "id")));
        }
        g->created_at = now;
        v = text_of(event, "config");
        (void)printable(g->config, sizeof(g->config), v, strlen(v));
        run_step(run, "%s created", g->name);
    } else if (strcmp(state, "running") == 0) {
        g->running_at = g->running_at > 0 ? g->running_at : now;
        run_step(run, "%s running", g->name);
    } else if (strcmp(state, "ended") == 0 && !g->ended) {
        char cause[24];
        char detail[200];
        const char *c = text_of(event, "cause");
        const char *d = text_of(event, "detail");

        guest_ended(run, g, printable(cause, sizeof(cause), c, strlen(c)),
                    printable(detail, sizeof(detail), d, strlen(d)));
    } else if (strcmp(state, "gone") == 0) {
        g->gone = true;
    }
}

static void on_idle(struct run *run, json_t *event)
{
    json_int_t leaked = json_integer_value(json_object_get(event, "leaked"));

    if (run->idle != NULL) {
        return;
    }
    run->idle = json_incref(event);
    run_step(run, "no guest is left");
    if (leaked != 0) {
        machine_failed(run, "the hypervisor lost %lld pages", (long long)leaked);
    }
}

static void on_panic(struct run *run, json_t *event)
{
    run->panicked = true;
    machine_failed(run, "the hypervisor stopped: %s", text_of(event, "detail"));
}

static void on_error(struct run *run, json_t *event)
{
    char detail[400];
    const char *d = text_of(event, "detail");

    run_step(run, "hypervisor error: %s", printable(detail, sizeof(detail), d, strlen(d)));
}

/* Opened anew: what was sent to it before is lost, and its first credit follows. So does a new
 * session with its broker: an answer to whoever spoke before is not for this one. */
static void on_opened(struct run *run, json_t *event)
{
    json_int_t id = json_integer_value(json_object_get(event, "id"));
    struct guest *g = id < 1 || id > UINT16_MAX ? NULL : guest_by_id(run, (uint16_t)id);

    if (g != NULL) {
        channel_reset(&g->channel);
        broker_end(g);
    }
}

static void on_event(struct run *run, json_t *event)
{
    static const struct {
        const char *name;
        void (*take)(struct run *run, json_t *event);
    } events[] = {
        {"hypervisor", on_hypervisor}, {"domain", on_domain}, {"idle", on_idle},
        {"panic", on_panic},           {"error", on_error},   {"channel", on_opened},
    };
    const char *name = text_of(event, "event");

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (strcmp(events[i].name, name) == 0) {
            events[i].take(run, event);
            return;
        }
    }
}

/* What the agent says of its guest must agree with what was asked for. */
static void compare(struct run *run, struct guest *g, const json_t *line)
{
    long long cpus = (long long)json_integer_value(json_object_get(line, "cpus"));
    long long memory = (long long)json_integer_value(json_object_get(line, "memory"));

    if (g->vcpus != 0 && cpus != (long long)g->vcpus) {
        guest_failed(run, g, "it runs on %lld CPUs, %u were asked for", cpus, g->vcpus);
    } else if (g->memory != 0 &&
               (memory > (long long)g->memory || memory < (long long)g->memory / 2)) {
        guest_failed(run, g, "it sees %lld bytes of memory, %llu were asked for", memory,
                     (unsigned long long)g->memory);
    }
}

static void on_userspace(struct run *run, struct guest *g, const json_t *line)
{
    g->userspace_lines++;
    if (g->userspace_lines == 2) {
        g->restarted_at = machine_seconds(run);
        run_step(run, "%s reached userspace again", g->name);
    }
    guest_reached_userspace(run, g);
    compare(run, g, line);
}

/* Whose line it is, for the assembler of lines. */
struct speaker {
    struct run *run;
    struct guest *g;
};

static void on_guest_line(void *context, char *line, size_t length)
{
    static const char to_broker[] = "broker ";
    const struct speaker *speaker = context;
    struct run *run = speaker->run;
    struct guest *g = speaker->g;
    json_t *object;
    const char *event;

    if (length >= sizeof(to_broker) - 1 && memcmp(line, to_broker, sizeof(to_broker) - 1) == 0) {
        broker_line(run, g, line + sizeof(to_broker) - 1, length - (sizeof(to_broker) - 1));
        return;
    }
    object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    event = text_of(object, "event");
    if (!json_is_object(object)) {
        json_decref(object);
        return; /* a guest may say what it likes; it only is no news */
    }
    if (strcmp(event, "userspace") == 0) {
        on_userspace(run, g, object);
    } else if (strcmp(event, "failed") == 0) {
        guest_failed(run, g, "its agent reports: %s", text_of(object, "detail"));
    } else if (strcmp(event, "volume") == 0) {
        broker_volume(run, g, object);
    }
    if (json_array_size(g->told) < TOLD_MAX) {
        json_array_append(g->told, object);
    }
    json_decref(object);
}

static void on_channel(struct run *run, const struct link_frame *frame)
{
    struct guest *g = guest_by_id(run, frame->domain);
    struct speaker speaker = {run, g};

    if (g == NULL) {
        return;
    }
    if (frame->type == LINK_CREDIT) {
        channel_credit(&g->channel, frame->payload, frame->length);
    } else {
        channel_feed(&g->channel, frame->payload, frame->length, on_guest_line, &speaker);
    }
}

void events_take(void *context, const struct link_frame *frame)
{
    struct run *run = context;
    json_t *event;

    if (frame->type == LINK_CHANNEL || frame->type == LINK_CREDIT) {
        on_channel(run, frame);
        return;
    }
    if (frame->type == LINK_REQUEST) {
        quote_request(run, frame);
        return;
    }
    if (frame->type != LINK_EVENT) {
        return;
    }
    event = json_loadb((const char *)frame->payload, frame->length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(event)) {
        run_step(run, "an event of %u bytes is no JSON object", frame->length);
    } else {
        on_event(run, event);
    }
    json_decref(event);
}
