/*
 * The GHCB as AMD specifies it, under AMD's names (56421, revision 2.03; sections named below).
 * Everything here is said by guests, too: a test compares it with the headers of the Linux kernel.
 */
#ifndef SNP_GHCB_H
#define SNP_GHCB_H

#include "hv/types.h"

/* ---- the MSR protocol: 2.3.1; bits 11:0 of the GHCB MSR ---- */
#define GHCB_INFO(msr) ((unsigned int)(msr) & 0xfff)
#define GHCB_GFN(msr)  ((msr) >> 12)
#define GHCB_GFN_NONE  0xfffffffffffffull

enum {
    GHCB_SEV_INFO_RESP = 0x001,
    GHCB_SEV_INFO_REQ = 0x002,
    GHCB_CPUID_REQ = 0x004,
    GHCB_CPUID_RESP = 0x005,
    GHCB_AP_RESET_HOLD_REQ = 0x006,
    GHCB_AP_RESET_HOLD_RESP = 0x007,
    GHCB_PREFERRED_GPA_REQ = 0x010,
    GHCB_PREFERRED_GPA_RESP = 0x011,
    GHCB_REGISTER_GPA_REQ = 0x012,
    GHCB_REGISTER_GPA_RESP = 0x013,
    GHCB_PSC_REQ = 0x014,
    GHCB_PSC_RESP = 0x015,
    GHCB_FEATURES_REQ = 0x080,
    GHCB_FEATURES_RESP = 0x081,
    GHCB_TERMINATE_REQ = 0x100,
};

/* GHCB_PSC_RESP: bits 63:32 are not zero when the page could not be changed */
#define GHCB_PSC_RESP_ERROR (1ull << 32)

/* SNP guests speak 2 at least. 3 is not asked for by any kernel: none of its events is here. */
#define GHCB_VERSION_MIN 2ull
#define GHCB_VERSION_MAX 2ull

/* Why a guest gives up: set 0 is the specification's, set 1 Linux's (asm/sev-common.h) */
#define TERM_SET_GENERAL 0u
enum { TERM_GENERAL, TERM_VERSION, TERM_NO_SNP };
#define TERM_SET_LINUX 1u
enum {
    TERM_REGISTER,
    TERM_PSC,
    TERM_PVALIDATE,
    TERM_NOT_VMPL0,
    TERM_CPUID,
    TERM_CPUID_HV,
    TERM_SECRETS_PAGE,
    TERM_NO_SVSM,
    TERM_SVSM_VMPL0,
    TERM_SVSM_CAA,
    TERM_SECURE_TSC,
    TERM_SVSM_CA_REMAP,
    TERM_SAVIC,
};

/* 2.2.3: SNP, AP creation */
#define GHCB_FEATURES 3u

/* ---- the page: 2.6 ---- */

/* The part of the page that events use, from 1F8h on. */
#define GHCB_WINDOW 0x1f8u
struct ghcb {
    uint64_t rax;
    uint8_t reserved0[0x308 - 0x200];
    uint64_t rcx, rdx, rbx;
    uint8_t reserved1[0x330 - 0x320];
    uint64_t rsi, rdi, r8, r9, r10;
    uint8_t reserved2[0x390 - 0x358];
    uint64_t exit_code, info1, info2, scratch; /* 390h */
    uint8_t reserved3[0x3e8 - 0x3b0];
    uint64_t xcr0;
    uint64_t valid[2]; /* 3F0h: one bit a quadword of the page */
};
#define AT(field, at) _Static_assert(offsetof(struct ghcb, field) == (at) - GHCB_WINDOW, #field)
AT(rcx, 0x308);
AT(rsi, 0x330);
AT(r10, 0x350);
AT(exit_code, 0x390);
AT(xcr0, 0x3e8);
AT(valid, 0x3f0);
#undef AT
/* The number of a field's quadword in the page, and of its bit in the bitmap */
#define GHCB_OFFSET(field) (offsetof(struct ghcb, field) + GHCB_WINDOW)
#define GHCB_QUAD(field)   (GHCB_OFFSET(field) / 8)

