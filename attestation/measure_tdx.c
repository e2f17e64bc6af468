#include <attest/measure_tdx.h>

#include <attest/hash.h>
#include <attest/reader.h>

#include <string.h>

#define OBJECT "TD layout"

enum { RECORD = 128, CHUNK = 256 };

/* One 128-byte record: a name, then the guest physical address at byte 16. */
static bool record(EVP_MD_CTX *ctx, const char *name, uint64_t gpa)
{
    uint8_t r[RECORD] = {0};

    memcpy(r, name, strlen(name));
    st64le(r + 16, gpa);
    return EVP_DigestUpdate(ctx, r, sizeof(r)) == 1;
}

static bool add_page(EVP_MD_CTX *ctx, uint64_t gpa)
{
    return record(ctx, "MEM.PAGE.ADD", gpa);
}

/* The page at this offset of the region, with zeros behind the data. */
static void page_of(const struct tdx_region *r, uint64_t offset, uint8_t page[TDX_PAGE_SIZE])
{
    uint64_t have = offset < r->data_len ? r->data_len - offset : 0;

    have = have < TDX_PAGE_SIZE ? have : TDX_PAGE_SIZE;
    memset(page + have, 0, (size_t)(TDX_PAGE_SIZE - have));
    if (have > 0) {
        memcpy(page, r->data + offset, (size_t)have);
    }
}

/* TDH.MR.EXTEND takes 256 bytes at a time. */
static bool extend_page(EVP_MD_CTX *ctx, const struct tdx_region *r, uint64_t offset)
{
    uint8_t page[TDX_PAGE_SIZE];
    bool ok = true;

    page_of(r, offset, page);
    for (size_t at = 0; at < TDX_PAGE_SIZE && ok; at += CHUNK) {
        ok = record(ctx, "MR.EXTEND", r->gpa + offset + at) &&
             EVP_DigestUpdate(ctx, page + at, CHUNK) == 1;
    }
    return ok;
}

static bool measure_region(EVP_MD_CTX *ctx, const struct tdx_region *r, enum tdx_build_order order)
{
    bool ok = true;

    for (uint64_t at = 0; at < r->size && ok; at += TDX_PAGE_SIZE) {
        ok = add_page(ctx, r->gpa + at);
        if (ok && r->extend && order == TDX_ORDER_PAGE) {
            ok = extend_page(ctx, r, at);
        }
    }
    for (uint64_t at = 0; at < r->size && ok && r->extend && order == TDX_ORDER_REGION;
         at += TDX_PAGE_SIZE) {
        ok = extend_page(ctx, r, at);
    }
    return ok;
}

static enum attest_status check_region(const struct tdx_region *r, struct attest_error *err)
{
    const uint64_t limit = UINT64_C(1) << 52;

    if (r->gpa % TDX_PAGE_SIZE != 0 || r->size % TDX_PAGE_SIZE != 0 || r->size == 0 ||
        r->gpa >= limit || r->size > limit - r->gpa) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "region", "whole pages below 2^52",
                           "%#llx+%#llx", (unsigned long long)r->gpa, (unsigned long long)r->size);
    }
    if (r->data_len > r->size || (r->data == NULL && r->data_len > 0)) {
        return attest_fail(err, ATTEST_MALFORMED, OBJECT, "contents", "no more than the region",
                           "%#llx bytes", (unsigned long long)r->data_len);
    }
    return ATTEST_OK;
}

enum attest_status tdx_mrtd(const struct tdx_region *regions, size_t count,
                            enum tdx_build_order order, uint8_t mrtd[MRTD_SIZE],
                            struct attest_error *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum attest_status st = ATTEST_OK;
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, attest_hash_md(ATTEST_SHA384), NULL) == 1;

    for (size_t i = 0; i < count && ok && st == ATTEST_OK; i++) {
        st = check_region(&regions[i], err);
        ok = st != ATTEST_OK || measure_region(ctx, &regions[i], order);
    }
    if (st == ATTEST_OK && (!ok || EVP_DigestFinal_ex(ctx, mrtd, NULL) != 1)) {
        st = attest_fail(err, ATTEST_INTERNAL, OBJECT, "SHA-384", NULL, NULL);
    }
    EVP_MD_CTX_free(ctx);
    return st;
}
