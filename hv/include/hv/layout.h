/*
 * Where everything lies in a new domain's memory, and which bytes: the one description that the
 * loader writes from and that launch measurements are predicted from. A pure function of the
 * domain's configuration; compiles hosted, too.
 */
#ifndef HV_LAYOUT_H
#define HV_LAYOUT_H

#include "hv/domain.h"
#include "hv/types.h"

enum piece_kind {
    PIECE_GDT,
    PIECE_BOOT_DATA, /* boot_params, or hvm_start_info with what it points to */
    PIECE_CMDLINE,
    PIECE_PAGE_TABLES,
    PIECE_ACPI,
    PIECE_RESET, /* code at F000:FFF0 */
    PIECE_KERNEL,
    PIECE_RAMDISK,
    PIECE_SETUP_DATA, /* sev-snp: see snp_x86.c */
    PIECE_CC_BLOB,
    PIECE_SHIM,
    PIECE_SECRETS, /* the firmware fills these two */
    PIECE_CPUID,
    PIECE_EFI,  /* unaccepted_x86.c */
    PIECE_ZERO, /* no bytes of its own; launched, so that the guest finds it cleared */
    PIECE_MAILBOX,   /* tdx: see tdx_x86.c */
    PIECE_FIRMWARE,  /* tdx: see tdvf_x86.c */
    PIECE_TEMP,      /* the same: what the launch does not measure of it */
    PIECE_EVENT_LOG, /* tdx: see measured_x86.c */
};

/*
 * `len` bytes at `at`; the rest of `span` is zero or not used yet (a kernel's bss). Spans are not
 * empty, lie in RAM and do not overlap, but for PIECE_ZERO in such a rest. The data is in the
 * bundle or in the scratch memory.
 */
struct piece {
    enum piece_kind kind;
    uint64_t at;
    uint64_t span;
    const uint8_t *data;
    uint64_t len;
};

/* Memory map entries: the types of ACPI 6.5, 15 (E820). */
enum { MAP_RAM = 1, MAP_RESERVED = 2, MAP_ACPI = 3, MAP_NVS = 4 };
struct map_entry {
    uint64_t at;
    uint64_t len;
    uint32_t type;
};

#define LAYOUT_PIECES_MAX 40u
#define LAYOUT_MAP_MAX    10u

/* What computed pieces take: page tables 24 KiB, ACPI 16 KiB, EFI 20 KiB, a TD's shim 12 KiB; boot
 * data, mailbox, event log 4 KiB each; GDT. */
#define LAYOUT_SCRATCH_SIZE KiB(96)

_Static_assert(LAYOUT_PIECES_MAX <= 64, "a bit each");
struct layout {
    uint32_t pieces;
    struct piece piece[LAYOUT_PIECES_MAX];
    uint64_t self_measured; /* tdx: bit i: that piece is measured by the guest, not its launch */
    uint32_t map_entries;
    struct map_entry map[LAYOUT_MAP_MAX];
    struct vcpu_entry entry;
    const struct snp_config *snp; /* sev-snp: the configuration's; else NULL */
    const struct cca_config *cca; /* cca: the same */
};

/* Where a piece's pages end that a launch puts in place; those that the firmware fills count. */
static inline uint64_t piece_launched_end(const struct piece *q)
{
    bool whole = q->kind == PIECE_SECRETS || q->kind == PIECE_CPUID || q->kind == PIECE_ZERO ||
                 q->kind == PIECE_FIRMWARE || q->kind == PIECE_TEMP;

    return ALIGN_UP(q->at + (whole ? q->span : q->len), PAGE_SIZE);
}

/* Its kernel is a firmware, which looks for more of a PC than a kernel does. */
bool layout_has_firmware(const struct domain_config *cfg);

/*
 * Lays a domain out. scratch is zeroed, 16-byte aligned, LAYOUT_SCRATCH_SIZE bytes, and must live
 * as long as the layout is used. ABI_BAD_FORMAT: a kernel that is none, or contradicts itself;
 * ABI_NO_MEMORY: it does not fit. Then err has "guest0: ..." and *l is undefined.
 */
MUST_CHECK enum abi_status layout_domain(const struct domain_config *cfg, void *scratch,
                                         struct layout *l, char *err, size_t err_size);

/* Writes the pieces into a new VM's shared memory. New memory is zero, so tails need no write. */
MUST_CHECK enum abi_status layout_write(struct vm *vm, const struct layout *l);

#endif
