/*
 * The verbs of the cloister program, run as a user runs them: what they print and their exit
 * status. Wants build/bin/cloister.
 */
#include "attest_ccamint.h"
#include "attest_file.h"
#include "attest_snppki.h"
#include "cu.h"

#include <attest/hex.h>
#include <attest/measure_snp.h>
#include <attest/reader.h>

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One folder for what the tests write. */
static char dir[64];

/* The exit status of a command line; its output (stdout and stderr) goes to `out`. */
static int run(const char *args, char *out, size_t size)
{
    char command[1024];
    size_t n;
    FILE *f;
    int rc;

    snprintf(command, sizeof(command), "build/bin/cloister %s 2>&1", args);
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    rc = pclose(f);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

/* Runs and looks for `text` in the output. */
static void expect(int status, const char *text, const char *args)
{
    static char out[1 << 20];
    int rc = run(args, out, sizeof(out));

    if (rc != status || strstr(out, text) == NULL) {
        fprintf(stderr, "cloister %s: status %d, wanted %d and \"%s\":\n%.2000s\n", args, rc,
                status, text, out);
    }
    CU_ASSERT_EQUAL(rc, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, text));
}

static void write_file(const char *name, const void *p, size_t len)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(p, 1, len, f), len);
    fclose(f);
}

#define MINIMUM "{\"bootloader\":0,\"tee\":0,\"snp\":0,\"microcode\":0}"

static void write_policy(const char *name, const uint8_t *measurement, const uint8_t *root)
{
    char text[1024], ld[97], spki[65];

    hex_encode(measurement, 48, ld);
    hex_encode(root, 32, spki);
    snprintf(text, sizeof(text),
             "{\"version\":1,\"name\":\"test\",\"test-roots\":[{\"name\":\"minted\",\"kind\":"
             "\"sev-snp\",\"spki-sha256\":\"%s\"}],\"sev-snp\":{\"measurement\":\"%s\","
             "\"minimum-tcb\":{\"Milan\":" MINIMUM ",\"Genoa\":" MINIMUM "}}}",
             spki, ld);
    write_file(name, text, strlen(text));
}

static void write_cert(const char *name, struct attest_cert *c)
{
    uint8_t *der = NULL;
    int len = i2d_X509(attest_cert_x509(c), &der);

    write_file(name, der, (size_t)len);
    OPENSSL_free(der);
}

/* A folder with a minted world, a report in it and policies beside it. */
static void set_up(void)
{
    struct snppki *pki = snppki_new(&(struct snppki_knobs){0});
    uint8_t report[SNP_REPORT_SIZE];
    char path[96];
    static const char *const certs[] = {"w/vek.der", "w/ark.der", "w/ask.der"};

    snprintf(dir, sizeof(dir), "/tmp/attest-verbs-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/w", dir);
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    for (size_t i = 0; i < 3; i++) {
        write_cert(certs[i], attest_collateral_cert(snppki_collateral(pki), i));
    }
    snppki_report(pki, 5, report);
    write_file("w/report.bin", report, sizeof(report));
    write_policy("good.json", report + 0x90, snppki_root_spki(pki));
    write_policy("other.json", report + 0x50, snppki_root_spki(pki));
    write_policy("noroot.json", report + 0x90, report + 0x90);
    report[0x51] ^= 1;
    write_file("bad.bin", report, sizeof(report));
    write_file("short.bin", report, 1000);
    snppki_free(pki);
}

