/* What became of each guest: the states a guest passes, and the first thing that went wrong. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct guest *guest_by_name(struct run *run, const char *name)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        if (strcmp(run->guest[i].name, name) == 0) {
            return &run->guest[i];
        }
    }
    return NULL;
}

struct guest *guest_by_id(struct run *run, uint16_t id)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        if (id != 0 && run->guest[i].id == id) {
            return &run->guest[i];
        }
    }
    return NULL;
}

struct guest *guest_add(struct run *run, const char *name, const char *cc)
{
    struct guest *g;

    if (run->guests == RUN_GUESTS_MAX || !bundle_name_ok(name)) {
        return NULL;
    }
    g = &run->guest[run->guests++];
    snprintf(g->name, sizeof(g->name), "%s", name);
    snprintf(g->cc, sizeof(g->cc), "%.11s", cc);
    g->told = json_array();
    for (unsigned int i = 0; i < run->kills; i++) {
        if (strcmp(run->kill[i].name, name) == 0) {
            g->killed = true;
        }
    }
    return g;
}

void guests_from_description(struct run *run, const json_t *description)
{
    const char *name;
    json_t *domain;

    json_object_foreach(json_object_get(description, "domains"), name, domain)
    {
        struct guest *g = guest_add(run, name, json_string_value(json_object_get(domain, "cc")));
        const char *abi = json_string_value(json_object_get(domain, "abi"));

        run->xen |= abi != NULL && strcmp(abi, "xen") == 0;
        if (g != NULL) {
            g->vcpus = (uint32_t)json_integer_value(json_object_get(domain, "vcpus"));
            g->memory = (uint64_t)json_integer_value(json_object_get(domain, "memory"));
        }
    }
}

__attribute__((format(printf, 2, 0))) static void fail(char *reason, const char *format,
                                                       va_list args)
{
    char text[RUN_REASON_SIZE];

    vsnprintf(text, sizeof(text), format, args);
    printable(reason, RUN_REASON_SIZE, text, strlen(text));
}

/* Only the first reason counts: what follows is its consequence. */
void guest_failed(struct run *run, struct guest *g, const char *format, ...)
{
    va_list args;

    if (g->reason[0] != '\0') {
        return;
    }
    va_start(args, format);
    fail(g->reason, format, args);
    va_end(args);
    run_step(run, "%s failed: %s", g->name, g->reason);
}

void machine_failed(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->reason[0] != '\0') {
        return;
    }
    va_start(args, format);
    fail(run->reason, format, args);
    va_end(args);
    run_step(run, "%s", run->reason);
}

void guest_reached_userspace(struct run *run, struct guest *g)
{
    if (g->userspace) {
        return;
    }
    g->userspace = true;
    g->userspace_at = machine_seconds(run);
    run_step(run, "%s reached userspace", g->name);
}

void guest_ended(struct run *run, struct guest *g, const char *cause, const char *detail)
{
    g->ended = true;
    g->ended_at = machine_seconds(run);
    g->cpu_until_end = machine_cpu_seconds(run);
    snprintf(g->cause, sizeof(g->cause), "%s", cause);
    run_step(run, "%s ended: %s%s%s", g->name, cause, detail[0] ? ": " : "", detail);
    if (g->killed && strcmp(cause, "destroyed") == 0) {
        return;
    }
    if (strcmp(cause, "reboot") == 0) {
        /* Not said yet: it may be started again, and then it did not fail. */
        if (g->reason[0] == '\0') {
            snprintf(g->reason, sizeof(g->reason), "it ended by reboot%s%s",
                     detail[0] ? ": " : "", detail);
            g->rebooted = true;
        }
    } else if (strcmp(cause, "power-off") != 0) {
        guest_failed(run, g, "it ended by %s%s%s", cause, detail[0] ? ": " : "", detail);
    } else if (g->killed) {
        guest_failed(run, g, "it powered off before it was to be killed");
    } else if (!g->userspace) {
        guest_failed(run, g, "it powered off without reaching userspace");
    }
    attest_judge(run, g);
}

void guest_restarted(struct guest *g, uint16_t id)
{
    g->id = id;
    g->ended = false;
    g->gone = false;
    g->cause[0] = '\0';
    if (g->rebooted) {
        g->reason[0] = '\0'; /* any other reason stands */
        g->rebooted = false;
    }
    channel_reset(&g->channel);
    broker_end(g);
}

void guest_free(struct guest *g)
{
    broker_end(g);
    channel_free(&g->channel);
    json_decref(g->told);
}

bool guest_confidential(const struct guest *g)
{
    return g->cc[0] != '\0' && strcmp(g->cc, "none") != 0;
}

bool guest_good(const struct guest *g)
{
    return g->ended && g->reason[0] == '\0';
}

/* After the end: every guest that has no reason yet, and did not end, gets one. */
void guests_judge(struct run *run)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        struct guest *g = &run->guest[i];

        if (g->ended) {
            continue;
        }
        if (run->timed_out) {
            guest_failed(run, g, "it had not ended after %u s%s", run->opts->timeout,
                         g->userspace ? ", though it reached userspace" : "");
        } else if (g->running_at == 0 && g->refused[0] != '\0') {
            guest_failed(run, g, "it was not started: %s", g->refused);
        } else if (g->id == 0) {
            guest_failed(run, g, "it was never created");
        } else {
            guest_failed(run, g, "the machine stopped under it");
        }
    }
    if (run->guests == 0) {
        machine_failed(run, "the machine ended without a guest");
    }
}
