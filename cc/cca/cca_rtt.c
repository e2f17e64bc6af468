/*
 * A realm's translation tables (RMM A5.5), and what they map. A table is made when the RMM says
 * that it is missing, and goes when its 2 MiB fold into one entry. One is kept in reserve: what is
 * folded can be opened, and so taken back, when no memory is left.
 */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"
#include "hv/string.h"

static uint64_t size_of(unsigned int level)
{
    return BIT(12 + 9 * (3 - level));
}

static bool take_table(struct vm *vm, pa_t *table)
{
    struct cca_vm *s = cca_of(vm);
    bool spare = s->spare.v != 0;

    if (!spare) {
        return cca_page_alloc(vm->id, table);
    }
    *table = s->spare;
    s->spare = pa(0);
    return true;
}

static void put_table(struct vm *vm, pa_t table)
{
    struct cca_vm *s = cca_of(vm);

    if (s->spare.v == 0) {
        s->spare = table;
    } else {
        cca_page_free(vm->id, table);
    }
}

enum abi_status cca_rtt_make(struct vm *vm, uint64_t ipa, unsigned int from, unsigned int to)
{
    struct cca_vm *s = cca_of(vm);
    struct cca_result r = {0};
    pa_t table;

    for (unsigned int level = from + 1; level <= to; level++) {
        if (!take_table(vm, &table)) {
            return ABI_NO_MEMORY;
        }
        r = rmi(RMI_RTT_CREATE, s->rd.v, table.v, ALIGN_DOWN(ipa, size_of(level - 1)), level);
        if (!rmi_ok(r)) {
            put_table(vm, table);
            return cca_fail(vm->name, "RMI_RTT_CREATE", r);
        }
    }
    return ABI_OK;
}

bool cca_rtt_missing(struct cca_result r, unsigned int level)
{
    return RMI_STATUS(r.code) == RMI_ERROR_RTT && RMI_INDEX(r.code) < level;
}

struct cca_result cca_rtt_map(struct vm *vm, cca_map_fn *map, const struct cca_mapping *m)
{
    struct cca_result r = map(cca_of(vm)->rd, m);

    if (cca_rtt_missing(r, m->level) &&
        cca_rtt_make(vm, m->ipa, RMI_INDEX(r.code), m->level) == ABI_OK) {
        r = map(cca_of(vm)->rd, m);
    }
    return r;
}

void cca_rtt_fold(struct vm *vm, uint64_t ipa)
{
    struct cca_result r = rmi(RMI_RTT_FOLD, cca_of(vm)->rd.v, ipa, 3, 0);

    if (rmi_ok(r)) {
        put_table(vm, pa(r.value[0]));
    }
}

enum abi_status cca_rtt_unfold(struct vm *vm, uint64_t ipa)
{
    struct cca_result r = rmi(RMI_RTT_READ_ENTRY, cca_of(vm)->rd.v, ipa, 2, 0);

    if (!rmi_ok(r) || r.value[0] != 2 || r.value[1] != RMI_ASSIGNED) {
        return ABI_OK;
    }
    return cca_rtt_make(vm, ipa, 2, 3);
}

enum abi_status cca_data(struct vm *vm, uint64_t ipa, pa_t at, const void *content)
{
    struct cca_vm *s = cca_of(vm);
    const struct cca_mapping m = {ipa, 3, at, hva_to_pa(s->bounce)};

    memcpy(s->bounce, content, PAGE_SIZE);
    return cca_fail(vm->name, "RMI_DATA_CREATE", cca_rtt_map(vm, cca_platform.rmi->data, &m));
}

enum abi_status cca_data_unknown(struct vm *vm, uint64_t ipa, pa_t at, uint64_t len,
                                 uint64_t *done)
{
    enum abi_status st = ABI_OK;
    struct cca_result r;

    *done = 0;
    while (*done < len && st == ABI_OK) {
        *done += cca_platform.rmi->data_unknown(cca_of(vm)->rd, ipa + *done, pa(at.v + *done),
                                                len - *done, &r);
        if (cca_rtt_missing(r, 3)) {
            st = cca_rtt_make(vm, ipa + *done, RMI_INDEX(r.code), 3);
        } else {
            st = cca_fail(vm->name, "RMI_DATA_CREATE_UNKNOWN", r);
        }
    }
    return st;
}

uint64_t cca_hide_shared(struct vm *vm, uint64_t ipa)
{
    uint64_t block = ALIGN_DOWN(ipa, SIZE_2M);
    pa_t rd = cca_of(vm)->rd;
    struct cca_result r;

    r = cca_platform.rmi->unmap_shared(rd, ipa | CCA_SHARED_BIT, 3);
    if (r.code == RMI_CODE(RMI_ERROR_RTT, 2)) {
        r = cca_platform.rmi->unmap_shared(rd, block | CCA_SHARED_BIT, 2);
    }
    return r.value[0] & ~CCA_SHARED_BIT;
}

uint64_t cca_rtt_drop(struct vm *vm, uint64_t ipa, unsigned int level)
{
    struct cca_result r = rmi(RMI_RTT_DESTROY, cca_of(vm)->rd.v, ipa, level, 0);

    if (rmi_ok(r)) {
        put_table(vm, pa(r.value[0]));
    }
    return r.value[1];
}

/* From the leaves to the root; the RMM says where the next one may be. */
static void release_tables(struct vm *vm, uint64_t start, uint64_t len)
{
    for (unsigned int level = 3; level > CCA_START_LEVEL; level--) {
        uint64_t size = size_of(level - 1), next;

        for (uint64_t ipa = ALIGN_DOWN(start, size); ipa < start + len; ipa = next) {
            next = MAX(ipa + size, ALIGN_DOWN(cca_rtt_drop(vm, ipa, level), size));
        }
    }
}

static void release_half(struct vm *vm, uint64_t half)
{
    release_tables(vm, half, vm->ram_low);
    if (vm->ram_high != 0) {
        release_tables(vm, half | GiB(4), vm->ram_high);
    }
}

void cca_rtt_release(struct vm *vm)
{
    struct cca_vm *s = cca_of(vm);

    release_half(vm, 0);
    release_half(vm, CCA_SHARED_BIT);
    if (s->spare.v != 0) {
        cca_page_free(vm->id, s->spare);
        s->spare = pa(0);
    }
}
