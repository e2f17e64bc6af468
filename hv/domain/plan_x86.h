/* The boot protocols of x86, and what they share. */
#ifndef HV_DOMAIN_PLAN_X86_H
#define HV_DOMAIN_PLAN_X86_H

#include "plan.h"

/*
 * Guest-physical places that every x86 layout has. Below 640 KiB, where no kernel loads to, and
 * clear of the first page. The span of each ends where the next begins; the last at GPA_LOW_END.
 */
#define GPA_GDT         0x1000u
#define GPA_BOOT_DATA   0x2000u
#define GPA_CMDLINE     0x3000u
#define GPA_PAGE_TABLES 0x4000u /* PML4, PDPT, four page directories */
#define PAGE_TABLES_SIZE (6 * PAGE_SIZE)
#define GPA_ACPI        0x90000u
#define GPA_MAILBOX     0x9c000u /* tdx; in the part of the map that is reserved */
#define GPA_EVENT_LOG   0x9d000u /* tdx, behind it */

/* The boot protocols. `is`: the image claims to be one. `plan`: checks it and lays it out. */
bool linux_x86_is(struct blob kernel);
MUST_CHECK enum abi_status linux_x86_plan(struct plan *p);
bool pvh_x86_is(struct blob kernel);
MUST_CHECK enum abi_status pvh_x86_plan(struct plan *p);

/* After one of them: the code at the reset vector. */
MUST_CHECK enum abi_status reset_x86_plan(struct plan *p);

#define GPA_SETUP_DATA  0xb000u /* encrypted guests: one page */
#define HDR_SETUP_DATA  0x250   /* of boot_params: where the first of them is */

/*
 * unaccepted_x86.c: RAM that the kernel accepts itself, if it can: the EFI tables that lead it to
 * a bitmap, all bits clear, one for each 2 MiB of address space from 0 on. setup, SETUP_EFI_SIZE
 * bytes of zeros, becomes the last of the setup data. RAM in [start, end) is accepted before the
 * kernel starts: there it unpacks itself. count 0: the kernel cannot, and nothing was added.
 */
#define UNACCEPTED_HEADER 24u
#define SETUP_EFI_SIZE    112u
struct unaccepted {
    uint8_t *bits;
    uint64_t count;
    uint64_t start, end;
};
MUST_CHECK enum abi_status unaccepted_x86_plan(struct plan *p, uint8_t *setup,
                                               struct unaccepted *u);

/* Last: what an SEV-SNP guest, or a TD, needs besides. */
MUST_CHECK enum abi_status snp_x86_plan(struct plan *p);
MUST_CHECK enum abi_status tdx_x86_plan(struct plan *p);

/* tdvf_x86.c: a TD's kernel may be a firmware: Debian's OVMF.fd is one. */
#define TDVF_HOB_MAX KiB(8)
bool tdvf_x86_is(struct blob image);
MUST_CHECK enum abi_status tdvf_x86_plan(struct plan *p);
/* measured_x86.c: the event log, and a table for the shim; once all that a TD measures is there. */
struct shim_measures;
MUST_CHECK enum abi_status measured_x86_plan(struct plan *p, struct shim_measures *m);

/* shim_x86.c: `next`: the first piece that ends above `at`; its launched pages are [*start, *end).
 * `sort`: all RAM that the launch does not put in place goes to the shim or is left for later. */
struct shim_table;
bool shim_next_launched(const struct layout *l, uint64_t at, uint64_t *start, uint64_t *end);
MUST_CHECK enum abi_status shim_sort_ram(struct plan *p, struct shim_table *t,
                                         struct unaccepted *later);

#endif
