/*
 * The SNP report as the guest components send it: the fields of the structure as JSON members
 * (numbers, and lists of bytes), and the certificates of the extended request. The signature
 * covers the bytes, so they are put together again here: a wrong byte cannot verify.
 * Layout: SEV-SNP firmware ABI 56860, ATTESTATION_REPORT; GHCB 56421, certificate table.
 */
#include "broker_impl.h"

#include <attest/reader.h>
#include <attest/snp.h>

#include <stdlib.h>
#include <string.h>

#define CERTS_MAX 8
#define CERT_MAX 8192
#define ENTRY 24

enum form { U8, U32, U64, BYTES, TCB, VERSION };

/* Members, where they lie, and how they are written. */
static const struct {
    const char *name;
    size_t at;
    size_t size;
    enum form form;
    bool optional;
} fields[] = {
    {"version", 0x00, 4, U32, false},
    {"guest_svn", 0x04, 4, U32, false},
    {"policy", 0x08, 8, U64, false},
    {"family_id", 0x10, 16, BYTES, false},
    {"image_id", 0x20, 16, BYTES, false},
    {"vmpl", 0x30, 4, U32, false},
    {"sig_algo", 0x34, 4, U32, false},
    {"current_tcb", 0x38, 8, TCB, false},
    {"plat_info", 0x40, 8, U64, false},
    {"key_info", 0x48, 4, U32, false},
    {"report_data", 0x50, 64, BYTES, false},
    {"measurement", 0x90, 48, BYTES, false},
    {"host_data", 0xc0, 32, BYTES, false},
    {"id_key_digest", 0xe0, 48, BYTES, false},
    {"author_key_digest", 0x110, 48, BYTES, false},
    {"report_id", 0x140, 32, BYTES, false},
    {"report_id_ma", 0x160, 32, BYTES, false},
    {"reported_tcb", 0x180, 8, TCB, false},
    {"cpuid_fam_id", 0x188, 1, U8, true},
    {"cpuid_mod_id", 0x189, 1, U8, true},
    {"cpuid_step", 0x18a, 1, U8, true},
    {"chip_id", 0x1a0, 64, BYTES, false},
    {"committed_tcb", 0x1e0, 8, TCB, false},
    {"current", 0x1e8, 3, VERSION, false},
    {"committed", 0x1ec, 3, VERSION, false},
    {"launch_tcb", 0x1f0, 8, TCB, false},
    {"launch_mit_vector", 0x1f8, 8, U64, true},
    {"current_mit_vector", 0x200, 8, U64, true},
};

#define SIGNATURE_AT 0x2a0
#define SIGNATURE_PART 72

