#include "box_host.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN_ENTRY(slot) (0x2000ull + (slot)) /* never present for the checker: bit 0 is clear */

struct box box;
struct vcpu host_vcpu;
uint64_t *m2p;
uint64_t m2p_guest;
unsigned int host_flushes;
static uint8_t arena[HOST_FRAMES][PAGE_SIZE] __attribute__((aligned(4096)));
static struct page frames[HOST_FRAMES];
static uint64_t m2p_entries[HOST_FRAMES];
static uint64_t now = 1;

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

/* ---- what the processor and the guest's addresses are elsewhere ---- */

void *page_data(uint64_t mfn)
{
    uint64_t n = mfn & ~box.c_mfn;

    REQUIRE(n < HOST_FRAMES);
    return arena[n];
}

uint64_t flush_clock(void)
{
    return now;
}

void flush_since(uint64_t freed)
{
    host_flushes += host_vcpu.flushed <= freed;
    flush_local(&host_vcpu);
}

void flush_local(struct vcpu *v)
{
    v->flushed = ++now;
}

void flush_all(struct vcpu *v)
{
    flush_local(v);
}

void flush_address(struct vcpu *v, uint64_t va, bool all)
{
    (void)v;
    (void)va;
    (void)all;
}

void gdt_map(struct vcpu *v)
{
    (void)v;
}

void ldt_map(struct vcpu *v, uint32_t entries)
{
    (void)v;
    (void)entries;
}

bool cpu_code64(uint64_t selector)
{
    (void)selector;
    return true;
}

/* What is not in it faults. */
uint8_t host_memory[PAGE_SIZE];

static bool in_memory(uint64_t va, size_t n)
{
    uint64_t start = (uint64_t)(uintptr_t)host_memory;

    return va >= start && n <= sizeof(host_memory) && va - start <= sizeof(host_memory) - n;
}

bool guest_get(void *to, uint64_t va, size_t n)
{
    if (in_memory(va, n)) {
        memcpy(to, (const void *)(uintptr_t)va, n);
    }
    return in_memory(va, n);
}

bool guest_put(uint64_t va, const void *from, size_t n)
{
    if (in_memory(va, n)) {
        memcpy((void *)(uintptr_t)va, from, n);
    }
    return in_memory(va, n);
}

uint64_t host_put(const void *from, size_t n)
{
    memcpy(host_memory, from, n);
    return (uint64_t)(uintptr_t)host_memory;
}

/* ---- a guest ---- */

static uint64_t held_frame[HOST_OWN];
static uint32_t held_frames;

uint64_t frame_for_guest(void)
{
    uint64_t mfn = host_mfn(held_frames);

    REQUIRE(held_frames < HOST_OWN);
    frames[held_frames].guest = true;
    REQUIRE(page_use(mfn, USE_WRITABLE));
    held_frame[held_frames++] = mfn;
    return mfn;
}

uint64_t host_mfn(uint64_t n)
{
    return n | box.c_mfn;
}

uint64_t *host_table(uint64_t n)
{
    return (uint64_t *)(void *)arena[n];
}

static uint64_t entry(uint64_t n, uint64_t flags)
{
    return host_mfn(n) << PAGE_SHIFT | PTE_P | flags;
}

void host_start(uint64_t c_mfn)
{
    memset(&box, 0, sizeof(box));
    memset(&host_vcpu, 0, sizeof(host_vcpu));
    memset(arena, 0, sizeof(arena));
    memset(frames, 0, sizeof(frames));
    box.c_mfn = c_mfn;
    pages = frames;
    pages_count = HOST_FRAMES;
    m2p = m2p_entries;
    for (unsigned int i = 0; i < RESERVED_SLOTS; i++) {
        table_reserved[i] = OWN_ENTRY(i) << 1;
    }
    for (uint64_t n = HOST_OWN; n < HOST_FRAMES; n++) {
        frames[n].guest = true;
        host_table(HOST_L1)[n] = entry(n, n < HOST_L1 ? PTE_RW : 0);
    }
    host_table(HOST_L4)[0] = entry(HOST_L3, PTE_RW);
    host_table(HOST_L3)[0] = entry(HOST_L2, PTE_RW);
    host_table(HOST_L2)[0] = entry(HOST_L1, PTE_RW);
    held_frames = 0;
    host_vcpu.kernel_table = host_mfn(HOST_L4);
    REQUIRE(page_use(host_mfn(HOST_L4), USE_L4));
    host_flushes = 0;
}

