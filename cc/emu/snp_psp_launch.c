/* Launch: ABI 8.16-8.18. The digest: 8.17.2, table 67. */
#include "snp_psp.h"

#include "hv/check.h"
#include "hv/string.h"

/* This chip has none of these. */
#define POLICY_UNMET (SNP_POLICY_AES_256_XTS | SNP_POLICY_RAPL_DIS | SNP_POLICY_CIPHERTEXT_HIDING)
#define POLICY_DEFINED                                                                             \
    (0x1ffffull | SNP_POLICY_RESERVED_1 | SNP_POLICY_MIGRATE_MA | SNP_POLICY_DEBUG |               \
     SNP_POLICY_SINGLE_SOCKET | SNP_POLICY_CXL_ALLOW | POLICY_UNMET | SNP_POLICY_PAGE_SWAP_OFF)

static uint32_t policy_check(uint64_t p)
{
    bool newer = SNP_POLICY_MAJOR(p) > CHIP_API_MAJOR ||
                 (SNP_POLICY_MAJOR(p) == CHIP_API_MAJOR && SNP_POLICY_MINOR(p) > CHIP_API_MINOR);

    /* SMT is on here: a guest that does not allow it does not run. */
    return (p & ~POLICY_DEFINED) != 0 || (p & SNP_POLICY_RESERVED_1) == 0 || newer ||
                   (p & SNP_POLICY_SMT) == 0 || (p & POLICY_UNMET) != 0
               ? SNP_POLICY_FAILURE
               : SNP_SUCCESS;
}

uint32_t psp_launch_start(const void *cmd)
{
    const struct snp_launch_start *c = cmd;
    struct psp_guest *g;
    uint32_t r = psp_guest_in(c->gctx, GSTATE_INIT, &g);

    if (r != SNP_SUCCESS) {
        return r;
    }
    if ((c->flags & ~3u) != 0 || !IS_ALIGNED(c->ma_gctx, PAGE_SIZE)) {
        return SNP_INVALID_PARAM;
    }
    if (c->flags != 0) {
        return SNP_UNSUPPORTED; /* migration agents and images */
    }
    r = policy_check(c->policy);
    if (r != SNP_SUCCESS) {
        return r;
    }
    g->policy = c->policy;
    g->tsc_khz = c->desired_tsc_khz;
    memcpy(g->gosvw, c->gosvw, sizeof(g->gosvw));
    g->launch_tcb = CHIP_TCB;
    emu_random(g->vmpck, sizeof(g->vmpck));
    emu_random(g->vmrk, sizeof(g->vmrk));
    emu_random(g->report_id, sizeof(g->report_id));
    g->state = GSTATE_LAUNCH;
    return SNP_SUCCESS;
}

/* PAGE_INFO: ABI table 67 */
struct page_info {
    uint8_t digest[48], contents[48];
    uint16_t length;
    uint8_t type, imi, vmpl3, vmpl2, vmpl1, reserved;
    uint64_t gpa;
};
_Static_assert(sizeof(struct page_info) == 0x70, "ABI table 67");

static void extend(struct psp_guest *g, const struct snp_launch_update *c, const void *contents,
                   uint64_t gpa)
{
    struct page_info info = {
        .length = sizeof(info),
        .type = c->page >> 1 & 7,
        .imi = c->page >> 4 & 1,
        .vmpl3 = c->vmpl3_perms,
        .vmpl2 = c->vmpl2_perms,
        .vmpl1 = c->vmpl1_perms,
        .gpa = gpa,
    };

    memcpy(info.digest, g->ld, sizeof(info.digest));
    if (contents != NULL) {
        emu_sha384(contents, PAGE_SIZE, info.contents);
    }
    emu_sha384(&info, sizeof(info), g->ld);
}

static uint32_t update_param_check(const struct snp_launch_update *c)
{
    unsigned int type = c->page >> 1 & 7, size = c->page & 1;

    if ((c->page & ~0x1fu) != 0 || c->reserved0 != 0 || c->reserved1 != 0 || c->reserved2 != 0) {
        return SNP_INVALID_PARAM;
    }
    if (type < SNP_PAGE_NORMAL || type > SNP_PAGE_CPUID) {
        return SNP_INVALID_PARAM;
    }
    return size == RMP_2M && (type == SNP_PAGE_VMSA || type >= SNP_PAGE_SECRETS)
               ? SNP_INVALID_PAGE_SIZE
               : SNP_SUCCESS;
}

/* A save area that VMRUN could never run is not worth measuring. */
static uint32_t vmsa_check(const struct vmsa *v)
{
    return v->vmpl > 3 || (v->sev_features & SEV_FEATURE_SNP) == 0 ? SNP_INVALID_PARAM
                                                                   : SNP_SUCCESS;
}

