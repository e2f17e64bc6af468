/* Any bytes from a broker: lines, nonces, secrets, and what a guest's key makes of them. */
#include "reply.h"

#include <attest/jwe.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const char *answer)
{
    static EVP_PKEY *key;
    struct attest_error err = {0};
    uint8_t nonce[REPLY_NONCE];
    const char *text = reply_secret(answer);
    uint8_t *p = NULL;
    size_t len;
    json_t *jwe;

    (void)reply_nonce(answer, nonce);
    if (text == NULL) {
        return;
    }
    key = key != NULL ? key : jose_ec_generate(JOSE_P256);
    jwe = jwe_of_compact(text, strlen(text));
    if (jwe != NULL && jwe_decrypt(jwe, key, &p, &len, &err) == ATTEST_OK) {
        abort(); /* it was not wrapped to this key */
    }
    json_decref(jwe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_lines lines;

    memset(&lines, 0, sizeof(lines));
    for (size_t i = 0; i < size; i++) {
        if (reply_byte(&lines, (char)data[i])) {
            use(reply_of(lines.text) != NULL ? reply_of(lines.text) : lines.text);
        }
    }
    return 0;
}
