/* cloister measure tdx, cloister measure rtmr: MRTD of a firmware, RTMRs of an event log. */
#include "attest_common.h"
#include "attest_measure.h"
#include "cli.h"

#include <attest/eventlog.h>
#include <attest/hex.h>
#include <attest/measure_tdx.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char tdx_usage[] =
    "Usage: cloister measure tdx [--order page|region] [--sections] FIRMWARE\n"
    "\n"
    "The MRTD of a TD that starts with this firmware (TDVF: OVMF built for TDX).";

static const char rtmr_usage[] =
    "Usage: cloister measure rtmr LOG\n"
    "\n"
    "The RTMRs that a confidential computing event log (CCEL) comes to.";

struct options {
    const char *order;
    bool sections;
};

static const struct opt tdx_options[] = {
    {"order", "ORDER", "page: add and extend page by page, as KVM does (default); region",
     OPT_STRING, offsetof(struct options, order), 0, 0},
    {"sections", NULL, "print the firmware's sections, too", OPT_FLAG,
     offsetof(struct options, sections), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

static void print_sections(const struct tdvf *t)
{
    for (size_t i = 0; i < t->sections; i++) {
        const struct tdvf_section *s = &t->section[i];

        printf("%-12s %#010llx + %#llx, file %#x + %#x%s%s\n", tdvf_type_name(s->type),
               (unsigned long long)s->gpa, (unsigned long long)s->size, s->offset, s->raw_size,
               (s->attributes & TDVF_MR_EXTEND) != 0 ? ", measured" : "",
               (s->attributes & TDVF_PAGE_AUG) != 0 ? ", added later" : "");
    }
}

static int print_mrtd(const struct blob *fw, const struct options *o)
{
    enum tdx_build_order order =
        o->order != NULL && strcmp(o->order, "region") == 0 ? TDX_ORDER_REGION : TDX_ORDER_PAGE;
    struct tdx_region regions[TDVF_SECTIONS_MAX];
    struct attest_error err = {0};
    struct tdvf t;
    uint8_t mrtd[MRTD_SIZE];
    char hex[2 * MRTD_SIZE + 1];

    if (tdvf_parse(fw->p, fw->len, &t, &err) != ATTEST_OK ||
        tdx_mrtd(regions, tdvf_regions(&t, regions), order, mrtd, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    if (o->sections) {
        print_sections(&t);
    }
    printf("%s\n", hex_encode(mrtd, sizeof(mrtd), hex));
    return CLI_OK;
}

int measure_tdx(int argc, char **argv)
{
    struct options o = {0};
    struct blob fw;
    int rc;
    const char *file =
        opts_one(tdx_options, &o, argc, argv, tdx_usage, "measure tdx wants a FIRMWARE", &rc);

    if (file == NULL) {
        return rc;
    }
    if (o.order != NULL && strcmp(o.order, "page") != 0 && strcmp(o.order, "region") != 0) {
        return cli_fail(CLI_USAGE, "--order is page or region, not '%s'", o.order);
    }
    if (!blob_load(file, IMAGE_MAX, &fw)) {
        return CLI_USAGE;
    }
    rc = print_mrtd(&fw, &o);
    free(fw.p);
    return rc;
}

static int print_rtmrs(const struct blob *b)
{
    struct attest_error err = {0};
    struct eventlog log;
    struct eventlog_bank bank;
    char hex[97];

    if (eventlog_parse(b->p, b->len, &log, &err) != ATTEST_OK ||
        eventlog_replay_rtmrs(&log, &bank, &err) != ATTEST_OK) {
        return attest_complain(&err);
    }
    for (size_t i = 0; i < EVENTLOG_RTMRS; i++) {
        printf("rtmr%zu: %s%s\n", i, hex_encode(bank.value[i], 48, hex),
               (bank.extended >> i & 1) != 0 ? "" : " (never extended)");
    }
    return CLI_OK;
}

int measure_rtmr(int argc, char **argv)
{
    static const struct opt none[] = {{NULL, NULL, NULL, OPT_FLAG, 0, 0, 0}};
    struct blob log;
    int rc;
    const char *file =
        opts_one(none, NULL, argc, argv, rtmr_usage, "measure rtmr wants a LOG", &rc);

    if (file == NULL) {
        return rc;
    }
    if (!blob_load(file, IMAGE_MAX, &log)) {
        return CLI_USAGE;
    }
    rc = print_rtmrs(&log);
    free(log.p);
    return rc;
}
