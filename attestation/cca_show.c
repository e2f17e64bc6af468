/* A token as JSON, under the claims' own names. */
#include <attest/cca.h>
#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

static void set_hex(json_t *j, const char *key, const struct attest_span *s)
{
    char *text = malloc(2 * s->len + 1);

    if (text != NULL && s->p != NULL) {
        json_object_set_new(j, key, json_string(hex_encode(s->p, s->len, text)));
    }
    free(text);
}

static void set_text(json_t *j, const char *key, const struct attest_span *s)
{
    if (s->p != NULL) {
        json_object_set_new(j, key, json_stringn(s->p, s->len));
    }
}

static json_t *component(const struct cca_component *c)
{
    json_t *j = json_object();

    set_text(j, "measurement-type", &c->type);
    set_hex(j, "measurement-value", &c->measurement);
    set_text(j, "version", &c->version);
    set_hex(j, "signer-id", &c->signer);
    set_text(j, "hash-algo-id", &c->hash);
    return j;
}

static json_t *platform(const struct cca_platform *p)
{
    json_t *list = json_array();
    json_t *j = json_object();

    json_object_set_new(j, "profile", json_string(p->legacy ? "legacy" : "2023"));
    set_hex(j, "challenge", &p->challenge);
    set_hex(j, "implementation-id", &p->implementation_id);
    set_hex(j, "instance-id", &p->instance_id);
    set_hex(j, "config", &p->config);
    json_object_set_new(j, "lifecycle", json_integer(p->lifecycle));
    json_object_set_new(j, "lifecycle-state", json_string(cca_lifecycle_name(p->lifecycle)));
    json_object_set_new(j, "hash-algo-id", json_string(cca_hash_name(p->hash)));
    set_text(j, "service-indicator", &p->service);
    for (size_t i = 0; i < p->components; i++) {
        json_array_append_new(list, component(&p->component[i]));
    }
    json_object_set_new(j, "sw-components", list);
    return j;
}

static json_t *realm(const struct cca_realm *r)
{
    json_t *rems = json_object();
    json_t *j = json_object();
    char name[] = "0";

    json_object_set_new(j, "profile", json_string(r->legacy ? "legacy" : "2023"));
    set_hex(j, "challenge", &r->challenge);
    set_hex(j, "personalization-value", &r->personalization);
    set_hex(j, "initial-measurement", &r->rim);
    for (size_t i = 0; i < CCA_REMS; i++) {
        name[0] = (char)('0' + i);
        set_hex(rems, name, &r->rem[i]);
    }
    json_object_set_new(j, "extensible-measurements", rems);
    json_object_set_new(j, "hash-algo-id", json_string(cca_hash_name(r->hash)));
    set_hex(j, "public-key", &r->rak);
    json_object_set_new(j, "public-key-hash-algo-id", json_string(cca_hash_name(r->rak_hash)));
    if (r->mec_policy[0] != '\0') {
        json_object_set_new(j, "mec-policy", json_string(r->mec_policy));
    }
    return j;
}

json_t *cca_token_claims(const struct cca_token *t)
{
    return json_pack("{s:s, s:o, s:o}", "form", t->collection ? "collection (907)" : "token (399)",
                     "platform", platform(&t->platform), "realm", realm(&t->realm));
}
