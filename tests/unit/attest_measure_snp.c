/*
 * Launch digests: every known answer of the vectors; the chain itself against a second way to
 * compute it; ID blocks.
 */
#include "attest_file.h"
#include "cu.h"

#include <attest/hash.h>
#include <attest/hex.h>
#include <attest/measure_snp.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that a case names: of the vectors, of a Debian release, or anywhere. */
static uint8_t *named_file(const char *name, size_t *len)
{
    const char *debian = strchr(name, ':');
    char path[256];

    if (debian != NULL) {
        /* The release's firmware, when this machine runs that release: "debian12:/path(ovmf ...)".
         */
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(debian + 1, "("), debian + 1);
        return file_read(path, len);
    }
    if (strncmp(name, "/dev/null", 9) == 0) {
        *len = 0;
        return calloc(1, 1);
    }
    if (strncmp(name, "vectors/dev/", 12) == 0) {
        return vector_read(name + 12, len);
    }
    snprintf(path, sizeof(path), "measure/%s", name);
    return vector_read(strncmp(name, "measure/", 8) == 0 ? name : path, len);
}

static const char *string_of(const json_t *c, const char *key)
{
    return json_string_value(json_object_get(c, key));
}

struct files {
    uint8_t *fw;
    uint8_t *svsm;
    uint8_t *kernel;
    uint8_t *initrd;
};

static void load(const json_t *c, struct snp_guest *g, struct files *f)
{
    g->firmware = f->fw = named_file(string_of(c, "fw"), &g->firmware_len);
    if (string_of(c, "svsm") != NULL) {
        g->svsm = f->svsm = named_file(string_of(c, "svsm"), &g->svsm_len);
        g->vars_size = (uint32_t)json_integer_value(json_object_get(c, "vars"));
    }
    if (string_of(c, "kernel") != NULL) {
        g->kernel = f->kernel = named_file(string_of(c, "kernel"), &g->kernel_len);
    }
    if (string_of(c, "initrd") != NULL) {
        g->initrd = f->initrd = named_file(string_of(c, "initrd"), &g->initrd_len);
    }
    g->cmdline = string_of(c, "append");
}

static void unload(struct files *f)
{
    free(f->fw);
    free(f->svsm);
    free(f->kernel);
    free(f->initrd);
}

/* 1: measured as expected; 0: not; -1: could not be tried. */
static int try_case(const json_t *c)
{
    struct snp_guest g = {.mode = SNP_MODE_SNP, .vmm = SNP_VMM_QEMU};
    const char *want = string_of(c, "digest");
    struct attest_error err = {0};
    struct files f = {0};
    uint8_t digest[48];
    char hex[97] = "";
    char text[512];
    int ok = -1;

    g.mode = strcmp(string_of(c, "mode"), "SEV_ES") == 0 ? SNP_MODE_SEV_ES : SNP_MODE_SNP;
    g.vcpus = (unsigned int)json_integer_value(json_object_get(c, "vcpus"));
    g.guest_features = (uint64_t)json_integer_value(json_object_get(c, "gf"));
    CU_ASSERT(snp_cpu_named(string_of(c, "cpu"), &g.signature));
    CU_ASSERT(string_of(c, "vmm") == NULL || snp_vmm_named(string_of(c, "vmm"), &g.vmm));
    load(c, &g, &f);
    if (g.firmware != NULL) {
        enum attest_status st = snp_guest_measure(&g, digest, &err);

        if (st == ATTEST_OK) {
            hex_encode(digest, snp_guest_digest_size(g.mode), hex);
        }
        ok = strncmp(want, "ERROR", 5) == 0 ? st == ATTEST_UNSUPPORTED : strcmp(hex, want) == 0;
        if (!ok) {
            fprintf(stderr, "%s %s %s: wanted %s, got %s %s\n", string_of(c, "mode"),
                    string_of(c, "fw"), string_of(c, "vmm"), want, hex,
                    attest_error_text(&err, text, sizeof(text)));
        }
    }
    unload(&f);
    return ok;
}

/* Debian's firmware differs between releases: a case for another release cannot be tried here. */
static int wrong_release(const json_t *c)
{
    const char *fw = string_of(c, "fw");
    char line[32] = "";
    FILE *f;

    if (strncmp(fw, "debian", 6) != 0) {
        return 0;
    }
    f = fopen("/etc/debian_version", "r");
    if (f != NULL) {
        line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
        fclose(f);
    }
    return strncmp(line, fw + 6, 2) != 0;
}

