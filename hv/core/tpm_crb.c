/* The command response buffer interface: PTP 1.05, 6.5.3. Its buffers lie in the register page. */
#include "arch/tpm.h"
#include "hv/tpm.h"

#define LOC_STATE    0x00u
#define LOC_ASSIGNED 0x02u
#define LOC_CTRL     0x08u
#define LOC_REQUEST  0x01u
#define CTRL_REQ     0x40u
#define CMD_READY    0x01u
#define GO_IDLE      0x02u
#define CTRL_STS     0x44u
#define STS_FATAL    0x01u
#define CTRL_START   0x4cu
#define CMD_SIZE     0x58u
#define CMD_LADDR    0x5cu
#define CMD_HADDR    0x60u
#define RSP_SIZE     0x64u
#define RSP_ADDR     0x68u
#define HEADER       10u

/* Where a buffer begins in the page; false when it is not there with that size. */
static bool buffer_at(uint64_t address, uint32_t size, uint32_t len, uint32_t *offset)
{
    uint64_t base = arch_tpm_address();

    *offset = (uint32_t)(address - base);
    return address >= base && address - base < PAGE_SIZE && IS_ALIGNED(address, 4) &&
           len <= size && size <= PAGE_SIZE - *offset;
}

static void write_bytes(uint32_t at, const struct tpm_message *m)
{
    for (uint32_t i = 0; i < m->len; i += 4) {
        uint32_t v = 0;

        for (uint32_t b = 0; b < 4 && i + b < m->len; b++) {
            v |= (uint32_t)m->bytes[i + b] << 8 * b;
        }
        arch_tpm_write32(at + i, v);
    }
}

static void read_bytes(uint32_t at, uint32_t len, uint8_t *bytes)
{
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(arch_tpm_read32(at + (i & ~3u)) >> 8 * (i % 4));
    }
}

static bool start(const struct tpm_message *m)
{
    uint32_t at;
    uint64_t buffer;

    if ((arch_tpm_read32(LOC_STATE) & LOC_ASSIGNED) == 0) {
        arch_tpm_write32(LOC_CTRL, LOC_REQUEST);
        if (!tpm_wait32(LOC_STATE, LOC_ASSIGNED, LOC_ASSIGNED)) {
            return false;
        }
    }
    arch_tpm_write32(CTRL_REQ, CMD_READY);
    buffer = arch_tpm_read32(CMD_LADDR) | (uint64_t)arch_tpm_read32(CMD_HADDR) << 32;
    if (!tpm_wait32(CTRL_REQ, CMD_READY, 0) ||
        !buffer_at(buffer, arch_tpm_read32(CMD_SIZE), m->len, &at)) {
        return false;
    }
    write_bytes(at, m);
    arch_tpm_write32(CTRL_START, 1);
    return true;
}

static bool busy(void)
{
    return (arch_tpm_read32(CTRL_START) & 1) != 0;
}

/* The header says how long the response is; part 1, 18. */
static bool take(struct tpm_message *m)
{
    uint32_t size = arch_tpm_read32(RSP_SIZE), at, len;
    uint64_t buffer = arch_tpm_read32(RSP_ADDR) | (uint64_t)arch_tpm_read32(RSP_ADDR + 4) << 32;

    if ((arch_tpm_read32(CTRL_STS) & STS_FATAL) != 0 || !buffer_at(buffer, size, HEADER, &at)) {
        return false;
    }
    read_bytes(at, HEADER, m->bytes);
    len = (uint32_t)m->bytes[2] << 24 | (uint32_t)m->bytes[3] << 16 | (uint32_t)m->bytes[4] << 8 |
          m->bytes[5];
    if (len < HEADER || len > size || len > sizeof(m->bytes)) {
        return false;
    }
    read_bytes(at, len, m->bytes);
    m->len = len;
    return true;
}

static bool finish(struct tpm_message *m)
{
    bool taken = take(m);

    arch_tpm_write32(CTRL_REQ, GO_IDLE);
    return tpm_wait32(CTRL_REQ, GO_IDLE, 0) && taken;
}

const struct tpm_interface tpm_crb = {"CRB", start, busy, finish};
