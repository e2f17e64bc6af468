/*
 * The Confidential Containers KBS protocol 0.4 (kbs_attestation_protocol.md): which request goes
 * where, and the handshake's first half.
 */
#include "broker_impl.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

#define RESOURCE "/kbs/v0/resource/"

void broker_reply_free(struct broker_reply *rp)
{
    free(rp->body);
    free(rp->session);
    *rp = (struct broker_reply){0};
}

void reply_json(struct broker_reply *rp, json_t *j)
{
    rp->body = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    rp->len = rp->body != NULL ? strlen(rp->body) : 0;
    rp->type = "application/json";
    rp->status = rp->body != NULL ? 200 : 503;
    json_decref(j);
}

void reply_error(struct broker_reply *rp, int status, const char *problem, const char *detail)
{
    broker_reply_free(rp);
    reply_json(rp, json_pack("{s:s+, s:s}", "type", KBS_ERROR_PREFIX, problem, "detail", detail));
    rp->status = status;
}

const char *kbs_kind(const char *tee)
{
    static const struct {
        const char *tee;
        const char *kind;
    } tees[] = {{"snp", "sev-snp"},      {"tdx", "tdx"},         {"sgx", "sgx"},
                {"cca", "cca"},          {"tpm", "tpm"},         {"az-snp-vtpm", "tpm"},
                {"az-tdx-vtpm", "tpm"}};

    for (size_t i = 0; tee != NULL && i < sizeof(tees) / sizeof(tees[0]); i++) {
        if (strcmp(tees[i].tee, tee) == 0) {
            return tees[i].kind;
        }
    }
    return NULL;
}

struct asked {
    const char *tee;
    const char *policy;
};

/* 0.4.x; the body's strings are borrowed from j. */
static const char *read_request(const json_t *j, struct asked *out)
{
    const char *version = json_string_value(json_object_get(j, "version"));
    const json_t *extra = json_object_get(j, "extra-params");
    const json_t *selector = json_object_get(extra, "attestation-policy-selector");

    out->tee = json_string_value(json_object_get(j, "tee"));
    out->policy = DEFAULT_POLICY;
    if (version == NULL || strncmp(version, "0.4.", 4) != 0 ||
        version[4 + strspn(version + 4, "0123456789")] != '\0' || version[4] == '\0') {
        return "KBS protocol version: expected 0.4.x";
    }
    if (kbs_kind(out->tee) == NULL) {
        return "tee: expected snp, tdx, sgx, cca, tpm, az-snp-vtpm or az-tdx-vtpm";
    }
    if (selector != NULL) {
        out->policy = json_string_value(selector);
        if (out->policy == NULL || !store_name_valid(out->policy)) {
            return "attestation-policy-selector: expected the name of a policy";
        }
    }
    return NULL;
}

static void challenge(struct broker *b, const struct asked *a, struct broker_reply *rp)
{
    uint8_t nonce[NONCE_SIZE];
    char text[4 * ((NONCE_SIZE + 2) / 3) + 1];
    json_t *claims;

    if (!nonce_make(b->nonce_key, b->clock_ms(), nonce)) {
        reply_error(rp, 503, "AttestationError", "no random bytes");
        return;
    }
    base64_encode(nonce, sizeof(nonce), false, text);
    claims = json_pack("{s:s, s:s, s:s}", "nonce", text, "tee", a->tee, "policy", a->policy);
    rp->session_seconds = (unsigned int)(b->nonce_ms / 1000);
    rp->session = claims != NULL ? session_seal(b, "challenge", claims, rp->session_seconds) : NULL;
    json_decref(claims);
    if (rp->session == NULL) {
        reply_error(rp, 503, "AttestationError", "out of memory");
        return;
    }
    reply_json(rp, json_pack("{s:s, s:s}", "nonce", text, "extra-params", ""));
}

void kbs_auth(struct broker *b, const struct broker_request *rq, struct broker_reply *rp)
{
    json_t *j = json_loadb((const char *)rq->body, rq->body_len, JSON_REJECT_DUPLICATES, NULL);
    struct asked a;
    const char *wrong = j != NULL ? read_request(j, &a) : "body: expected JSON";

    broker_count(b, BROKER_auth_requests);
    if (wrong != NULL) {
        broker_count(b, BROKER_auth_errors);
        reply_error(rp, j != NULL ? 401 : 400, "AttestationError", wrong);
    } else {
        challenge(b, &a, rp);
    }
    json_decref(j);
}

static char *metrics_text(const struct broker *b)
{
    static const struct {
        const char *name;
        const char *help;
    } names[] = {
#define METRIC(name, help) {#name, help},
#include "metrics.def"
#undef METRIC
    };
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < BROKER_METRICS; i++) {
        fprintf(f, "# HELP attestd_%s_total %s\n# TYPE attestd_%s_total counter\n"
                   "attestd_%s_total %llu\n",
                names[i].name, names[i].help, names[i].name, names[i].name,
                (unsigned long long)b->counter[i]);
    }
    fclose(f);
    return text;
}

static void reply_text(struct broker_reply *rp, char *text)
{
    rp->body = text;
    rp->len = text != NULL ? strlen(text) : 0;
    rp->type = "text/plain; version=0.0.4";
    rp->status = text != NULL ? 200 : 503;
}

static bool method_is(const struct broker_request *rq, const char *m, struct broker_reply *rp)
{
    if (strcmp(rq->method, m) == 0) {
        return true;
    }
    reply_error(rp, 405, "InvalidRequestPath", "method not allowed here");
    return false;
}

static void route_kbs(struct broker *b, const struct broker_request *rq, struct broker_reply *rp)
{
    if (strcmp(rq->path, "/kbs/v0/auth") == 0) {
        if (method_is(rq, "POST", rp)) {
            kbs_auth(b, rq, rp);
        }
    } else if (strcmp(rq->path, "/kbs/v0/attest") == 0) {
        if (method_is(rq, "POST", rp)) {
            kbs_attest(b, rq, rp);
        }
    } else if (strcmp(rq->path, "/kbs/v0/attestation-policy") == 0) {
        if (method_is(rq, "POST", rp)) {
            kbs_admin_policy(b, rq, rp);
        }
    } else if (strncmp(rq->path, RESOURCE, strlen(RESOURCE)) == 0) {
        const char *path = rq->path + strlen(RESOURCE);

        if (strcmp(rq->method, "POST") == 0) {
            kbs_admin_resource(b, rq, path, rp);
        } else if (method_is(rq, "GET", rp)) {
            kbs_resource_get(b, rq, path, rp);
        }
    } else {
        reply_error(rp, 404, "InvalidRequestPath", "no such path");
    }
}

void broker_handle(struct broker *b, const struct broker_request *rq, struct broker_reply *rp)
{
    struct attest_error err;
    char text[400];

    *rp = (struct broker_reply){0};
    broker_count(b, BROKER_http_requests);
    if (strcmp(rq->path, "/metrics") == 0) {
        if (method_is(rq, "GET", rp)) {
            reply_text(rp, metrics_text(b));
        }
        return;
    }
    if (strcmp(rq->path, "/healthz") == 0) {
        if (method_is(rq, "GET", rp)) {
            reply_text(rp, strdup("ok\n"));
        }
        return;
    }
    if (broker_refresh(b, &err) != ATTEST_OK) {
        fprintf(stderr, "attestd: %s\n", attest_error_text(&err, text, sizeof(text)));
        reply_error(rp, 503, "StorageBackendInitialization", "the store cannot be used");
        return;
    }
    route_kbs(b, rq, rp);
}