static void every_known_launch_digest_is_predicted(void)
{
    size_t len;
    uint8_t *p = vector_read("measure/expected.json", &len);
    json_t *all = p == NULL ? NULL : json_loadb((const char *)p, len, 0, NULL);
    const json_t *cases = json_object_get(all, "cases");
    unsigned int tried = 0;
    unsigned int skipped = 0;
    size_t i;
    json_t *c;

    json_array_foreach(cases, i, c)
    {
        int ok = wrong_release(c) ? -1 : try_case(c);

        skipped += ok < 0;
        tried += ok >= 0;
        CU_ASSERT_NOT_EQUAL(ok, 0);
    }
    printf("launch digests: %u known answers tried\n", tried);
    if (p == NULL || skipped > 0) {
        cu_skip(p == NULL ? 173 : skipped, "no vectors, or firmware of another Debian release");
    }
    json_decref(all);
    free(p);
}

/* LD by hand, as the specification words it, to compare with the library's. */
static void by_hand(const struct snp_region *r, size_t n, uint8_t ld[48])
{
    memset(ld, 0, 48);
    for (size_t i = 0; i < n; i++) {
        for (uint64_t at = 0; at < r[i].size; at += 4096) {
            uint8_t contents[48] = {0};
            uint8_t tail[16] = {0x70,
                                0,
                                (uint8_t)r[i].type,
                                r[i].imi,
                                r[i].vmpl3_perms,
                                r[i].vmpl2_perms,
                                r[i].vmpl1_perms,
                                0};
            struct attest_span spans[3] = {{ld, 48}, {contents, 48}, {tail, 16}};
            uint64_t gpa = r[i].gpa + at;
            uint8_t next[48];

            memcpy(tail + 8, &gpa, 8);
            if (r[i].data != NULL) {
                CU_ASSERT(attest_hash1(ATTEST_SHA384, r[i].data + at, 4096, contents));
            }
            CU_ASSERT(attest_hash(ATTEST_SHA384, spans, 3, next));
            memcpy(ld, next, 48);
        }
    }
}

