#include <attest/measure_cca.h>
#include <attest/reader.h>

#include <string.h>

#define OBJECT "CCA realm"

/* RmiRealmParams */
enum {
    PARAM_FLAGS = 0x00,
    PARAM_S2SZ = 0x08,
    PARAM_SVE_VL = 0x10,
    PARAM_NUM_BPS = 0x18,
    PARAM_NUM_WPS = 0x20,
    PARAM_PMU_NUM_CTRS = 0x28,
    PARAM_HASH_ALGO = 0x30
};

/* RmiRecParams */
enum { REC_FLAGS = 0x00, REC_PC = 0x200, REC_GPRS = 0x300, REC_RUNNABLE = 1 };

/* RmmMeasurementDescriptor: all three are 100h bytes and begin alike. */
enum {
    DESC_SIZE = 0x100,
    DESC_TYPE = 0x00,
    DESC_LEN = 0x08,
    DESC_RIM = 0x10,
    DATA_IPA = 0x50,
    DATA_FLAGS = 0x58,
    DATA_CONTENT = 0x60,
    REC_CONTENT = 0x50,
    RIPAS_BASE = 0x50,
    RIPAS_TOP = 0x58
};
enum { TYPE_DATA = 0, TYPE_REC = 1, TYPE_RIPAS = 2 };

static enum attest_status internal(struct attest_error *err)
{
    return attest_fail(err, ATTEST_INTERNAL, OBJECT, "hash", NULL, NULL);
}

/* RmiHashAlgorithm: 0 SHA-256, 1 SHA-512, and 2 SHA-384 since 1.1. */
static int hash_number(enum attest_hash h)
{
    return h == ATTEST_SHA256 ? 0 : h == ATTEST_SHA512 ? 1 : h == ATTEST_SHA384 ? 2 : -1;
}

enum attest_status cca_rim_create(const struct cca_realm_params *p, struct cca_rim *out,
                                  struct attest_error *err)
{
    uint8_t page[CCA_GRANULE] = {0};

    memset(out, 0, sizeof(*out));
    out->hash = p->hash;
    if (hash_number(p->hash) < 0) {
        return attest_fail(err, ATTEST_POLICY, OBJECT, "hash algorithm",
                           "sha256, sha384 or sha512", "%s", attest_hash_name(p->hash));
    }
    if (p->s2sz < 32 || p->s2sz > 52) {
        return attest_fail(err, ATTEST_POLICY, OBJECT, "s2sz", "32 to 52", "%u", p->s2sz);
    }
    st64le(page + PARAM_FLAGS, p->flags);
    page[PARAM_S2SZ] = p->s2sz;
    page[PARAM_SVE_VL] = p->sve_vl;
    page[PARAM_NUM_BPS] = p->num_bps;
    page[PARAM_NUM_WPS] = p->num_wps;
    page[PARAM_PMU_NUM_CTRS] = p->pmu_num_ctrs;
    page[PARAM_HASH_ALGO] = (uint8_t)hash_number(p->hash);
    return attest_hash1(p->hash, page, sizeof(page), out->value) ? ATTEST_OK : internal(err);
}

static void descriptor(const struct cca_rim *rim, uint8_t type, uint8_t desc[DESC_SIZE])
{
    memset(desc, 0, DESC_SIZE);
    desc[DESC_TYPE] = type;
    st64le(desc + DESC_LEN, DESC_SIZE);
    memcpy(desc + DESC_RIM, rim->value, attest_hash_size(rim->hash));
}

static enum attest_status extend(struct cca_rim *rim, const uint8_t desc[DESC_SIZE],
                                 struct attest_error *err)
{
    return attest_hash1(rim->hash, desc, DESC_SIZE, rim->value) ? ATTEST_OK : internal(err);
}

static enum attest_status unaligned(struct attest_error *err, const char *field, uint64_t v)
{
    return attest_fail(err, ATTEST_POLICY, OBJECT, field, "a multiple of 4096", "%llx",
                       (unsigned long long)v);
}

