/*
 * What the emulated chip produces, before the project's own verifier: launch digests against known
 * answers, ID blocks, and reports with the test root named and not named.
 */
#include "attest_file.h"
#include "cu.h"
#include "emu_firmware.h"
#include "emu_id.h"
#include "emu_peer.h"

#include <attest/verdict.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CERTS "build/emu/snp/"

static struct host_guest guest;
static struct snp_secrets_page secrets;

static void start(void)
{
    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_start_guest(&guest, 1, HOST_POLICY), SNP_SUCCESS);
}

static void load_secrets(void)
{
    uint64_t at;

    CU_ASSERT_EQUAL_FATAL(host_load(&guest, SNP_PAGE_SECRETS, 0xf000, NULL, &at), SNP_SUCCESS);
    memcpy(&secrets, host_at(at), sizeof(secrets));
}

/* A report of the running guest at VMPL 0; borrowed until the next. */
static const uint8_t *report(void)
{
    struct peer p;
    uint32_t status;
    const uint8_t *r;

    peer_start(&p, &guest, &secrets, 0);
    r = peer_report(&p, 0x42, 0, 0, &status);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    return r;
}

static void hex(const uint8_t *p, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        sprintf(out + 2 * i, "%02x", p[i]);
    }
}

/* ---- known answers ---- */

static void load_part(const struct fw_part *part)
{
    for (uint64_t i = 0; i < part->size; i += PAGE_SIZE) {
        CU_ASSERT_EQUAL_FATAL(host_load(&guest, (enum snp_page_type)part->type, part->gpa + i,
                                        part->data != NULL ? part->data + i : NULL, NULL),
                              SNP_SUCCESS);
    }
}

/*
 * ID blocks let a guest without a secrets page (the SVSM's image lists none it could read) prove
 * its digest: LAUNCH_FINISH takes the block only if the digest is the expected one.
 */
static bool digest_is(const uint8_t want[48])
{
    struct snp_launch_finish f = {.gctx = guest.gctx, .flags = 1};
    struct id_pages id;

    CU_ASSERT_FATAL(id_make(want, HOST_POLICY, 0, false, &id));
    f.id_block = host_page(RMP_4K);
    f.id_auth = host_page(RMP_4K);
    memcpy(host_at(f.id_block), id.block, sizeof(id.block));
    memcpy(host_at(f.id_auth), id.auth, sizeof(id.auth));
    return psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f)) == SNP_SUCCESS;
}

static bool launches_as_known(const json_t *c)
{
    static struct fw_part parts[128];
    char name[256], want[97] = "";
    struct fw_case fw = {.vcpus = (unsigned int)json_integer_value(json_object_get(c, "vcpus")),
                         .cpu = json_string_value(json_object_get(c, "cpu")),
                         .features = (uint64_t)json_integer_value(json_object_get(c, "gf"))};
    uint8_t *image, digest[48];
    size_t n;
    bool ok;

    snprintf(name, sizeof(name), "measure/%s", json_string_value(json_object_get(c, "fw")));
    snprintf(want, sizeof(want), "%s", json_string_value(json_object_get(c, "digest")));
    for (size_t i = 0; i < sizeof(digest); i++) {
        unsigned int byte;

        CU_ASSERT_EQUAL_FATAL(sscanf(want + 2 * i, "%2x", &byte), 1);
        digest[i] = (uint8_t)byte;
    }
    image = vector_read(name, &fw.len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image);
    fw.image = image;
    start();
    n = fw_parts(&fw, parts, ARRAY_SIZE(parts));
    for (size_t i = 0; i < n; i++) {
        load_part(&parts[i]);
    }
    ok = n > 0 && digest_is(digest);
    free(image);
    return ok;
}

/* Cases whose every input is in the folder: no kernel, no SVSM, QEMU. */
static bool runnable(const json_t *c)
{
    const char *mode = json_string_value(json_object_get(c, "mode"));
    const char *vmm = json_string_value(json_object_get(c, "vmm"));
    const char *fw = json_string_value(json_object_get(c, "fw"));

    return mode != NULL && strcmp(mode, "SEV_SNP") == 0 && vmm != NULL &&
           strcmp(vmm, "QEMU") == 0 && fw != NULL && strchr(fw, ':') == NULL &&
           json_object_get(c, "kernel") == NULL;
}

static void launch_digests_are_the_known_answers(void)
{
    size_t len, ran = 0, i;
    uint8_t *text = vector_read("measure/expected.json", &len);
    json_t *root, *c;

    if (text == NULL) {
        cu_skip(36, "no measure vectors");
        return;
    }
    root = json_loadb((const char *)text, len, 0, NULL);
    free(text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        if (runnable(c)) {
            ran++;
            if (!launches_as_known(c)) {
                char *s = json_dumps(c, JSON_COMPACT);

                fprintf(stderr, "another digest: %s\n", s);
                free(s);
                CU_FAIL("another digest");
            }
        }
    }
    CU_ASSERT(ran >= 30);
    printf("%zu known launch digests reproduced\n", ran);
    json_decref(root);
}

