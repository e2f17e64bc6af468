/* RIM and REM (A7.1). */
#include "rmm.h"

#include "hv/string.h"
#include "rmm_port.h"
#include "rmm_sha512.h"

#include <bearssl.h>

size_t rmm_hash_size(enum rmi_hash algo)
{
    return algo == RMI_HASH_SHA_256 ? 32 : 64;
}

static void hash2(enum rmi_hash algo, const void *p, size_t len, const void *q, size_t more,
                  uint8_t out[RMM_HASH_MAX])
{
    union {
        br_sha256_context s256;
        struct sha512 s512;
    } c;

    memset(out, 0, RMM_HASH_MAX);
    if (algo == RMI_HASH_SHA_256) {
        port_fp_begin();
        br_sha256_init(&c.s256);
        br_sha256_update(&c.s256, p, len);
        br_sha256_update(&c.s256, q, more);
        br_sha256_out(&c.s256, out);
        port_fp_end();
    } else {
        sha512_begin(&c.s512);
        sha512_add(&c.s512, p, len);
        sha512_add(&c.s512, q, more);
        sha512_end(&c.s512, out);
    }
}

void rmm_hash(enum rmi_hash algo, const void *p, size_t len, uint8_t out[RMM_HASH_MAX])
{
    hash2(algo, p, len, p, 0, out);
}

/* Only what the specification names is measured: the rest of the page counts as zero. */
void measure_realm(struct rd *rd, const struct rmi_realm_params *p)
{
    static struct rmi_realm_params m; /* under the lock */

    m.flags = p->flags;
    m.s2sz = p->s2sz;
    m.sve_vl = p->sve_vl;
    m.num_bps = p->num_bps;
    m.num_wps = p->num_wps;
    m.pmu_num_ctrs = p->pmu_num_ctrs;
    m.hash_algo = p->hash_algo;
    rmm_hash(rd->hash, &m, sizeof(m), rd->rim);
}

static void extend(struct rd *rd, struct rmm_measurement *m)
{
    m->len = sizeof(*m);
    memcpy(m->rim, rd->rim, sizeof(m->rim));
    rmm_hash(rd->hash, m, sizeof(*m), rd->rim);
}

void measure_data(struct rd *rd, uint64_t ipa, uint64_t flags, const void *content)
{
    struct rmm_measurement m = {.type = RMM_MEASURE_DATA, .data = {.ipa = ipa, .flags = flags}};

    if ((flags & RMI_MEASURE_CONTENT) != 0) {
        rmm_hash(rd->hash, content, GRANULE_SIZE, m.data.content);
    }
    extend(rd, &m);
}

void measure_rec(struct rd *rd, const struct rmi_rec_params *p)
{
    static struct rmi_rec_params r; /* under the lock */
    struct rmm_measurement m = {.type = RMM_MEASURE_REC};

    r.flags = p->flags;
    r.pc = p->pc;
    memcpy(r.gprs, p->gprs, sizeof(r.gprs));
    rmm_hash(rd->hash, &r, sizeof(r), m.rec.content);
    extend(rd, &m);
}

void measure_ripas(struct rd *rd, uint64_t base, uint64_t top)
{
    struct rmm_measurement m = {.type = RMM_MEASURE_RIPAS, .ripas = {base, top}};

    extend(rd, &m);
}

void measure_extend(struct rd *rd, unsigned int index, const void *value, size_t len)
{
    uint8_t old[RMM_HASH_MAX];

    memcpy(old, rd->rem[index], sizeof(old));
    hash2(rd->hash, old, rmm_hash_size(rd->hash), value, len, rd->rem[index]);
}
