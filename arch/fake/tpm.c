/* A TPM's registers, CRB and FIFO, in front of whatever a test puts behind them. Time passes with
 * each look at them. */
#include "arch/tpm.h"

#include <string.h>

#include "arch/boot.h"
#include "arch/timer.h"
#include "fake/fake.h"
#include "hv/check.h"

#define ADDRESS 0xfed40000u
#define BUFFER  0x80u
#define SIZE    (PAGE_SIZE - BUFFER)

enum tpm_kind fake_tpm_kind;
fake_tpm_fn *fake_tpm_serve;
unsigned int fake_tpm_slow;

static struct {
    bool active, expect, data;
    unsigned int busy;
    uint32_t in, at, len; /* FIFO: bytes that came; the response: read so far, all of it */
    uint8_t bytes[SIZE];
} t;

enum tpm_kind arch_tpm_find(void)
{
    memset(&t, 0, sizeof(t));
    return fake_tpm_kind;
}

uint64_t arch_tpm_address(void)
{
    return ADDRESS;
}

static void serve(uint32_t len)
{
    uint8_t response[SIZE] = {0};

    t.len = 0;
    fake_tpm_serve(t.bytes, len, response, &t.len);
    REQUIRE(t.len <= sizeof(response));
    memcpy(t.bytes, response, sizeof(response));
    t.busy = fake_tpm_slow;
    t.at = 0;
    t.data = t.len > 0;
}

static uint32_t command_size(void)
{
    return (uint32_t)t.bytes[2] << 24 | (uint32_t)t.bytes[3] << 16 | (uint32_t)t.bytes[4] << 8 |
           t.bytes[5];
}

static bool is_busy(void)
{
    return t.busy > 0 && t.busy-- > 0;
}

static uint32_t crb_read(uint32_t offset)
{
    uint32_t v = 0;

    switch (offset) {
    case 0x00:
        return t.active ? 2 : 0;
    case 0x4c:
        return is_busy();
    case 0x58:
    case 0x64:
        return SIZE;
    case 0x5c:
    case 0x68:
        return ADDRESS + BUFFER;
    default:
        if (offset >= BUFFER) {
            memcpy(&v, &t.bytes[offset - BUFFER], sizeof(v));
        }
        return v;
    }
}

static uint32_t fifo_status(void)
{
    bool busy = is_busy();

    return 16u << 8 | (t.in < 6 && !t.data ? 0x40u : 0x80u) | (t.expect ? 0x08u : 0) |
           (t.data && !busy ? 0x10u : 0);
}

uint32_t arch_tpm_read32(uint32_t offset)
{
    REQUIRE(IS_ALIGNED(offset, 4) && offset < PAGE_SIZE && fake_tpm_kind != TPM_NONE);
    fake_clock_set(clock_ns() + 20000000);
    if (fake_tpm_kind == TPM_CRB) {
        return crb_read(offset);
    }
    return offset == 0x18 ? fifo_status() : t.active ? 0xa1 : 0x81;
}

void arch_tpm_write32(uint32_t offset, uint32_t v)
{
    REQUIRE(IS_ALIGNED(offset, 4) && offset < PAGE_SIZE && fake_tpm_kind == TPM_CRB);
    if (offset == 0x08) {
        t.active |= v == 1;
    } else if (offset == 0x4c && v == 1) {
        serve(MIN(command_size(), SIZE));
    } else if (offset >= BUFFER) {
        memcpy(&t.bytes[offset - BUFFER], &v, sizeof(v));
    }
}

uint8_t arch_tpm_read8(uint32_t offset)
{
    REQUIRE(fake_tpm_kind == TPM_FIFO);
    if (offset == 0x24) {
        uint8_t v = t.at < t.len ? t.bytes[t.at++] : 0xff;

        t.data = t.at < t.len;
        return v;
    }
    return t.active ? 0xa1 : 0x81;
}

void arch_tpm_write8(uint32_t offset, uint8_t v)
{
    REQUIRE(fake_tpm_kind == TPM_FIFO);
    if (offset == 0) {
        t.active |= v == 2;
    } else if (offset == 0x18 && v == 0x40) {
        t.in = 0;
        t.data = false;
        t.expect = false;
    } else if (offset == 0x18 && v == 0x20) {
        serve(t.in);
    } else if (offset == 0x24 && t.in < SIZE) {
        t.bytes[t.in++] = v;
        t.expect = t.in < 6 || t.in < command_size();
    }
}

void arch_image_constant(const void **at, size_t *len)
{
    *at = "image";
    *len = 5;
}
