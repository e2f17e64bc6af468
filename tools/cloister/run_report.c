/* The end of a run: a line for each guest, the JSON file, the exit status. */
#include "run.h"

#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *seconds_or_null(double at)
{
    return at > 0 ? json_real(at) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* All from the start of the machine, but `predict`, which is how long that took before it. */
static json_t *seconds_json(const struct guest *g)
{
    const struct attestation *a = &g->attest;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "predict",
                     seconds_or_null(a->predict_seconds), "created",
                     seconds_or_null(g->created_at), "running", seconds_or_null(g->running_at),
                     "userspace", seconds_or_null(g->userspace_at), "challenged",
                     seconds_or_null(a->challenged_at), "evidence",
                     seconds_or_null(a->evidence_at), "verdict", seconds_or_null(a->verdict_at),
                     "secret", seconds_or_null(a->released_at), "volume",
                     seconds_or_null(a->opened_at), "ended", seconds_or_null(g->ended_at));
}

/*
 * predicted, launched, verdict, emulated, secret_released and volume_opened belong to guests with a
 * technology that measures and attests them; the others have none, which is null.
 */
static void add_attestation(json_t *json, const struct attestation *a)
{
    bool any = a->kind != NULL;

    json_object_set_new(json, "predicted", text_or_null(a->predicted.value[0]));
    json_object_set_new(json, "launched", text_or_null(a->launched.value[0]));
    json_object_set_new(json, "verdict",
                        text_or_null(a->released ? "trusted" : a->refused ? "refused" : ""));
    json_object_set_new(json, "emulated", a->rooted ? json_boolean(a->emulated) : json_null());
    json_object_set_new(json, "secret_released", any ? json_boolean(a->released) : json_null());
    json_object_set_new(json, "volume_opened",
                        a->volume ? json_boolean(a->opened) : json_null());
}

static json_t *guest_json(const struct guest *g)
{
    json_t *json = json_pack("{s:s, s:s, s:b, s:o, s:o, s:b, s:o, s:o, s:O}", "name", g->name, "cc",
                             g->cc, "userspace", (int)g->userspace, "seconds", seconds_json(g),
                             "cpu_seconds", seconds_or_null(g->cpu_until_end), "good",
                             (int)guest_good(g), "cause",
                             g->ended ? json_string(g->cause) : json_null(), "reason",
                             text_or_null(g->reason), "told", g->told);

    json_object_set_new(json, "config", text_or_null(g->config));
    add_attestation(json, &g->attest);
    return json;
}

static double cpu_seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static json_t *run_json(const struct run *run, int status)
{
    json_t *guests = json_array();

    for (unsigned int i = 0; i < run->guests; i++) {
        json_array_append_new(guests, guest_json(&run->guest[i]));
    }
    return json_pack("{s:o, s:i, s:o, s:f, s:{s:f, s:f}, s:O?, s:O?, s:I}", "guests", guests,
                     "exit", status, "reason",
                     run->reason[0] ? json_string(run->reason) : json_null(), "seconds",
                     machine_seconds(run), "cpu_seconds", "user", cpu_seconds(&run->usage.ru_utime),
                     "system", cpu_seconds(&run->usage.ru_stime), "hypervisor", run->hypervisor,
                     "idle", run->idle, "link_bytes_dropped", (json_int_t)run->decoder.dropped);
}

static int exit_status(const struct run *run)
{
    if (run->reason[0] != '\0') {
        return CLI_MACHINE;
    }
    for (unsigned int i = 0; i < run->guests; i++) {
        if (!guest_good(&run->guest[i])) {
            return CLI_FAILED;
        }
    }
    return CLI_OK;
}

static void print_guest(const struct guest *g)
{
    if (guest_good(g) && g->killed) {
        printf("%s: destroyed as asked after %.1f s\n", g->name, g->ended_at);
    } else if (guest_good(g) && g->attest.released) {
        printf("%s: attested, secret released after %.1f s, powered off after %.1f s\n", g->name,
               g->attest.released_at, g->ended_at);
    } else if (guest_good(g)) {
        printf("%s: userspace after %.1f s, powered off after %.1f s%s\n", g->name,
               g->userspace_at, g->ended_at,
               guest_confidential(g) ? ", not attested" : "");
    } else {
        printf("%s: FAILED: %s\n", g->name, g->reason);
    }
}

int run_report(struct run *run)
{
    int status = exit_status(run);
    json_t *json = run_json(run, status);

    fflush(stdout);
    for (unsigned int i = 0; i < run->guests; i++) {
        print_guest(&run->guest[i]);
    }
    if (run->reason[0] != '\0') {
        cli_error("%s", run->reason);
    }
    if (run->opts->json != NULL && json_dump_file(json, run->opts->json, JSON_INDENT(2)) != 0) {
        cli_error("--json %s: cannot be written: %s", run->opts->json, strerror(errno));
        status = CLI_MACHINE;
    }
    json_decref(json);
    return status;
}
