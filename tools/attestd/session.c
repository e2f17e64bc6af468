/*
 * Sessions are claims under the broker's MAC, so that no instance must remember them. They hold
 * nothing secret, and are good for nothing without the private key that they name.
 */
#include "broker_impl.h"

#include <attest/jwt.h>

#include <string.h>

json_t *session_open(struct broker *b, const char *token, const char *stage)
{
    const char *s;
    json_t *j;

    if (token == NULL ||
        jwt_verify_hmac(token, strlen(token), b->session_key, &j, NULL) != ATTEST_OK) {
        return NULL;
    }
    s = json_string_value(json_object_get(j, "stage"));
    if (s == NULL || strcmp(s, stage) != 0 ||
        jwt_check_times(j, broker_now(b), NULL) != ATTEST_OK) {
        json_decref(j);
        return NULL;
    }
    return j;
}

char *session_seal(struct broker *b, const char *stage, json_t *claims, unsigned int seconds)
{
    if (json_object_set_new(claims, "stage", json_string(stage)) != 0 ||
        json_object_set_new(claims, "exp", json_integer(broker_now(b) + seconds)) != 0) {
        return NULL;
    }
    return jwt_sign_hmac(claims, b->session_key);
}
