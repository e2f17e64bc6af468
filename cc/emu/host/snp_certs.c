/*
 * Writes the certificates of the emulated SNP chip, the same bytes each time:
 *   ark.pem ask.pem vcek.pem, chain.pem (ASK, ARK), certs.bin (the table of an extended guest
 *   request, GHCB 4.1.8.1), ark.spki (SHA-256 of the root's key, as policies name it).
 * A host gets a chip's certificates from its maker; this program stands in for the maker.
 * Certificates: VCEK Certificate and KDS Interface Specification (57230), chapter 3.
 */
#include "../snp_psp.h"
#include "mint.h"

#include <stdlib.h>
#include <string.h>

#define OID "1.3.6.1.4.1.3704.1."
#define NOT "EMULATED, not AMD"

/* A DER INTEGER of one byte's value. */
static void add_spl(X509 *x, const char *oid, unsigned int v)
{
    const uint8_t small[] = {2, 1, (uint8_t)v}, large[] = {2, 2, 0, (uint8_t)v};

    mint_raw(x, oid, v < 0x80 ? small : large, v < 0x80 ? sizeof(small) : sizeof(large));
}

/* 57230, table 8 */
static void add_vcek(X509 *x)
{
    static const uint8_t product[] = {0x16, 8, 'M', 'i', 'l', 'a', 'n', '-', 'B', '0'};
    uint8_t id[64];

    chip_id(id);
    add_spl(x, OID "1", 1);
    mint_raw(x, OID "2", product, sizeof(product));
    add_spl(x, OID "3.1", CHIP_TCB & 0xff);
    add_spl(x, OID "3.2", CHIP_TCB >> 8 & 0xff);
    for (unsigned int i = 4; i < 8; i++) {
        static const char *const reserved[] = {OID "3.4", OID "3.5", OID "3.6", OID "3.7"};

        add_spl(x, reserved[i - 4], 0);
    }
    add_spl(x, OID "3.3", CHIP_TCB >> 48 & 0xff);
    add_spl(x, OID "3.8", CHIP_TCB >> 56 & 0xff);
    mint_raw(x, OID "4", id, sizeof(id));
}

struct entry {
    uint8_t guid[16]; /* mixed-endian, as in memory */
    uint32_t offset, length;
};

/* GHCB 4.1.8.1: VCEK 63da758d-..., ASK 4ab7b379-..., ARK c0b406a4-... */
static void write_table(const char *dir, const struct holder *vcek, const struct holder *ask,
                        const struct holder *ark)
{
    const struct holder *const holders[] = {vcek, ask, ark};
    struct entry e[4] = {
        {.guid = {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b,
                  0xe8, 0xac, 0xcd}},
        {.guid = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3,
                  0x27, 0xc7, 0x82}},
        {.guid = {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01,
                  0x4c, 0xd0, 0xae}},
    };
    uint32_t offset = sizeof(e);
    FILE *f = mint_create(dir, "certs.bin");

    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        e[i].offset = offset;
        e[i].length = (uint32_t)holders[i]->der_len;
        offset += e[i].length;
    }
    mint_must(fwrite(e, sizeof(e), 1, f) == 1, "certs.bin");
    for (size_t i = 0; i < ARRAY_SIZE(holders); i++) {
        mint_must(fwrite(holders[i]->der, e[i].length, 1, f) == 1, "certs.bin");
    }
    mint_close(f, "certs.bin");
}

static void write_chain(const char *dir, const struct holder *ask, const struct holder *ark)
{
    FILE *f = mint_create(dir, "chain.pem");

    mint_pem(f, ask);
    mint_pem(f, ark);
    mint_close(f, "chain.pem");
}

static void mint_all(struct holder *ark, struct holder *ask, struct holder *vcek)
{
    chip_ark(ark->d);
    chip_ask(ask->d);
    chip_vcek(vcek->d);
    mint_start(ark, ark, 1);
    mint_start(ask, ark, 2);
    mint_start(vcek, ask, 0);
    mint_conf(ark->x, NID_basic_constraints, "critical,CA:TRUE");
    mint_conf(ark->x, NID_key_usage, "critical,keyCertSign,cRLSign");
    mint_conf(ask->x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    mint_conf(ask->x, NID_key_usage, "critical,keyCertSign");
    add_vcek(vcek->x);
    mint_finish(ark, ark);
    mint_finish(ask, ark);
    mint_finish(vcek, ask);
}

int main(int argc, char **argv)
{
    struct holder ark = {.file = "ark.pem", .name = "ARK-Milan EMULATED", NOT, MINT_P384};
    struct holder ask = {.file = "ask.pem", .name = "SEV-Milan EMULATED", NOT, MINT_P384};
    /* 57230 demands this common name; the organisation says EMULATED here, too. */
    struct holder vcek = {.file = "vcek.pem", .name = "SEV-VCEK", NOT, MINT_P384};

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    mint_all(&ark, &ask, &vcek);
    mint_write_pem(argv[1], &ark);
    mint_write_pem(argv[1], &ask);
    mint_write_pem(argv[1], &vcek);
    write_chain(argv[1], &ask, &ark);
    write_table(argv[1], &vcek, &ask, &ark);
    mint_write_spki(argv[1], "ark.spki", &ark);
    mint_free(&ark);
    mint_free(&ask);
    mint_free(&vcek);
    return 0;
}
