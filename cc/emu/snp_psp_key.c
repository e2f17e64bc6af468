/* MSG_KEY_REQ, MSG_KEY_RSP: ABI 7.2, tables 18-20. */
#include "snp_psp.h"

#include "hv/string.h"

struct key_request {                /* table 18; the last field since message version 2 */
    uint32_t root_select, reserved; /* bit 0: VMRK, 2:1: which signing key */
    uint64_t fields;
    uint32_t vmpl, svn;
    uint64_t tcb;
    uint64_t launch_mitigations;
};
#define SIZE_V1 offsetof(struct key_request, launch_mitigations)

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
    uint32_t root_select, vmpl, svn, reserved;
    uint8_t image_id[16], family_id[16], measurement[48], host_data[32], id_key[48], author[48];
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

static uint32_t request_check(const struct psp_guest *g, const struct key_request *q,
                              unsigned int vmpck)
{
    if ((q->root_select & ~7u) != 0 || q->reserved != 0 || q->launch_mitigations != 0 ||
        (q->fields & ~(BIT(FIELDS) - 1)) != 0 || q->vmpl > 3 || q->vmpl < vmpck ||
        q->svn > g->svn || !tcb_reached(q->tcb)) {
        return PSP_MSG_INVALID_PARAM;
    }
    if (q->root_select >> 1 > 1 || ((q->root_select & 1) == 0 && g->vcek_disabled)) {
        return PSP_MSG_INVALID_KEY;
    }
    return PSP_MSG_OK;
}

static void fill_mix(const struct psp_guest *g, const struct key_request *q, struct mix *m)
{
    *m = (struct mix){.label = "EMULATED key",
                      .fields = q->fields,
                      .root_select = q->root_select & 1,
                      .vmpl = q->vmpl};
    m->policy = (q->fields & BIT(FIELD_POLICY)) != 0 ? g->policy : 0;
    m->svn = (q->fields & BIT(FIELD_SVN)) != 0 ? q->svn : 0;
    m->tcb = (q->fields & BIT(FIELD_TCB)) != 0 ? q->tcb : 0;
    if ((q->fields & BIT(FIELD_IMAGE)) != 0) {
        memcpy(m->image_id, g->image_id, sizeof(m->image_id));
    }
    if ((q->fields & BIT(FIELD_FAMILY)) != 0) {
        memcpy(m->family_id, g->family_id, sizeof(m->family_id));
    }
    if ((q->fields & BIT(FIELD_MEASUREMENT)) != 0) {
        memcpy(m->measurement, g->ld, sizeof(m->measurement));
    }
    /* Always: another host, owner or author is another key (ABI 7.2). */
    memcpy(m->host_data, g->host_data, sizeof(m->host_data));
    memcpy(m->id_key, g->id_key_digest, sizeof(m->id_key));
    memcpy(m->author, g->author_key_digest, sizeof(m->author));
}

uint32_t psp_key_request(const struct psp_guest *g, struct psp_payload *p)
{
    struct key_response *out = (struct key_response *)(void *)p->out;
    struct key_request q = {0};
    uint8_t root[32];
    struct mix m;

    if (p->version != 1 && p->version != 2) {
        return SNP_INVALID_PARAM;
    }
    if (p->in_len != (p->version == 1 ? SIZE_V1 : sizeof(q))) {
        return SNP_INVALID_LENGTH;
    }
    memcpy(&q, p->in, p->in_len);
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
