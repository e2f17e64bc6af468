/*
 * The GHCB page (GHCB 2.6) that a vCPU registered. It is looked up and pinned once: while it is
 * pinned it stays shared memory, so an exit reads and writes its words where they are. A guest that
 * takes it back unpins it; other vCPUs may do that at any time, but not while words are copied.
 */
#include "snp.h"

#define FORM_QUAD (GHCB_FORM / 8)
#define FORM_BIT  (GHCB_FORM % 8 * 8)

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

/* True: the lock is held, and the page is there until it is not. */
static ALWAYS_INLINE bool open_page(struct snp_vcpu *sv, struct guest_words *page)
{
    lock(&sv->ghcb_lock);
    *page = sv->page;
    if (LIKELY(guest_span_here(page))) {
        return true;
    }
    unlock(&sv->ghcb_lock);
    return false;
}

/* What was taken back may be shared again. */
static bool take_again(struct vcpu *v)
{
    return snp_ghcb_use(v, gpa(snp_vcpu_of(v)->ghcb));
}

#define MARK(field) BIT(GHCB_QUAD(field) % 64)
/* Registers that few events have, all in the second half of the bitmap */
#define RARE (MARK(scratch) | MARK(rbx) | MARK(rsi) | MARK(rdi) | MARK(r10))

#define IN(field, marks)                                                                           \
    (g->field = ((marks) & MARK(field)) != 0 ? guest_words_get(&page, GHCB_QUAD(field)) : 0)
#define OUT(field, marks)                                                                          \
    do {                                                                                           \
        if (((marks) & MARK(field)) != 0) {                                                        \
            guest_words_set(&page, GHCB_QUAD(field), g->field);                                    \
        }                                                                                          \
    } while (0)

/* Every exit reads and answers: without another call, as long as the page is where it was. */
static ALWAYS_INLINE bool get(struct snp_vcpu *sv, struct ghcb_exit *g)
{
    struct guest_words page;
    uint64_t low, high;

    if (!open_page(sv, &page)) {
        return false;
    }
    low = guest_words_get(&page, GHCB_QUAD(valid[0]));
    high = guest_words_get(&page, GHCB_QUAD(valid[1]));
    g->form = guest_words_get(&page, FORM_QUAD) >> FORM_BIT;
    g->exit_code = guest_words_get(&page, GHCB_QUAD(exit_code)); /* every event has these */
    g->info1 = guest_words_get(&page, GHCB_QUAD(info1));
    g->info2 = guest_words_get(&page, GHCB_QUAD(info2));
    IN(rax, low);
    IN(rcx, high);
    IN(rdx, high);
    g->scratch = g->rbx = g->rsi = g->rdi = g->r10 = 0;
    if ((high & RARE) != 0) {
        IN(scratch, high);
        IN(rbx, high);
        IN(rsi, high);
        IN(rdi, high);
        IN(r10, high);
    }
    unlock(&sv->ghcb_lock);
    g->valid[0] = low;
    g->valid[1] = high;
    g->set[0] = g->set[1] = 0;
    return true;
}

__attribute__((noinline)) static bool get_again(struct vcpu *v, struct ghcb_exit *g)
{
    return take_again(v) && get(snp_vcpu_of(v), g);
}

bool snp_ghcb_get(struct vcpu *v, struct ghcb_exit *g)
{
    return LIKELY(get(snp_vcpu_of(v), g)) || get_again(v, g);
}

static ALWAYS_INLINE bool answer(struct snp_vcpu *sv, const struct ghcb_exit *g)
{
    const uint64_t low = g->set[0], high = g->set[1];
    struct guest_words page;

    if (!open_page(sv, &page)) {
        return false;
    }
    guest_words_set(&page, GHCB_QUAD(info1), g->info1); /* every answer has these two */
    guest_words_set(&page, GHCB_QUAD(info2), g->info2);
    OUT(rax, low);
    OUT(rdx, high);
    if ((high & (MARK(rbx) | MARK(rcx) | MARK(rsi) | MARK(rdi))) != 0) {
        OUT(rbx, high);
        OUT(rcx, high);
        OUT(rsi, high);
        OUT(rdi, high);
    }
    guest_words_set(&page, GHCB_QUAD(valid[0]), g->valid[0] | low);
    guest_words_set(&page, GHCB_QUAD(valid[1]), g->valid[1] | high);
    unlock(&sv->ghcb_lock);
    return true;
}

__attribute__((noinline)) static bool answer_again(struct vcpu *v, const struct ghcb_exit *g)
{
    return take_again(v) && answer(snp_vcpu_of(v), g);
}

bool snp_ghcb_answer(struct vcpu *v, const struct ghcb_exit *g)
{
    return LIKELY(answer(snp_vcpu_of(v), g)) || answer_again(v, g);
}

bool snp_ghcb_read(struct vcpu *v, uint64_t offset, void *dst, size_t len)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    struct guest_words page;

    REQUIRE(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
    if (!open_page(sv, &page) && !(take_again(v) && open_page(sv, &page))) {
        return false;
    }
    guest_span_read(&page, offset, dst, len);
    unlock(&sv->ghcb_lock);
    return true;
}

bool snp_ghcb_write(struct vcpu *v, uint64_t offset, const void *src, size_t len)
{
    struct snp_vcpu *sv = snp_vcpu_of(v);
    struct guest_words page;

    REQUIRE(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
    if (!open_page(sv, &page) && !(take_again(v) && open_page(sv, &page))) {
        return false;
    }
    guest_span_write(&page, offset, src, len);
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
