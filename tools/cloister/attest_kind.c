/* What differs between kinds of evidence, when a run is attested. */
#include "attest_kind.h"
#include "attest_common.h"
#include "attest_measure.h"
#include "attest_measure_rim.h"
#include "cli.h"

#include <attest/hex.h>

#include <stdlib.h>
#include <string.h>

static bool predict_td(const void *bundle, size_t size, const char *domain, struct measures *out,
                       char *why, size_t why_size)
{
    struct td_measures m;
    bool ok = td_measures(bundle, size, domain, &m, why, why_size);

    if (ok) {
        hex_encode(m.mrtd, MRTD_SIZE, out->value[0]);
        for (size_t i = 0; i < 4; i++) {
            hex_encode(m.rtmr[i], MRTD_SIZE, out->value[1 + i]);
        }
    }
    return ok;
}

/* Emulated platforms are up to date: their TCB info says so. */
static json_t *td_section(const struct measures *predicted)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "mrtd", predicted->value[0], "rtmr0",
                     predicted->value[1], "rtmr1", predicted->value[2], "rtmr2",
                     predicted->value[3], "rtmr3", predicted->value[4]);
}

static bool predict_snp_guest(const void *bundle, size_t size, const char *domain,
                              struct measures *out, char *why, size_t why_size)
{
    uint8_t digest[SNP_LD_SIZE];
    bool ok = domain_digest(bundle, size, domain, EMULATED_C_BIT, digest, why, why_size);

    if (ok) {
        hex_encode(digest, sizeof(digest), out->value[0]);
    }
    return ok;
}

/* The TCB that the emulated chip reports; it has no older firmware that could be below. */
static json_t *snp_section(const struct measures *predicted)
{
    return json_pack("{s:s, s:{s:{s:i, s:i, s:i, s:i}}}", "measurement", predicted->value[0],
                     "minimum-tcb", "Milan", "bootloader", 4, "tee", 0, "snp", 24, "microcode",
                     219);
}

static bool predict_realm(const void *bundle, size_t size, const char *domain,
                          struct measures *out, char *why, size_t why_size)
{
    struct realm_measures m;
    bool ok = domain_rim(bundle, size, domain, &m, why, why_size);

    if (ok) {
        hex_encode(m.rim.value, attest_hash_size(m.rim.hash), out->value[0]);
        hex_encode(m.personalization, sizeof(m.personalization), out->value[1]);
    }
    return ok;
}

/* The platform's only component that is measured: the RMM, which cloister run loads. */
static bool rmm_digest(char hex[65])
{
    char *path = cli_built("cca-rmm.bin");
    uint8_t digest[32];
    struct blob b;
    bool ok = blob_load(path, IMAGE_MAX, &b) && attest_hash1(ATTEST_SHA256, b.p, b.len, digest);

    if (ok) {
        hex_encode(digest, sizeof(digest), hex);
        free(b.p);
    }
    free(path);
    return ok;
}

static json_t *cca_section(const struct measures *predicted)
{
    char rmm[65] = "";

    return !rmm_digest(rmm) ? NULL
                            : json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "initial-measurement",
                                        predicted->value[0], "personalization-value",
                                        predicted->value[1], "platform-components", "type", "RMM",
                                        "measurement", rmm);
}

static const struct attest_kind kinds[] = {
    {
        .cc = "tdx",
        .measure = {"mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"},
        .predict = predict_td,
        .section = td_section,
        .root_name = "Cloister's emulated platform",
        .root = "tdx/root.spki",
        .collateral = {"tdx/root.pem", "tdx/signer.pem", "tdx/tcb-info.json",
                       "tdx/qe-identity.json", "tdx/root.crl", "tdx/pck.crl"},
    },
    {
        .cc = "sev-snp",
        .measure = {"measurement"},
        .predict = predict_snp_guest,
        .section = snp_section,
        .root_name = "Cloister's emulated chip",
        .root = "snp/ark.spki",
        .collateral = {"snp/chain.pem", "snp/vcek.pem"},
    },
    {
        .cc = "cca",
        .measure = {"initial-measurement", "personalization-value"},
        .predict = predict_realm,
        .section = cca_section,
        .root_name = "Cloister's emulated platform",
        .root = "cca/cpak.spki",
        .collateral = {"cca/cpak.pem"},
    },
};

const struct attest_kind *attest_kind_of(const char *cc)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].cc, cc) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}
