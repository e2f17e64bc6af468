/*
 * Sequences of RMI calls and of what a REC does. Whatever comes, the RMM touches a granule only
 * through the view that the granule protection table allows (tests/lib/cca_host.c checks each), and
 * its own table says the same as that one.
 */
#include <string.h>

#include "cca_host.h"
#include "hv/check.h"

static const uint8_t *bytes;
static size_t left;

static uint8_t next(void)
{
    return left == 0 ? 0 : (left--, *bytes++);
}

/* A page among few, so that calls meet; now and then something odd. */
static uint64_t page(void)
{
    uint8_t b = next();

    return b < 0xf0 ? cca_page(b % 32) : cca_page(b % 32) + (b & 15) * 8;
}

/* Addresses that tables exist for, or nearly. */
static uint64_t ipa(void)
{
    uint8_t b = next();

    return (uint64_t)(b & 7) << 12 | (uint64_t)(b >> 3 & 3) << 21 | (uint64_t)(b >> 5 & 1) << 30 |
           (uint64_t)(b >> 6 & 1) << 38;
}

static enum port_exit script(struct rec *rec)
{
    uint8_t b = next();

    if (b < 64 || left == 0) {
        return (enum port_exit)(1 + b % 3);
    }
    rec->cpu.esr = (uint64_t)(b < 160 ? 0x17 : b < 200 ? 0x24 : next() & 63) << 26 |
                   (uint64_t)next() << 16 | next();
    rec->cpu.hpfar = ipa() >> 8;
    rec->cpu.far = next();
    rec->gprs[0] = (b & 1) != 0 ? RSI_VERSION + next() % 12 : 0xc4000000u + next() % 12;
    for (unsigned int i = 1; i < 5; i++) {
        rec->gprs[i] = (next() & 1) != 0 ? ipa() : next();
    }
    return PORT_SYNC;
}

static void params(uint8_t *p)
{
    struct rmi_realm_params *realm = (struct rmi_realm_params *)p;
    struct rmi_rec_params *rec = (struct rmi_rec_params *)p;

    memset(p, 0, GRANULE_SIZE);
    if ((next() & 1) != 0) {
        realm->s2sz = 39;
        realm->num_bps = realm->num_wps = 1;
        realm->vmid = 1 + next() % 2;
        realm->hash_algo = next() % 3;
        realm->rtt_base = page();
        realm->rtt_level_start = 1;
        realm->rtt_num_start = 1;
    } else {
        rec->flags = next() & 1;
        rec->mpidr = next() & 3;
        rec->num_aux = 1;
        rec->aux[0] = page();
    }
}

static void call(void)
{
    uint64_t fid = RMI_VERSION + next() % RMI_COMMANDS;
    uint64_t a = page(), b = 0, c = 0, d = 0;

    switch (fid) {
    case RMI_DATA_DESTROY:
    case RMI_RTT_DESTROY:
    case RMI_RTT_FOLD:
    case RMI_RTT_READ_ENTRY:
    case RMI_RTT_INIT_RIPAS:
    case RMI_RTT_MAP_UNPROTECTED:
    case RMI_RTT_UNMAP_UNPROTECTED:
        b = ipa();
        c = fid == RMI_RTT_INIT_RIPAS ? ipa() : next() & 3;
        d = page() | (next() & 0xfc);
        break;
    default:
        b = page();
        c = fid == RMI_REC_CREATE || fid == RMI_PSCI_COMPLETE ? page() : ipa();
        d = fid == RMI_RTT_CREATE ? next() & 3 : fid == RMI_DATA_CREATE ? page() : ipa();
    }
    (void)cca_rmi5(fid, a, b, c, d, next() & 1);
}

static void check_tables(void)
{
    for (unsigned int n = 0; n < 32; n++) {
        CHECK(cca_is_realm(cca_page(n)) == (granule_at(cca_page(n))->state != G_UNDELEGATED));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes = data;
    left = size;
    cca_host_reset();
    rmm_realm_reset();
    cca_script = script;
    while (left > 0) {
        uint64_t at = cca_page(next() % 32);

        if (!cca_is_realm(at) && (next() & 3) == 0) {
            params(cca_bytes(at));
        } else {
            call();
        }
    }
    check_tables();
    return 0;
}
