/*
 * Builds the guest as Xen's own domain builder does (public/xen.h, "Start-of-day memory layout"):
 * from its virtual base on, frame by frame, the kernel, the ramdisk, the p2m list, start_info, the
 * xenstore and console rings, page tables, a stack; all of it mapped by those tables.
 */
#include "boot.h"
#include "cloister/pv64.h"

#define SPARE       KiB(512) /* mapped behind all that, at least */
#define ROUND       MiB(4)
#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define PAGE_FLAGS  (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

struct builder {
    struct pv_kernel kernel;
    const uint8_t *ramdisk;
    uint64_t ramdisk_len;
    uint64_t *p2m; /* machine frames in the order of pseudo-physical ones */
    uint64_t count;
    uint64_t next; /* virtual */
    uint64_t ramdisk_at, list_at, info_at, store_at, console_at, tables_at, stack_at, end;
    uint64_t tables, tables_used;
};

static void *at(struct builder *b, uint64_t va)
{
    uint64_t pfn = (va - b->kernel.virt_base) >> PAGE_SHIFT;

    CHECK(pfn < b->count);
    return (uint8_t *)page_data(b->p2m[pfn]) + va % PAGE_SIZE;
}

/* Virtually contiguous, frame by frame. */
static void put(struct builder *b, uint64_t va, const void *from, uint64_t len)
{
    const uint8_t *p = from;

    while (len > 0) {
        uint64_t n = MIN(len, PAGE_SIZE - va % PAGE_SIZE);

        if (p != NULL) {
            memcpy(at(b, va), p, n);
            p += n;
        } else {
            memset(at(b, va), 0, n);
        }
        va += n;
        len -= n;
    }
}

static void put_segment(void *data, uint64_t va, const uint8_t *bytes, uint64_t len,
                        uint64_t zeros)
{
    put(data, va, bytes, len);
    put(data, va + len, NULL, zeros);
}

static uint64_t reserve(struct builder *b, uint64_t len)
{
    uint64_t va = b->next;

    b->next += ALIGN_UP(len, PAGE_SIZE);
    return va;
}

static void open_archive(struct builder *b)
{
    const struct pv64_archive *a = (const void *)(uintptr_t)boot.ramdisk;
    const char *wrong;

    if (boot.ramdisk_len < sizeof(*a) || memcmp(a->magic, PV64_MAGIC, 16) != 0) {
        panic("the ramdisk is no archive of a PV kernel");
    }
    if (a->kernel_len > boot.ramdisk_len - sizeof(*a)) {
        panic("archive: kernel of %lu bytes", (unsigned long)a->kernel_len);
    }
    wrong = elf_read(&b->kernel, (const uint8_t *)(a + 1), a->kernel_len);
    if (wrong != NULL) {
        panic("kernel: %s", wrong);
    }
    b->ramdisk_len = a->ramdisk_len;
    if (a->ramdisk_len != 0) {
        uint64_t start = sizeof(*a) + ALIGN_UP(a->kernel_len, PAGE_SIZE);

        if (start > boot.ramdisk_len || a->ramdisk_len > boot.ramdisk_len - start) {
            panic("archive: ramdisk of %lu bytes", (unsigned long)a->ramdisk_len);
        }
        b->ramdisk = (const uint8_t *)a + start;
    }
}

/* All RAM above 1 MiB that the box does not keep. */
static void collect_frames(struct builder *b)
{
    uint64_t list = (uint64_t)(uintptr_t)boot_pages(
        ALIGN_UP(pages_count * sizeof(uint64_t), PAGE_SIZE) / PAGE_SIZE);

    b->p2m = (uint64_t *)(DIRECT_VIRT + list);
    for (uint32_t r = 0; r < boot.ranges; r++) {
        for (uint64_t pa = boot.range[r].start; pa < boot.range[r].end; pa += PAGE_SIZE) {
            uint64_t mfn = pa >> PAGE_SHIFT;

            if (pa >= BOX_PHYS && pa < boot.next) {
                continue;
            }
            pages[mfn].guest = true;
            m2p[mfn] = b->count;
            b->p2m[b->count++] = mfn | box.c_mfn;
        }
    }
    box.first_pages = b->count;
    box.guest_pages = b->count;
}

/* Tables for [virt_base, end): as many as there are spans of each level's size. */
static uint64_t count_tables(uint64_t start, uint64_t end)
{
    uint64_t n = 1; /* the PML4 */

    for (unsigned int shift = 21; shift <= 39; shift += 9) {
        n += ((end - 1) >> shift) - (start >> shift) + 1;
    }
    return n;
}

static void lay_out(struct builder *b)
{
    uint64_t base = b->kernel.virt_base, end;

    b->next = ALIGN_UP(b->kernel.end, PAGE_SIZE);
    b->ramdisk_at = reserve(b, b->ramdisk_len);
    b->list_at = reserve(b, b->count * sizeof(uint64_t));
    b->info_at = reserve(b, PAGE_SIZE);
    b->store_at = reserve(b, PAGE_SIZE);
    b->console_at = reserve(b, PAGE_SIZE);
    b->tables_at = b->next;
    do { /* the tables map themselves */
        end = ALIGN_UP(b->tables_at + (b->tables + 1) * PAGE_SIZE + SPARE, ROUND);
        b->end = end;
        b->tables = count_tables(base, end);
    } while (ALIGN_UP(b->tables_at + (b->tables + 1) * PAGE_SIZE + SPARE, ROUND) != end);
    b->stack_at = b->tables_at + b->tables * PAGE_SIZE;
    if ((end - base) >> PAGE_SHIFT > b->count ||
        (b->p2m[(b->stack_at - base) >> PAGE_SHIFT] & ~box.c_mfn) << PAGE_SHIFT >= boot.ramdisk) {
        panic("not enough memory: kernel and ramdisk need %lu MiB, and as much again",
              (unsigned long)((end - base) >> 20));
    }
}

