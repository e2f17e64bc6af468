/*
 * The one walker of a guest's page tables in the tree: Xen's calls name memory by virtual address.
 * AMD64 APM Vol. 2 (24593), 5.3 (long mode) and 5.6 (protection). The tables are the guest's own,
 * and may say anything: every entry is read once, through guestmem.h. Accessed and dirty bits are
 * left as they are.
 */
#include "xenpv.h"

#include "hv/check.h"

#define PTE_P    BIT(0)
#define PTE_RW   BIT(1)
#define PTE_US   BIT(2)
#define PTE_PS   BIT(7)
#define PTE_ADDR 0x000ffffffffff000ull
#define CR0_WP   BIT(16)
#define CR4_LA57 BIT(12)
#define CR4_SMAP BIT(21)

static bool canonical(uint64_t va, unsigned int levels)
{
    unsigned int unused = 64 - (PAGE_SHIFT + 9 * levels);

    return (uint64_t)((int64_t)(va << unused) >> unused) == va;
}

/* What the entries on the way allow together. */
struct rights {
    bool write, user;
};

static bool permitted(const struct arch_paging *p, struct rights r, bool write)
{
    if (write && !r.write && (p->cr0 & CR0_WP) != 0) {
        return false;
    }
    return !r.user || p->user_allowed || (p->cr4 & CR4_SMAP) == 0;
}

bool xenpv_guest_pt_walk(struct vcpu *v, uint64_t va, bool write, gpa_t *at)
{
    struct arch_paging p;
    struct rights r = {true, true};
    unsigned int levels;
    uint64_t table;

    arch_vcpu_paging(v, &p);
    levels = (p.cr4 & CR4_LA57) != 0 ? 5 : 4;
    table = p.cr3 & PTE_ADDR;
    if (!canonical(va, levels)) {
        return false;
    }
    for (unsigned int level = levels; level-- > 0;) {
        unsigned int shift = PAGE_SHIFT + 9 * level;
        uint64_t e;

        if (guestmem_read(v->vm, gpa(table + (va >> shift & 511) * sizeof(e)), &e, sizeof(e)) !=
                ABI_OK ||
            (e & PTE_P) == 0) {
            return false;
        }
        r.write &= (e & PTE_RW) != 0;
        r.user &= (e & PTE_US) != 0;
        if (level == 0 || (e & PTE_PS) != 0) {
            *at = gpa((e & PTE_ADDR & ~(BIT(shift) - 1)) | (va & (BIT(shift) - 1)));
            return level <= 2 && permitted(&p, r, write); /* a large page has 1 GiB at most */
        }
        table = e & PTE_ADDR;
    }
    return false;
}

/* A range of at most a page lies on two at most. */
struct pieces {
    gpa_t at[2];
    size_t len[2];
};

static bool translate(struct vcpu *v, uint64_t va, size_t len, bool write, struct pieces *p)
{
    size_t first = MIN(len, PAGE_SIZE - va % PAGE_SIZE);
    uint8_t probe;

    REQUIRE(len <= PAGE_SIZE);
    *p = (struct pieces){.len = {first, len - first}};
    for (unsigned int i = 0; i < 2; i++) {
        if (p->len[i] > 0 &&
            (!xenpv_guest_pt_walk(v, va + i * first, write, &p->at[i]) ||
             guestmem_read(v->vm, p->at[i], &probe, sizeof(probe)) != ABI_OK)) {
            return false;
        }
    }
    return true;
}

int64_t xenpv_get(struct vcpu *v, void *dst, uint64_t va, size_t len)
{
    struct pieces p;
    uint8_t *to = dst;

    if (!translate(v, va, len, false, &p) ||
        guestmem_read(v->vm, p.at[0], to, p.len[0]) != ABI_OK ||
        guestmem_read(v->vm, p.at[1], to + p.len[0], p.len[1]) != ABI_OK) {
        return -XEN_EFAULT;
    }
    return 0;
}

int64_t xenpv_put(struct vcpu *v, uint64_t va, const void *src, size_t len)
{
    struct pieces p;
    const uint8_t *from = src;

    if (!translate(v, va, len, true, &p) ||
        guestmem_write(v->vm, p.at[0], from, p.len[0]) != ABI_OK ||
        guestmem_write(v->vm, p.at[1], from + p.len[0], p.len[1]) != ABI_OK) {
        return -XEN_EFAULT;
    }
    return 0;
}
