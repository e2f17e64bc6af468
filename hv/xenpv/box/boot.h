/* What the start of the box hands on. */
#ifndef XENPV_BOX_BOOT_H
#define XENPV_BOX_BOOT_H

#include "page.h"

#define BOX_VIRT    0xffff828000000000ull
#define BOX_PHYS    0x200000ull
#define AREA_VIRT   (BOX_VIRT + GiB(1)) /* a vCPU's tables and stacks */
#define AREA_PAGES  64u
#define AREA_SIZE   (AREA_PAGES * (uint64_t)PAGE_SIZE)
#define DIRECT_VIRT 0xffff830000000000ull /* all memory */
#define SHARED_VIRT (BOX_VIRT + GiB(2)) /* memory that the hypervisor reads and writes, too */
#define M2P_PLAIN   0xffff800000000000ull /* where guests expect it */
#define M2P_PRIVATE 0xffff840000000000ull /* with the C-bit in frame numbers: the highest is 51 */

/* RAM that the loader's map names, above 1 MiB. */
struct boot_range {
    uint64_t start, end;
};
#define BOOT_RANGES 8u

struct boot {
    uint64_t c_bit;
    uint32_t ranges;
    struct boot_range range[BOOT_RANGES];
    uint64_t ramdisk, ramdisk_len;
    const char *cmdline;
    uint64_t rsdp;
    uint64_t cc_blob; /* 0: not encrypted */
    uint64_t next;    /* memory that nobody has yet: upwards from here */
    uint64_t limit;
};
extern struct boot boot;

/* boot.c */
void boot_read(uint64_t boot_params, uint64_t c_bit);
/* Zeroed pages, as the identity map has them. Ends the box when there are none left. */
void *boot_pages(uint64_t count);
uint32_t boot_count_cpus(void);

/* map.c: the box's own tables */
void map_create(void);
void map_page(uint64_t va, uint64_t pa, uint64_t flags);
void map_shared(uint64_t va, uint64_t pa);
extern uint64_t *map_top; /* by the identity map at first, then where all memory is */
extern uint64_t boot_l4[];
#define MAP_RW   (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define MAP_RO   (PTE_P | PTE_A | PTE_NX)
#define MAP_CODE (PTE_P | PTE_A)
static inline uint64_t own_pa(const void *p)
{
    return (uint64_t)(uintptr_t)p - BOX_VIRT + BOX_PHYS;
}

/* build.c: the guest, from what the ramdisk holds */
void build_guest(struct vcpu *v);

/* elf.c */
struct pv_kernel {
    const uint8_t *image;
    uint64_t len;
    uint64_t entry, virt_base, paddr_offset, hypercall_page;
    bool has_entry, has_hypercall_page;
    uint64_t start, end; /* virtual */
};
/* NULL, or what is wrong with it. */
const char *elf_read(struct pv_kernel *k, const uint8_t *image, uint64_t len);
/* Segments, each once: at what virtual address, its bytes, and how many zeros follow. */
typedef void elf_segment_fn(void *data, uint64_t va, const uint8_t *bytes, uint64_t len,
                            uint64_t zeros);
void elf_segments(const struct pv_kernel *k, elf_segment_fn *fn, void *data);

#endif
