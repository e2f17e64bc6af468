/* The prediction library: hv/domain's layout, walked as cca_launch.c walks it. */
#include <cloister/predict.h>

#include "../cca_measured.h"
#include "hv/layout.h"
#include "predict_domain.h"

struct walk {
    predict_rmi_fn *fn;
    void *arg;
};

static bool create_realm(const struct walk *w, const struct cca_config *c)
{
    struct rmi_realm_params p = {.flags = 0};

    cca_params(c, &p);
    return w->fn(w->arg, &(struct predict_rmi){.command = PREDICT_REALM_CREATE,
                                               .realm = {.s2sz = p.s2sz,
                                                         .num_bps = p.num_bps,
                                                         .num_wps = p.num_wps,
                                                         .hash_algo = p.hash_algo,
                                                         .rpv = p.rpv}});
}

/* A range, not an entry: what the largest entries are, the command's listener knows. */
static bool init_ripas(const struct walk *w, uint64_t base, uint64_t size)
{
    return size == 0 || w->fn(w->arg, &(struct predict_rmi){.command = PREDICT_RTT_INIT_RIPAS,
                                                            .ripas = {base, base + size}});
}

static bool create_data(const struct walk *w, const struct piece *q)
{
    uint8_t page[GRANULE_SIZE];
    bool ok = true;

    for (uint64_t done = 0; done < q->len && ok; done += sizeof(page)) {
        uint64_t n = MIN(q->len - done, (uint64_t)sizeof(page));

        memset(page, 0, sizeof(page));
        memcpy(page, q->data + done, n);
        ok = w->fn(w->arg, &(struct predict_rmi){.command = PREDICT_DATA_CREATE,
                                                 .data = {q->at + done, page}});
    }
    return ok;
}

static bool create_rec(const struct walk *w, const struct vcpu_entry *e)
{
    struct rmi_rec_params p = {.flags = 0};
    struct predict_rmi c = {.command = PREDICT_REC_CREATE};

    cca_first_rec(e, &p);
    c.rec.pc = p.pc;
    memcpy(c.rec.gprs, p.gprs, sizeof(c.rec.gprs));
    return w->fn(w->arg, &c);
}

static bool walk_all(const struct walk *w, const struct domain_config *cfg, const struct layout *l)
{
    uint64_t low = MIN(cfg->memory, (uint64_t)RAM_BELOW_4G);
    bool ok = create_realm(w, &cfg->cca) && init_ripas(w, 0, low) &&
              init_ripas(w, GiB(4), cfg->memory - low);

    for (uint32_t i = 0; i < l->pieces && ok; i++) {
        ok = create_data(w, &l->piece[i]);
    }
    return ok && create_rec(w, &l->entry);
}

bool predict_cca(const void *bundle, size_t len, const char *name, predict_rmi_fn *fn, void *arg,
                 char *err, size_t err_size)
{
    static _Thread_local uint8_t scratch[LAYOUT_SCRATCH_SIZE] __attribute__((aligned(16)));
    const struct walk w = {fn, arg};
    struct domain_config cfg;
    struct layout l;

    if (!predict_domain(bundle, len, name, &cfg, err, err_size)) {
        return false;
    }
    cfg.cc = CC_CCA;
    cfg.realm = true;
    memset(scratch, 0, sizeof(scratch));
    return layout_domain(&cfg, scratch, &l, err, err_size) == ABI_OK && walk_all(&w, &cfg, &l);
}