#define GHCB_CPL           0xcbu /* u8, below that window */
#define GHCB_SHARED_BUFFER 0x800u
#define GHCB_SHARED_SIZE   2032u
#define GHCB_FORM          0xffau /* u16: the version of the protocol; u32: the page's usage */
#define GHCB_FORM_USAGE(form) ((uint32_t)((form) >> 16)) /* 0 for this layout */

/* SW_EXITINFO1 on return: 4.1.1 */
#define GHCB_EXCEPTION 1u
#define GHCB_MALFORMED 2u
/* SW_EXITINFO2 of a malformed GHCB */
enum {
    GHCB_BAD_USAGE = 2,
    GHCB_BAD_SCRATCH = 3,
    GHCB_MISSING_INPUT = 4,
    GHCB_BAD_INPUT = 5,
    GHCB_BAD_EVENT = 6,
};

enum {
    NAE_MMIO_READ = 0x80000001,
    NAE_MMIO_WRITE = 0x80000002,
    NAE_NMI_COMPLETE = 0x80000003,
    NAE_AP_RESET_HOLD = 0x80000004,
    NAE_AP_JUMP_TABLE = 0x80000005,
    NAE_PSC = 0x80000010,
    NAE_GUEST_REQUEST = 0x80000011,
    NAE_EXT_GUEST_REQUEST = 0x80000012,
    NAE_AP_CREATION = 0x80000013,
    NAE_FEATURES = 0x8000fffd,
    NAE_TERMINATE = 0x8000fffe,
    NAE_UNSUPPORTED = 0x8000ffff,
};
/* NAE_TERMINATE, SW_EXITINFO1 */
#define TERM_SET(info)  ((unsigned int)(info) & 0xf)
#define TERM_CODE(info) ((unsigned int)((info) >> 4) & 0xff)

#define EXIT_DR7_READ  0x27
#define EXIT_DR7_WRITE 0x37

/* ---- page state changes: 4.1.6 ---- */

struct psc_header {
    uint16_t cur, end;
    uint32_t reserved;
};
#define PSC_ENTRIES_MAX 253u
#define PSC_ENTRY_PAGE(e)  ((unsigned int)(e) & 0xfff)
#define PSC_ENTRY_GFN(e)   ((e) >> 12 & 0xffffffffffull)
#define PSC_ENTRY_OP(e)    ((unsigned int)((e) >> 52) & 15)
#define PSC_ENTRY_LARGE(e) (((e) >> 56 & 1) != 0)
#define PSC_ENTRY_RESERVED(e) ((e) >> 57)
#define PSC_PRIVATE 1u
#define PSC_SHARED  2u
/* SW_EXITINFO2: 63:32 the kind of error, 31:0 the detail */
#define PSC_BAD_HEADER (1ull << 32 | 1)
#define PSC_BAD_ENTRY  (1ull << 32 | 2)
#define PSC_GENERIC    (0x100ull << 32)

/* ---- AP creation, SW_EXITINFO1: 4.1.9 ---- */
#define AP_CREATE_ON_INIT 0u
#define AP_CREATE         1u
#define AP_DESTROY        2u
#define AP_REQUEST(info)  ((uint32_t)(info) & 0xffff)
#define AP_VMPL(info)     ((uint32_t)((info) >> 16) & 0xf)
#define AP_RESERVED(info) ((uint32_t)((info) >> 20) & 0xfff)
#define AP_APIC_ID(info)  ((uint32_t)((info) >> 32))

/* ---- guest requests, SW_EXITINFO2: 63:32 ours, 31:0 the firmware's (4.1.7, 4.1.8) ---- */
#define REQUEST_BAD_LENGTH (1ull << 32)
#define REQUEST_BUSY       (2ull << 32)

#endif