static uint64_t mfn_at(struct builder *b, uint64_t va)
{
    return b->p2m[(va - b->kernel.virt_base) >> PAGE_SHIFT];
}

static uint64_t *table_below(struct builder *b, uint64_t *entry)
{
    if ((*entry & PTE_P) == 0) {
        uint64_t va = b->tables_at + b->tables_used++ * PAGE_SIZE;

        CHECK(b->tables_used <= b->tables);
        memset(at(b, va), 0, PAGE_SIZE);
        *entry = mfn_at(b, va) << PAGE_SHIFT | TABLE_FLAGS;
    }
    return page_data(PTE_MFN(*entry));
}

/* Every page of the layout; the tables read-only, and nothing but the kernel to be executed. */
static void map_all(struct builder *b)
{
    uint64_t *top = at(b, b->tables_at);

    memset(top, 0, PAGE_SIZE);
    b->tables_used = 1;
    for (uint64_t va = b->kernel.virt_base; va < b->end; va += PAGE_SIZE) {
        bool table = va >= b->tables_at && va < b->stack_at;
        uint64_t *t = top;

        for (unsigned int shift = 39; shift > 12; shift -= 9) {
            t = table_below(b, &t[va >> shift & 511]);
        }
        t[va >> 12 & 511] = mfn_at(b, va) << PAGE_SHIFT |
                            (table ? PAGE_FLAGS & ~(uint64_t)PTE_RW : PAGE_FLAGS) |
                            (va >= b->ramdisk_at ? PTE_NX : 0);
    }
}

/* public/arch-x86/xen.h: 32 bytes a call; iret's has RAX on the stack, too, and does not return. */
static void fill_hypercalls(uint8_t *page)
{
    static const uint8_t call[] = {0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b,
                                   0x59, 0xc3};
    static const uint8_t leave[] = {0x51, 0x41, 0x53, 0x50, 0xb8, HC_IRET, 0, 0, 0, 0x0f, 0x05};

    memset(page, 0xcc, PAGE_SIZE);
    for (uint32_t i = 0; i < PAGE_SIZE / 32; i++) {
        memcpy(page + 32 * i, call, sizeof(call));
        page[32 * i + 4] = (uint8_t)i;
    }
    memcpy(page + 32 * HC_IRET, leave, sizeof(leave));
}

static void put_start_info(struct builder *b)
{
    struct pv_start_info *s = at(b, b->info_at);

    memset(s, 0, PAGE_SIZE);
    snprintf(s->magic, sizeof(s->magic), "xen-3.0-x86_64");
    s->nr_pages = b->count;
    s->shared_info = box.shared_mfn << PAGE_SHIFT;
    s->store_mfn = mfn_at(b, b->store_at);
    s->console_mfn = mfn_at(b, b->console_at);
    event_create();
    s->store_port = box.store_port;
    s->console_port = box.console_port;
    s->pt_base = b->tables_at;
    s->nr_pt_frames = b->tables;
    s->mfn_list = b->list_at;
    s->mod_start = b->ramdisk_len != 0 ? b->ramdisk_at : 0;
    s->mod_len = b->ramdisk_len;
    (void)str_copy(s->cmd_line, sizeof(s->cmd_line), boot.cmdline);
}

/* A page of the guest's that the box writes to for good: it is never a table. */
static void *hold(struct builder *b, uint64_t va)
{
    void *ring = at(b, va);

    memset(ring, 0, PAGE_SIZE);
    CHECK(page_use(mfn_at(b, va), USE_WRITABLE));
    return ring;
}

static void fill(struct builder *b)
{
    elf_segments(&b->kernel, put_segment, b);
    put(b, b->ramdisk_at, b->ramdisk, b->ramdisk_len);
    put(b, b->list_at, b->p2m, b->count * sizeof(uint64_t));
    if (b->kernel.has_hypercall_page) {
        if (b->kernel.hypercall_page < b->kernel.start ||
            b->kernel.hypercall_page % PAGE_SIZE != 0 ||
            b->kernel.hypercall_page >= b->kernel.end) {
            panic("kernel: its hypercall page is outside of it");
        }
        fill_hypercalls(at(b, b->kernel.hypercall_page));
    }
    put_start_info(b);
    store_create(hold(b, b->store_at), box.store_port);
    console_create(hold(b, b->console_at), box.console_port);
}

void build_guest(struct vcpu *v)
{
    struct builder b = {0};

    open_archive(&b);
    collect_frames(&b);
    lay_out(&b);
    fill(&b);
    map_all(&b);
    v->kernel_table = mfn_at(&b, b.tables_at);
    if (!page_use(v->kernel_table, USE_L4)) {
        panic("the first page tables are refused");
    }
    CHECK(page_use(v->kernel_table, USE_L4));
    page_of(v->kernel_table)->pinned = true;
    v->start.rip = b.kernel.entry;
    v->start.rsi = b.info_at;
    v->start.rsp = b.stack_at + PAGE_SIZE;
    v->initialised = true;
}
