/*
 * The broker of one guest: `attestd line` as a process of its own, which sees the guest's lines and
 * nothing else. One line is answered before the next is passed on. What it decided, and why, is
 * read from its audit log: the guest is not told as much.
 */
#include "attest_kind.h"
#include "cli.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AUDIT_MAX 65536

char *attest_file(const struct run *run, const char *kind, const char *name)
{
    return cli_format("%s/%s%s%s", run->attest.directory, kind, name[0] ? "-" : "", name);
}

static bool start(struct run *run, struct guest *g)
{
    struct attestation *a = &g->attest;
    char *program = cli_built("bin/attestd");
    char *db = attest_file(run, "store.db", "");
    char *key = attest_file(run, "broker.key", "");
    char *audit = attest_file(run, "audit", g->name);
    const char *const words[] = {program, "line",    "--db", db,  "--key",
                                 key,     "--audit", audit,  NULL};
    bool started = child_start(&a->broker, words);

    free(program);
    free(db);
    free(key);
    free(audit);
    a->asked = false;
    a->answer_length = 0;
    return started;
}

void broker_end(struct guest *g)
{
    child_end(&g->attest.broker);
}

int broker_descriptor(const struct guest *g)
{
    return g->attest.broker.pid > 0 ? g->attest.broker.from : -1;
}

static void answer(struct run *run, struct guest *g, const char *text)
{
    char *line = cli_format("broker %s\n", text);

    if (!channel_queue(&g->channel, line, strlen(line))) {
        guest_failed(run, g, "it does not read what its broker answers");
    }
    free(line);
}

/* A line fits in an empty pipe, and one that is not answered yet is the only one in there. */
static bool pass_on(struct attestation *a, const char *line, size_t length)
{
    a->asked = write(a->broker.to, line, length) == (ssize_t)length &&
               write(a->broker.to, "\n", 1) == 1;
    return a->asked;
}

void broker_line(struct run *run, struct guest *g, const char *line, size_t length)
{
    struct attestation *a = &g->attest;

    if (!run->attest.on || a->kind == NULL) {
        answer(run, g, "error there is no broker here");
        return;
    }
    if (a->broker.pid == 0 && !start(run, g)) {
        guest_failed(run, g, "its broker cannot be started: %s", strerror(errno));
        return;
    }
    if (a->asked || memchr(line, '\0', length) != NULL) {
        answer(run, g, "error expected one line of text at a time");
    } else if (length >= CHANNEL_LINE_MAX - 1 || !pass_on(a, line, length)) {
        answer(run, g, "error the broker does not take that line");
    } else if (strncmp(line, "evidence ", 9) == 0) {
        a->evidence_at = machine_seconds(run);
        run_step(run, "%s sends evidence", g->name);
    }
}

/* The last line of the audit log, which the broker wrote before it answered; may be NULL. */
static json_t *last_decision(const struct run *run, const struct guest *g)
{
    static char line[AUDIT_MAX];
    char *path = attest_file(run, "audit", g->name);
    FILE *f = fopen(path, "re");
    json_t *decision = NULL;

    free(path);
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        json_decref(decision);
        decision = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    }
    if (f != NULL) {
        fclose(f);
    }
    return decision;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* Which measures are not what was predicted: "mrtd, rtmr2"; empty: none, or they are not known. */
static void differing(const struct attestation *a, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; a->kind->measure[i] != NULL && a->launched.value[i][0] != '\0'; i++) {
        if (strcmp(a->launched.value[i], a->predicted.value[i]) != 0 && used < size) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used != 0 ? ", " : "",
                                     a->kind->measure[i]);
        }
    }
}

static void tell_launched(struct run *run, const struct guest *g)
{
    const struct attestation *a = &g->attest;
    bool same = strcmp(a->launched.value[0], a->predicted.value[0]) == 0;

    run_step(run, "%s launched   %s, %s", g->name, a->launched.value[0],
             same ? "as predicted" : "which was not predicted");
}

static void on_granted(struct run *run, struct guest *g, const json_t *decision)
{
    struct attestation *a = &g->attest;

    a->released = true;
    a->released_at = a->verdict_at;
    tell_launched(run, g);
    run_step(run, "%s TRUSTED: its report is genuine, by the root \"%s\"%s", g->name,
             text_of(decision, "root"),
             a->emulated ? " (EMULATED silicon)" : "");
    run_step(run, "%s secret released, wrapped to its key", g->name);
}