static void tear_down(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -r %s", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* Formats arguments with the folder in place of each %s. */
static const char *in_dir(const char *format)
{
    static char args[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(args, sizeof(args), format, dir, dir, dir);
#pragma GCC diagnostic pop
    return args;
}

static void verify_answers_by_text_and_exit_status(void)
{
    set_up();
    expect(0, "trusted: AMD SEV-SNP", in_dir("verify %s/w --policy %s/good.json --at 2026-06-15"));
    expect(0, "EMULATED", in_dir("verify %s/w/report.bin --policy %s/good.json --at 2026-06-15"));
    expect(1, "MEASUREMENT", in_dir("verify %s/w --policy %s/other.json --at 2026-06-15"));
    expect(1, "root ARK-Minted", in_dir("verify %s/w --policy %s/noroot.json --at 2026-06-15"));
    expect(1, "notAfter", in_dir("verify %s/w --policy %s/good.json --at 2036-06-15"));
    expect(1, "REPORT_DATA",
           in_dir("verify %s/w --policy %s/good.json --at 2026-06-15 --nonce 00"));
    expect(1, "signature",
           in_dir("verify %s/bad.bin --policy %s/good.json --at 2026-06-15 --collateral %s/w"));
    expect(2, "1184 bytes", in_dir("verify %s/short.bin --policy %s/good.json --at 2026-06-15"));
    expect(2, "unusable", in_dir("verify %s/good.json --policy %s/good.json --collateral %s/w"));
    tear_down();
}

/* A pipe that nobody writes to, a disk, a program; but a link to nothing may have been a CRL. */
static void verify_passes_over_what_else_lies_in_the_folder(void)
{
    static const char program[] = "\177ELF\0\n-----BEGIN CERTIFICATE-----\n";
    char path[96];

    set_up();
    snprintf(path, sizeof(path), "%s/w/pipe", dir);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    write_file("w/disk", "", 0);
    snprintf(path, sizeof(path), "%s/w/disk", dir);
    CU_ASSERT_EQUAL(truncate(path, 1ll << 30), 0);
    write_file("w/program", program, sizeof(program));
    expect(0, "trusted: AMD SEV-SNP", in_dir("verify %s/w --policy %s/good.json --at 2026-06-15"));
    expect(0, "pipe (no file, or too large)", in_dir("collateral %s/w --at 2026-06-15"));
    expect(2, "too large",
           in_dir("verify %s/w --policy %s/good.json --collateral %s/w/disk --at 2026-06-15"));
    snprintf(path, sizeof(path), "%s/w/crl.der", dir);
    CU_ASSERT_EQUAL(symlink("nowhere", path), 0);
    expect(2, "crl.der: No such file",
           in_dir("verify %s/w --policy %s/good.json --at 2026-06-15"));
    tear_down();
}

static void verify_refuses_a_command_line_that_makes_no_sense(void)
{
    set_up();
    expect(2, "--policy", in_dir("verify %s/w"));
    expect(2, "no time", in_dir("verify %s/w --policy %s/good.json --at yesterday"));
    expect(2, "hex", in_dir("verify %s/w --policy %s/good.json --nonce xyz"));
    expect(2, "No such file", in_dir("verify %s/nowhere --policy %s/good.json"));
    expect(2, "policy", in_dir("verify %s/w --policy %s/w/report.bin"));
    expect(2, "files of evidence", in_dir("verify %s --policy %s/good.json"));
    expect(0, "Usage: cloister verify", "verify --help");
    tear_down();
}

static void verify_prints_json_that_programs_can_read(void)
{
    static char out[1 << 16];
    json_t *j;

    set_up();
    CU_ASSERT_EQUAL(
        run(in_dir("verify %s/w --policy %s/other.json --at 2026-06-15 --json"), out, sizeof(out)),
        1);
    j = json_loads(out, 0, NULL);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "verdict")), "refused");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(j, "status")), "MEASUREMENT");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(j, "refusals")), 1);
    CU_ASSERT(json_is_object(json_object_get(j, "claims")));
    json_decref(j);
    tear_down();
}

/* A member of the claims of a token; it is not verified. */
static int64_t claim_of(const char *token, const char *key)
{
    uint8_t text[16384];
    const char *p = strchr(token, '.') + 1;
    size_t len = 0;
    json_t *j;
    int64_t v;

    CU_ASSERT_FATAL(base64_decode(p, strcspn(p, "."), true, text, sizeof(text), &len));
    j = json_loadb((const char *)text, len, 0, NULL);
    v = json_integer_value(json_object_get(j, key));
    json_decref(j);
    return v;
}