/* ---- ID blocks ---- */

struct id_case {
    struct id_pages pages;
    uint64_t flags;
};

static uint32_t finish_with(const struct id_case *c)
{
    struct snp_launch_finish f = {.gctx = guest.gctx, .flags = c->flags};

    f.id_block = host_page(RMP_4K);
    f.id_auth = host_page(RMP_4K);
    memcpy(host_at(f.id_block), c->pages.block, sizeof(c->pages.block));
    memcpy(host_at(f.id_auth), c->pages.auth, sizeof(c->pages.auth));
    return psp_do(SNP_CMD_LAUNCH_FINISH, &f, sizeof(f));
}

/* The digest of a guest that only has its secrets page. */
static void expected_digest(uint8_t ld[48])
{
    start();
    load_secrets();
    CU_ASSERT_EQUAL_FATAL(host_finish(&guest), SNP_SUCCESS);
    memcpy(ld, report() + 0x90, 48);
}

static void id_world(struct id_case *c, uint64_t policy, bool author)
{
    uint8_t ld[48];

    expected_digest(ld);
    CU_ASSERT_FATAL(id_make(ld, policy, 7, author, &c->pages));
    c->flags = author ? 3 : 1;
    start();
    load_secrets();
}

static void an_id_block_shows_in_the_report(void)
{
    static struct id_case c;
    const uint8_t *r;

    id_world(&c, HOST_POLICY, true);
    CU_ASSERT_EQUAL_FATAL(finish_with(&c), SNP_SUCCESS);
    r = report();
    CU_ASSERT(r[0x04] == 7 && r[0x10] == 0x0f && r[0x20] == 0x1a && (r[0x48] & 1) == 1);
    CU_ASSERT_EQUAL(memcmp(r + 0xe0, c.pages.id_key_digest, 48), 0);
    CU_ASSERT_EQUAL(memcmp(r + 0x110, c.pages.author_key_digest, 48), 0);
    id_world(&c, HOST_POLICY, false);
    CU_ASSERT_EQUAL_FATAL(finish_with(&c), SNP_SUCCESS);
    r = report();
    CU_ASSERT_EQUAL(memcmp(r + 0xe0, c.pages.id_key_digest, 48), 0);
    CU_ASSERT((r[0x48] & 1) == 0 && r[0x110] == 0);
}

static void a_launch_that_is_not_the_owners_does_not_finish(void)
{
    static struct id_case c;

    id_world(&c, HOST_POLICY, false);
    CU_ASSERT_EQUAL(host_load(&guest, SNP_PAGE_ZERO, 0x1000, NULL, NULL), SNP_SUCCESS);
    CU_ASSERT_EQUAL(finish_with(&c), SNP_BAD_MEASUREMENT);
    id_world(&c, HOST_POLICY | SNP_POLICY_DEBUG, false);
    CU_ASSERT_EQUAL(finish_with(&c), SNP_POLICY_FAILURE);
}

static void damaged_id_blocks_and_signatures_are_refused(void)
{
    static const struct {
        size_t at; /* in the block below 96, else 96 less in the authentication */
        bool author;
        uint32_t status;
    } cases[] = {
        {0x00, false, SNP_BAD_MEASUREMENT},         {0x30, false, SNP_BAD_SIGNATURE},
        {0x50, false, SNP_INVALID_PARAM},           {0x54, false, SNP_BAD_SIGNATURE},
        {0x58, false, SNP_POLICY_FAILURE},          {96 + 0x00, false, SNP_INVALID_PARAM},
        {96 + 0x04, true, SNP_INVALID_PARAM},       {96 + 0x40, false, SNP_BAD_SIGNATURE},
        {96 + 0x40 + 71, false, SNP_BAD_SIGNATURE}, {96 + 0x40 + 144, false, SNP_BAD_SIGNATURE},
        {96 + 0x240, false, SNP_BAD_SIGNATURE},     {96 + 0x244, false, SNP_BAD_SIGNATURE},
        {96 + 0x640, false, SNP_BAD_SIGNATURE},     {96 + 0x680, true, SNP_BAD_SIGNATURE},
        {96 + 0x884, true, SNP_BAD_SIGNATURE},
    };
    static struct id_case c;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t at = cases[i].at;

        id_world(&c, HOST_POLICY, cases[i].author);
        *(at < 96 ? &c.pages.block[at] : &c.pages.auth[at - 96]) ^= 0x10;
        CU_ASSERT_EQUAL(finish_with(&c), cases[i].status);
    }
}

/* ---- verdicts ---- */

struct judgement {
    bool name_root, with_table;
    const uint8_t *evidence;
    size_t len;
    const uint8_t *measurement;
};

static enum attest_status add_file(struct attest_collateral *c, const char *path)
{
    struct attest_error err = {0};
    size_t len;
    uint8_t *p = file_read(path, &len);
    enum attest_status st;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    st = attest_collateral_add(c, path, p, len, &err);
    free(p);
    return st;
}

