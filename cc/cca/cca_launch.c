/*
 * Launch: the realm, its RAM by RIPAS, then the layout's pieces as measured data, then the RECs, in
 * this order; each step extends the RIM (RMM A7.1).
 */
#include "cca.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/page.h"
#include "hv/string.h"

/* By the biggest entries: before tables of level 3 exist. */
static enum abi_status init_ripas(struct vm *vm, uint64_t base, uint64_t top)
{
    struct cca_result r;
    enum abi_status st = ABI_OK;

    for (uint64_t at = base; at < top && st == ABI_OK; at = r.value[0]) {
        r = rmi(RMI_RTT_INIT_RIPAS, cca_of(vm)->rd.v, at, top, 0);
        if (RMI_STATUS(r.code) == RMI_ERROR_RTT && RMI_INDEX(r.code) < 3) {
            st = cca_rtt_make(vm, at, RMI_INDEX(r.code), RMI_INDEX(r.code) + 1);
            r.value[0] = at;
        } else {
            st = cca_fail(vm->name, "RMI_RTT_INIT_RIPAS", r);
        }
    }
    return st;
}

/* A page of the launch: its 2 MiB are delegated at once, then it is filled by the RMM. */
static enum abi_status add_page(struct vm *vm, uint64_t ipa, const void *content)
{
    enum abi_status st;
    pa_t at;

    st = vm_mem_populate_private(vm, gpa(ipa), cca_take_block, &at);
    if (st == ABI_OK && page_state_of(at) != PAGE_PRIVATE) {
        st = ABI_HARDWARE;
    }
    return st == ABI_OK ? cca_data(vm, ipa, at, content) : st;
}

static enum abi_status add_piece(struct vm *vm, const struct piece *q)
{
    uint8_t tail[PAGE_SIZE];
    enum abi_status st = ABI_OK;

    if (!IS_ALIGNED(q->at, PAGE_SIZE)) {
        return ABI_BAD_FORMAT;
    }
    for (uint64_t done = 0; done < q->len && st == ABI_OK; done += PAGE_SIZE) {
        const uint8_t *content = q->data + done;

        if (q->len - done < PAGE_SIZE) {
            memset(tail, 0, sizeof(tail));
            memcpy(tail, content, q->len - done);
            content = tail;
        }
        st = add_page(vm, q->at + done, content);
    }
    return st;
}

static bool in_a_piece(const struct layout *l, uint64_t ipa)
{
    bool found = false;

    for (uint32_t i = 0; i < l->pieces && !found; i++) {
        found = ipa - l->piece[i].at < l->piece[i].len;
    }
    return found;
}

/* What the pieces leave of their 2 MiB, unmeasured: later the realm would fault for each page. */
static enum abi_status fill_up(struct vm *vm, const struct layout *l)
{
    enum abi_status st = ABI_OK;
    uint64_t done;

    for (uint64_t i = 0; i < vm_memory(vm) / SIZE_2M && st == ABI_OK; i++) {
        uint64_t ipa = vm_chunk_gpa(vm, i).v;
        pa_t at = vm_chunk_pa(vm, i);

        if (page_state_of(at) != PAGE_PRIVATE) {
            continue;
        }
        for (uint64_t n = 0; n < SIZE_2M && st == ABI_OK; n += PAGE_SIZE) {
            if (!in_a_piece(l, ipa + n)) {
                st = cca_data_unknown(vm, ipa + n, pa(at.v + n), PAGE_SIZE, &done);
            }
        }
        if (st == ABI_OK) {
            cca_rtt_fold(vm, ipa);
        }
    }
    return st;
}

static enum abi_status add_recs(struct vm *vm, const struct layout *l)
{
    enum abi_status st = ABI_OK;

    for (uint32_t i = 0; i < vm->vcpus && st == ABI_OK; i++) {
        st = cca_rec_create(vm->vcpu[i], i == 0 ? &l->entry : NULL);
    }
    return st;
}

enum abi_status cca_launch(struct vm *vm, const struct layout *l)
{
    static const struct cca_config by_default;
    struct cca_vm *s = cca_of(vm);
    enum abi_status st = cca_realm_create(vm, l->cca != NULL ? l->cca : &by_default);

    if (st == ABI_OK) {
        st = init_ripas(vm, 0, vm->ram_low);
    }
    if (st == ABI_OK && vm->ram_high != 0) {
        st = init_ripas(vm, GiB(4), GiB(4) + vm->ram_high);
    }
    for (uint32_t i = 0; i < l->pieces && st == ABI_OK; i++) {
        st = add_piece(vm, &l->piece[i]);
    }
    st = st == ABI_OK ? fill_up(vm, l) : st;
    st = st == ABI_OK ? add_recs(vm, l) : st;
    if (st == ABI_OK) {
        st = cca_fail(vm->name, "RMI_REALM_ACTIVATE", rmi(RMI_REALM_ACTIVATE, s->rd.v, 0, 0, 0));
    }
    if (st == ABI_OK) {
        vm->vcpu[0]->arch.wait = WAIT_NONE;
        vm->vcpu[0]->arch.power = POWER_ON;
    }
    return st;
}
