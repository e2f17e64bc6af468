/*
 * Launch: the layout's pieces become measured pages, in the layout's order; then the boot vCPU's
 * save area. Other vCPUs are made by the guest itself. ABI 8.16 to 8.18.
 */
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"
#include "snp.h"
#include "snp_vmsa.h"

#define RECLAIM_MAX 128u /* a kilobyte of stack */
#define ID_ORDER 1u /* authentication, then the block */

/* The firmware only says that it has no guest of that policy. */
static void explain(const char *who, uint64_t policy)
{
    static const struct {
        uint64_t policy, feature;
        const char *text;
    } wants[] = {
        {SNP_POLICY_CXL_ALLOW, SNP_FEATURE_CXL_ALLOW, "lets CXL devices be there"},
        {SNP_POLICY_AES_256_XTS, SNP_FEATURE_AES_256_XTS, "wants AES-256-XTS"},
        {SNP_POLICY_RAPL_DIS, SNP_FEATURE_RAPL_DIS, "wants RAPL disabled"},
        {SNP_POLICY_CIPHERTEXT_HIDING, SNP_FEATURE_CIPHERTEXT_HIDING, "wants ciphertext hiding"},
    };
    const struct snp_platform_status *s = &snp_platform.status;

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        if ((policy & wants[i].policy) != 0) {
            log_error("%s: its policy %s, which this firmware %s", who, wants[i].text,
                      (snp_platform.features & wants[i].feature) != 0 ? "was not started with"
                                                                      : "cannot do");
        }
    }
    if ((policy & SNP_POLICY_SMT) == 0) {
        log_error("%s: its policy forbids SMT: disable it in the firmware's setup", who);
    }
    if ((SNP_POLICY_MAJOR(policy) << 8 | SNP_POLICY_MINOR(policy)) >
        ((unsigned int)s->api_major << 8 | s->api_minor)) {
        log_error("%s: its policy wants firmware %u.%u, this is %u.%u", who,
                  SNP_POLICY_MAJOR(policy), SNP_POLICY_MINOR(policy), s->api_major, s->api_minor);
    }
}

static enum abi_status start(struct vm *vm, struct snp_vm *s, const struct layout *l)
{
    struct snp_launch_start c = {
        .gctx = s->gctx.v,
        .policy = l->snp != NULL ? l->snp->policy : SNP_POLICY_DEFAULT,
    };
    struct snp_activate a = {.gctx = s->gctx.v, .asid = s->asid};
    enum snp_status answer = snp_psp(SNP_CMD_LAUNCH_START, &c, sizeof(c));
    enum abi_status st = snp_fail(vm->name, "SNP_LAUNCH_START", answer);

    if (answer == SNP_POLICY_FAILURE) {
        explain(vm->name, c.policy);
    }
    if (st == ABI_OK) {
        st = snp_fail(vm->name, "SNP_ACTIVATE", snp_psp(SNP_CMD_ACTIVATE, &a, sizeof(a)));
        s->activated = st == ABI_OK;
    }
    return st;
}

static struct snp_launch_update update_of(struct snp_vm *s, pa_t at, enum snp_page_type type,
                                          bool large)
{
    return (struct snp_launch_update){
        .gctx = s->gctx.v,
        .page = (uint32_t)type << 1 | (large ? RMP_2M : RMP_4K),
        .address = at.v,
    };
}

static enum snp_status update(struct snp_vm *s, pa_t at, enum snp_page_type type)
{
    struct snp_launch_update c = update_of(s, at, type, false);

    return snp_psp(SNP_CMD_LAUNCH_UPDATE, &c, sizeof(c));
}

static void explain_cpuid(const char *who, const struct snp_cpuid_page *asked,
                          const struct snp_cpuid_page *right)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        const struct snp_cpuid_function *a = &asked->fn[i], *r = &right->fn[i];

        if (memcmp(a, r, sizeof(*a)) != 0) {
            log_error("%s: CPUID %x, %x: %x %x %x %x is not what this chip has: %x %x %x %x", who,
                      a->eax_in, a->ecx_in, a->eax, a->ebx, a->ecx, a->edx, r->eax, r->ebx,
                      r->ecx, r->edx);
        }
    }
}

/*
 * The firmware puts right what it refuses of a CPUID page (ABI 8.17.2.6), but the guest's page came
 * back cleared: it is asked again, with a page of ours.
 */
static void ask_cpuid_again(struct vm *vm, gpa_t at, pa_t asked, pa_t page)
{
    const struct rmp_entry e = {
        .gpa = at.v,
        .assigned = 1,
        .immutable = 1,
        .asid = snp_of(vm)->asid,
    };
    enum snp_status st;

    snp_cpuid_fill(vm->vcpu[0], pa_to_hva(asked));
    snp_cpuid_fill(vm->vcpu[0], pa_to_hva(page));
    if (snp_page_assign(vm->id, page, &e) != ABI_OK) {
        return;
    }
    st = update(snp_of(vm), page, SNP_PAGE_CPUID);
    if (snp_page_from_firmware(vm->id, page) == ABI_OK && st == SNP_INVALID_PARAM) {
        explain_cpuid(vm->name, pa_to_hva(asked), pa_to_hva(page));
    }
}

