/*
 * Memory that a guest accepts when it first uses it. Linux looks for such memory in an EFI
 * configuration table (drivers/firmware/efi/unaccepted_memory.c): a bitmap, one bit 2 MiB, that it
 * clears itself. A direct boot has no EFI, so here is as much of it as leads to that table: a
 * system table (UEFI 2.10, 4.3), one configuration table, and a memory map of what is accepted.
 *
 * The system table is the 32-bit one, and the setup data say that another kernel has run before:
 * from that combination a 64-bit kernel concludes that there are no runtime services.
 */
#include "hv/check.h"
#include "hv/string.h"
#include "plan_x86.h"

#define GPA_EFI    0xc000u
#define GPA_BITMAP (GPA_EFI + PAGE_SIZE)
#define BITMAP_MAX KiB(16) /* with its header: 255 GiB; the shim accepts what lies beyond */

#define AT_CONFIG     0x80u
#define AT_VENDOR     0xa0u
#define AT_MEMORY_MAP 0x100u

#define SYSTEM_SIGNATURE 0x5453595320494249ull /* "IBI SYST" */
#define UEFI_2_10        (2u << 16 | 100u)
#define SYSTEM_SIZE      72u
#define EFI_CONVENTIONAL 7u
#define EFI_MEMORY_WB    8u
#define MEMORY_DESC_SIZE 40u

/* d5d1de3c-105c-44f9-9ea9-bcef98120031, LINUX_EFI_UNACCEPTED_MEM_TABLE_GUID */
#define GUID_LOW  0x44f9105cd5d1de3cull
#define GUID_HIGH 0x31001298efbca99eull

/* boot_params.efi_info (zero-page.rst) */
#define BP_EFI_INFO     0x1c0
#define LOADER_EL32     0x32334c45u
#define HDR_PAYLOAD     0x248 /* offset and length, from protocol 2.08 on */
#define SETUP_EFI       4u

#define EAGER_MORE MiB(32)

static bool has(const uint8_t *data, uint64_t len, uint64_t value)
{
    for (uint64_t i = 0; i + 8 <= len; i++) {
        if (data[i] == (uint8_t)value && le_load(data + i, 8) == value) {
            return true;
        }
    }
    return false;
}

/* A kernel that looks for the table has its GUID in the part of the image that is not compressed,
 * in one piece or as two operands. Its image was checked (linux_x86.c). */
static bool is_known(const struct piece *kernel, const struct piece *boot_params)
{
    uint64_t from = le_load(boot_params->data + HDR_PAYLOAD, 4);

    from += le_load(boot_params->data + HDR_PAYLOAD + 4, 4);
    return from < kernel->len && has(kernel->data + from, kernel->len - from, GUID_LOW) &&
           has(kernel->data + from, kernel->len - from, GUID_HIGH);
}

static void fill_system_table(uint8_t *efi)
{
    static const char vendor[] = "Cloister";

    le_store(efi, 8, SYSTEM_SIGNATURE);
    le_store(efi + 8, 4, UEFI_2_10);
    le_store(efi + 12, 4, SYSTEM_SIZE);
    le_store(efi + 24, 4, GPA_EFI + AT_VENDOR);
    le_store(efi + 64, 4, 1); /* tables */
    le_store(efi + 68, 4, GPA_EFI + AT_CONFIG);
    le_store(efi + AT_CONFIG, 8, GUID_LOW);
    le_store(efi + AT_CONFIG + 8, 8, GUID_HIGH);
    le_store(efi + AT_CONFIG + 16, 4, GPA_BITMAP);
    for (size_t i = 0; i < sizeof(vendor); i++) {
        le_store(efi + AT_VENDOR + 2 * i, 2, (uint8_t)vendor[i]);
    }
}

/* Of the map Linux takes one thing: where its decompressor may put it. */
static void fill_memory_map(uint8_t *efi, uint64_t start, uint64_t end)
{
    uint8_t *d = efi + AT_MEMORY_MAP;

    le_store(d, 4, EFI_CONVENTIONAL);
    le_store(d + 8, 8, start);
    le_store(d + 24, 8, (end - start) / PAGE_SIZE);
    le_store(d + 32, 8, EFI_MEMORY_WB);
}

static void fill_boot_params(uint8_t *info)
{
    le_store(info, 4, LOADER_EL32);
    le_store(info + 4, 4, GPA_EFI);
    le_store(info + 8, 4, MEMORY_DESC_SIZE);
    le_store(info + 12, 4, 1); /* version */
    le_store(info + 16, 4, GPA_EFI + AT_MEMORY_MAP);
    le_store(info + 20, 4, MEMORY_DESC_SIZE);
}

/*
 * Linux unpacks itself before it accepts memory (as an SNP guest by 4 KiB): that part the shim
 * accepts, the kernel's own span and as much again for a place chosen at random.
 */
static uint64_t eager_end(const struct plan *p, const struct piece *kernel)
{
    return MIN(p->ram_end, ALIGN_UP(kernel->at + 2 * kernel->span + EAGER_MORE, SIZE_2M));
}

static enum abi_status place_tables(struct plan *p, struct unaccepted *u)
{
    uint64_t last = p->ram_end < p->cfg->memory ? GiB(4) + p->cfg->memory - p->ram_end
                                                : p->ram_end;
    uint64_t bytes = MIN(ALIGN_UP(last / SIZE_2M, 64) / 8, BITMAP_MAX - UNACCEPTED_HEADER);
    uint8_t *efi = plan_take(p, PAGE_SIZE + UNACCEPTED_HEADER + bytes);
    uint8_t *table = efi + PAGE_SIZE;

    fill_system_table(efi);
    fill_memory_map(efi, u->start, u->end);
    fill_boot_params(plan_data(p, PIECE_BOOT_DATA) + BP_EFI_INFO);
    le_store(table, 4, 1); /* version */
    le_store(table + 4, 4, SIZE_2M);
    le_store(table + 16, 8, bytes);
    u->bits = table + UNACCEPTED_HEADER;
    u->count = bytes * 8;
    return plan_place(p, "EFI tables",
                      (struct piece){PIECE_EFI, GPA_EFI, ALIGN_UP(PAGE_SIZE + UNACCEPTED_HEADER +
                                                                      bytes, PAGE_SIZE),
                                     efi, PAGE_SIZE + UNACCEPTED_HEADER + bytes});
}

enum abi_status unaccepted_x86_plan(struct plan *p, uint8_t *setup, struct unaccepted *u)
{
    const struct piece *kernel = plan_piece(p, PIECE_KERNEL);

    *u = (struct unaccepted){0};
    if (!is_known(kernel, plan_piece(p, PIECE_BOOT_DATA))) {
        return ABI_OK;
    }
    u->start = ALIGN_DOWN(kernel->at, SIZE_2M);
    u->end = eager_end(p, kernel);
    le_store(setup + 8, 4, SETUP_EFI);
    le_store(setup + 12, 4, SETUP_EFI_SIZE - 16);
    return place_tables(p, u);
}
