/* MRTD and RTMRs of a domain that is launched as a TD. */
#include "attest_measure.h"
#include "cli.h"

#include <attest/hash.h>
#include <cloister/predict.h>

#include <stdlib.h>
#include <string.h>

struct td_pages {
    struct tdx_region *region;
    size_t count, room;
    struct td_measures *out;
};

static bool keep(void *arg, const struct predict_page *page)
{
    struct td_pages *p = arg;
    uint8_t *copy = NULL;

    if (p->count == p->room) {
        p->room = p->room == 0 ? 4096 : p->room * 2;
        p->region = realloc(p->region, p->room * sizeof(p->region[0]));
        if (p->region == NULL) {
            abort();
        }
    }
    if (page->type == 1) {
        copy = cli_alloc(TDX_PAGE_SIZE);
        memcpy(copy, page->data, TDX_PAGE_SIZE);
    }
    p->region[p->count++] = (struct tdx_region){.gpa = page->gpa,
                                                .size = TDX_PAGE_SIZE,
                                                .data = copy,
                                                .data_len = copy != NULL ? TDX_PAGE_SIZE : 0,
                                                .extend = copy != NULL};
    return true;
}

/* RTMR = SHA-384(RTMR || digest): TDX Module Base Architecture Specification, 12.2. */
static bool extend(void *arg, uint32_t rtmr, const uint8_t *data, size_t len)
{
    const struct td_pages *p = arg;
    uint8_t digest[MRTD_SIZE];
    uint8_t *value = p->out->rtmr[rtmr];
    const struct attest_span both[2] = {{value, MRTD_SIZE}, {digest, MRTD_SIZE}};
    uint8_t next[MRTD_SIZE];

    if (!attest_hash1(ATTEST_SHA384, data, len, digest) ||
        !attest_hash(ATTEST_SHA384, both, 2, next)) {
        return false;
    }
    memcpy(value, next, sizeof(next));
    return true;
}

bool td_measures(const void *bundle, size_t size, const char *domain, struct td_measures *out,
                 char *why, size_t why_size)
{
    struct attest_error err = {0};
    struct td_pages pages = {.out = out};
    bool ok;

    memset(out, 0, sizeof(*out));
    ok = predict_tdx(bundle, size, domain, keep, extend, &pages, why, why_size);
    if (ok && tdx_mrtd(pages.region, pages.count, TDX_ORDER_PAGE, out->mrtd, &err) != ATTEST_OK) {
        (void)attest_error_text(&err, why, why_size);
        ok = false;
    }
    for (size_t i = 0; i < pages.count; i++) {
        free((void *)(uintptr_t)pages.region[i].data);
    }
    free(pages.region);
    return ok;
}