/* An old verdict must not pass for one of today. */
static void check_end(const char *at, int64_t expires)
{
    static char out[1 << 16];
    char args[512];

    snprintf(args, sizeof(args), "verify %s/w --policy %s/good.json --at %s --ear %s/key.pem", dir,
             dir, at, dir);
    CU_ASSERT_EQUAL_FATAL(run(args, out, sizeof(out)), 0);
    CU_ASSERT(claim_of(out, "exp") <= expires);
}

static void verify_signs_an_attestation_result(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char path[128];
    FILE *f;

    set_up();
    snprintf(path, sizeof(path), "%s/key.pem", dir);
    f = fopen(path, "w");
    CU_ASSERT_EQUAL(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    expect(0, "eyJ", in_dir("verify %s/w --policy %s/good.json --at 2026-06-15 --ear %s/key.pem"));
    check_end("2026-06-15", SNPPKI_NOW + 300);
    expect(2, "no private key",
           in_dir("verify %s/w --policy %s/good.json --at 2026-06-15 --ear %s/good.json"));
    EVP_PKEY_free(key);
    tear_down();
}

static void show_prints_reports_and_certificates_and_refuses_the_rest(void)
{
    set_up();
    expect(0, "measurement: 1111", in_dir("show %s/w/report.bin"));
    expect(0, "not verified", in_dir("show %s/w/report.bin"));
    expect(0, "\"vmpl\": 0", in_dir("show %s/w/report.bin --json"));
    expect(0, "hwid: 5a5a", in_dir("show %s/w/vek.der"));
    expect(2, "cloister:", in_dir("show %s/short.bin"));
    expect(2, "known kind", in_dir("show %s/good.json"));
    tear_down();
}

/* A claim's text is a stranger's: a terminal must not obey it. */
static void show_prints_no_control_characters_of_claims(void)
{
    static char out[1 << 16];
    struct mint m = a_mint(JOSE_P256, JOSE_P384);
    struct token t;

    set_up();
    m.component = "\x1b[31mRMM\nverdict: trusted";
    mint(&m, &t);
    write_file("hostile.cbor", t.p, t.len);
    CU_ASSERT_EQUAL(run(in_dir("show %s/hostile.cbor"), out, sizeof(out)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "?[31mRMM?verdict"));
    CU_ASSERT_PTR_NULL(strchr(out, '\x1b'));
    tear_down();
    mint_free(&m);
}

static void collateral_lists_what_is_good_and_what_is_not(void)
{
    set_up();
    expect(0, "3 items, 0 of them not good", in_dir("collateral %s/w --at 2026-06-15"));
    expect(1, "expired", in_dir("collateral %s/w --at 2040-01-01"));
    expect(2, "No such file", in_dir("collateral %s/nowhere"));
    tear_down();
}

static void measure_layout_agrees_with_the_library(void)
{
    static const char text[] =
        "[{\"gpa\":\"0x100000\",\"type\":\"normal\",\"file\":\"w/report.bin\"},"
        "{\"gpa\":4096,\"type\":\"zero\",\"size\":8192,\"perms\":[15,0,1]},"
        "{\"gpa\":\"0x4000\",\"type\":\"secrets\",\"size\":4096},"
        "{\"type\":\"vmsa\",\"file\":\"w/report.bin\"}]";
    static uint8_t page[4096];
    const struct snp_region regions[] = {
        {.gpa = 0x100000, .size = 4096, .type = SNP_PAGE_NORMAL, .data = page},
        {.gpa = 0x1000, .size = 8192, .type = SNP_PAGE_ZERO, .vmpl1_perms = 15, .vmpl3_perms = 1},
        {.gpa = 0x4000, .size = 4096, .type = SNP_PAGE_SECRETS},
        {.gpa = SNP_VMSA_GPA, .size = 4096, .type = SNP_PAGE_VMSA, .data = page},
    };
    uint8_t ld[48], *report;
    char hex[97], path[128];
    size_t len;

    set_up();
    snprintf(path, sizeof(path), "%s/w/report.bin", dir);
    report = file_read(path, &len);
    memcpy(page, report, len);
    free(report);
    write_file("layout.json", text, strlen(text));
    CU_ASSERT_EQUAL(snp_launch_digest(regions, 4, 1, ld, NULL), ATTEST_OK);
    expect(0, hex_encode(ld, 48, hex), in_dir("measure layout %s/layout.json"));
    write_file("layout.json", "[{\"type\":\"zero\",\"size\":4096}]", 29);
    expect(2, "layout[0]", in_dir("measure layout %s/layout.json"));
    write_file("layout.json", "{}", 2);
    expect(2, "not a list", in_dir("measure layout %s/layout.json"));
    tear_down();
}

static void measure_snp_predicts_an_svsm_launch(void)
{
    char args[512];

    expect(2, "--firmware", "measure snp");
    expect(2, "no kind of measurement", "measure nothing");
    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no firmware to measure");
        return;
    }
    snprintf(args, sizeof(args),
             "measure snp --firmware %s/measure/svsm_ovmf.fd --svsm %s/measure/svsm.bin "
             "--vars-size 540672 --vcpus 2",
             cu_vectors(), cu_vectors());
    expect(0,
           "9b94745036aafddf4f7f8b00c7513abb5b7703178cb95aaa57928bd963d68d3bfcb715d6019b9167ee2517"
           "b11b0d9be7",
           args);
    snprintf(args, sizeof(args),
             "measure snp --firmware %s/measure/ovmf_OvmfX64_suffix.bin --kernel /dev/null",
             cu_vectors());
    expect(2, "kernel hashes", args);
}