static void cpuid_refused(struct vm *vm, gpa_t at)
{
    pa_t asked, page;

    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &asked)) {
        return;
    }
    if (page_alloc(ORDER_4K, PAGE_HV, vm->id, &page)) {
        ask_cpuid_again(vm, at, asked, page);
        if (page_state_of(page) == PAGE_HV) {
            page_free(page, PAGE_HV, vm->id);
        }
    }
    page_free(asked, PAGE_HV, vm->id);
}

/* Pages that are the chip's already, and whose LAUNCH_UPDATE waits for others. */
struct pending {
    struct vm *vm;
    const struct layout *l;
    struct snp_launch_update *update; /* a page of them */
    size_t count;
};
#define PENDING_MAX (PAGE_SIZE / sizeof(struct snp_launch_update))

/*
 * Up to the first that the firmware does not give back; *n: how many were tried. ABI 8.20: bit 0 of
 * the address says that it is a page of 2 MiB.
 */
static enum abi_status unlaunch_some(struct vm *vm, const struct snp_launch_update *u, size_t *n)
{
    uint64_t address[RECLAIM_MAX];
    enum abi_status st;
    size_t done;

    *n = MIN(*n, RECLAIM_MAX);
    for (size_t i = 0; i < *n; i++) {
        address[i] = u[i].address | SNP_UPDATE_SIZE(u[i].page);
    }
    st = snp_fail("sev-snp", "SNP_PAGE_RECLAIM",
                  snp_psp_all(SNP_CMD_PAGE_RECLAIM, address, sizeof(address[0]), *n, &done));
    for (size_t i = 0; i < done; i++) {
        if (snp_make_shared(vm, pa(u[i].address), SNP_UPDATE_SIZE(u[i].page) == RMP_2M) != ABI_OK) {
            st = ABI_HARDWARE;
        }
    }
    *n = MIN(done + 1, *n);
    return st;
}

/* They are shared again, and cleared, but for those that the chip keeps. */
static enum abi_status unlaunch(struct vm *vm, const struct snp_launch_update *u, size_t n)
{
    enum abi_status st = ABI_OK;
    size_t tried;

    for (size_t i = 0; i < n; i += tried) {
        tried = n - i;
        if (unlaunch_some(vm, u + i, &tried) != ABI_OK) {
            st = ABI_HARDWARE;
        }
    }
    return st;
}

/* What is behind the first `done` was not launched. */
static enum abi_status give_back(struct pending *p, size_t done)
{
    enum abi_status st = unlaunch(p->vm, p->update + done, p->count - done);

    p->count = 0;
    return st;
}

static void explain_refused(struct pending *p, const struct snp_launch_update *u)
{
    for (uint32_t i = 0; i < p->l->pieces && SNP_UPDATE_TYPE(u->page) == SNP_PAGE_CPUID; i++) {
        if (p->l->piece[i].kind == PIECE_CPUID) {
            cpuid_refused(p->vm, gpa(p->l->piece[i].at));
        }
    }
}

static enum abi_status launch_pending(struct pending *p)
{
    size_t count = p->count, done;
    enum snp_status answer =
        snp_psp_all(SNP_CMD_LAUNCH_UPDATE, p->update, sizeof(*p->update), count, &done);
    enum abi_status st = snp_fail(p->vm->name, "SNP_LAUNCH_UPDATE", answer);

    if (give_back(p, done) != ABI_OK) {
        return ABI_HARDWARE;
    }
    if (answer == SNP_INVALID_PARAM && done < count) {
        explain_refused(p, &p->update[done]);
    }
    return st;
}

/* A large page takes so long that it does not wait, and nobody waits for more than one. */
static enum abi_status launch_page(struct pending *p, gpa_t at, enum snp_page_type type,
                                   bool large)
{
    enum abi_status st;
    pa_t to;

    st = vm_mem_populate(p->vm, at, &to);
    if (st == ABI_OK) {
        st = snp_make_private(p->vm, at, to, large, true);
    }
    if (st != ABI_OK) {
        return st;
    }
    p->update[p->count++] = update_of(snp_of(p->vm), to, type, large);
    return large || p->count == PENDING_MAX ? launch_pending(p) : ABI_OK;
}

/* By 2 MiB where a piece fills them: the digest is that of the 512 pages (ABI 8.17.2). */
static enum abi_status launch_piece(struct pending *p, const struct piece *q)
{
    uint64_t end = piece_launched_end(q), size;
    enum snp_page_type type = snp_piece_type(q->kind);
    enum abi_status st = ABI_OK;

    for (uint64_t at = ALIGN_DOWN(q->at, PAGE_SIZE); at < end && st == ABI_OK; at += size) {
        bool large = type == SNP_PAGE_NORMAL && IS_ALIGNED(at, SIZE_2M) && end - at >= SIZE_2M;

        size = large ? SIZE_2M : PAGE_SIZE;
        st = launch_page(p, gpa(at), type, large);
    }
    return st;
}