static void a_direct_boot_layout_measures_the_same_with_any_number_of_threads(void)
{
    static uint8_t kernel[300 * 4096];
    static uint8_t vmsa[2 * 4096];
    const struct snp_region layout[] = {
        {.gpa = 0x200000, .size = sizeof(kernel), .type = SNP_PAGE_NORMAL, .data = kernel},
        {.gpa = 0x1000, .size = 0x1000, .type = SNP_PAGE_SECRETS},
        {.gpa = 0x2000, .size = 0x1000, .type = SNP_PAGE_CPUID},
        {.gpa = 0x8000, .size = 0x3000, .type = SNP_PAGE_ZERO, .vmpl1_perms = SNP_PERM_READ},
        {.gpa = 0x10000, .size = 0x2000, .type = SNP_PAGE_UNMEASURED, .imi = true},
        {.gpa = SNP_VMSA_GPA, .size = sizeof(vmsa), .type = SNP_PAGE_VMSA, .data = vmsa},
    };
    uint8_t want[48];
    uint8_t got[48];

    for (size_t i = 0; i < sizeof(kernel); i++) {
        kernel[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    by_hand(layout, 6, want);
    for (unsigned int threads = 0; threads < 6; threads++) {
        CU_ASSERT_EQUAL(snp_launch_digest(layout, 6, threads, got, NULL), ATTEST_OK);
        CU_ASSERT_EQUAL(memcmp(got, want, 48), 0);
    }
}

static void a_layout_that_no_firmware_could_launch_is_refused(void)
{
    static uint8_t page[4096];
    const struct snp_region bad[] = {
        {.gpa = 0x1001, .size = 0x1000, .type = SNP_PAGE_ZERO},
        {.gpa = 0x1000, .size = 0, .type = SNP_PAGE_ZERO},
        {.gpa = 0x1000, .size = 100, .type = SNP_PAGE_NORMAL, .data = page},
        {.gpa = 0x1000, .size = 0x1000, .type = SNP_PAGE_NORMAL},
        {.gpa = 0x1000, .size = 0x1000, .type = SNP_PAGE_ZERO, .data = page},
        {.gpa = 0x1000, .size = 0x1000, .type = (enum snp_page_type)7},
        {.gpa = ~0xfffULL, .size = 0x2000, .type = SNP_PAGE_ZERO},
    };
    struct attest_error err;
    uint8_t ld[48];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(snp_launch_digest(&bad[i], 1, 1, ld, &err), ATTEST_MALFORMED);
        CU_ASSERT_STRING_EQUAL(err.object, "launch layout");
    }
}

static void cpu_signatures_follow_cpuid(void)
{
    uint32_t sig;

    CU_ASSERT(snp_cpu_named("EPYC-v4", &sig) && sig == 0x800f12);
    CU_ASSERT(snp_cpu_named("epyc-milan", &sig) && sig == 0xa00f11);
    CU_ASSERT(snp_cpu_named("EPYC-Genoa", &sig) && sig == 0xa10f10);
    CU_ASSERT(snp_cpu_named("EPYC-Turin", &sig) && sig == 0xb00f00);
    CU_ASSERT_FALSE(snp_cpu_named("EPYC-Naples", &sig));
}

static void a_firmware_without_its_table_is_refused_by_name(void)
{
    static uint8_t fw[8192];
    struct snp_guest g = {.mode = SNP_MODE_SNP,
                          .firmware = fw,
                          .firmware_len = sizeof(fw),
                          .vcpus = 1,
                          .guest_features = 1};
    struct attest_error err;
    uint8_t ld[48];

    CU_ASSERT_EQUAL(snp_guest_measure(&g, ld, &err), ATTEST_UNSUPPORTED);
    CU_ASSERT_STRING_EQUAL(err.field, "GUIDed table");
    g.firmware_len = 5000;
    CU_ASSERT_EQUAL(snp_guest_measure(&g, ld, &err), ATTEST_MALFORMED);
    g.firmware_len = 8192;
    g.vcpus = 0;
    CU_ASSERT_EQUAL(snp_guest_measure(&g, ld, &err), ATTEST_MALFORMED);
    CU_ASSERT_STRING_EQUAL(err.field, "vcpus");
}

static void an_id_block_verifies_and_any_change_breaks_it(void)
{
    struct snp_id id = {.guest_svn = 3, .policy = 0x30000};
    static struct snp_id_result out;
    EVP_PKEY *id_key = EVP_EC_gen("P-384");
    EVP_PKEY *author = EVP_EC_gen("P-384");
    EVP_PKEY *wrong = EVP_EC_gen("P-256");
    struct attest_error err;

    memset(id.ld, 0xab, sizeof(id.ld));
    CU_ASSERT_EQUAL(snp_id_sign(&id, id_key, author, &out, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(snp_id_check(out.block, out.auth, true, &err), ATTEST_OK);
    for (size_t i = 0; i < sizeof(out.block); i++) {
        out.block[i] ^= 1;
        CU_ASSERT_EQUAL(snp_id_check(out.block, out.auth, true, &err), ATTEST_SIGNATURE);
        out.block[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof(out.auth); i += 3) {
        out.auth[i] ^= 1;
        CU_ASSERT_NOT_EQUAL(snp_id_check(out.block, out.auth, true, &err), ATTEST_OK);
        out.auth[i] ^= 1;
    }
    out.auth[0x240 + 10] ^= 1; /* the id key */
    CU_ASSERT_NOT_EQUAL(snp_id_check(out.block, out.auth, true, &err), ATTEST_OK);
    out.auth[0x240 + 10] ^= 1;
    out.auth[0x680 + 5] ^= 1; /* the author's signature over it */
    CU_ASSERT_EQUAL(snp_id_check(out.block, out.auth, false, &err), ATTEST_OK);
    CU_ASSERT_EQUAL(snp_id_check(out.block, out.auth, true, &err), ATTEST_SIGNATURE);
    CU_ASSERT_STRING_EQUAL(err.field, "ID_KEY_SIG");
    CU_ASSERT_EQUAL(snp_id_sign(&id, wrong, NULL, &out, &err), ATTEST_UNSUPPORTED);
    EVP_PKEY_free(id_key);
    EVP_PKEY_free(author);
    EVP_PKEY_free(wrong);
}

static const struct cu_test tests[] = {
    CU(every_known_launch_digest_is_predicted),
    CU(a_direct_boot_layout_measures_the_same_with_any_number_of_threads),
    CU(a_layout_that_no_firmware_could_launch_is_refused),
    CU(cpu_signatures_follow_cpuid),
    CU(a_firmware_without_its_table_is_refused_by_name),
    CU(an_id_block_verifies_and_any_change_breaks_it),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_measure_snp", tests, argc, argv);
}
