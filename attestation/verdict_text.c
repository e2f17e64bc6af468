/*
 * The verdict for people and for programs.
 */
#include "verdict_impl.h"

#include <stdio.h>
#include <stdlib.h>

static const char *outcome(const struct attest_verdict *v)
{
    static const char *const names[] = {"trusted", "refused", "unusable"};

    return names[attest_status_class(v->status)];
}

static void print(FILE *f, const struct attest_verdict *v)
{
    char buf[512];
    char when[24];

    fprintf(f, "%s: %s%s%s\n", outcome(v), v->ops != NULL ? v->ops->title : "unknown evidence",
            v->has_root && v->root.emulated ? " (EMULATED)" : "",
            v->status == ATTEST_OK ? "" : ", because");
    for (size_t i = 0; i < attest_verdict_refusals(v); i++) {
        fprintf(f, "  - %s\n", attest_error_text(&v->refusal[i], buf, sizeof(buf)));
    }
    if (v->refusals > VERDICT_REFUSALS_MAX) {
        fprintf(f, "  - and %zu more\n", v->refusals - VERDICT_REFUSALS_MAX);
    }
    if (v->policy_name[0] != '\0') {
        fprintf(f, "  policy: %s\n", v->policy_name);
    }
    fprintf(f, "  judged at: %s\n", attest_time_text(v->at, when));
    if (v->has_root) {
        fprintf(f, "  root: %s\n", v->root.name);
    }
    for (size_t i = 0; i < v->notes; i++) {
        fprintf(f, "  %s: %s\n", v->note[i].key, v->note[i].text);
    }
}

char *attest_verdict_text(const struct attest_verdict *v)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL) {
        return NULL;
    }
    print(f, v);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static json_t *refusal_json(const struct attest_error *e)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "status", attest_status_name(e->status), "object",
                          e->object, "field", e->field, "reason", attest_status_text(e->status));

    if (j != NULL && e->expected[0] != '\0') {
        json_object_set_new(j, "expected", json_string(e->expected));
    }
    if (j != NULL && e->found[0] != '\0') {
        json_object_set_new(j, "found", json_string(e->found));
    }
    return j;
}

/* Keys may repeat: every note is a list. */
static json_t *notes_json(const struct attest_verdict *v)
{
    json_t *notes = json_object();

    for (size_t i = 0; notes != NULL && i < v->notes; i++) {
        json_t *list = json_object_get(notes, v->note[i].key);

        if (list == NULL) {
            list = json_array();
            json_object_set_new(notes, v->note[i].key, list);
        }
        json_array_append_new(list, json_string(v->note[i].text));
    }
    return notes;
}

static void add_optional(json_t *j, const struct attest_verdict *v)
{
    if (v->ops != NULL) {
        json_object_set_new(j, "kind", json_string(v->ops->kind));
    }
    if (v->policy_name[0] != '\0') {
        json_object_set_new(j, "policy", json_string(v->policy_name));
    }
    if (v->has_root) {
        json_object_set_new(
            j, "root", json_pack("{s:s, s:b}", "name", v->root.name, "emulated", v->root.emulated));
    }
    if (v->claims != NULL) {
        json_object_set(j, "claims", v->claims);
    }
}

json_t *attest_verdict_json(const struct attest_verdict *v)
{
    json_t *refusals = json_array();
    json_t *j;
    char when[24];

    for (size_t i = 0; refusals != NULL && i < attest_verdict_refusals(v); i++) {
        json_array_append_new(refusals, refusal_json(&v->refusal[i]));
    }
    j = json_pack("{s:s, s:s, s:s, s:o, s:o}", "verdict", outcome(v), "status",
                  attest_status_name(v->status), "at", attest_time_text(v->at, when), "refusals",
                  refusals, "notes", notes_json(v));
    if (j != NULL) {
        add_optional(j, v);
    }
    return j;
}
