/* The prediction library: hv/domain's layout, walked as snp_launch.c walks it. */
#include <cloister/predict.h>

#include "../snp_vmsa.h"
#include "hv/layout.h"
#include "hv/string.h"
#include "predict_domain.h"

#define C_BIT_MIN 32u
#define C_BIT_MAX 51u

struct walk {
    predict_fn *fn;
    void *arg;
    uint8_t page[PAGE_SIZE];
};

/* snp_launch.c, where 2 MiB at once count as 512 pages; what a piece does not fill is zero. */
static bool walk_piece(struct walk *w, const struct piece *q)
{
    unsigned int type = snp_piece_type(q->kind);
    uint64_t end = piece_launched_end(q);

    for (uint64_t at = ALIGN_DOWN(q->at, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint64_t from = MAX(at, q->at);
        uint64_t to = MIN(at + PAGE_SIZE, q->at + q->len);

        memset(w->page, 0, sizeof(w->page));
        if (from < to) {
            memcpy(&w->page[from - at], &q->data[from - q->at], to - from);
        }
        if (!w->fn(w->arg, &(struct predict_page){at, type, w->page})) {
            return false;
        }
    }
    return true;
}

static bool walk_all(struct walk *w, const struct layout *l)
{
    struct vmsa vmsa;

    for (uint32_t i = 0; i < l->pieces; i++) {
        if (!walk_piece(w, &l->piece[i])) {
            return false;
        }
    }
    snp_direct_vmsa(&vmsa, &l->entry, SEV_FEATURE_SNP);
    memcpy(w->page, &vmsa, sizeof(vmsa));
    return w->fn(w->arg, &(struct predict_page){SNP_VMSA_GPA, SNP_PAGE_VMSA, w->page});
}

bool predict_snp(const void *bundle, size_t len, const char *name, unsigned int c_bit,
                 predict_fn *fn, void *arg, char *err, size_t err_size)
{
    static _Thread_local uint8_t scratch[LAYOUT_SCRATCH_SIZE] __attribute__((aligned(16)));
    struct walk w = {.fn = fn, .arg = arg};
    struct domain_config cfg;
    struct layout l;

    if (c_bit < C_BIT_MIN || c_bit > C_BIT_MAX) {
        snprintf(err, err_size, "the C-bit is not from 32 to 51");
        return false;
    }
    if (!predict_domain(bundle, len, name, &cfg, err, err_size)) {
        return false;
    }
    cfg.cc = CC_SEV_SNP;
    cfg.c_bit = c_bit;
    memset(scratch, 0, sizeof(scratch));
    return layout_domain(&cfg, scratch, &l, err, err_size) == ABI_OK && walk_all(&w, &l);
}

bool predict_snp_id(const void *bundle, size_t len, const char *name, struct predict_snp_id *id,
                    char *err, size_t err_size)
{
    struct domain_config cfg;

    if (!predict_domain(bundle, len, name, &cfg, err, err_size)) {
        return false;
    }
    *id = (struct predict_snp_id){
        .policy = cfg.snp.policy,
        .id_block = cfg.snp.id_block.data,
        .id_auth = cfg.snp.id_auth.data,
        .author_key = cfg.snp.author_key,
    };
    if (cfg.snp.host_data.len != 0) {
        memcpy(id->host_data, cfg.snp.host_data.data, sizeof(id->host_data));
    }
    return true;
}
