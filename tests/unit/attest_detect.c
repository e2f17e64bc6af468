/*
 * Whatever lies in the vectors is recognised by at most one kind, evidence by its own; a second
 * opinion by the openssl command.
 */
#include "attest_file.h"
#include "cu.h"

#include <attest/evidence.h>
#include <attest/snp.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned int files, recognised, ambiguous;

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    unsigned int evidence = 0, items = 0;
    size_t len = 0;
    uint8_t *p = type == FTW_F && st->st_size < (1 << 22) ? file_read(path, &len) : NULL;

    (void)ftw;
    if (p == NULL) {
        return 0;
    }
    for (size_t i = 0; attest_kind(i) != NULL; i++) {
        evidence += attest_kind(i)->detect(p, len);
    }
    for (size_t i = 0; attest_item_kind(i) != NULL; i++) {
        items += attest_item_kind(i)->detect(p, len);
    }
    if (evidence > 1 || items > 1) {
        fprintf(stderr, "%s: %u kinds of evidence, %u of collateral\n", path, evidence, items);
        ambiguous++;
    }
    files++;
    recognised += evidence == 1;
    free(p);
    return 0;
}

static void no_file_of_the_vectors_is_of_two_kinds(void)
{
    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: recognition is not tried");
        return;
    }
    CU_ASSERT_EQUAL(nftw(cu_vectors(), look, 8, FTW_PHYS), 0);
    printf("recognition: %u files, %u of them evidence or logs\n", files, recognised);
    CU_ASSERT_EQUAL(ambiguous, 0);
    CU_ASSERT(recognised >= 12);
}

static void vectors_are_recognised_as_what_they_are(void)
{
    static const char *const cases[][2] = {
        {"snp/reports/milan-v2-a/report.bin", "sev-snp"},
        {"snp/reports/turin-v5-ms/report.bin", "sev-snp"},
        {"tdx/phala-uptodate/quote.bin", "tdx"},
        {"tdx/coco-v5/quote.bin", "tdx"},
        {"tdx/phala-sgx-v3/quote.bin", "sgx"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct attest_evidence_ops *k;
        size_t len;
        uint8_t *p = vector_read(cases[i][0], &len);

        if (p == NULL) {
            cu_skip(1, cases[i][0]);
            continue;
        }
        k = attest_kind_detect(p, len);
        CU_ASSERT(k != NULL && strcmp(k->kind, cases[i][1]) == 0);
        free(p);
    }
}

static void write_file(const char *path, const void *p, size_t len)
{
    FILE *f = fopen(path, "wb");

    CU_ASSERT_FATAL(f != NULL && fwrite(p, 1, len, f) == len);
    fclose(f);
}

/* Report, its signature as DER and the certificate's key as PEM, for the openssl command. */
static void write_parts(const char *dir, const uint8_t *report, const uint8_t *der, size_t len)
{
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)len);
    ECDSA_SIG *s = ECDSA_SIG_new();
    unsigned char *sig = NULL;
    char path[96];
    FILE *f;
    int n;

    ECDSA_SIG_set0(s, BN_lebin2bn(report + 0x2a0, 72, NULL), BN_lebin2bn(report + 0x2e8, 72, NULL));
    snprintf(path, sizeof(path), "%s/sig", dir);
    n = i2d_ECDSA_SIG(s, &sig);
    CU_ASSERT_FATAL(n > 0);
    write_file(path, sig, (size_t)n);
    snprintf(path, sizeof(path), "%s/tbs", dir);
    write_file(path, report, SNP_SIGNED_SIZE);
    snprintf(path, sizeof(path), "%s/key", dir);
    f = fopen(path, "w");
    PEM_write_PUBKEY(f, X509_get0_pubkey(x));
    fclose(f);
    OPENSSL_free(sig);
    ECDSA_SIG_free(s);
    X509_free(x);
}

static bool openssl_says_good(const char *dir)
{
    char command[256];

    snprintf(command, sizeof(command),
             "cd %s && openssl dgst -sha384 -verify key -signature sig tbs >/dev/null 2>&1", dir);
    return system(command) == 0;
}

static void openssl_and_the_library_agree_on_signatures(void)
{
    static const char *const names[] = {"milan-v2-a", "genoa-v5-live", "turin-v5-ms",
                                        "milan-v3-vlek-aws"};
    char dir[] = "/tmp/attest-detect-XXXXXX", path[128];

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct attest_cert *cert = NULL;
        struct snp_report r;
        size_t len, der_len;
        uint8_t *report, *der;

        snprintf(path, sizeof(path), "snp/reports/%s/report.bin", names[i]);
        report = vector_read(path, &len);
        snprintf(path, sizeof(path), "snp/reports/%s/vek.der", names[i]);
        der = vector_read(path, &der_len);
        if (report == NULL || der == NULL) {
            cu_skip(1, names[i]);
            continue;
        }
        CU_ASSERT_EQUAL(attest_cert_parse(der, der_len, &cert, NULL), ATTEST_OK);
        for (int broken = 0; broken < 2; broken++) {
            report[0x90] ^= (uint8_t)broken;
            CU_ASSERT_EQUAL(snp_report_parse(report, len, &r, NULL), ATTEST_OK);
            write_parts(dir, report, der, der_len);
            CU_ASSERT_EQUAL(openssl_says_good(dir), broken == 0);
            CU_ASSERT_EQUAL(snp_signature_verify(&r, attest_cert_key(cert), NULL) == ATTEST_OK,
                            broken == 0);
        }
        attest_cert_free(cert);
        free(report);
        free(der);
    }
    snprintf(path, sizeof(path), "rm -r %s", dir);
    CU_ASSERT_EQUAL(system(path), 0);
}

static const struct cu_test tests[] = {
    CU(no_file_of_the_vectors_is_of_two_kinds),
    CU(vectors_are_recognised_as_what_they_are),
    CU(openssl_and_the_library_agree_on_signatures),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_detect", tests, argc, argv);
}
