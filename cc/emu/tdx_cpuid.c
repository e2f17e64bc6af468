/*
 * CPUID in a TD: BASE 18.6, ABI 2.5. Most of what it says is the CPU's, cut to what this module
 * virtualises; the host configures the rest at MNG.INIT; what is not in the table is #VE, and so
 * the host's to answer. This chip hides XSAVE: XFAM is x87 and SSE at most of what TCG can switch.
 */
#include "tdx_module.h"

#include "hv/string.h"

#define NONE TDX_SUBLEAF_NONE
#define ALL  0xffffffffu
#define MAX_BASIC    0x21u
#define MAX_EXTENDED 0x80000008u

struct row {
    uint32_t leaf, subleaf;
    uint32_t keep[4], ones[4], config[4]; /* of the CPU's; always set; the host's to choose */
};

#define BASIC_ECX 0x42d82203u /* SSE to SSE4.2, PCLMUL, CX16, MOVBE, POPCNT, AES, RDRAND */
#define BASIC_EDX 0x1f8bfbffu
static const struct row rows[] = {
    {0x1, NONE, {ALL, 0x0000ff00, BASIC_ECX, BASIC_EDX}, {0, 0, BIT(21) | BIT(31), 0},
     {0, 0x00ff0000, BIT(24), 0}},
    {0x2, NONE, {ALL, ALL, ALL, ALL}, {0}, {0}},
    {0x4, 0, {0}, {0}, {ALL, ALL, ALL, 0x7}},
    {0x4, 1, {0}, {0}, {ALL, ALL, ALL, 0x7}},
    {0x4, 2, {0}, {0}, {ALL, ALL, ALL, 0x7}},
    {0x4, 3, {0}, {0}, {ALL, ALL, ALL, 0x7}},
    {0x5, NONE, {0}, {0}, {0}},
    {0x6, NONE, {BIT(2), 0, 0, 0}, {0}, {0}},
    {0x7, 0, {0, 0x219c07a9 & ~0x20u, 0, 0}, {0}, {0}},
    {0x7, 1, {0}, {0}, {0}},
    {0x7, 2, {0}, {0}, {0}},
    {0xa, NONE, {0}, {0}, {0}},
    {0xb, 0, {0}, {0}, {0x1f, 0xffff, 0xffff, 0}},
    {0xb, 1, {0}, {0}, {0x1f, 0xffff, 0xffff, 0}},
    {0xd, 0, {0}, {0}, {0}},
    {0xd, 1, {0}, {0}, {0}},
    {0x15, NONE, {0, 0, ALL, 0}, {1, 0, 0, 0}, {0}}, /* ECX: 25 MHz on a real one */
    {0x16, NONE, {0xffff, 0xffff, 0xffff, 0}, {0}, {0}},
    {0x1f, 0, {0}, {0}, {0x1f, 0xffff, 0xffff, 0}},
    {0x1f, 1, {0}, {0}, {0x1f, 0xffff, 0xffff, 0}},
    {0x21, 0, {0}, {0, 0x65746e49, 0x20202020, 0x5844546c}, {0}},
    {0x80000001, NONE, {ALL, 0, 0x121, 0x2c100800}, {0}, {0}},
    {0x80000002, NONE, {ALL, ALL, ALL, ALL}, {0}, {0}},
    {0x80000003, NONE, {ALL, ALL, ALL, ALL}, {0}, {0}},
    {0x80000004, NONE, {ALL, ALL, ALL, ALL}, {0}, {0}},
    {0x80000005, NONE, {0}, {0}, {0}},
    {0x80000006, NONE, {0, 0, ALL, 0}, {0}, {0}},
    {0x80000007, NONE, {0}, {0, 0, 0, BIT(8)}, {0}},
    {0x80000008, NONE, {0xffff, 0, 0, 0}, {0}, {0}},
};
_Static_assert(ARRAY_SIZE(rows) * sizeof(struct tdx_cpuid_value) <= PAGE_SIZE, "a TDCX page");

static bool configurable(const struct row *w)
{
    return (w->config[0] | w->config[1] | w->config[2] | w->config[3]) != 0;
}

