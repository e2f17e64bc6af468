/*
 * What guests and VMRUN do to the reverse map table: PVALIDATE, RMPADJUST (APM Vol. 3), and the
 * claim on a VMSA (APM Vol. 2, 15.36.12).
 */
#include "snp_rmp.h"

#include "hv/check.h"

/* Is this still that guest's page, in that size? EMU_RMP_*, RMP_FAIL_SIZEMISMATCH or RMP_OK. */
static uint32_t guest_access(const struct entry *e, uint64_t at, uint64_t gpa, uint32_t asid,
                             unsigned int size)
{
    uint64_t offset = (bits(e) & E_2M) != 0 ? at & (SIZE_2M - 1) : 0;

    if ((bits(e) & E_BUSY) != 0) {
        return EMU_RMP_AGAIN;
    }
    if ((bits(e) & E_ASSIGNED) == 0 || e->asid != asid || (bits(e) & E_GPA) + offset != gpa) {
        return EMU_RMP_FAULT;
    }
    if ((bits(e) & E_2M) == 0 && size == RMP_2M) {
        return RMP_FAIL_SIZEMISMATCH;
    }
    return (bits(e) & E_2M) != 0 && size == RMP_4K ? EMU_RMP_FAULT_SIZE : RMP_OK;
}

/* APM Vol. 2, 15.36.7 and 15.36.10: what is not validated is #VC before VMPLs count. */
uint32_t emu_rmp_access(pa_t pa, const struct emu_touch *t, struct emu_rmp *e)
{
    REQUIRE(t->vmpl < EMU_VMPLS);
    if (!emu_rmp_get(pa, e)) {
        return EMU_RMP_FAULT;
    }
    if (!t->private) {
        return e->assigned ? (uint32_t)EMU_RMP_FAULT : (uint32_t)RMP_OK;
    }
    if (!e->assigned || e->asid != t->asid || e->immutable ||
        e->gpa != ALIGN_DOWN(t->gpa, size_of(e->page_size))) {
        return EMU_RMP_FAULT;
    }
    if (!e->validated) {
        return EMU_RMP_UNVALIDATED;
    }
    return (t->need & ~e->perms[t->vmpl]) != 0 ? (uint32_t)EMU_RMP_FAULT_VMPL : (uint32_t)RMP_OK;
}

static bool guest_input_ok(uint64_t at, uint64_t gpa, uint32_t asid, unsigned int size)
{
    return emu_rmp_table.enabled && asid != 0 && size <= RMP_2M && IS_ALIGNED(gpa, size_of(size)) &&
           IS_ALIGNED(at, size_of(size)) && covered(at, size_of(size));
}

/* Both directions start from VMPL 0 alone: APM 15.36.7. */
static void set_validated(struct entry *e, bool validate)
{
    static const uint8_t vmpl0_all[4] = {EMU_PERM_ALL};

    put(e, (bits(e) & ~E_VALIDATED) | (validate ? E_VALIDATED : 0), e->asid, vmpl0_all);
}

