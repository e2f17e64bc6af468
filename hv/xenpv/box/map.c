/*
 * The box's own page tables, which make the reserved slots of every PML4: the image (text is not
 * written, nothing else executed), all other memory, and the M2P table, which the guest may read.
 */
#include "boot.h"

extern const char box_text_end[], box_rodata_end[], box_end[];

uint64_t *map_top;
uint64_t *m2p;
uint64_t m2p_guest;

/*
 * By the identity map. Ring 3 gets through to what it may see, and to nothing else by whatever
 * detour.
 */
static uint64_t *next_table(uint64_t *entry, uint64_t user)
{
    if ((*entry & PTE_P) == 0) {
        *entry = (uint64_t)(uintptr_t)boot_pages(1) | boot.c_bit | PTE_P | PTE_RW | PTE_A | user;
    }
    return (uint64_t *)(uintptr_t)(PTE_MFN(*entry & ~boot.c_bit) << PAGE_SHIFT);
}

static uint64_t *entry_of(uint64_t va, unsigned int last, uint64_t user)
{
    uint64_t *t = map_top;

    for (unsigned int shift = 39; shift > last; shift -= 9) {
        t = next_table(&t[va >> shift & 511], user);
    }
    return &t[va >> last & 511];
}

void map_page(uint64_t va, uint64_t pa, uint64_t flags)
{
    *entry_of(va, 12, flags & PTE_US) = pa | boot.c_bit | flags;
}

void map_shared(uint64_t va, uint64_t pa)
{
    *entry_of(va, 12, 0) = pa | MAP_RW;
}

static void map_image(void)
{
    for (uint64_t va = BOX_VIRT; va < (uint64_t)(uintptr_t)box_end; va += PAGE_SIZE) {
        uint64_t flags = va < (uint64_t)(uintptr_t)box_text_end     ? MAP_CODE
                         : va < (uint64_t)(uintptr_t)box_rodata_end ? MAP_RO
                                                                    : MAP_RW;

        map_page(va, va - BOX_VIRT + BOX_PHYS, flags);
    }
}

/* In pages of 2 MiB; without the image, which has no second, writable place. */
static void map_memory(void)
{
    uint64_t image_end = ALIGN_UP(own_pa(box_end), SIZE_2M);

    for (uint64_t pa = 0; pa < pages_count * PAGE_SIZE; pa += SIZE_2M) {
        if (pa < BOX_PHYS || pa >= image_end) {
            *entry_of(DIRECT_VIRT + pa, 21, 0) = pa | boot.c_bit | MAP_RW | PTE_PS;
        }
    }
}

/* One entry for each frame; an encrypted guest's frame numbers have the C-bit. */
static void map_m2p(void)
{
    uint64_t bytes = ALIGN_UP(pages_count * sizeof(uint64_t), PAGE_SIZE);
    uint64_t pa = (uint64_t)(uintptr_t)boot_pages(bytes / PAGE_SIZE);

    m2p_guest = box.c_mfn == 0 ? M2P_PLAIN : M2P_PRIVATE - box.c_mfn * sizeof(uint64_t);
    for (uint64_t i = 0; i < bytes; i += PAGE_SIZE) {
        map_page((box.c_mfn == 0 ? M2P_PLAIN : M2P_PRIVATE) + i, pa + i, MAP_RO | PTE_US);
    }
    memset((void *)(uintptr_t)pa, 0xff, bytes); /* frames that are not the guest's */
    m2p = (uint64_t *)(DIRECT_VIRT + pa);
}

void *page_data(uint64_t mfn)
{
    return (void *)(DIRECT_VIRT + ((mfn & ~box.c_mfn) << PAGE_SHIFT));
}

uint64_t page_mfn(const void *data)
{
    return (((uint64_t)(uintptr_t)data - DIRECT_VIRT) >> PAGE_SHIFT) | box.c_mfn;
}

void map_create(void)
{
    uint64_t bytes;

    map_top = boot_pages(1);
    map_image();
    map_memory();
    map_m2p();
    bytes = ALIGN_UP(pages_count * sizeof(struct page), PAGE_SIZE);
    pages = (struct page *)(DIRECT_VIRT + (uint64_t)(uintptr_t)boot_pages(bytes / PAGE_SIZE));
}