/* A changed launch is told as a change, by name, where we can: we have both bundles. */
static void on_refused(struct run *run, struct guest *g, const json_t *decision)
{
    const struct run_attest *ra = &run->attest;
    struct attestation *a = &g->attest;
    char difference[RUN_REASON_SIZE];
    char names[80];
    struct bundle_blob booted;
    struct bundle_error error;

    a->refused = true;
    differing(a, names, sizeof(names));
    if (names[0] == '\0' || !bundle_load(run->bundle, &booted, &error)) {
        guest_failed(run, g, "its evidence is refused: %s", text_of(decision, "reason"));
        return;
    }
    tell_launched(run, g);
    bundle_compare(ra->predicted, ra->predicted_size, booted.data, booted.size, g->name,
                   difference, sizeof(difference));
    free(booted.data);
    guest_failed(run, g, "its evidence is refused: its %s is not what was predicted: %s", names,
                 difference);
}

static void note_evidence(struct attestation *a, const json_t *decision)
{
    const json_t *claims = json_object_get(decision, "launch");
    const json_t *emulated = json_object_get(decision, "emulated");

    for (size_t i = 0; a->kind->measure[i] != NULL; i++) {
        snprintf(a->launched.value[i], sizeof(a->launched.value[i]), "%s",
                 text_of(claims, a->kind->measure[i]));
    }
    a->rooted = json_is_boolean(emulated);
    a->emulated = json_is_true(emulated);
}

static void on_decision(struct run *run, struct guest *g, bool granted)
{
    struct attestation *a = &g->attest;
    json_t *decision = last_decision(run, g);

    a->verdict_at = machine_seconds(run);
    note_evidence(a, decision);
    if (granted) {
        on_granted(run, g, decision);
    } else if (!a->released) {
        on_refused(run, g, decision);
    }
    json_decref(decision);
}

static void on_answer(struct run *run, struct guest *g, const char *line)
{
    struct attestation *a = &g->attest;

    a->asked = false;
    if (strncmp(line, "nonce ", 6) == 0) {
        a->challenged_at = machine_seconds(run);
        run_step(run, "%s asks for its secret, and gets a nonce", g->name);
    } else if (strncmp(line, "secret ", 7) == 0) {
        on_decision(run, g, true);
    } else if (strncmp(line, "refused ", 8) == 0) {
        on_decision(run, g, false);
    }
    answer(run, g, line);
}

void broker_readable(struct run *run, struct guest *g)
{
    struct attestation *a = &g->attest;
    char *end;
    ssize_t n = read(a->broker.from, a->answer + a->answer_length,
                     sizeof(a->answer) - 1 - a->answer_length);

    if (n <= 0) { /* after "quit" and too many errors; or it failed, or answered beyond measure */
        broker_end(g);
        if (a->asked) {
            a->asked = false;
            answer(run, g, "error the broker ended");
        }
        return;
    }
    a->answer_length += (size_t)n;
    while ((end = memchr(a->answer, '\n', a->answer_length)) != NULL) {
        size_t length = (size_t)(end - a->answer);

        *end = '\0';
        on_answer(run, g, a->answer);
        a->answer_length -= length + 1;
        memmove(a->answer, end + 1, a->answer_length);
    }
}

void broker_volume(struct run *run, struct guest *g, const json_t *line)
{
    struct attestation *a = &g->attest;

    if (!a->volume || a->opened) {
        return;
    }
    if (!a->released) {
        guest_failed(run, g, "it claims to have opened a volume without the key");
    } else if (strcmp(text_of(line, "sha256"), a->content) != 0) {
        guest_failed(run, g, "its volume does not hold what was put there");
    } else {
        a->opened = true;
        a->opened_at = machine_seconds(run);
        run_step(run, "%s volume opened: its content is what was put there", g->name);
    }
}

void attest_judge(struct run *run, struct guest *g)
{
    const struct attestation *a = &g->attest;

    if (!a->wanted || g->killed) {
        return;
    }
    if (!a->released) {
        guest_failed(run, g, "it ended without having been attested");
    } else if (a->volume && !a->opened) {
        guest_failed(run, g, "it got its secret, but did not open its volume");
    }
}