int64_t host_update(uint64_t at, uint64_t value)
{
    struct pv_mmu_update u = {at, value};
    const uint64_t arg[6] = {host_put(&u, sizeof(u)), 1, 0, DOMID_SELF};

    return call_mmu_update(&host_vcpu, NULL, arg);
}

int64_t host_map(uint64_t va, uint64_t value)
{
    const uint64_t arg[6] = {va, value, UVMF_INVLPG};

    return call_update_va_mapping(&host_vcpu, NULL, arg);
}

int64_t host_extended(uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    struct pv_mmuext op = {cmd, 0, arg1, arg2};
    const uint64_t arg[6] = {host_put(&op, sizeof(op)), 1, 0, DOMID_SELF};

    return call_mmuext_op(&host_vcpu, NULL, arg);
}

/* ---- what must hold ---- */

static uint32_t refs[HOST_FRAMES], uses[HOST_FRAMES];

static bool is_table(uint64_t n)
{
    return frames[n].uses > 0 && frames[n].use >= USE_L1 && frames[n].use <= USE_L4;
}

/* Counts what one entry holds. */
static const char *count_entry(uint64_t n, uint32_t i, uint64_t e)
{
    enum use level = (enum use)frames[n].use;
    uint64_t child = PTE_MFN(e) & ~box.c_mfn;

    if (level == USE_L4 && i - RESERVED_SLOT < RESERVED_SLOTS) {
        return e == table_reserved[i - RESERVED_SLOT] ? NULL : "a reserved slot was changed";
    }
    if ((e & PTE_P) == 0) {
        return NULL;
    }
    if (page_of(PTE_MFN(e)) == NULL) {
        return "an entry maps a frame that is not the guest's";
    }
    refs[child]++;
    if (level == USE_L1 && (e & PTE_RW) == 0) {
        return NULL;
    }
    if (level == USE_L4 && child == n) {
        return (e & PTE_RW) == 0 ? NULL : "a PML4 shows itself writable";
    }
    uses[child]++;
    if (frames[child].use != (level == USE_L1 ? USE_WRITABLE : level - 1)) {
        return level == USE_L1 ? "a table is writable" : "a table is used at two levels";
    }
    return NULL;
}

static void count_frames(const uint64_t *mfn, uint32_t n)
{
    while (n-- > 0) {
        refs[mfn[n] & ~box.c_mfn]++;
        uses[mfn[n] & ~box.c_mfn]++;
    }
}

static void count_holders(void)
{
    for (uint64_t n = 0; n < HOST_FRAMES; n++) {
        refs[n] = frames[n].pinned;
        uses[n] = frames[n].pinned;
    }
    count_frames(&host_vcpu.kernel_table, host_vcpu.kernel_table != 0);
    count_frames(&host_vcpu.user_table, host_vcpu.user_table != 0);
    count_frames(host_vcpu.ldt_frame, host_vcpu.ldt_pages);
    count_frames(host_vcpu.gdt_frame, host_vcpu.gdt_pages);
    count_frames(held_frame, held_frames);
}

const char *host_broken(void)
{
    count_holders();
    for (uint64_t n = 0; n < HOST_FRAMES; n++) {
        for (uint32_t i = 0; is_table(n) && i < 512; i++) {
            const char *wrong = count_entry(n, i, host_table(n)[i]);

            if (wrong != NULL) {
                return wrong;
            }
        }
    }
    for (uint64_t n = 0; n < HOST_FRAMES; n++) {
        if (frames[n].refs != refs[n] || frames[n].uses != uses[n]) {
            return "a frame is counted wrongly";
        }
    }
    return NULL;
}
