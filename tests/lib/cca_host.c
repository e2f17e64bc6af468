#include "cca_host.h"

#include "../../cc/emu/aarch64/monitor/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/check.h"

static uint8_t memory[CCA_HOST_PAGES][GRANULE_SIZE] __attribute__((aligned(4096)));
static struct granule granules[CCA_HOST_PAGES];
static bool realm[CCA_HOST_PAGES];
static unsigned int fail_in, in_fp;
unsigned int cca_flushes;
enum port_exit (*cca_script)(struct rec *rec);
struct rmi_call cca_last;

void panic(const char *fmt, ...)
{
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static unsigned int index_of(uint64_t pa)
{
    uint64_t i = (pa - CCA_HOST_BASE) / GRANULE_SIZE;

    REQUIRE(pa >= CCA_HOST_BASE && i < CCA_HOST_PAGES);
    return (unsigned int)i;
}

void cca_host_reset(void)
{
    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        realm[i] = false;
    }
    fail_in = 0;
    cca_script = NULL;
    rmm_init(CCA_HOST_BASE, sizeof(memory), granules);
    rmm_bank(CCA_HOST_BASE, sizeof(memory));
}

uint64_t cca_page(unsigned int n)
{
    return CCA_HOST_BASE + (uint64_t)n * GRANULE_SIZE;
}

void *cca_bytes(uint64_t pa)
{
    return memory[index_of(pa)];
}

bool cca_is_realm(uint64_t pa)
{
    return realm[index_of(pa)];
}

unsigned int cca_realm_pages(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < CCA_HOST_PAGES; i++) {
        n += realm[i];
    }
    return n;
}

void cca_fail_el3(unsigned int n)
{
    fail_in = n;
}

uint64_t cca_rmi5(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct rmi_call call = {{fid, a, b, c, d, e}}; /* a REC that runs makes others */

    rmm_rmi(&call);
    cca_last = call;
    return call.x[0];
}

uint64_t cca_rmi(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return cca_rmi5(fid, a, b, c, d, 0);
}

/* Through the wrong view the machine would fault: so do we. */
void *port_realm(uint64_t pa)
{
    CHECK(realm[index_of(pa)]);
    return memory[index_of(pa)] + pa % GRANULE_SIZE;
}

void *port_ns(uint64_t pa)
{
    CHECK(!realm[index_of(pa)]);
    return memory[index_of(pa)];
}

static bool el3(uint64_t pa, bool from)
{
    unsigned int i = index_of(pa);

    if ((fail_in != 0 && --fail_in == 0) || realm[i] != from) {
        return false;
    }
    realm[i] = !from;
    return true;
}

bool port_delegate(uint64_t pa)
{
    return el3(pa, false);
}

bool port_undelegate(uint64_t pa)
{
    return el3(pa, true);
}

bool port_realm_key(uint8_t *key)
{
    platform_rak(key);
    return true;
}

uint32_t port_platform_token(const uint8_t challenge[32], void *to, size_t size)
{
    return (uint32_t)platform_token(challenge, 32, to, size);
}

void port_flush(uint16_t vmid)
{
    REQUIRE(vmid != 0);
    cca_flushes++;
}

void port_fp_begin(void)
{
    REQUIRE(in_fp == 0);
    in_fp++;
}

void port_fp_end(void)
{
    in_fp--;
}

unsigned int port_lrs(void)
{
    return 4;
}

enum port_exit port_run(struct rec *rec, const struct rd *rd, uint64_t flags, struct port_gic *gic)
{
    (void)rd;
    (void)flags;
    (void)gic;
    return cca_script != NULL ? cca_script(rec) : PORT_IRQ;
}

void port_run_begin(struct rec *rec, const struct rd *rd)
{
    REQUIRE(rec->running && rd->state == REALM_ACTIVE);
}

void port_run_end(struct rec *rec)
{
    REQUIRE(rec->running);
}

void port_inject_abort(struct rec *rec)
{
    rec->cpu.inject = 1;
}

void port_inject_undefined(struct rec *rec)
{
    rec->cpu.inject = 2;
}

uint64_t port_sysreg_read(uint32_t name)
{
    return name;
}

void port_sysreg_write(uint32_t name, uint64_t value)
{
    (void)name;
    (void)value;
}
