/*
 * Where AMD publishes what a report needs (57230, "KDS Interface"). Nothing is fetched here: the
 * address is told to who has to fetch it.
 */
#include <attest/hex.h>
#include <attest/reader.h>
#include <attest/snp.h>

#include <stdio.h>

bool snp_vcek_url(const struct snp_report *r, enum snp_product p, char *buf, size_t size)
{
    bool fmc = snp_product_has_fmc(p);
    char hwid[129];
    char part[24] = "";
    struct snp_tcb t;

    if (r->signer != SNP_SIGNER_VCEK || p >= SNP_PRODUCT_COUNT || bytes_are_zero(r->chip_id, 64) ||
        snp_tcb_decode(p, r->reported_tcb, "REPORTED_TCB", &t, NULL) != ATTEST_OK) {
        return false;
    }
    hex_encode(r->chip_id, fmc ? 8 : 64, hwid);
    if (fmc) {
        snprintf(part, sizeof(part), "fmcSPL=%02u&", t.fmc);
    }
    return (size_t)snprintf(buf, size,
                            "https://kdsintf.amd.com/vcek/v1/%s/%s?%sblSPL=%02u&teeSPL=%02u&"
                            "snpSPL=%02u&ucodeSPL=%02u",
                            snp_product_name(p), hwid, part, t.bootloader, t.tee, t.snp,
                            t.microcode) < size;
}