static struct attest_policy *policy_for(const struct judgement *j)
{
    char text[2048], ld[97], spki[65] = "", root[256] = "";
    struct attest_policy *policy = NULL;
    struct attest_error err = {0};
    size_t len;
    uint8_t *p = file_read(CERTS "ark.spki", &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    memcpy(spki, p, 64);
    free(p);
    hex(j->measurement, 48, ld);
    if (j->name_root) {
        snprintf(root, sizeof(root),
                 ",\"test-roots\":[{\"name\":\"emulated\",\"kind\":\"sev-snp\","
                 "\"spki-sha256\":\"%s\"}]",
                 spki);
    }
    snprintf(text, sizeof(text),
             "{\"version\":1%s,\"sev-snp\":{\"measurement\":\"%s\",\"minimum-tcb\":{\"Milan\":"
             "{\"bootloader\":4,\"tee\":0,\"snp\":24,\"microcode\":219}}}}",
             root, ld);
    CU_ASSERT_EQUAL_FATAL(attest_policy_parse(text, strlen(text), &policy, &err), ATTEST_OK);
    return policy;
}

static enum attest_status judge(const struct judgement *j, bool *emulated)
{
    struct attest_collateral *c = attest_collateral_new();
    struct attest_policy *policy = policy_for(j);
    struct attest_verdict *v = attest_verdict_new();
    struct attest_input in = {.collateral = c, .policy = policy, .at = time(NULL)};
    enum attest_status st;

    if (!j->with_table) {
        CU_ASSERT_EQUAL(add_file(c, CERTS "vcek.pem"), ATTEST_OK);
        CU_ASSERT_EQUAL(add_file(c, CERTS "chain.pem"), ATTEST_OK);
    }
    attest_collateral_seal(c);
    st = attest_verify(j->evidence, j->len, &in, v);
    *emulated = attest_verdict_root(v) != NULL && attest_verdict_root(v)->emulated;
    if (st != ATTEST_OK && j->name_root) {
        char *text = attest_verdict_text(v);

        fprintf(stderr, "%s\n", text);
        free(text);
    }
    attest_verdict_free(v);
    attest_policy_free(policy);
    attest_collateral_free(c);
    return st;
}

static void running(uint32_t version)
{
    emu_host_reset();
    emu_psp_report_version(version);
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(host_run_guest(&guest, &secrets), SNP_SUCCESS);
}

static void reports_of_each_version_are_trusted_when_the_test_root_is_named(void)
{
    static const uint32_t versions[] = {2, 3, 5};

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct judgement j = {.name_root = true, .len = 1184};
        bool emulated = false;

        running(versions[i]);
        j.evidence = report();
        j.measurement = j.evidence + 0x90;
        CU_ASSERT_EQUAL(j.evidence[0], versions[i]);
        CU_ASSERT_EQUAL(judge(&j, &emulated), ATTEST_OK);
        CU_ASSERT(emulated);
    }
}

static void without_naming_the_root_nothing_is_trusted(void)
{
    struct judgement j = {.len = 1184};
    bool emulated = true;

    running(2);
    j.evidence = report();
    j.measurement = j.evidence + 0x90;
    CU_ASSERT_EQUAL(judge(&j, &emulated), ATTEST_ROOT_UNTRUSTED);
    CU_ASSERT(!emulated);
}

static void the_certificate_table_carries_the_whole_chain(void)
{
    struct judgement j = {.name_root = true, .with_table = true};
    size_t len;
    uint8_t *table = file_read(CERTS "certs.bin", &len), *all;
    bool emulated = false;

    running(3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    all = malloc(1184 + len);
    memcpy(all, report(), 1184);
    memcpy(all + 1184, table, len);
    j.evidence = all;
    j.len = 1184 + len;
    j.measurement = all + 0x90;
    CU_ASSERT_EQUAL(judge(&j, &emulated), ATTEST_OK);
    CU_ASSERT(emulated);
    free(all);
    free(table);
}

static void a_report_changed_anywhere_is_refused(void)
{
    static const size_t at[] = {0x04, 0x50, 0x90, 0xc0, 0x140, 0x1a0, 0x1f0, 0x2a0, 0x2e8};
    uint8_t changed[1184], ld[48];
    bool emulated;

    running(2);
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        struct judgement j = {.evidence = changed, .len = 1184, .measurement = ld};

        memcpy(changed, report(), sizeof(changed));
        memcpy(ld, changed + 0x90, sizeof(ld));
        changed[at[i]] ^= 1;
        CU_ASSERT(judge(&j, &emulated) != ATTEST_OK);
        running(2);
    }
}

static const struct cu_test tests[] = {
    CU(launch_digests_are_the_known_answers),
    CU(an_id_block_shows_in_the_report),
    CU(a_launch_that_is_not_the_owners_does_not_finish),
    CU(damaged_id_blocks_and_signatures_are_refused),
    CU(reports_of_each_version_are_trusted_when_the_test_root_is_named),
    CU(without_naming_the_root_nothing_is_trusted),
    CU(the_certificate_table_carries_the_whole_chain),
    CU(a_report_changed_anywhere_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_verdict", tests, argc, argv);
}
