/*
 * A hostile guest or hypervisor at the message protocol: raw request pages, and well-sealed ones
 * with any header and payload. Only a fresh, authentic request moves the count.
 */
#include "emu_peer.h"

#include <stdlib.h>
#include <string.h>

static struct host_guest guest;
static struct snp_secrets_page secrets;
static struct peer peers[4];

static void start(void)
{
    static bool done;

    if (done) {
        return;
    }
    emu_host_reset();
    if (host_init() != SNP_SUCCESS || host_run_guest(&guest, &secrets) != SNP_SUCCESS) {
        abort();
    }
    for (unsigned int i = 0; i < 4; i++) {
        peer_start(&peers[i], &guest, &secrets, i);
    }
    done = true;
}

/* Sealed by the guest: byte 1 is the type, 2 the version, the rest the payload. */
static void sealed(const uint8_t *data, size_t size)
{
    struct peer *p = &peers[data[0] & 3];
    size_t len = size - 3 < 4000 ? size - 3 : 4000;

    peer_seal(p, data[1] % 8, data[2] % 4, data + 3, len);
    if (peer_send(p) == SNP_SUCCESS && peer_open(p, data[1] % 8 + 1, &len) == NULL) {
        abort(); /* an answer that the guest cannot read */
    }
}

/* Not sealed with any key: nothing of it may be answered. */
static void raw(const uint8_t *data, size_t size)
{
    struct peer *p = &peers[data[0] & 3];
    uint8_t *m = (uint8_t *)peer_request(p);

    memset(m, 0, PAGE_SIZE);
    memcpy(m, data + 1, size - 1 < PAGE_SIZE ? size - 1 : PAGE_SIZE);
    if ((data[0] & 4) != 0) {
        memcpy(m + 0x20, &p->seqno, sizeof(p->seqno));
        memcpy(m + 0x30, (uint8_t[]){1, 1, 0x60, 0}, 4);
    }
    if (peer_send(p) == SNP_SUCCESS) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    if (size < 3) {
        return 0;
    }
    if ((data[0] & 0x80) != 0) {
        sealed(data, size);
    } else {
        raw(data, size);
    }
    return 0;
}
