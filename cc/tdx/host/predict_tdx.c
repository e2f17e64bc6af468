/* The prediction library: hv/domain's layout of a TD, walked as tdx.c walks it. */
#include <cloister/predict.h>

#include "hv/layout.h"
#include "hv/shim.h"
#include "hv/string.h"
#include "predict_domain.h"

static bool walk_piece(const struct piece *q, bool measured, predict_fn *fn, void *arg)
{
    uint64_t end = piece_launched_end(q);
    uint8_t page[PAGE_SIZE];

    for (uint64_t at = q->at; at < end; at += PAGE_SIZE) {
        uint64_t offset = at - q->at;
        uint64_t have = offset < q->len ? MIN(q->len - offset, PAGE_SIZE) : 0;

        memset(page, 0, sizeof(page));
        if (have > 0) {
            memcpy(page, q->data + offset, have);
        }
        if (!fn(arg, &(struct predict_page){at, measured, page})) {
            return false;
        }
    }
    return true;
}

static const struct piece *piece_at(const struct layout *l, uint64_t at)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        if (l->piece[i].at == at) {
            return &l->piece[i];
        }
    }
    return NULL;
}

/* The shim, the last piece, has the list that it works through. */
static bool walk_measures(const struct layout *l, predict_measure_fn *fn, void *arg)
{
    const struct piece *shim = &l->piece[l->pieces - 1];
    const struct shim_measures *m =
        (const void *)(shim->data + shim->len - PAGE_SIZE + SHIM_MEASURES_OFFSET);

    for (uint64_t i = 0; i < m->count; i++) {
        const struct piece *q = piece_at(l, m->item[i].at);

        if (q == NULL || !fn(arg, m->item[i].rtmr, q->data, m->item[i].len)) {
            return false;
        }
    }
    return true;
}

bool predict_tdx(const void *bundle, size_t len, const char *name, predict_fn *page,
                 predict_measure_fn *measure, void *arg, char *err, size_t err_size)
{
    static _Thread_local uint8_t scratch[LAYOUT_SCRATCH_SIZE] __attribute__((aligned(16)));
    struct domain_config cfg;
    struct layout l;
    bool more = true;

    if (!predict_domain(bundle, len, name, &cfg, err, err_size)) {
        return false;
    }
    cfg.cc = CC_TDX;
    memset(scratch, 0, sizeof(scratch));
    if (layout_domain(&cfg, scratch, &l, err, err_size) != ABI_OK) {
        return false;
    }
    for (uint32_t i = 0; i < l.pieces && more; i++) {
        more = walk_piece(&l.piece[i], (l.self_measured >> i & 1) == 0, page, arg);
    }
    return more && walk_measures(&l, measure, arg);
}
