/* MSG_KEY_REQ, MSG_KEY_RSP: ABI 7.2, tables 18-20. */
#include "snp_psp.h"

#include "hv/string.h"

struct key_request {                /* table 18 */
    uint32_t root_select, reserved; /* bit 0: VMRK, 2:1: which signing key */
    uint64_t fields;
    uint32_t vmpl, svn;
    uint64_t tcb;
};
_Static_assert(sizeof(struct key_request) == 0x20, "table 18");

enum { FIELD_POLICY, FIELD_IMAGE, FIELD_FAMILY, FIELD_MEASUREMENT, FIELD_SVN, FIELD_TCB, FIELDS };

struct key_response { /* table 20 */
    uint32_t status;
    uint8_t reserved[28];
    uint8_t key[32];
};
_Static_assert(sizeof(struct key_response) == 0x40, "table 20");

/* All that a key can depend on; what was not asked for stays zero. */
struct mix {
    char label[16];
    uint64_t fields, policy, tcb;
    uint32_t root_select, vmpl, svn, owner_select;
    uint8_t image_id[16], family_id[16], measurement[48], host_data[32], owner[48];
};

/* No component of the TCB that is newer than this chip's. */
static bool tcb_reached(uint64_t tcb)
{
    for (unsigned int i = 0; i < 64; i += 8) {
        if ((tcb >> i & 0xff) > (CHIP_TCB >> i & 0xff)) {
            return false;
        }
    }
    return true;
}

static bool wants(const struct key_request *q, unsigned int field)
{
    return (q->fields & BIT(field)) != 0;
}

static uint32_t request_check(const struct psp_guest *g, const struct key_request *q,
                              unsigned int vmpck)
{
    if ((q->root_select & ~7u) != 0 || q->reserved != 0) {
        return PSP_MSG_INVALID_PARAM;
    }
    if ((q->root_select & 1) == 0 && (q->root_select >> 1 > 1 || g->vcek_disabled)) {
        return PSP_MSG_INVALID_KEY;
    }
    return (q->fields & ~(BIT(FIELDS) - 1)) != 0 || q->vmpl > 3 || q->vmpl < vmpck ||
                   (wants(q, FIELD_SVN) && q->svn > g->svn) ||
                   (wants(q, FIELD_TCB) && !tcb_reached(q->tcb))
               ? PSP_MSG_INVALID_PARAM
               : PSP_MSG_OK;
}

static void fill_mix(const struct psp_guest *g, const struct key_request *q, struct mix *m)
{
    *m = (struct mix){.label = "EMULATED key",
                      .fields = q->fields,
                      .root_select = q->root_select & 1,
                      .vmpl = q->vmpl};
    m->policy = wants(q, FIELD_POLICY) ? g->policy : 0;
    m->svn = wants(q, FIELD_SVN) ? q->svn : 0;
    m->tcb = wants(q, FIELD_TCB) ? q->tcb : 0;
    if (wants(q, FIELD_IMAGE)) {
        memcpy(m->image_id, g->image_id, sizeof(m->image_id));
    }
    if (wants(q, FIELD_FAMILY)) {
        memcpy(m->family_id, g->family_id, sizeof(m->family_id));
    }
    if (wants(q, FIELD_MEASUREMENT)) {
        memcpy(m->measurement, g->ld, sizeof(m->measurement));
    }
    /* Always: another host's data or another owner is another key (ABI 7.2). */
    memcpy(m->host_data, g->host_data, sizeof(m->host_data));
    m->owner_select = g->author_en ? 2 : !psp_is_zero(g->id_key_digest, 48);
    memcpy(m->owner, g->author_en ? g->author_key_digest : g->id_key_digest, sizeof(m->owner));
}

uint32_t psp_key_request(const struct psp_guest *g, struct psp_payload *p)
{
    struct key_response *out = (struct key_response *)(void *)p->out;
    struct key_request q = {0};
    uint8_t root[32];
    struct mix m;

    if (p->version != 1 || p->in_len < sizeof(q)) {
        return SNP_INVALID_PARAM;
    }
    memcpy(&q, p->in, sizeof(q));
    p->out_len = sizeof(*out);
    out->status = request_check(g, &q, p->vmpck);
    if (out->status != PSP_MSG_OK) {
        return SNP_SUCCESS;
    }
    fill_mix(g, &q, &m);
    if ((q.root_select & 1) != 0) {
        memcpy(root, g->vmrk, sizeof(root));
    } else {
        chip_key_root(root);
    }
    emu_kdf(root, sizeof(root), &m, sizeof(m), out->key, sizeof(out->key));
    return SNP_SUCCESS;
}
