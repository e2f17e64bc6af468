/* cloister measure tdx, td-layout and rtmr, and show, as a user runs them. */
#include "attest_file.h"
#include "cu.h"

#include <attest/hex.h>
#include <attest/measure_tdx.h>
#include <attest/tdx.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static void expect(int status, const char *text, const char *args)
{
    static char out[1 << 20];
    char command[1024];
    FILE *f;
    size_t n;
    int rc;

    snprintf(command, sizeof(command), "build/bin/cloister %s 2>&1", args);
    f = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    rc = pclose(f);
    rc = WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
    if (rc != status || strstr(out, text) == NULL) {
        fprintf(stderr, "cloister %s: status %d, wanted %d and \"%s\":\n%.2000s\n", args, rc,
                status, text, out);
    }
    CU_ASSERT(rc == status && strstr(out, text) != NULL);
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

static void a_layout_measures_to_what_the_library_says(void)
{
    static const char layout[] = "[{\"gpa\":\"0x200000\",\"file\":\"kernel\"},"
                                 "{\"gpa\":\"0x1000\",\"size\":8192}]";
    uint8_t kernel[5000], mrtd[MRTD_SIZE];
    const struct tdx_region regions[] = {
        {.gpa = 0x200000, .size = 8192, .data = kernel, .data_len = 5000, .extend = true},
        {.gpa = 0x1000, .size = 8192}};
    char args[128], hex[2 * MRTD_SIZE + 1];

    snprintf(dir, sizeof(dir), "%s", cu_scratch());
    memset(kernel, 0x5A, sizeof(kernel));
    write_file("kernel", kernel, sizeof(kernel));
    write_file("layout.json", layout, strlen(layout));
    for (int order = TDX_ORDER_PAGE; order <= TDX_ORDER_REGION; order++) {
        CU_ASSERT_EQUAL(tdx_mrtd(regions, 2, (enum tdx_build_order)order, mrtd, NULL), ATTEST_OK);
        snprintf(args, sizeof(args), "measure td-layout --order %s %s/layout.json",
                 order == TDX_ORDER_PAGE ? "page" : "region", dir);
        expect(0, hex_encode(mrtd, sizeof(mrtd), hex), args);
    }
}

static void layouts_that_make_no_sense_are_refused_by_name(void)
{
    static const struct {
        const char *text, *why;
    } rows[] = {{"[]", "not a list of regions"},
                {"[{\"size\":4096}]", "layout[0]: wants gpa"},
                {"[{\"gpa\":\"0x1000\"}]", "layout[0]: wants gpa"},
                {"[{\"gpa\":\"0x1000\",\"file\":\"none\"}]", "none"},
                {"[{\"gpa\":\"0x1000\",\"size\":4096,\"typ\":1}]", "typ"},
                {"[{\"gpa\":\"0x1000\",\"size\":4095}]", "whole pages"},
                {"[{\"gpa\":\"0x1000\",\"size\":4096,\"file\":\"kernel\"}]", "contents"}};
    char args[128];

    snprintf(args, sizeof(args), "measure td-layout %s/bad.json", dir);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        write_file("bad.json", rows[i].text, strlen(rows[i].text));
        expect(2, rows[i].why, args);
    }
}

static void things_that_cannot_be_measured_are_refused_by_name(void)
{
    char args[128];

    snprintf(args, sizeof(args), "measure tdx %s/kernel", dir);
    expect(2, "TDVF: metadata", args);
    expect(2, "--order is page or region", "measure tdx --order up /dev/null");
    snprintf(args, sizeof(args), "measure rtmr %s/kernel", dir);
    expect(2, "event log: record 0", args);
    expect(2, "wants a LOG", "measure rtmr");
}

static void the_distributions_firmware_shows_its_sections(void)
{
    if (access("/usr/share/ovmf/OVMF.fd", R_OK) != 0) {
        cu_skip(2, "no /usr/share/ovmf/OVMF.fd: no real firmware to measure");
        return;
    }
    expect(0, "BFV ",
           "measure tdx --sections /usr/share/ovmf/OVMF.fd");
    expect(0, "BFV, measured", "show /usr/share/ovmf/OVMF.fd");
}

static void a_real_logs_rtmrs_are_those_of_its_quote(void)
{
    size_t len;
    uint8_t *quote = vector_read("tdx/ccel-gcp/quote.bin", &len);
    struct tdx_quote q;
    char args[512], want[120], hex[97];

    if (quote == NULL) {
        cu_skip(5, "no vectors: no log to replay");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(tdx_quote_parse(quote, len, &q, NULL), ATTEST_OK);
    snprintf(args, sizeof(args), "measure rtmr %s/tdx/ccel-gcp/ccel.bin", cu_vectors());
    for (unsigned int i = 0; i < 4; i++) {
        snprintf(want, sizeof(want), "rtmr%u: %s", i,
                 hex_encode(q.body + TD_RTMR0 + 48 * i, 48, hex));
        expect(0, want, args);
    }
    snprintf(args, sizeof(args), "show %s/tdx/intel-qvl-testpki/pckCert.pem", cu_vectors());
    expect(0, "fmspc: ed742af8adf5", args);
    free(quote);
}

static const struct cu_test tests[] = {
    CU(a_layout_measures_to_what_the_library_says),
    CU(layouts_that_make_no_sense_are_refused_by_name),
    CU(things_that_cannot_be_measured_are_refused_by_name),
    CU(the_distributions_firmware_shows_its_sections),
    CU(a_real_logs_rtmrs_are_those_of_its_quote),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("attest_verbs_tdx", tests, argc, argv);
}
