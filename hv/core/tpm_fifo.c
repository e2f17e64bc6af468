/* The FIFO interface (TIS): PTP 1.05, 6.5.2. Bytes go through one register, as many as it says. */
#include "arch/timer.h"
#include "arch/tpm.h"
#include "hv/tpm.h"

#define ACCESS         0x00u
#define ACCESS_ACTIVE  0x20u
#define ACCESS_REQUEST 0x02u
#define STS            0x18u
#define STS_VALID      0x80u
#define STS_READY      0x40u
#define STS_GO         0x20u
#define STS_DATA       0x10u
#define STS_EXPECT     0x08u
#define BURST(sts)     ((sts) >> 8 & 0xffffu)
#define FIFO           0x24u
#define HEADER         10u

/* How many bytes the register takes or gives now: one or more; 0: none, for a second. */
static uint32_t burst(void)
{
    uint64_t end = clock_ns() + 1000000000u;
    uint32_t n;

    do {
        n = BURST(arch_tpm_read32(STS));
    } while (n == 0 && clock_ns() < end);
    return n;
}

static bool put_all(const struct tpm_message *m)
{
    uint32_t n = 0, room;

    while (n < m->len) {
        room = burst();
        if (room == 0) {
            return false;
        }
        for (; room > 0 && n < m->len; room--) {
            arch_tpm_write8(FIFO, m->bytes[n++]);
        }
    }
    return true;
}

static bool start(const struct tpm_message *m)
{
    if ((arch_tpm_read8(ACCESS) & ACCESS_ACTIVE) == 0) {
        arch_tpm_write8(ACCESS, ACCESS_REQUEST);
        if (!tpm_wait32(ACCESS, ACCESS_ACTIVE, ACCESS_ACTIVE)) {
            return false;
        }
    }
    arch_tpm_write8(STS, STS_READY);
    if (!tpm_wait32(STS, STS_READY, STS_READY) || !put_all(m) ||
        !tpm_wait32(STS, STS_VALID | STS_EXPECT, STS_VALID)) {
        return false;
    }
    arch_tpm_write8(STS, STS_GO);
    return true;
}

static bool busy(void)
{
    return (arch_tpm_read32(STS) & (STS_VALID | STS_DATA)) != (STS_VALID | STS_DATA);
}

static bool get(uint8_t *bytes, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t n = burst();

        if (n == 0 || (arch_tpm_read32(STS) & STS_DATA) == 0) {
            return false;
        }
        for (; n > 0 && from < to; n--) {
            bytes[from++] = arch_tpm_read8(FIFO);
        }
    }
    return true;
}

static bool take(struct tpm_message *m)
{
    uint32_t len;

    if (!get(m->bytes, 0, HEADER)) {
        return false;
    }
    len = (uint32_t)m->bytes[2] << 24 | (uint32_t)m->bytes[3] << 16 | (uint32_t)m->bytes[4] << 8 |
          m->bytes[5];
    m->len = len;
    return len >= HEADER && len <= sizeof(m->bytes) && get(m->bytes, HEADER, len);
}

static bool finish(struct tpm_message *m)
{
    bool taken = take(m);

    arch_tpm_write8(STS, STS_READY); /* what it may have left is dropped */
    return taken;
}

const struct tpm_interface tpm_fifo = {"FIFO", start, busy, finish};
