/*
 * Products and their TCB_VERSION layouts.
 */
#include <attest/reader.h>
#include <attest/snp.h>

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool fmc;
} products[] = {
#define SNP_PRODUCT(id, name, fmc) {name, fmc},
#include <attest/snp.def>
};

static const struct {
    enum snp_product product;
    uint16_t first;
    uint16_t last;
} models[] = {
#define SNP_MODELS(id, first, last) {SNP_##id, first, last},
#include <attest/snp.def>
};

const char *snp_product_name(enum snp_product p)
{
    return p < SNP_PRODUCT_COUNT ? products[p].name : "unknown";
}

enum snp_product snp_product_named(const char *name, size_t len)
{
    enum snp_product p = 0;

    while (p < SNP_PRODUCT_COUNT &&
           (strlen(products[p].name) != len || memcmp(products[p].name, name, len) != 0)) {
        p++;
    }
    return p;
}

enum snp_product snp_product_of_cpu(uint8_t family, uint8_t model)
{
    uint16_t fm = (uint16_t)(family << 8 | model);

    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (fm >= models[i].first && fm <= models[i].last) {
            return models[i].product;
        }
    }
    return SNP_PRODUCT_UNKNOWN;
}

bool snp_product_has_fmc(enum snp_product p)
{
    return p < SNP_PRODUCT_COUNT && products[p].fmc;
}

/*
 * TCB_VERSION, byte by byte: bootloader, tee, 4 reserved, snp, microcode before Turin;
 * fmc, bootloader, tee, snp, 3 reserved, microcode from Turin on.
 */
enum attest_status snp_tcb_decode(enum snp_product p, uint64_t raw, const char *field,
                                  struct snp_tcb *out, struct attest_error *err)
{
    bool fmc = snp_product_has_fmc(p);
    uint64_t reserved = fmc ? 0x00ffffff00000000 : 0x0000ffffffff0000;
    uint8_t b[8];

    st64le(b, raw);
    if ((raw & reserved) != 0) {
        return attest_fail(err, ATTEST_RESERVED, "SNP report", field, "reserved bytes 0", "%016llx",
                           (unsigned long long)raw);
    }
    *out = fmc ? (struct snp_tcb){b[0], b[1], b[2], b[3], b[7]}
               : (struct snp_tcb){0, b[0], b[1], b[6], b[7]};
    return ATTEST_OK;
}

uint64_t snp_tcb_encode(enum snp_product p, const struct snp_tcb *t)
{
    uint8_t fmc[8] = {t->fmc, t->bootloader, t->tee, t->snp, 0, 0, 0, t->microcode};
    uint8_t legacy[8] = {t->bootloader, t->tee, 0, 0, 0, 0, t->snp, t->microcode};

    return ld64le(snp_product_has_fmc(p) ? fmc : legacy);
}

bool snp_tcb_at_least(const struct snp_tcb *a, const struct snp_tcb *b)
{
    return a->fmc >= b->fmc && a->bootloader >= b->bootloader && a->tee >= b->tee &&
           a->snp >= b->snp && a->microcode >= b->microcode;
}

char *snp_tcb_text(enum snp_product p, const struct snp_tcb *t, char *buf)
{
    int n = snp_product_has_fmc(p) ? snprintf(buf, 80, "fmc %u, ", t->fmc) : 0;

    snprintf(buf + n, 80 - (size_t)n, "bootloader %u, tee %u, snp %u, microcode %u", t->bootloader,
             t->tee, t->snp, t->microcode);
    return buf;
}