static void write_key(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-384");
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    CU_ASSERT_EQUAL(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
    EVP_PKEY_free(key);
}

static void measure_snp_makes_id_blocks_that_verify(void)
{
    static uint8_t block[SNP_ID_BLOCK_SIZE + 3], auth[SNP_ID_AUTH_SIZE + 3];
    static char out[1 << 16];
    const char *text;
    char args[512];
    size_t len;
    json_t *j;

    if (cu_vectors() == NULL) {
        cu_skip(1, "no vectors: no firmware to measure");
        return;
    }
    set_up();
    write_key("id.pem");
    write_key("author.pem");
    snprintf(args, sizeof(args),
             "measure snp --firmware %s/measure/ovmf_AmdSev_suffix.bin --id-key %s/id.pem "
             "--author-key %s/author.pem --guest-svn 7 --guest-policy 3001f --json",
             cu_vectors(), dir, dir);
    CU_ASSERT_EQUAL(run(args, out, sizeof(out)), 0);
    j = json_loads(out, 0, NULL);
    text = json_string_value(json_object_get(j, "id-block"));
    CU_ASSERT(base64_decode(text, strlen(text), false, block, sizeof(block), &len) &&
              len == SNP_ID_BLOCK_SIZE);
    text = json_string_value(json_object_get(j, "id-auth"));
    CU_ASSERT(base64_decode(text, strlen(text), false, auth, sizeof(auth), &len) &&
              len == SNP_ID_AUTH_SIZE);
    CU_ASSERT_EQUAL(snp_id_check(block, auth, true, NULL), ATTEST_OK);
    CU_ASSERT(ld32le(block + 84) == 7 && ld64le(block + 88) == 0x3001f);
    json_decref(j);
    tear_down();
}

static const struct cu_test tests[] = {
    CU(verify_answers_by_text_and_exit_status),
    CU(verify_passes_over_what_else_lies_in_the_folder),
    CU(verify_refuses_a_command_line_that_makes_no_sense),
    CU(verify_prints_json_that_programs_can_read),
    CU(verify_signs_an_attestation_result),
    CU(show_prints_reports_and_certificates_and_refuses_the_rest),
    CU(show_prints_no_control_characters_of_claims),
    CU(collateral_lists_what_is_good_and_what_is_not),
    CU(measure_layout_agrees_with_the_library),
    CU(measure_snp_predicts_an_svsm_launch),
    CU(measure_snp_makes_id_blocks_that_verify),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_verbs", tests, argc, argv);
}
