/* The emulated chips' own ground: memory that no one else is given, a view of all of memory. */
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "snp_core.h"
#include "hv/check.h"
#include "hv/io.h"
#include "hv/log.h"
#include "../snp_emu.h"

#define POOL_BYTES MiB(12) /* shadow tables, VMCBs */

static struct {
    uint64_t base;             /* of the view */
    struct boot_range reserve; /* RMP, then the pool */
    uint64_t rmp_bytes, end;
    uint64_t next;
    uint64_t free_list; /* physical; the first word of a free page is the next */
    struct emu_lock lock;
} emu;

/* The highest range that has room gives its end; the firmware of a real machine does the same. */
void silicon_early(void)
{
    struct boot_range *best = NULL;
    uint64_t need;

    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        struct boot_range *r = &boot_info.ram[i];

        emu.end = MAX(emu.end, r->base + r->len);
    }
    emu.rmp_bytes = ALIGN_UP(emu_rmp_bytes(emu.end), PAGE_SIZE);
    need = emu.rmp_bytes + RMP_BOOKKEEPING + POOL_BYTES;
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        struct boot_range *r = &boot_info.ram[i];

        if (r->len > need + MiB(16) && r->base + r->len > boot_info.bundle.base +
                                                             boot_info.bundle.len + need) {
            best = r;
        }
    }
    if (best == NULL) {
        panic("the emulated chip needs %lu MiB", (unsigned long)(need >> 20));
    }
    best->len -= need;
    emu.reserve = (struct boot_range){best->base + best->len, need};
}

void silicon_late(void)
{
    emu.base = arch_map_for_silicon();
    arch_map_more_for_silicon(pa(emu.reserve.base), emu.reserve.len);
    emu_rmp_init(emu_mem(pa(emu.reserve.base + RMP_BOOKKEEPING)), emu.end);
    emu.next = emu.reserve.base + RMP_BOOKKEEPING + emu.rmp_bytes;
    emu_psp_init();
    emu_psp_rmp_area(pa(emu.reserve.base), RMP_BOOKKEEPING + emu.rmp_bytes);
    log_warn("EMULATED: SEV-SNP is modelled in software, and protects nothing");
}

const char *silicon_says(void)
{
    return "\"emulated\":true";
}

void emu_rmp_range(uint64_t *base, uint64_t *end)
{
    *base = emu.reserve.base;
    *end = emu.reserve.base + RMP_BOOKKEEPING + emu.rmp_bytes - 1;
}

void *emu_mem(pa_t at)
{
    return at.v < emu.end ? (void *)(emu.base + at.v) : NULL;
}

bool emu_page_take(pa_t *at)
{
    uint64_t *words;
    bool ok = true;

    emu_lock(&emu.lock);
    if (emu.free_list != 0) {
        *at = pa(emu.free_list);
        emu.free_list = *(uint64_t *)emu_mem(*at);
    } else if (emu.next < emu.reserve.base + emu.reserve.len) {
        *at = pa(emu.next);
        emu.next += PAGE_SIZE;
    } else {
        ok = false;
    }
    emu_unlock(&emu.lock);
    words = ok ? emu_mem(*at) : NULL;
    for (unsigned int i = 0; ok && i < PAGE_SIZE / 8; i++) {
        words[i] = 0;
    }
    return ok;
}

void emu_page_give(pa_t at)
{
    emu_lock(&emu.lock);
    *(uint64_t *)emu_mem(at) = emu.free_list;
    emu.free_list = at.v;
    emu_unlock(&emu.lock);
}

void emu_random(void *buf, size_t len)
{
    if (!random_bytes(buf, len)) {
        panic("the emulated chip has no entropy: a CPU with RDRAND is needed");
    }
}

/* Guests' registers are in their save areas or in their vCPUs whenever the chip computes. */
void emu_fpu_begin(void)
{
    const uint32_t mxcsr = 0x1f80;

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

void emu_fpu_end(void)
{
}

void emu_lock(struct emu_lock *l)
{
    while (__atomic_exchange_n(&l->taken, 1u, __ATOMIC_ACQUIRE) != 0) {
        cpu_relax();
    }
}

void emu_unlock(struct emu_lock *l)
{
    __atomic_store_n(&l->taken, 0u, __ATOMIC_RELEASE);
}
