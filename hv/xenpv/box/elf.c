/*
 * The PV kernel: an ELF64 file with Xen's notes (System V gABI, chapters 4 and 5; elfnote.h). It
 * comes with the domain, but is read like everything from outside: length before content.
 */
#include "boot.h"

#define EHDR_SIZE  64u
#define PHDR_SIZE  56u
#define PT_LOAD    1u
#define PT_NOTE    4u
#define PHNUM_MAX  64u

struct segment {
    uint32_t type;
    uint64_t offset, paddr, filesz, memsz, align;
};

static uint64_t load(const uint8_t *p, unsigned int bytes)
{
    uint64_t v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static uint32_t segments(const struct pv_kernel *k)
{
    return (uint32_t)load(k->image + 0x38, 2);
}

static struct segment segment(const struct pv_kernel *k, uint32_t i)
{
    const uint8_t *p = k->image + load(k->image + 0x20, 8) + (uint64_t)i * PHDR_SIZE;

    return (struct segment){(uint32_t)load(p, 4), load(p + 8, 8),  load(p + 24, 8),
                            load(p + 32, 8),      load(p + 40, 8), load(p + 48, 8)};
}

static const char *check_headers(const struct pv_kernel *k)
{
    uint64_t phoff;

    if (k->len < EHDR_SIZE || memcmp(k->image, "\177ELF\2\1", 6) != 0 ||
        load(k->image + 0x12, 2) != 62) {
        return "not an ELF64 file for x86-64";
    }
    phoff = load(k->image + 0x20, 8);
    if (load(k->image + 0x36, 2) != PHDR_SIZE || segments(k) == 0 || segments(k) > PHNUM_MAX ||
        phoff > k->len || segments(k) * (uint64_t)PHDR_SIZE > k->len - phoff) {
        return "its program headers are not in the file";
    }
    for (uint32_t i = 0; i < segments(k); i++) {
        struct segment s = segment(k, i);

        if (s.type != PT_LOAD && s.type != PT_NOTE) {
            continue;
        }
        if (s.offset > k->len || s.filesz > k->len - s.offset ||
            (s.type == PT_LOAD && (s.filesz > s.memsz || s.paddr + s.memsz < s.paddr))) {
            return "a segment is not in the file";
        }
    }
    return NULL;
}

static void take_note(struct pv_kernel *k, uint32_t type, const uint8_t *desc, uint64_t len)
{
    uint64_t value = len == 4 || len == 8 ? load(desc, (unsigned int)len) : 0;

    switch (type) {
    case NOTE_ENTRY:
        k->entry = value;
        k->has_entry = true;
        break;
    case NOTE_HYPERCALL_PAGE:
        k->hypercall_page = value;
        k->has_hypercall_page = true;
        break;
    case NOTE_VIRT_BASE:
        k->virt_base = value;
        break;
    case NOTE_PADDR_OFFSET:
        k->paddr_offset = value;
        break;
    default: /* what it says about itself, and wishes */
        break;
    }
}

static bool read_notes(struct pv_kernel *k, const uint8_t *n, uint64_t len, uint64_t align)
{
    uint64_t pad = align == 8 ? 8 : 4;

    while (len >= 12) {
        uint64_t name = load(n, 4), desc = load(n + 4, 4);
        uint64_t at = ALIGN_UP(12 + name, pad), next = ALIGN_UP(at + desc, pad);

        if (at + desc > len) {
            return false;
        }
        if (name == 4 && memcmp(n + 12, "Xen", 4) == 0) {
            take_note(k, (uint32_t)load(n + 8, 4), n + at, desc);
        }
        next = MIN(next, len);
        n += next;
        len -= next;
    }
    return len == 0;
}

const char *elf_read(struct pv_kernel *k, const uint8_t *image, uint64_t len)
{
    const char *wrong;

    *k = (struct pv_kernel){.image = image, .len = len, .start = UINT64_MAX};
    wrong = check_headers(k);
    if (wrong != NULL) {
        return wrong;
    }
    for (uint32_t i = 0; i < segments(k); i++) {
        struct segment s = segment(k, i);

        if (s.type == PT_NOTE && !read_notes(k, image + s.offset, s.filesz, s.align)) {
            return "a note is malformed";
        }
    }
    if (!k->has_entry) {
        k->entry = load(image + 0x18, 8);
    }
    for (uint32_t i = 0; i < segments(k); i++) {
        struct segment s = segment(k, i);

        if (s.type == PT_LOAD && s.memsz != 0) {
            k->start = MIN(k->start, s.paddr - k->paddr_offset + k->virt_base);
            k->end = MAX(k->end, s.paddr + s.memsz - k->paddr_offset + k->virt_base);
        }
    }
    return k->start >= k->virt_base && k->start < k->end ? NULL : "it has no segment to load";
}

void elf_segments(const struct pv_kernel *k, elf_segment_fn *fn, void *data)
{
    for (uint32_t i = 0; i < segments(k); i++) {
        struct segment s = segment(k, i);

        if (s.type == PT_LOAD && s.memsz != 0) {
            fn(data, s.paddr - k->paddr_offset + k->virt_base, k->image + s.offset, s.filesz,
               s.memsz - s.filesz);
        }
    }
}