static const struct row *nth_config(uint64_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (configurable(&rows[i]) && n-- == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static uint64_t config_count(void)
{
    uint64_t n = 0;

    while (nth_config(n) != NULL) {
        n++;
    }
    return n;
}

bool tdx_cpuid_metadata(uint64_t field, uint64_t *value)
{
    const struct row *w;
    uint64_t n = field & 0xff;

    if (field == MD_NUM_CPUID_CONFIG) {
        *value = config_count();
        return true;
    }
    if (field - n == MD_CPUID_LEAVES) {
        w = nth_config(n);
        *value = w == NULL ? 0 : w->leaf | (uint64_t)w->subleaf << 32;
        return w != NULL;
    }
    w = nth_config(n / 2);
    if (field - n != MD_CPUID_VALUES || w == NULL) {
        return false;
    }
    *value = w->config[n % 2 * 2] | (uint64_t)w->config[n % 2 * 2 + 1] << 32;
    return true;
}

static uint64_t set_row(struct tdx_call *c, const struct row *w, const uint32_t *chosen,
                        uint16_t tsc_units, uint32_t out[4])
{
    uint32_t cpu[4];

    emu_tdx_cpuid(w->leaf, w->subleaf == NONE ? 0 : w->subleaf, cpu);
    for (unsigned int i = 0; i < 4; i++) {
        uint32_t v = chosen == NULL ? 0 : chosen[i];

        if ((v & ~w->config[i]) != 0) {
            c->r->rcx = w->leaf | (uint64_t)w->subleaf << 32;
            return tdx_error(TDX_OPERAND_INVALID, TDX_CPUID_CONFIG);
        }
        out[i] = (cpu[i] & w->keep[i]) | w->ones[i] | v;
    }
    if (w->leaf == 0x15) {
        out[1] = tsc_units;
    }
    return TDX_SUCCESS;
}

uint64_t tdx_cpuid_configure(struct tdx_call *c, const struct tdx_td_params *p)
{
    uint32_t(*table)[4] = emu_mem(pa(c->tdr->tdcx[TDCX_CPUID]));
    uint64_t used = 0, st = TDX_SUCCESS;

    for (size_t i = 0; i < ARRAY_SIZE(rows) && st == TDX_SUCCESS; i++) {
        uint32_t chosen[4];
        bool given = configurable(&rows[i]);

        if (given) {
            memcpy(chosen, &p->cpuid[used++], sizeof(chosen));
        }
        st = set_row(c, &rows[i], given ? chosen : NULL, p->tsc_frequency, table[i]);
    }
    for (uint64_t i = used; i < TDX_CPUID_CONFIGS_MAX && st == TDX_SUCCESS; i++) {
        const struct tdx_cpuid_value *v = &p->cpuid[i];

        if ((v->eax | v->ebx | v->ecx | v->edx) != 0) {
            st = tdx_error(TDX_OPERAND_INVALID, TDX_RDX);
        }
    }
    return st;
}

/* Beyond the last leaf of either range the last basic one answers, as on any Intel CPU. */
static uint32_t clamp(uint32_t leaf)
{
    bool hypervisor = leaf >= 0x40000000 && leaf < 0x50000000;

    if (!hypervisor && (leaf > MAX_EXTENDED || (leaf > MAX_BASIC && leaf < 0x80000000))) {
        return MAX_BASIC;
    }
    return leaf;
}

static bool limits(uint32_t leaf, uint32_t out[4])
{
    if (leaf == 0) {
        memcpy(out, (const uint32_t[4]){MAX_BASIC, 0x756e6547, 0x6c65746e, 0x49656e69}, 16);
        return true;
    }
    if (leaf == 0x80000000) {
        memcpy(out, (const uint32_t[4]){MAX_EXTENDED, 0, 0, 0}, 16);
        return true;
    }
    return false;
}

/* What differs between a TD's vCPUs: their APIC ids. */
static void set_apic_id(const struct tdx_vp *vp, uint32_t leaf, uint32_t out[4])
{
    if (leaf == 1) {
        out[1] |= vp->index << 24;
    } else if (leaf == 0xb || leaf == 0x1f) {
        out[3] = vp->index;
    }
}

bool tdx_cpuid(struct tdx_vp *vp, bool user, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    uint32_t(*table)[4] = emu_mem(pa(vp->tdr->tdcx[TDCX_CPUID]));

    if (user ? vp->cpuid_ve_user : vp->cpuid_ve_supervisor) {
        return false;
    }
    leaf = clamp(leaf);
    if (limits(leaf, out)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].leaf == leaf && (rows[i].subleaf == NONE || rows[i].subleaf == subleaf)) {
            memcpy(out, table[i], 4 * sizeof(out[0]));
            set_apic_id(vp, leaf, out);
            return true;
        }
    }
    if (leaf == 0xb || leaf == 0x1f) { /* no further level */
        memcpy(out, (const uint32_t[4]){0, 0, subleaf & 0xff, vp->index}, 16);
        return true;
    }
    return false;
}
