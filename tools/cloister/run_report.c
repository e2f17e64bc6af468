/* The end of a run: a line for each guest, the JSON file, the exit status. */
#include "run.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

static json_t *seconds_or_null(double at)
{
    return at > 0 ? json_real(at) : json_null();
}

/*
 * predicted, launched, verdict and secret_released belong to guests with a technology that measures
 * and attests them; the others have none, which is null.
 */
static json_t *guest_json(const struct guest *g)
{
    return json_pack(
        "{s:s, s:s, s:b, s:n, s:n, s:n, s:n, s:{s:o, s:o, s:o, s:o}, s:b, s:o, s:o, s:O}", "name",
        g->name, "cc", g->cc, "userspace", (int)g->userspace, "predicted", "launched", "verdict",
        "secret_released", "seconds", "created", seconds_or_null(g->created_at), "running",
        seconds_or_null(g->running_at), "userspace", seconds_or_null(g->userspace_at), "ended",
        seconds_or_null(g->ended_at), "good", (int)guest_good(g), "cause",
        g->ended ? json_string(g->cause) : json_null(), "reason",
        g->reason[0] ? json_string(g->reason) : json_null(), "told", g->told);
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
    } else if (guest_good(g)) {
        printf("%s: userspace after %.1f s, powered off after %.1f s\n", g->name, g->userspace_at,
               g->ended_at);
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
        cli_error("%s: cannot be written", run->opts->json);
        status = CLI_MACHINE;
    }
    json_decref(json);
    return status;
}