static void fill_secrets(const struct psp_guest *g, struct snp_secrets_page *s)
{
    memset(s, 0, sizeof(*s));
    s->version = 3;
    s->fms = (CHIP_FAMILY - 0xf) << 20 | (CHIP_MODEL >> 4) << 16 | 0xf00 | (CHIP_MODEL & 0xf) << 4 |
             CHIP_STEPPING;
    memcpy(s->gosvw, g->gosvw, sizeof(s->gosvw));
    memcpy(s->vmpck, g->vmpck, sizeof(s->vmpck));
    s->tsc_factor = 200; /* 1/1000 percent: spread-spectrum clocks */
}

/* What of a page goes into the digest. A VMSA's TSC scale and offset count as zero. */
static const void *measured(const struct snp_launch_update *c, const void *page)
{
    static struct vmsa vmsa; /* under the mailbox's lock */

    switch (c->page >> 1 & 7) {
    case SNP_PAGE_NORMAL:
        return page;
    case SNP_PAGE_VMSA:
        memcpy(&vmsa, page, sizeof(vmsa));
        vmsa.tsc_scale = vmsa.tsc_offset = 0;
        return &vmsa;
    default:
        return NULL;
    }
}

/* Brings one page into its launched form and measures it. */
static uint32_t load_page(struct psp_guest *g, const struct snp_launch_update *c, uint64_t at,
                          uint64_t gpa)
{
    void *page = emu_mem(pa(at));
    uint32_t r = SNP_SUCCESS;

    switch (c->page >> 1 & 7) {
    case SNP_PAGE_VMSA:
        r = vmsa_check(page);
        break;
    case SNP_PAGE_ZERO:
        memset(page, 0, PAGE_SIZE);
        break;
    case SNP_PAGE_SECRETS:
        fill_secrets(g, page);
        break;
    case SNP_PAGE_CPUID:
        r = psp_cpuid_check(page);
        break;
    default:
        break;
    }
    if (r == SNP_SUCCESS) {
        extend(g, c, measured(c, page), gpa);
    }
    return r;
}

static void make_guest_valid(const struct snp_launch_update *c, struct emu_rmp *e)
{
    const uint8_t perms[4] = {EMU_PERM_ALL, c->vmpl1_perms & EMU_PERM_ALL,
                              c->vmpl2_perms & EMU_PERM_ALL, c->vmpl3_perms & EMU_PERM_ALL};

    e->validated = true;
    e->immutable = false;
    e->vmsa = (c->page >> 1 & 7) == SNP_PAGE_VMSA;
    memcpy(e->perms, perms, sizeof(e->perms));
    emu_rmp_set(pa(c->address), e);
}

static uint32_t update_target(const struct psp_guest *g, const struct snp_launch_update *c,
                              struct emu_rmp *e)
{
    uint32_t r = update_param_check(c);

    if (r == SNP_SUCCESS) {
        r = psp_page(c->address, c->page & 1, e);
    }
    if (r != SNP_SUCCESS) {
        return r;
    }
    if (!psp_is_pre_guest(e)) {
        return SNP_INVALID_PAGE_STATE;
    }
    return e->asid != g->asid ? SNP_INVALID_PAGE_OWNER : SNP_SUCCESS;
}

uint32_t psp_launch_update(const void *cmd)
{
    const struct snp_launch_update *c = cmd;
    uint64_t bytes = (c->page & 1) != 0 ? SIZE_2M : PAGE_SIZE;
    struct psp_guest *g;
    struct emu_rmp e;
    uint32_t r = psp_guest_in(c->gctx, GSTATE_LAUNCH, &g);

    if (r == SNP_SUCCESS && g->asid == 0) {
        r = SNP_INACTIVE;
    }
    if (r == SNP_SUCCESS) {
        r = update_target(g, c, &e);
    }
    /* A 2 MiB page is measured as its 512 parts, in order. */
    for (uint64_t i = 0; r == SNP_SUCCESS && i < bytes; i += PAGE_SIZE) {
        r = load_page(g, c, c->address + i, e.gpa + i);
    }
    if (r == SNP_SUCCESS) {
        make_guest_valid(c, &e);
    }
    return r;
}

#define FINISH_ID_BLOCK      BIT(0)
#define FINISH_AUTHOR_KEY    BIT(1)
#define FINISH_VCEK_DISABLED BIT(2)

uint32_t psp_launch_finish(const void *cmd)
{
    const struct snp_launch_finish *c = cmd;
    struct psp_guest *g;
    uint32_t r = psp_guest_in(c->gctx, GSTATE_LAUNCH, &g);

    if (r != SNP_SUCCESS) {
        return r;
    }
    if (g->asid == 0) {
        return SNP_INACTIVE;
    }
    if ((c->flags & ~(FINISH_ID_BLOCK | FINISH_AUTHOR_KEY | FINISH_VCEK_DISABLED)) != 0) {
        return SNP_INVALID_PARAM;
    }
    if ((c->flags & FINISH_ID_BLOCK) != 0) {
        r = psp_id_check(g, c);
        if (r != SNP_SUCCESS) {
            return r;
        }
    }
    memcpy(g->host_data, c->host_data, sizeof(g->host_data));
    g->vcek_disabled = (c->flags & FINISH_VCEK_DISABLED) != 0;
    g->state = GSTATE_RUNNING;
    return SNP_SUCCESS;
}
