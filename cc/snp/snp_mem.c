/*
 * Every page's owner, said twice: in the hypervisor's table (hv/page.h) and in the RMP. Both move
 * together, and a page that the RMP gives to somebody else is out of the hypervisor's mappings
 * before that. 2 MiB pages stay whole until the guest shares a part of one.
 */
#include "snp.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"

#define TRIES 100000u /* FAIL_INUSE: another CPU works on the entry, or an emulated one sleeps */

static enum abi_status rmp_set(pa_t at, const struct rmp_entry *e)
{
    uint32_t r = RMP_OK;

    for (unsigned int i = 0; i < TRIES; i++) {
        r = snp_hw_rmpupdate(at, e);
        if (r != RMP_FAIL_INUSE && r != RMP_FAIL_OVERLAP) {
            break;
        }
        cpu_relax();
    }
    if (r != RMP_OK) {
        log_error("sev-snp: RMPUPDATE of %lx: result %u", (unsigned long)at.v, r);
        return ABI_HARDWARE;
    }
    return ABI_OK;
}

enum abi_status snp_page_assign(uint16_t owner, pa_t at, const struct rmp_entry *e)
{
    enum abi_status st = page_move(at, ORDER_4K, PAGE_HV, PAGE_CHIP, owner);

    if (st != ABI_OK) {
        return st;
    }
    st = rmp_set(at, e);
    if (st != ABI_OK) {
        CHECK(page_move(at, ORDER_4K, PAGE_CHIP, PAGE_HV, owner) == ABI_OK);
    }
    return st;
}

/* Firmware pages: assigned to nobody's ASID, immutable. ABI 5.3. */
enum abi_status snp_page_to_firmware(uint16_t owner, pa_t at)
{
    const struct rmp_entry e = {.assigned = 1, .immutable = 1};

    return snp_page_assign(owner, at, &e);
}

/* A guest's own page that is not in its RAM (a save area of ours): no reclaim is needed. */
enum abi_status snp_page_take_back(uint16_t owner, pa_t at)
{
    const struct rmp_entry e = {0};
    enum abi_status st = rmp_set(at, &e);

    return st == ABI_OK ? page_move(at, ORDER_4K, PAGE_CHIP, PAGE_HV, owner) : st;
}

/* On failure the page is lost to us: it stays with the chip. */
enum abi_status snp_page_from_firmware(uint16_t owner, pa_t at)
{
    const struct rmp_entry e = {0};
    enum abi_status st = snp_fail("sev-snp", "SNP_PAGE_RECLAIM",
                                  snp_psp(SNP_CMD_PAGE_RECLAIM, &at.v, sizeof(at.v)));

    if (st == ABI_OK) {
        st = rmp_set(at, &e);
    }
    return st == ABI_OK ? page_move(at, ORDER_4K, PAGE_CHIP, PAGE_HV, owner) : st;
}

enum abi_status snp_make_private(struct vm *vm, gpa_t at, pa_t to, bool large, bool immutable)
{
    const struct rmp_entry e = {
        .gpa = at.v,
        .assigned = 1,
        .page_size = large ? RMP_2M : RMP_4K,
        .immutable = immutable,
        .asid = snp_of(vm)->asid,
    };
    unsigned int order = large ? ORDER_2M : ORDER_4K;
    enum abi_status st;

    if (!large && !pt_split(&vm->stage2, at.v)) {
        return ABI_NO_MEMORY;
    }
    st = page_move(to, order, PAGE_GUEST, PAGE_PRIVATE, vm->id);
    if (st == ABI_BAD_STATE && !large && snp_ghcb_forget(vm, at)) {
        st = page_move(to, order, PAGE_GUEST, PAGE_PRIVATE, vm->id);
    }
    if (st != ABI_OK) {
        return st;
    }
    st = rmp_set(to, &e);
    if (st != ABI_OK) {
        CHECK(page_move(to, order, PAGE_PRIVATE, PAGE_GUEST, vm->id) == ABI_OK);
    }
    return st;
}

enum abi_status snp_make_shared(struct vm *vm, pa_t to, bool large)
{
    const struct rmp_entry e = {.page_size = large ? RMP_2M : RMP_4K};
    enum abi_status st = rmp_set(to, &e);

    if (st != ABI_OK) {
        return st;
    }
    return page_move(to, large ? ORDER_2M : ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, vm->id);
}

bool snp_shared(struct vm *vm, pa_t to)
{
    return page_state_of(to) == PAGE_GUEST && page_owner_of(to) == vm->id;
}

/* Is the 2 MiB around it one page in the RMP? */
bool snp_is_large(pa_t to)
{
    struct rmp_entry e;

    return snp_hw_rmpread(pa(ALIGN_DOWN(to.v, SIZE_2M)), &e) && e.assigned != 0 &&
           e.page_size == RMP_2M;
}

