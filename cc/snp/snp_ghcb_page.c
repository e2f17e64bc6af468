/*
 * The GHCB page (GHCB 2.6) that a vCPU registered. It is looked up and pinned once: while it is
 * pinned it stays shared memory, so an exit reads and writes its words where they are. A guest that
 * takes it back unpins it; other vCPUs may do that at any time, but not while words are copied.
 */
#include "snp.h"

#define USAGE_QUAD 511u /* bits 63:32 */

static void unpin(struct vcpu *v, struct snp_vcpu *sv)
{
    REQUIRE(lock_held(&sv->ghcb_lock));
    if (guest_span_here(&sv->page)) {
        guest_span_forget(&sv->page);
        vm_mem_unpin(v->vm, gpa(sv->ghcb), PAGE_SIZE);
    }
}

bool snp_ghcb_use(struct vcpu *v, gpa_t at)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    struct guest_words page;

    if (guest_words_at(v->vm, at, PAGE_SIZE, &page) != ABI_OK ||
        vm_mem_pin(v->vm, at, PAGE_SIZE) != ABI_OK) {
        return false;
    }
    lock(&sv->ghcb_lock);
    unpin(v, sv);
    sv->ghcb = at.v;
    sv->page = page;
    unlock(&sv->ghcb_lock);
    return true;
}

/* On success the lock is held and the page is there. What was taken back may be shared again. */
static bool open_page(struct vcpu *v, struct snp_vcpu *sv)
{
    for (unsigned int i = 0; i < 2; i++) {
        lock(&sv->ghcb_lock);
        if (LIKELY(guest_span_here(&sv->page))) {
            return true;
        }
        unlock(&sv->ghcb_lock);
        if (!snp_ghcb_use(v, gpa(sv->ghcb))) {
            break;
        }
    }
    return false;
}

static ALWAYS_INLINE uint64_t input(const struct guest_words *page, const uint64_t valid[2],
                                    unsigned int quad)
{
    return (valid[quad / 64] >> quad % 64 & 1) != 0 ? guest_words_get(page, quad) : 0;
}

bool snp_ghcb_get(struct vcpu *v, struct ghcb_exit *g, uint32_t *usage)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    const struct guest_words *page = &sv->page;

    if (!open_page(v, sv)) {
        return false;
    }
    *usage = (uint32_t)(guest_words_get(page, USAGE_QUAD) >> 32);
    g->set[0] = g->set[1] = 0;
    g->valid[0] = guest_words_get(page, GHCB_QUAD(valid[0]));
    g->valid[1] = guest_words_get(page, GHCB_QUAD(valid[1]));
#define IN(field) g->field = input(page, g->valid, GHCB_QUAD(field))
    IN(exit_code);
    IN(info1);
    IN(info2);
    IN(scratch);
    IN(rax);
    IN(rcx);
    IN(rdx);
    IN(rbx);
    IN(rsi);
    IN(rdi);
    IN(r10);
#undef IN
    unlock(&sv->ghcb_lock);
    return true;
}

static ALWAYS_INLINE void output(const struct guest_words *page, const uint64_t set[2],
                                 unsigned int quad, uint64_t value)
{
    if ((set[quad / 64] >> quad % 64 & 1) != 0) {
        guest_words_set(page, quad, value);
    }
}

bool snp_ghcb_answer(struct vcpu *v, const struct ghcb_exit *g)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    const struct guest_words *page = &sv->page;

    if (!open_page(v, sv)) {
        return false;
    }
#define OUT(field) output(page, g->set, GHCB_QUAD(field), g->field)
    OUT(info1);
    OUT(info2);
    OUT(rax);
    OUT(rcx);
    OUT(rdx);
    OUT(rbx);
    OUT(rsi);
    OUT(rdi);
#undef OUT
    guest_words_set(page, GHCB_QUAD(valid[0]), g->valid[0] | g->set[0]);
    guest_words_set(page, GHCB_QUAD(valid[1]), g->valid[1] | g->set[1]);
    unlock(&sv->ghcb_lock);
    return true;
}

bool snp_ghcb_read(struct vcpu *v, uint64_t offset, void *dst, size_t len)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);

    REQUIRE(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
    if (!open_page(v, sv)) {
        return false;
    }
    guest_span_read(&sv->page, offset, dst, len);
    unlock(&sv->ghcb_lock);
    return true;
}

bool snp_ghcb_write(struct vcpu *v, uint64_t offset, const void *src, size_t len)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);

    REQUIRE(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
    if (!open_page(v, sv)) {
        return false;
    }
    guest_span_write(&sv->page, offset, src, len);
    unlock(&sv->ghcb_lock);
    return true;
}

bool snp_ghcb_forget(struct vm *vm, gpa_t page)
{
    bool was = false;

    for (uint32_t i = 0; i < vm->vcpus; i++) {
        struct snp_vcpu *sv = snp_vcpu_of(vm->vcpu[i]);

        lock(&sv->ghcb_lock);
        if (sv->ghcb == page.v && guest_span_here(&sv->page)) {
            unpin(vm->vcpu[i], sv);
            was = true;
        }
        unlock(&sv->ghcb_lock);
    }
    return was;
}

void snp_ghcb_release(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        struct snp_vcpu *sv = snp_vcpu_of(vm->vcpu[i]);

        if (sv != NULL) {
            lock(&sv->ghcb_lock);
            unpin(vm->vcpu[i], sv);
            unlock(&sv->ghcb_lock);
        }
    }
}
