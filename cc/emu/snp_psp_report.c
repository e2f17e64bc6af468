/* MSG_REPORT_REQ, MSG_REPORT_RSP and ATTESTATION_REPORT: ABI 7.3, tables 21-24. */
#include "snp_psp.h"

#include "hv/string.h"

struct report_request { /* table 21 */
    uint8_t data[64];
    uint32_t vmpl, key_select; /* bits 1:0 */
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct report_request) == 0x60, "table 21");
#define KEY_SELECT_VCEK 1u

struct report { /* table 23 */
    uint32_t version, guest_svn;
    uint64_t policy;
    uint8_t family_id[16], image_id[16];
    uint32_t vmpl, signature_algorithm;
    uint64_t current_tcb, platform_info; /* 38h */
    uint32_t flags, reserved0;           /* bit 0: author key, 4:2: signing key */
    uint8_t report_data[64];             /* 50h */
    uint8_t measurement[48], host_data[32], id_key_digest[48], author_key_digest[48];
    uint8_t report_id[32], report_id_ma[32]; /* 140h */
    uint64_t reported_tcb;                   /* 180h */
    uint8_t family, model, stepping;         /* 188h: version 3 */
    uint8_t reserved1[21];
    uint8_t chip_id[64]; /* 1A0h */
    uint64_t committed_tcb;
    uint8_t current_build, current_minor, current_major, reserved2;
    uint8_t committed_build, committed_minor, committed_major, reserved3;
    uint64_t launch_tcb;                              /* 1F0h */
    uint64_t launch_mitigations, current_mitigations; /* 1F8h: version 5 */
    uint8_t reserved4[0x2a0 - 0x208];
    uint8_t r[72], s[72]; /* 2A0h, little-endian */
    uint8_t reserved5[0x200 - 144];
};
_Static_assert(sizeof(struct report) == 0x4a0, "table 23");
_Static_assert(offsetof(struct report, chip_id) == 0x1a0, "table 23");
_Static_assert(offsetof(struct report, r) == 0x2a0, "table 23");

struct report_response { /* table 22 */
    uint32_t status, size;
    uint8_t reserved[24];
    struct report report;
};

#define MITIGATIONS 1ull /* what version 5 says is in place, at launch and now */

static void fill_guest(const struct psp_guest *g, struct report *r)
{
    r->guest_svn = g->svn;
    r->policy = g->policy;
    r->launch_tcb = g->launch_tcb;
    r->flags = g->author_en ? 1 : 0;
    memcpy(r->family_id, g->family_id, sizeof(r->family_id));
    memcpy(r->image_id, g->image_id, sizeof(r->image_id));
    memcpy(r->measurement, g->ld, sizeof(r->measurement));
    memcpy(r->host_data, g->host_data, sizeof(r->host_data));
    memcpy(r->id_key_digest, g->id_key_digest, sizeof(r->id_key_digest));
    memcpy(r->author_key_digest, g->author_key_digest, sizeof(r->author_key_digest));
    memcpy(r->report_id, g->report_id, sizeof(r->report_id));
    memset(r->report_id_ma, 0xff, sizeof(r->report_id_ma)); /* no migration agent */
}

static void fill_chip(struct report *r)
{
    r->version = chip_report_version;
    r->signature_algorithm = 1;
    r->platform_info = CHIP_SMT;
    r->current_tcb = r->reported_tcb = r->committed_tcb = CHIP_TCB;
    r->current_build = r->committed_build = CHIP_BUILD;
    r->current_minor = r->committed_minor = CHIP_API_MINOR;
    r->current_major = r->committed_major = CHIP_API_MAJOR;
    chip_id(r->chip_id);
    if (r->version >= 3) {
        r->family = CHIP_FAMILY;
        r->model = CHIP_MODEL;
        r->stepping = CHIP_STEPPING;
    }
    if (r->version >= 5) {
        r->launch_mitigations = r->current_mitigations = MITIGATIONS;
    }
}

static void sign(struct report *r)
{
    uint8_t d[EMU_P384], hash[EMU_SHA384], rs[2 * EMU_P384];

    chip_vcek(d);
    emu_sha384(r, offsetof(struct report, r), hash);
    emu_p384_sign(d, hash, rs);
    for (size_t i = 0; i < EMU_P384; i++) {
        r->r[i] = rs[EMU_P384 - 1 - i];
        r->s[i] = rs[2 * EMU_P384 - 1 - i];
    }
}

/* A VMPL may ask for itself and for the less privileged: ABI 7.3. */
static uint32_t request_check(const struct psp_guest *g, const struct report_request *q,
                              unsigned int vmpck)
{
    if ((q->key_select & ~3u) != 0 || !psp_is_zero(q->reserved, sizeof(q->reserved))) {
        return PSP_MSG_INVALID_PARAM;
    }
    /* There is no VLEK here, and the owner may have said no to the VCEK. */
    if (g->vcek_disabled || q->key_select > KEY_SELECT_VCEK) {
        return PSP_MSG_INVALID_KEY;
    }
    return q->vmpl > 3 || q->vmpl < vmpck ? PSP_MSG_INVALID_PARAM : PSP_MSG_OK;
}

uint32_t psp_report_request(const struct psp_guest *g, struct psp_payload *p)
{
    struct report_request q;
    struct report_response *out = (struct report_response *)(void *)p->out;

    if (p->version != 1) {
        return SNP_INVALID_PARAM;
    }
    if (p->in_len < sizeof(q)) {
        return SNP_INVALID_PARAM;
    }
    memcpy(&q, p->in, sizeof(q));
    out->status = request_check(g, &q, p->vmpck);
    out->size = sizeof(out->report);
    p->out_len = sizeof(*out);
    if (out->status != PSP_MSG_OK) {
        return SNP_SUCCESS; /* the answer is the refusal */
    }
    fill_guest(g, &out->report);
    fill_chip(&out->report);
    out->report.vmpl = q.vmpl;
    memcpy(out->report.report_data, q.data, sizeof(q.data));
    sign(&out->report);
    return SNP_SUCCESS;
}