static enum abi_status launch_pieces(struct vm *vm, const struct layout *l)
{
    struct pending p = {.vm = vm, .l = l};
    enum abi_status st = ABI_OK;
    pa_t updates;

    if (!page_alloc(ORDER_4K, PAGE_HV, vm->id, &updates)) {
        return ABI_NO_MEMORY;
    }
    p.update = pa_to_hva(updates);
    for (uint32_t i = 0; i < l->pieces && st == ABI_OK; i++) {
        st = launch_piece(&p, &l->piece[i]);
    }
    if (st == ABI_OK) {
        st = launch_pending(&p);
    } else if (give_back(&p, 0) != ABI_OK) {
        st = ABI_HARDWARE;
    }
    page_free(updates, PAGE_HV, vm->id);
    return st;
}

static enum abi_status launch_vmsa(struct vm *vm, const struct layout *l)
{
    struct snp_vm *s = snp_of(vm);
    struct snp_vcpu *sv = snp_vcpu_of(vm->vcpu[0]);
    const struct rmp_entry e = {
        .gpa = SNP_VMSA_GPA,
        .assigned = 1,
        .immutable = 1,
        .asid = s->asid,
    };
    enum abi_status st;
    pa_t at;

    if (!svm_page_alloc(vm->id, &at)) {
        return ABI_NO_MEMORY;
    }
    snp_direct_vmsa(pa_to_hva(at), &l->entry, SEV_FEATURE_SNP);
    st = snp_page_assign(vm->id, at, &e);
    if (st != ABI_OK) {
        page_free(at, PAGE_HV, vm->id);
        return st;
    }
    st = snp_fail(vm->name, "SNP_LAUNCH_UPDATE of the VMSA", update(s, at, SNP_PAGE_VMSA));
    if (st != ABI_OK) {
        if (snp_page_from_firmware(vm->id, at) == ABI_OK) {
            page_free(at, PAGE_HV, vm->id);
        }
        return st;
    }
    sv->first_vmsa = at;
    vm->vcpu[0]->arch.vmcb->vmsa = at.v;
    sv->vmsa_owned = true;
    return ABI_OK;
}

static enum abi_status finish(struct vm *vm, struct snp_launch_finish *c)
{
    return snp_fail(vm->name, "SNP_LAUNCH_FINISH", snp_psp(SNP_CMD_LAUNCH_FINISH, c, sizeof(*c)));
}

/* The firmware reads both from memory of ours: a bundle's bytes lie at any address. */
static enum abi_status finish_with_id(struct vm *vm, struct snp_launch_finish *c,
                                      const struct snp_config *snp)
{
    enum abi_status st;
    pa_t at;

    if (!page_alloc(ID_ORDER, PAGE_HV, vm->id, &at)) {
        return ABI_NO_MEMORY;
    }
    memcpy(pa_to_hva(at), snp->id_auth.data, SNP_ID_AUTH_SIZE);
    memcpy((uint8_t *)pa_to_hva(at) + SNP_ID_AUTH_SIZE, snp->id_block.data, SNP_ID_BLOCK_SIZE);
    c->id_auth = at.v;
    c->id_block = at.v + SNP_ID_AUTH_SIZE;
    c->flags = SNP_FINISH_ID_BLOCK | (snp->author_key ? SNP_FINISH_AUTHOR_KEY : 0);
    st = finish(vm, c);
    page_free(at, PAGE_HV, vm->id);
    return st;
}

static enum abi_status finish_launch(struct vm *vm, struct snp_vm *s, const struct layout *l)
{
    struct snp_launch_finish c = {.gctx = s->gctx.v};

    if (l->snp == NULL) {
        return finish(vm, &c);
    }
    s->certs = l->snp->certs;
    if (l->snp->host_data.len != 0) {
        memcpy(c.host_data, l->snp->host_data.data, sizeof(c.host_data));
    }
    return l->snp->id_block.len != 0 ? finish_with_id(vm, &c, l->snp) : finish(vm, &c);
}

/* What the guest's CPUs are: written before the page becomes the chip's, which checks it. */
static enum abi_status write_cpuid(struct vm *vm, const struct layout *l)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        if (l->piece[i].kind == PIECE_CPUID) {
            return snp_cpuid_write(vm, gpa(l->piece[i].at));
        }
    }
    return ABI_BAD_FORMAT;
}

enum abi_status snp_launch(struct vm *vm, const struct layout *l)
{
    struct snp_vm *s = snp_of(vm);
    enum abi_status st = layout_write(vm, l);

    st = st == ABI_OK ? write_cpuid(vm, l) : st;
    st = st == ABI_OK ? start(vm, s, l) : st;
    lock(&s->lock);
    st = st == ABI_OK ? launch_pieces(vm, l) : st;
    st = st == ABI_OK ? launch_vmsa(vm, l) : st;
    unlock(&s->lock);
    st = st == ABI_OK ? finish_launch(vm, s, l) : st;
    if (st == ABI_OK) {
        vm->vcpu[0]->arch.wait = WAIT_NONE;
    }
    return st;
}
