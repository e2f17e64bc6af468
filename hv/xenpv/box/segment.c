/* The hypercalls about segments, debug registers and the FPU: what a kernel does to its CPU. */
#include "page.h"

#define GDT_ENTRIES_PAGE 512u

static void drop_gdt(struct vcpu *v)
{
    uint32_t n = v->gdt_pages;

    v->gdt_pages = 0;
    gdt_map(v);
    while (n > 0) {
        page_unuse(v->gdt_frame[--n]);
    }
}

int64_t gdt_set(struct vcpu *v, const uint64_t *frame, uint64_t entries)
{
    uint32_t wanted = (uint32_t)(ALIGN_UP(entries, GDT_ENTRIES_PAGE) / GDT_ENTRIES_PAGE), n;

    for (n = 0; n < wanted && page_use(frame[n], USE_DESCRIPTORS); n++) {
    }
    if (n < wanted) {
        while (n > 0) {
            page_unuse(frame[--n]);
        }
        return -XEN_EINVAL;
    }
    drop_gdt(v);
    memcpy(v->gdt_frame, frame, wanted * sizeof(frame[0]));
    v->gdt_pages = wanted;
    gdt_map(v);
    return 0;
}

int64_t call_set_gdt(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint64_t frame[GDT_GUEST_PAGES];
    uint64_t entries = (uint32_t)arg[1];
    uint64_t wanted = ALIGN_UP(entries, GDT_ENTRIES_PAGE) / GDT_ENTRIES_PAGE;

    (void)f;
    if (entries > GDT_GUEST_LAST) {
        return -XEN_EINVAL;
    }
    if (!guest_get(frame, arg[0], wanted * sizeof(frame[0]))) {
        return -XEN_EFAULT;
    }
    return gdt_set(v, frame, entries);
}

/* A descriptor in memory: of a page of descriptors, or of one that is not in use yet. */
int64_t call_update_descriptor(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint64_t mfn = PTE_MFN(arg[0]), d = arg[1];
    struct page *p = page_of(mfn);
    enum use use;

    (void)v;
    (void)f;
    if (p == NULL || arg[0] % 8 != 0 || !descriptor_fix(&d)) {
        return -XEN_EINVAL;
    }
    use = p->uses > 0 ? (enum use)p->use : USE_WRITABLE;
    if ((use != USE_DESCRIPTORS && use != USE_WRITABLE) || !page_use(mfn, use)) {
        return -XEN_EINVAL;
    }
    __atomic_store_n((uint64_t *)page_data(mfn) + arg[0] % PAGE_SIZE / 8, d, __ATOMIC_RELAXED);
    page_unuse(mfn);
    return 0;
}

int64_t call_set_segment_base(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    if ((uint32_t)arg[0] != SEGBASE_GS_USER_SEL && !canonical(arg[1])) {
        return -XEN_EINVAL;
    }
    switch ((uint32_t)arg[0]) {
    case SEGBASE_FS:
        fs_base_set(arg[1]);
        return 0;
    case SEGBASE_GS_USER:
        v->gs_other = arg[1];
        return 0;
    case SEGBASE_GS_KERNEL:
        guest_gs_set(arg[1]);
        return 0;
    case SEGBASE_GS_USER_SEL:
        v->gs_other = guest_gs_load((uint16_t)arg[1]);
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

int64_t call_fpu_taskswitch(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    v->fpu_off = arg[0] != 0;
    cpu_set_ts(v->fpu_off);
    return 0;
}

/* APM Vol. 2, 13.1: a breakpoint on what is ours, on ports, or on the registers is refused. */
int64_t debug_set(struct vcpu *v, unsigned int n, uint64_t value)
{
    switch (n) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!guest_place(value)) {
            return -XEN_EPERM;
        }
        break;
    case 6:
        value = (value & 0xe00f) | 0xffff0ff0;
        break;
    case 7:
        for (unsigned int i = 0; i < 4; i++) {
            if ((value >> (16 + 4 * i) & 3) == 2) { /* I/O */
                return -XEN_EPERM;
            }
        }
        value = (value & 0xffff03ffull) | 0x400;
        break;
    default:
        return -XEN_EINVAL;
    }
    v->dr[n] = value;
    cpu_debug(n, value);
    return 0;
}

int64_t call_set_debugreg(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    return debug_set(v, (uint32_t)arg[0], arg[1]);
}

int64_t call_get_debugreg(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t n = (uint32_t)arg[0];

    (void)f;
    return n <= 3 || n == 6 || n == 7 ? (int64_t)v->dr[n] : -XEN_EINVAL;
}
