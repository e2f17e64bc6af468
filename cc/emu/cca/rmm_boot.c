/*
 * What the RMM is booted with: the cold boot interface and the boot manifest of the RMM-EL3
 * interface (Trusted Firmware-A, Documentation). What is in no bank is no memory of the host's,
 * whoever else has it: the RMM never touches it by the Non-secure view.
 */
#include "rmm_port.h"

#define EL3_MINOR_MIN      3u /* since then a platform token comes in pieces */
#define MANIFEST_MINOR_MIN 2u /* since then it lists the memory */

static uint64_t sum(const uint64_t *p, uint64_t words)
{
    uint64_t s = 0;

    for (uint64_t i = 0; i < words; i++) {
        s += p[i];
    }
    return s;
}

/* Whole granules, one bank behind the other. */
static bool banks_good(const struct rmm_dram_bank *bank, uint64_t count)
{
    uint64_t end = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (!IS_ALIGNED(bank[i].base | bank[i].size, GRANULE_SIZE) || bank[i].size == 0 ||
            bank[i].base < end || bank[i].base + bank[i].size < bank[i].base) {
            return false;
        }
        end = bank[i].base + bank[i].size;
    }
    return true;
}

/* NULL: it is not to be trusted. */
static const struct rmm_dram_bank *find_banks(const struct rmm_manifest *m, uint64_t shared)
{
    uint64_t offset = m->dram.entries - shared;
    const struct rmm_dram_bank *bank;

    if (m->dram.count == 0 || m->dram.entries < shared || offset % 8 != 0 ||
        offset >= GRANULE_SIZE || m->dram.count > (GRANULE_SIZE - offset) / sizeof(*bank)) {
        return NULL;
    }
    bank = (const void *)((const uint8_t *)m + offset);
    return sum((const uint64_t *)&m->dram, 3) + sum((const uint64_t *)bank, 2 * m->dram.count) ==
                       0 &&
                   banks_good(bank, m->dram.count)
               ? bank
               : NULL;
}

static int64_t read_manifest(uint64_t shared, struct granule *table, uint64_t most, uint64_t below)
{
    const struct rmm_manifest *m = port_realm(shared);
    const struct rmm_dram_bank *bank;
    uint64_t end;

    if (RMM_VERSION_MAJOR(m->version) != 0 ||
        RMM_VERSION_MINOR(m->version) < MANIFEST_MINOR_MIN) {
        return RMM_BOOT_MANIFEST_VERSION_NOT_SUPPORTED;
    }
    bank = find_banks(m, shared);
    if (bank == NULL) {
        return RMM_BOOT_MANIFEST_DATA_ERROR;
    }
    end = bank[m->dram.count - 1].base + bank[m->dram.count - 1].size;
    if ((end - bank[0].base) / GRANULE_SIZE > most || end > below) {
        return RMM_BOOT_MANIFEST_DATA_ERROR;
    }
    rmm_init(bank[0].base, end - bank[0].base, table);
    for (uint64_t i = 0; i < m->dram.count; i++) {
        rmm_bank(bank[i].base, bank[i].size);
    }
    return RMM_BOOT_SUCCESS;
}

int64_t rmm_boot(const uint64_t x[4], struct granule *table, uint64_t most, uint64_t below)
{
    if (RMM_VERSION_MAJOR(x[1]) != 0 || RMM_VERSION_MINOR(x[1]) < EL3_MINOR_MIN) {
        return RMM_BOOT_VERSION_NOT_VALID;
    }
    if (x[2] > RMM_CPUS) {
        return RMM_BOOT_CPUS_OUT_OF_RANGE;
    }
    if (x[0] >= x[2]) {
        return RMM_BOOT_CPU_ID_OUT_OF_RANGE;
    }
    if (x[3] == 0 || !IS_ALIGNED(x[3], GRANULE_SIZE)) {
        return RMM_BOOT_INVALID_SHARED_BUFFER;
    }
    return read_manifest(x[3], table, most, below);
}
