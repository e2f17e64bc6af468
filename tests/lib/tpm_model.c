#include "tpm_model.h"

#include <CUnit/CUnit.h>
#include <openssl/sha.h>
#include <string.h>

#include "core_host.h"

struct tpm_model tpm_model;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add(uint8_t *response, uint32_t *len, uint32_t v, unsigned int size)
{
    while (size-- > 0) {
        response[(*len)++] = (uint8_t)(v >> 8 * size);
    }
}

static void event(const uint8_t *command)
{
    uint32_t pcr = be32(command + 10), size = (uint32_t)command[27] << 8 | command[28];
    uint8_t both[64];

    memcpy(both, tpm_model.pcr[pcr], 32);
    (void)SHA256(command + 29, size, both + 32);
    (void)SHA256(both, 64, tpm_model.pcr[pcr]);
}

static void read_pcrs(const uint8_t *command, uint8_t *response, uint32_t *len)
{
    uint32_t first = command[17] != 0 ? 0 : command[18] != 0 ? 8 : 16;

    add(response, len, 1, 4);
    memcpy(response + *len, command + 10, 10);
    *len += 10;
    add(response, len, 8, 4);
    for (uint32_t i = first; i < first + 8; i++) {
        add(response, len, 32, 2);
        memcpy(response + *len, tpm_model.pcr[i], 32);
        *len += 32;
    }
}

static void make_key(uint8_t *response, uint32_t *len)
{
    tpm_model.keys++;
    add(response, len, 0x80000001, 4);
    add(response, len, 12, 4);
    add(response, len, 6, 2);
    memcpy(response + *len, "public", 6);
    *len += 6;
}

/* The message is what was asked for: qualifying data, then the selection. */
static void quote(const uint8_t *command, uint8_t *response, uint32_t *len)
{
    add(response, len, 2 + 36 + 9, 4);
    add(response, len, 36, 2);
    memcpy(response + *len, command + 29, 32);
    memcpy(response + *len + 32, command + 63 + 6, 4);
    *len += 36;
    memcpy(response + *len, "signature", 9);
    *len += 9;
}

static void serve(const uint8_t *command, uint32_t size, uint8_t *response, uint32_t *len)
{
    uint32_t code = be32(command + 6), rc = 0, all;

    CU_ASSERT_EQUAL(size, be32(command + 2));
    tpm_model.commands++;
    if (tpm_model.retries > 0) {
        tpm_model.retries--;
        rc = 0x922;
    } else if (code == tpm_model.fail) {
        rc = 0x101;
    } else if (code == 0x144) {
        rc = 0x100; /* the firmware has started it */
    }
    add(response, len, 0x8001, 2);
    add(response, len, 0, 4);
    add(response, len, rc, 4);
    if (rc == 0 && code == 0x13c) {
        event(command);
    } else if (rc == 0 && code == 0x17e) {
        read_pcrs(command, response, len);
    } else if (rc == 0 && code == 0x131) {
        make_key(response, len);
    } else if (rc == 0 && code == 0x158) {
        quote(command, response, len);
    }
    *len -= code == tpm_model.cut_code ? MIN(tpm_model.cut, *len) : 0;
    all = 2;
    add(response, &all, *len, 4);
}

void tpm_model_boot(enum tpm_kind kind)
{
    core_boot(MiB(64), 1);
    memset(&tpm_model, 0, sizeof(tpm_model));
    fake_tpm_kind = kind;
    fake_tpm_serve = serve;
    fake_tpm_slow = 3;
}

void tpm_model_extend(uint8_t pcr[32], const char *text)
{
    uint8_t both[64];

    memcpy(both, pcr, 32);
    (void)SHA256((const uint8_t *)text, strlen(text), both + 32);
    (void)SHA256(both, 64, pcr);
}

enum abi_status tpm_model_quote(const struct evidence_request *r, struct evidence *e)
{
    enum abi_status st = ABI_BUSY;

    for (unsigned int i = 0; i < 100 && st == ABI_BUSY; i++) {
        st = measure_quote(r, e);
    }
    return st;
}