static bool number(const json_t *j, uint8_t *out, size_t size)
{
    uint64_t v = (uint64_t)json_integer_value(j);

    /* jansson's integers are signed: a 64-bit field with its top bit set does not fit, and the
     * parser has refused the whole body then. */
    if (!json_is_integer(j) || json_integer_value(j) < 0 ||
        (size < 8 && v >> (8 * size) != 0)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
    return true;
}

static bool bytes(const json_t *j, uint8_t *out, size_t size)
{
    bool ok = json_array_size(j) == size;

    for (size_t i = 0; i < size && ok; i++) {
        ok = number(json_array_get(j, i), out + i, 1);
    }
    return ok;
}

/* Turin and later have FMC first and the rest shifted. */
static bool tcb(const json_t *j, uint8_t *out)
{
    static const char *const names[] = {"bootloader", "tee", "snp", "microcode"};
    const json_t *fmc = json_object_get(j, "fmc");
    bool shifted = fmc != NULL && !json_is_null(fmc);
    const size_t at[2][4] = {{0, 1, 6, 7}, {1, 2, 3, 7}};
    bool ok = json_is_object(j) && (!shifted || number(fmc, out, 1));

    for (size_t i = 0; i < 4 && ok; i++) {
        ok = number(json_object_get(j, names[i]), out + at[shifted][i], 1);
    }
    return ok;
}

/* Build, minor, major in memory. */
static bool version(const json_t *j, uint8_t *out)
{
    return number(json_object_get(j, "build"), out, 1) &&
           number(json_object_get(j, "minor"), out + 1, 1) &&
           number(json_object_get(j, "major"), out + 2, 1);
}

static bool field(const json_t *j, size_t i, uint8_t *report)
{
    uint8_t *out = report + fields[i].at;

    if (fields[i].optional && (j == NULL || json_is_null(j))) {
        return true;
    }
    switch (fields[i].form) {
    case BYTES:
        return bytes(j, out, fields[i].size);
    case TCB:
        return tcb(j, out);
    case VERSION:
        return version(j, out);
    default:
        return number(j, out, fields[i].size);
    }
}

static enum attest_status report(const json_t *j, uint8_t *out, struct attest_error *err)
{
    const json_t *sig = json_object_get(j, "signature");

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!field(json_object_get(j, fields[i].name), i, out)) {
            return attest_fail(err, ATTEST_MALFORMED, "attestation_report", fields[i].name,
                               "a value of its form and size", NULL);
        }
    }
    if (!bytes(json_object_get(sig, "r"), out + SIGNATURE_AT, SIGNATURE_PART) ||
        !bytes(json_object_get(sig, "s"), out + SIGNATURE_AT + SIGNATURE_PART, SIGNATURE_PART)) {
        return attest_fail(err, ATTEST_MALFORMED, "attestation_report", "signature",
                           "r and s of 72 bytes", NULL);
    }
    return ATTEST_OK;
}

/* GUIDs of the certificate table, as they lie in memory. */
static const struct {
    const char *type;
    uint8_t guid[16];
} types[] = {
    {"VCEK",
     {0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
      0xcd}},
    {"VLEK",
     {0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
      0xa1}},
    {"ASK",
     {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
      0x82}},
    {"ARK",
     {0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
      0xae}},
};

static const uint8_t *guid_of(const json_t *type)
{
    const char *s = json_string_value(type);

    for (size_t i = 0; s != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].type, s) == 0) {
            return types[i].guid;
        }
    }
    return NULL;
}

/* Appends table and certificates; entries of types that are not ours are left out. */
static enum attest_status certificates(const json_t *list, uint8_t *table, size_t *used,
                                       struct attest_error *err)
{
    size_t at = (CERTS_MAX + 1) * ENTRY;
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list) && n < CERTS_MAX; i++) {
        const json_t *c = json_array_get(list, i);
        const uint8_t *guid = guid_of(json_object_get(c, "cert_type"));
        const json_t *data = json_object_get(c, "data");
        size_t len = json_array_size(data);

        if (guid == NULL) {
            continue;
        }
        if (len == 0 || len > CERT_MAX || !bytes(data, table + at, len)) {
            return attest_fail(err, ATTEST_MALFORMED, "cert_chain", "data",
                               "a certificate as a list of bytes", NULL);
        }
        memcpy(table + n * ENTRY, guid, 16);
        st32le(table + n * ENTRY + 16, (uint32_t)at);
        st32le(table + n * ENTRY + 20, (uint32_t)len);
        at += len;
        n++;
    }
    *used = n > 0 ? at : 0;
    return ATTEST_OK;
}

enum attest_status kbs_snp_parse(const json_t *j, struct kbs_evidence *out,
                                 struct attest_error *err)
{
    size_t room = SNP_REPORT_SIZE + (CERTS_MAX + 1) * ENTRY + CERTS_MAX * CERT_MAX;
    enum attest_status st;
    size_t used = 0;

    out->p = calloc(1, room);
    if (out->p == NULL) {
        return attest_no_memory(err, "tee-evidence");
    }
    st = report(json_object_get(j, "attestation_report"), out->p, err);
    if (st == ATTEST_OK) {
        st = certificates(json_object_get(j, "cert_chain"), out->p + SNP_REPORT_SIZE, &used, err);
    }
    out->len = SNP_REPORT_SIZE + used;
    return st;
}
