#include "hv/guestmem.h"

#include "arch/guest_access.h"
#include "hv/guestspan.h"
#include "hv/vm_priv.h"

static enum abi_status status_of(bool there)
{
    return there ? ABI_OK : ABI_BAD_ADDRESS;
}

/* What is done to a range, piece by piece as it lies in the host: one pointer says what. */
struct job {
    void *to;         /* out of guest memory */
    const void *from; /* into it */
    uint8_t byte;     /* filled with */
};

static bool do_piece(const struct job *j, void *guest, size_t done, size_t n)
{
    if (j->to != NULL) {
        return arch_guest_copy((uint8_t *)j->to + done, guest, n);
    }
    return j->from != NULL ? arch_guest_copy(guest, (const uint8_t *)j->from + done, n)
                           : arch_guest_fill(guest, j->byte, n);
}

/* Does it; without a job, only looks. */
static enum abi_status walk(struct vm *vm, gpa_t at, size_t len, const struct job *j)
{
    enum abi_status st = ABI_OK;
    uint64_t run = 0;
    void *hva;

    for (size_t done = 0; done < len && st == ABI_OK; done += run) {
        st = vm_mem_host(vm, gpa(at.v + done), &hva, &run);
        run = MIN(run, len - done);
        if (st == ABI_OK && j != NULL) {
            st = status_of(do_piece(j, hva, done, run));
        }
    }
    return st;
}

/* All of the range, or nothing: looked up first, then done. */
static enum abi_status perform(struct vm *vm, gpa_t at, size_t len, const struct job *j)
{
    enum abi_status st = at.v + len < at.v ? ABI_BAD_ADDRESS : walk(vm, at, len, NULL);

    return st == ABI_OK ? walk(vm, at, len, j) : st;
}

/* Most ranges are in one piece, and need no second look. */
static bool in_one(struct vm *vm, gpa_t at, size_t len, void **hva)
{
    uint64_t run;

    return vm_mem_host(vm, at, hva, &run) == ABI_OK && len <= run;
}

enum abi_status guestmem_read(struct vm *vm, gpa_t src, void *dst, size_t len)
{
    void *from;

    if (LIKELY(in_one(vm, src, len, &from))) {
        return status_of(arch_guest_copy(dst, from, len));
    }
    return perform(vm, src, len, &(struct job){.to = dst});
}

enum abi_status guestmem_write(struct vm *vm, gpa_t dst, const void *src, size_t len)
{
    void *to;

    if (LIKELY(in_one(vm, dst, len, &to))) {
        return status_of(arch_guest_copy(to, src, len));
    }
    return perform(vm, dst, len, &(struct job){.from = src});
}

enum abi_status guestmem_fill(struct vm *vm, gpa_t dst, uint8_t byte, size_t len)
{
    return perform(vm, dst, len, &(struct job){.byte = byte});
}

/* An aligned word never crosses a page. */
static enum abi_status word_at(struct vm *vm, gpa_t at, size_t size, void **hva)
{
    uint64_t run;

    if (!IS_ALIGNED(at.v, size)) {
        return ABI_BAD_ADDRESS;
    }
    return vm_mem_host(vm, at, hva, &run);
}

enum abi_status guestmem_load16(struct vm *vm, gpa_t src, uint16_t *value)
{
    void *hva;
    enum abi_status st = word_at(vm, src, sizeof(*value), &hva);

    return st == ABI_OK ? status_of(arch_guest_load16(hva, value)) : st;
}

enum abi_status guestmem_load32(struct vm *vm, gpa_t src, uint32_t *value)
{
    void *hva;
    enum abi_status st = word_at(vm, src, sizeof(*value), &hva);

    return st == ABI_OK ? status_of(arch_guest_load32(hva, value)) : st;
}

enum abi_status guestmem_or32(struct vm *vm, gpa_t at, uint32_t bits, uint32_t *old)
{
    void *hva;
    enum abi_status st = word_at(vm, at, sizeof(bits), &hva);

    if (st == ABI_OK) {
        *old = atomic_or((uint32_t *)hva, bits);
    }
    return st;
}

enum abi_status guestmem_and32(struct vm *vm, gpa_t at, uint32_t bits, uint32_t *old)
{
    void *hva;
    enum abi_status st = word_at(vm, at, sizeof(bits), &hva);

    if (st == ABI_OK) {
        *old = atomic_and((uint32_t *)hva, bits);
    }
    return st;
}

enum abi_status guestmem_store16(struct vm *vm, gpa_t dst, uint16_t value)
{
    void *hva;
    enum abi_status st = word_at(vm, dst, sizeof(value), &hva);

    return st == ABI_OK ? status_of(arch_guest_store16(hva, value)) : st;
}

enum abi_status guestmem_store32(struct vm *vm, gpa_t dst, uint32_t value)
{
    void *hva;
    enum abi_status st = word_at(vm, dst, sizeof(value), &hva);

    return st == ABI_OK ? status_of(arch_guest_store32(hva, value)) : st;
}

enum abi_status guestmem_store64(struct vm *vm, gpa_t dst, uint64_t value)
{
    void *hva;
    enum abi_status st = word_at(vm, dst, sizeof(value), &hva);

    return st == ABI_OK ? status_of(arch_guest_store64(hva, value)) : st;
}

enum abi_status guest_words_at(struct vm *vm, gpa_t at, size_t bytes, struct guest_words *w)
{
    uint64_t run;
    enum abi_status st;

    if (!IS_ALIGNED(at.v, sizeof(uint64_t))) {
        return ABI_BAD_ADDRESS;
    }
    st = vm_mem_host(vm, at, &w->inside, &run);
    return st == ABI_OK && run < bytes ? ABI_BAD_ADDRESS : st;
}

void guest_span_at(struct vm *vm, gpa_t at, size_t len, struct guest_words *w)
{
    uint64_t run;

    if (vm_mem_host(vm, at, &w->inside, &run) != ABI_OK || run < len) {
        w->inside = NULL;
    }
}