enum abi_status snp_smash(struct vm *vm, gpa_t at, pa_t to)
{
    uint32_t r;

    if (!snp_is_large(to)) {
        return ABI_OK;
    }
    /* The nested table must not have a bigger page than the RMP: 15.36.10. */
    if (!arch_map_cut(to) || !pt_split(&vm->stage2, at.v)) {
        return ABI_NO_MEMORY;
    }
    arch_vm_flush(vm); /* kicks those that run; the others have it before their next entry */
    r = snp_hw_psmash(pa(ALIGN_DOWN(to.v, SIZE_2M)));
    if (r != RMP_OK) {
        log_vm(vm, LOG_ERROR, "PSMASH of %lx: result %u", (unsigned long)to.v, r);
        return ABI_HARDWARE;
    }
    return ABI_OK;
}

static enum abi_status claim(struct vm *vm, gpa_t at, pa_t to)
{
    struct snp_vm *s = snp_of(vm);
    enum abi_status st;

    lock(&s->lock);
    st = snp_make_private(vm, at, to, true, false);
    unlock(&s->lock);
    return st;
}

enum abi_status snp_populate(struct vm *vm, gpa_t at, bool private, pa_t *to)
{
    return private ? vm_mem_populate_private(vm, at, claim, to) : vm_mem_populate(vm, at, to);
}

/* The guest touches memory as private that it has not got yet: all of the 2 MiB if it can be. */
static enum abi_status give_private(struct vm *vm, gpa_t at, pa_t to)
{
    pa_t base = pa(ALIGN_DOWN(to.v, SIZE_2M));
    gpa_t base_gpa = gpa(ALIGN_DOWN(at.v, SIZE_2M));
    enum abi_status st = snp_make_private(vm, base_gpa, base, true, false);

    if (st != ABI_BAD_STATE) {
        return st;
    }
    return snp_make_private(vm, gpa(at.v & PAGE_MASK), pa(to.v & PAGE_MASK), false, false);
}

/*
 * APM 15.36.10. Not there: RAM is populated. NPF_RMP with the C-bit: the guest wants it private.
 * NPF_SIZE: PVALIDATE or RMPADJUST of 4 KiB in a 2 MiB page.
 */
enum abi_status snp_fault(struct vcpu *v, gpa_t at, uint64_t info)
{
    struct vm *vm = v->vm;
    struct snp_vm *s = snp_of(vm);
    enum abi_status st;
    pa_t to;

    if (snp_populate(vm, at, (info & NPF_ENC) != 0, &to) != ABI_OK) {
        return vm_fault(vm, at, (info & NPF_FETCH) != 0);
    }
    lock(&s->lock);
    if ((info & NPF_SIZE) != 0) {
        st = snp_smash(vm, at, to);
    } else if ((info & NPF_ENC) != 0 && snp_shared(vm, to)) {
        st = give_private(vm, at, to);
    } else if ((info & NPF_ENC) == 0 && !snp_shared(vm, to)) {
        /* A shared access to a private page: as KVM does, the page becomes shared. */
        st = snp_smash(vm, at, to);
        st = st == ABI_OK ? snp_make_shared(vm, pa(to.v & PAGE_MASK), false) : st;
    } else {
        st = ABI_OK;
    }
    unlock(&s->lock);
    return st;
}

/* False: the chip keeps it. */
static bool release(struct vm *vm, pa_t at, bool large)
{
    const struct rmp_entry e = {.page_size = large ? RMP_2M : RMP_4K};

    return rmp_set(at, &e) == ABI_OK &&
           page_return(at, large ? ORDER_2M : ORDER_4K, vm->id) == ABI_OK;
}

static bool release_chunk(struct vm *vm, pa_t base)
{
    bool all = true;

    if (snp_is_large(base)) {
        return release(vm, base, true);
    }
    for (uint64_t i = 0; i < SIZE_2M; i += PAGE_SIZE) {
        if (page_state_of(pa(base.v + i)) == PAGE_PRIVATE) {
            all = release(vm, pa(base.v + i), false) && all;
        }
    }
    return all;
}

/* Every page of the guest's RAM goes back to the hypervisor. */
void snp_mem_release(struct vm *vm)
{
    uint64_t chunks = vm->chunks != NULL ? vm_memory(vm) / SIZE_2M : 0;

    for (uint64_t i = 0; i < chunks; i++) {
        if (vm_chunk_used(vm, i) && !release_chunk(vm, vm_chunk_pa(vm, i))) {
            vm_chunk_lose(vm, i);
        }
    }
}
