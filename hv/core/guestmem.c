#include "hv/guestmem.h"

#include "arch/guest_access.h"
#include "hv/guestspan.h"
#include "hv/vm_priv.h"

static enum abi_status status_of(bool there)
{
    return there ? ABI_OK : ABI_BAD_ADDRESS;
}

/* All of the range, or nothing: looked up first, then copied. */
static enum abi_status check_range(struct vm *vm, gpa_t at, size_t len)
{
    uint64_t end = at.v + len;

    if (end < at.v) {
        return ABI_BAD_ADDRESS;
    }
    while (at.v < end) {
        uint64_t run;
        void *hva;
        enum abi_status st = vm_mem_host(vm, at, &hva, &run);

        if (st != ABI_OK) {
            return st;
        }
        at.v += run;
    }
    return ABI_OK;
}

/* Most ranges are in one piece, and need no second look. */
static bool in_one(struct vm *vm, gpa_t at, size_t len, void **hva)
{
    uint64_t run;

    return vm_mem_host(vm, at, hva, &run) == ABI_OK && len <= run;
}

enum abi_status guestmem_read(struct vm *vm, gpa_t src, void *dst, size_t len)
{
    enum abi_status st;
    size_t done = 0;
    void *from;

    if (LIKELY(in_one(vm, src, len, &from))) {
        return status_of(arch_guest_copy(dst, from, len));
    }
    st = check_range(vm, src, len);
    while (st == ABI_OK && done < len) {
        uint64_t run;
        void *hva;

        st = vm_mem_host(vm, gpa(src.v + done), &hva, &run);
        if (st == ABI_OK) {
            run = MIN(run, len - done);
            st = status_of(arch_guest_copy((uint8_t *)dst + done, hva, run));
            done += run;
        }
    }
    return st;
}

enum abi_status guestmem_write(struct vm *vm, gpa_t dst, const void *src, size_t len)
{
    enum abi_status st;
    size_t done = 0;
    void *to;

    if (LIKELY(in_one(vm, dst, len, &to))) {
        return status_of(arch_guest_copy(to, src, len));
    }
    st = check_range(vm, dst, len);
    while (st == ABI_OK && done < len) {
        uint64_t run;
        void *hva;

        st = vm_mem_host(vm, gpa(dst.v + done), &hva, &run);
        if (st == ABI_OK) {
            run = MIN(run, len - done);
            st = status_of(arch_guest_copy(hva, (const uint8_t *)src + done, run));
            done += run;
        }
    }
    return st;
}

enum abi_status guestmem_fill(struct vm *vm, gpa_t dst, uint8_t byte, size_t len)
{
    enum abi_status st = check_range(vm, dst, len);
    size_t done = 0;

    while (st == ABI_OK && done < len) {
        uint64_t run;
        void *hva;

        st = vm_mem_host(vm, gpa(dst.v + done), &hva, &run);
        if (st == ABI_OK) {
            run = MIN(run, len - done);
            st = status_of(arch_guest_fill(hva, byte, run));
            done += run;
        }
    }
    return st;
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
