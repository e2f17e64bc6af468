#include "attestd_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void client_open(struct client *c)
{
    memset(c, 0, sizeof(*c));
    world_open(&c->w);
}

void client_close(struct client *c)
{
    broker_reply_free(&c->rp);
    free(c->session);
    free(c->nonce);
    free(c->token);
    world_close(&c->w);
}

int ask(struct client *c, const char *method, const char *path, const char *bearer,
        const char *body)
{
    struct broker_request rq = {.method = method,
                                .path = path,
                                .session = bearer == NULL ? c->session : NULL,
                                .bearer = bearer,
                                .peer = "test",
                                .body = (const uint8_t *)(body != NULL ? body : ""),
                                .body_len = body != NULL ? strlen(body) : 0};

    broker_reply_free(&c->rp);
    broker_handle(c->w.broker, &rq, &c->rp);
    if (c->rp.session != NULL) {
        free(c->session);
        c->session = strdup(c->rp.session);
    }
    return c->rp.status;
}

static char *member(const struct client *c, const char *key)
{
    json_t *j = json_loads(c->rp.body, 0, NULL);
    const char *s = json_string_value(json_object_get(j, key));
    char *copy = s != NULL ? strdup(s) : NULL;

    json_decref(j);
    return copy;
}

int auth(struct client *c, const char *body)
{
    int status = ask(c, "POST", "/kbs/v0/auth", NULL, body);

    free(c->nonce);
    c->nonce = status == 200 ? member(c, "nonce") : NULL;
    return status;
}

int attest_body(struct client *c, const char *body)
{
    int status = ask(c, "POST", "/kbs/v0/attest", NULL, body);

    free(c->token);
    c->token = status == 200 ? member(c, "token") : NULL;
    return status;
}

int attest(struct client *c)
{
    char *body = world_attestation(&c->w, c->nonce);
    int status = attest_body(c, body);

    free(body);
    return status;
}

int get(struct client *c, const char *path, const char *bearer)
{
    char full[256];

    snprintf(full, sizeof(full), "/kbs/v0/resource/%s", path);
    return ask(c, "GET", full, bearer, NULL);
}

bool audit_says(const struct client *c, const char *text)
{
    char *log = world_audit(&c->w);
    bool found = strstr(log, text) != NULL;

    if (!found) {
        fprintf(stderr, "not in the audit log: %s\n%s", text, log);
    }
    free(log);
    return found;
}