uint32_t emu_pvalidate(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       bool validate, bool *changed)
{
    struct entry *first, *e;
    uint32_t r;

    *changed = false;
    if (!guest_input_ok(pa.v, gpa, asid, size)) {
        return RMP_FAIL_INPUT;
    }
    if (vmpl != 0) {
        return RMP_FAIL_PERMISSION;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    r = guest_access(e, pa.v, gpa, asid, size);
    if (r == RMP_OK && (bits(e) & (E_IMMUTABLE | E_VMSA)) != 0) {
        r = RMP_FAIL_INPUT;
    }
    if (r == RMP_OK && ((bits(e) & E_VALIDATED) != 0) != validate) {
        set_validated(e, validate);
        set_bits(e, validate ? 0 : E_BUSY);
        *changed = true;
    }
    region_unlock(first);
    if (*changed && !validate) {
        emu_core_forget(asid, gpa, size_of(size));
        clear_bits(e, E_BUSY);
    }
    return r;
}

struct emu_adjust {
    unsigned int vmpl, size, target_vmpl;
    uint8_t perms;
    bool vmsa;
};

/* RMPADJUST's own rules: APM Vol. 3. A VMSA is a 4 KiB page, never twice in use. */
static uint32_t adjust_allowed(const struct entry *e, const struct emu_adjust *a)
{
    if ((bits(e) & E_VALIDATED) == 0) {
        return EMU_RMP_UNVALIDATED;
    }
    if ((bits(e) & E_IMMUTABLE) != 0 || (a->vmsa && a->size == RMP_2M)) {
        return RMP_FAIL_INPUT;
    }
    if ((bits(e) & E_IN_USE) != 0) {
        return RMP_FAIL_INUSE;
    }
    if (a->target_vmpl <= a->vmpl || (a->perms & ~e->perms[a->vmpl]) != 0) {
        return RMP_FAIL_PERMISSION;
    }
    /* The VMSA bit is VMPL 0's to give and to take. */
    return ((bits(e) & E_VMSA) != 0) != a->vmsa && a->vmpl != 0 ? RMP_FAIL_PERMISSION : RMP_OK;
}

static void adjust(struct entry *e, const struct emu_adjust *a)
{
    uint8_t perms[4];

    memcpy(perms, e->perms, sizeof(perms));
    perms[a->target_vmpl] = a->perms;
    put(e, (bits(e) & ~E_VMSA) | (a->vmsa ? E_VMSA : 0) | E_BUSY, e->asid, perms);
}

uint32_t emu_rmpadjust(pa_t pa, uint64_t gpa, uint32_t asid, unsigned int vmpl, unsigned int size,
                       unsigned int target_vmpl, uint8_t perms, bool vmsa)
{
    const struct emu_adjust a = {vmpl, size, target_vmpl, perms, vmsa};
    struct entry *first, *e;
    bool was_vmsa = false;
    uint32_t r;

    if (!guest_input_ok(pa.v, gpa, asid, size) || vmpl > 3 || target_vmpl > 3 ||
        (perms & ~EMU_PERM_ALL) != 0) {
        return RMP_FAIL_INPUT;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    r = guest_access(e, pa.v, gpa, asid, size);
    if (r == RMP_OK) {
        r = adjust_allowed(e, &a);
    }
    if (r == RMP_OK) {
        was_vmsa = (bits(e) & E_VMSA) != 0;
        adjust(e, &a);
    }
    region_unlock(first);
    if (was_vmsa && !vmsa) {
        emu_core_forget_vmsa(pa.v);
    }
    if (r == RMP_OK) {
        emu_core_forget(asid, gpa, size_of(size));
        clear_bits(e, E_BUSY);
    }
    return r;
}

/* ---- VMRUN's claim on a VMSA ---- */

bool emu_rmp_use(pa_t pa, uint32_t asid)
{
    struct entry *first, *e;
    bool ok;

    if (!emu_rmp_table.enabled || !IS_ALIGNED(pa.v, PAGE_SIZE) || !covered(pa.v, PAGE_SIZE)) {
        return false;
    }
    first = region_of(pa.v);
    region_lock(first);
    e = ruling(first, pa.v);
    ok = (bits(e) & (E_ASSIGNED | E_VALIDATED | E_VMSA | E_2M | E_IMMUTABLE | E_IN_USE | E_BUSY)) ==
             (E_ASSIGNED | E_VALIDATED | E_VMSA) &&
         e->asid == asid;
    if (ok) {
        set_bits(e, E_IN_USE);
    }
    region_unlock(first);
    return ok;
}

void emu_rmp_unuse(pa_t pa)
{
    struct entry *first = region_of(pa.v), *e;

    REQUIRE(covered(pa.v, PAGE_SIZE));
    region_lock(first);
    e = ruling(first, pa.v);
    CHECK((bits(e) & E_IN_USE) != 0);
    clear_bits(e, E_IN_USE);
    region_unlock(first);
}