enum attest_status cca_rim_data(struct cca_rim *rim, uint64_t ipa, bool measure,
                                const uint8_t *content, struct attest_error *err)
{
    uint8_t desc[DESC_SIZE];

    if (ipa % CCA_GRANULE != 0) {
        return unaligned(err, "ipa", ipa);
    }
    descriptor(rim, TYPE_DATA, desc);
    st64le(desc + DATA_IPA, ipa);
    st64le(desc + DATA_FLAGS, measure ? 1 : 0);
    if (measure && !attest_hash1(rim->hash, content, CCA_GRANULE, desc + DATA_CONTENT)) {
        return internal(err);
    }
    return extend(rim, desc, err);
}

enum attest_status cca_rim_image(struct cca_rim *rim, uint64_t ipa, bool measure,
                                 const uint8_t *p, size_t len, struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    for (size_t at = 0; at < len && st == ATTEST_OK; at += CCA_GRANULE) {
        uint8_t tail[CCA_GRANULE] = {0};
        const uint8_t *granule = p + at;

        if (len - at < CCA_GRANULE) {
            memcpy(tail, granule, len - at);
            granule = tail;
        }
        st = cca_rim_data(rim, ipa + at, measure, granule, err);
    }
    return st;
}

enum attest_status cca_rim_rec(struct cca_rim *rim, bool runnable, uint64_t pc,
                               const uint64_t gprs[CCA_REC_GPRS], struct attest_error *err)
{
    uint8_t page[CCA_GRANULE] = {0};
    uint8_t desc[DESC_SIZE];

    if (!runnable) {
        return ATTEST_OK;
    }
    st64le(page + REC_FLAGS, REC_RUNNABLE);
    st64le(page + REC_PC, pc);
    for (size_t i = 0; i < CCA_REC_GPRS; i++) {
        st64le(page + REC_GPRS + 8 * i, gprs[i]);
    }
    descriptor(rim, TYPE_REC, desc);
    if (!attest_hash1(rim->hash, page, sizeof(page), desc + REC_CONTENT)) {
        return internal(err);
    }
    return extend(rim, desc, err);
}

enum attest_status cca_rim_ripas(struct cca_rim *rim, uint64_t base, uint64_t top,
                                 struct attest_error *err)
{
    uint8_t desc[DESC_SIZE];

    if (base % CCA_GRANULE != 0 || top % CCA_GRANULE != 0) {
        return unaligned(err, base % CCA_GRANULE != 0 ? "base" : "top",
                         base % CCA_GRANULE != 0 ? base : top);
    }
    if (base >= top) {
        return attest_fail(err, ATTEST_POLICY, OBJECT, "top", "above base", "%llx",
                           (unsigned long long)top);
    }
    descriptor(rim, TYPE_RIPAS, desc);
    st64le(desc + RIPAS_BASE, base);
    st64le(desc + RIPAS_TOP, top);
    return extend(rim, desc, err);
}

enum attest_status cca_rim_ripas_range(struct cca_rim *rim, uint64_t largest, uint64_t base,
                                       uint64_t top, struct attest_error *err)
{
    enum attest_status st = ATTEST_OK;

    if (base >= top) {
        return cca_rim_ripas(rim, base, top, err);
    }
    while (base < top && st == ATTEST_OK) {
        uint64_t size = 1ULL << 39;

        while (size > CCA_GRANULE && (size > largest || base % size != 0 || top - base < size)) {
            size >>= 9;
        }
        st = cca_rim_ripas(rim, base, base + size, err);
        base += size;
    }
    return st;
}

enum attest_status cca_rem_extend(enum attest_hash hash, const uint8_t *old, const void *value,
                                  size_t len, uint8_t *out, struct attest_error *err)
{
    const struct attest_span spans[] = {{old, attest_hash_size(hash)}, {value, len}};

    if (len == 0 || len > ATTEST_HASH_MAX) {
        return attest_fail(err, ATTEST_POLICY, "CCA REM", "size", "1 to 64 bytes", "%zu", len);
    }
    return attest_hash(hash, spans, 2, out) ? ATTEST_OK : internal(err);
}
