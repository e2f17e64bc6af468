/* Any bytes as collateral: certificates, CRLs, JSON; with AMD's extensions and chains on top. */
#include <attest/collateral.h>
#include <attest/snp.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_error err;
    struct attest_chain chain;
    struct attest_cert *cert;
    const struct snp_vek *vek;

    if (attest_collateral_add(c, "fuzz", data, size, &err) == ATTEST_OK) {
        attest_collateral_seal(c);
        for (size_t i = 0; (cert = attest_collateral_cert(c, i)) != NULL; i++) {
            if (attest_chain_build(c, cert, NULL, 0, &chain, &err) == ATTEST_OK &&
                (chain.count == 0 || chain.cert[0] != cert)) {
                abort();
            }
            if (snp_vek_of(cert, &vek, &err) == ATTEST_OK &&
                (vek->product >= SNP_PRODUCT_COUNT || vek->hwid_len > 64)) {
                abort();
            }
        }
    }
    attest_collateral_free(c);
    return 0;
}
