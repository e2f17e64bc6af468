/*
 * SEV-SNP as AMD specifies it, under AMD's names: registers, RMP, save area, firmware commands.
 * APM: AMD64 Architecture Programmer's Manual Vol. 2 (24593). ABI: SEV-SNP Firmware ABI (56860).
 * GHCB: SEV-ES Guest-Hypervisor Communication Block (56421), 2.03.
 */
#ifndef SNP_SPEC_H
#define SNP_SPEC_H

#include "arch_impl/vmcb.h"
#include "hv/types.h"

/* CPUID 8000001Fh: APM Vol. 3, E.4.17 */
#define SNP_CPUID_LEAF  0x8000001fu
#define SNP_CPUID_SEV   BIT(1)
#define SNP_CPUID_ES    BIT(3)
#define SNP_CPUID_SNP   BIT(4)
#define SNP_CPUID_TSC_AUX BIT(9) /* is in the save area */
#define SNP_CPUID_COHERENT BIT(10) /* caches are, across keys */
#define SNP_CPUID_RMPREAD BIT(21)
#define SNP_CPUID_RMP_SEGMENTS BIT(23)

/* CPUID Dh, subleaf 1, EAX: APM Vol. 3, E.3.10 */
#define XSAVE_XSAVEC BIT(1)
#define XSAVE_XSAVES BIT(3)
#define XSAVE_ALL    0xfu /* XSAVEOPT, XSAVEC, XGETBV of 1, XSAVES */

/* MSRs: APM 15.34 and 15.36 */
enum {
    MSR_SYSCFG_ = 0xc0010010,
    MSR_GHCB = 0xc0010130,
    MSR_SEV_STATUS = 0xc0010131,
    MSR_RMP_BASE = 0xc0010132,
    MSR_RMP_END = 0xc0010133,
    MSR_RMP_CFG = 0xc0010136, /* where CPUID says SNP_CPUID_RMP_SEGMENTS */
};
#define RMP_CFG_SEGMENTED  BIT(0)
#define SYSCFG_MFDM        BIT(19) /* MtrrFixDramModEn */
#define SYSCFG_MEM_ENCRYPT BIT(23)
#define SYSCFG_SNP_EN      BIT(24)
#define SYSCFG_VMPL_EN     BIT(25)
#define RMP_BOOKKEEPING    KiB(16) /* the processors' own, in front of the entries */

/* What RMPUPDATE takes, and RMPREAD gives: APM Vol. 3 */
struct rmp_entry {
    uint64_t gpa;
    uint8_t assigned, page_size, immutable, reserved;
    uint32_t asid;
};
_Static_assert(sizeof(struct rmp_entry) == 16, "RMPUPDATE");
#define RMP_4K 0u
#define RMP_2M 1u

/*
 * An entry in memory, its first 8 of 16 bytes, for processors without RMPREAD: PPR for Family 19h
 * Model 01h (55898), "RMP entry format"; Zen 3 and Zen 4.
 */
static inline struct rmp_entry rmp_entry_of(uint64_t raw)
{
    return (struct rmp_entry){
        .gpa = (raw >> 12 & 0x7fffffffffull) << 12,
        .assigned = raw & 1,
        .page_size = raw >> 1 & 1,
        .immutable = raw >> 2 & 1,
        .asid = raw >> 51 & 0x3ff,
    };
}

/* Results of RMPUPDATE, PSMASH, PVALIDATE, RMPADJUST */
enum rmp_result {
    RMP_OK = 0,
    RMP_FAIL_INPUT = 1,
    RMP_FAIL_PERMISSION = 2,
    RMP_FAIL_INUSE = 3,
    RMP_FAIL_OVERLAP = 4,
    RMP_FAIL_SIZEMISMATCH = 6,
};

/* The save area of an SEV-ES and SNP guest: APM Appendix B, table B-4. */
struct vmsa {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 000h */
    uint64_t pl_ssp[4], u_cet;
    uint8_t reserved1[2], vmpl, cpl; /* 0C8h */
    uint32_t reserved2;
    uint64_t efer; /* 0D0h */
    uint8_t reserved3[0x140 - 0xd8];
    uint64_t xss, cr4, cr3, cr0, dr7, dr6, rflags, rip; /* 140h */
    uint64_t dr[4], dr_mask[4];
    uint8_t reserved4[0x1d8 - 0x1c0];
    uint64_t rsp, s_cet, ssp, isst, rax; /* 1D8h */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2; /* 240h */
    uint8_t reserved5[0x268 - 0x248];
    uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to; /* 268h */
    uint8_t reserved6[0x2e8 - 0x298];
    uint32_t pkru, tsc_aux; /* 2E8h */
    uint64_t tsc_scale, tsc_offset, reg_prot_nonce; /* 2F0h */
    uint64_t rcx, rdx, rbx, reserved7, rbp, rsi, rdi;   /* 308h */
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;      /* 340h */
    uint8_t reserved8[0x390 - 0x380];
    uint64_t exit_info1, exit_info2, exit_int_info, nrip; /* 390h */
    uint64_t sev_features, vintr_ctrl, exit_code, virtual_tom; /* 3B0h */
    uint64_t tlb_id, pcpu_id, event_inj, xcr0; /* 3D0h */
    uint8_t reserved9[0x400 - 0x3f0];
    uint64_t x87_dp; /* 400h */
    uint32_t mxcsr;
    uint16_t x87_ftw, x87_fsw, x87_fcw, x87_fop, x87_ds, x87_cs; /* 40Ch */
    uint64_t x87_rip;
    uint8_t fpreg_x87[80], fpreg_xmm[256], fpreg_ymm[256]; /* 420h */
    uint8_t reserved10[0x1000 - 0x670];
};
_Static_assert(sizeof(struct vmsa) == 4096, "a page");
#define AT(field, offset) _Static_assert(offsetof(struct vmsa, field) == (offset), #field)
AT(vmpl, 0xca);
AT(efer, 0xd0);
AT(cr4, 0x148);
AT(rip, 0x178);
AT(rsp, 0x1d8);
AT(rax, 0x1f8);
AT(cr2, 0x240);
AT(g_pat, 0x268);
AT(tsc_aux, 0x2ec);
AT(tsc_scale, 0x2f0);
AT(rcx, 0x308);
AT(rbp, 0x328);
AT(r8, 0x340);
AT(r15, 0x378);
AT(exit_info1, 0x390);
AT(sev_features, 0x3b0);
AT(exit_code, 0x3c0);
AT(xcr0, 0x3e8);
AT(mxcsr, 0x408);
AT(x87_fcw, 0x410);
AT(fpreg_xmm, 0x470);
AT(fpreg_ymm, 0x570);
#undef AT
#define SEV_FEATURE_SNP BIT(0)

/* Firmware commands: ABI chapter 8 */
enum snp_command {
    SEV_CMD_NOP = 0x00e, /* the two of SEV that SNP firmware takes as well */
    SEV_CMD_RING_BUFFER = 0x00f,
    SNP_CMD_PLATFORM_STATUS = 0x083,
    SNP_CMD_DF_FLUSH = 0x084,
    SNP_CMD_INIT_EX = 0x085,
    SNP_CMD_SHUTDOWN_EX = 0x086,
    SNP_CMD_DECOMMISSION = 0x090,
    SNP_CMD_ACTIVATE = 0x091,
    SNP_CMD_GCTX_CREATE = 0x093,
    SNP_CMD_GUEST_REQUEST = 0x094,
    SNP_CMD_LAUNCH_START = 0x0a0,
    SNP_CMD_LAUNCH_UPDATE = 0x0a1,
    SNP_CMD_LAUNCH_FINISH = 0x0a2,
    SNP_CMD_PAGE_RECLAIM = 0x0c7,
    SNP_CMD_FEATURE_INFO = 0x0ce,
};

/* The mailbox: ABI 4.1; offsets in BAR2 of the PSP's PCI function (generation 2 and later) */
#define PSP_REG_CMDRESP    0x10980u
#define PSP_REG_ADDR_LOW   0x109e0u
#define PSP_REG_ADDR_HIGH  0x109e4u
#define PSP_CMD(id)        ((uint32_t)(id) << 16)
#define PSP_RESPONSE       BIT(31)
#define PSP_STATUS(resp)   ((resp) & 0xffffu)

/*
 * The command ring. RB: AMD's published firmware (AMD-ASPFW, fw/psp_bl_uapps/sev_uapp/src), where
 * sev_ring_buffer.h has the layout and main.c, sev_ring_buffer.c and sev_mcmd.c what is done with
 * it. In ring mode the mailbox's registers mean something else.
 */
#define PSP_REG_RB_CTL  PSP_REG_CMDRESP /* each write to it wakes the firmware */
#define PSP_REG_RB_HEAD PSP_REG_ADDR_LOW
#define PSP_REG_RB_TAIL PSP_REG_ADDR_HIGH
#define RB_CTL_RESUME_LOW  BIT(8) /* the queue that stopped goes on when the bit is clear again */
#define RB_CTL_RESUME_HIGH BIT(9)
#define RB_CTL_CLEAR       BIT(29) /* what the head says of interrupts */
#define RB_CTL_ACTIVE      BIT(30)
#define RB_CTL_X86         BIT(31) /* without it and ACTIVE the firmware leaves ring mode */
#define RB_HEAD_LOW(v)     ((v) & 0xffu)
#define RB_HEAD_LOW_RUNS   BIT(11)
#define RB_HEAD_HIGH(v)    ((v) >> 16 & 0xffu)
#define RB_HEAD_HIGH_RUNS  BIT(27)
#define RB_HEAD_EMPTY      BIT(28)
#define RB_HEAD_DONE       BIT(29) /* a command with RB_FLAG_INTERRUPT */
#define RB_HEAD_PAUSED     BIT(30) /* one without RB_FLAG_CONTINUE failed */
#define RB_HEAD_NEAR_EMPTY BIT(31)

struct sev_ring_buffer { /* RB: sev_mcmd.h */
    uint64_t low_commands, low_status, high_commands, high_status;
    uint8_t low_pages, high_pages; /* 1; 0 or 1 */
    uint16_t low_threshold, high_threshold, interrupt_on_empty;
};
_Static_assert(sizeof(struct sev_ring_buffer) == 40, "RB: sev_mcmd.h");

struct sev_ring_command {
    uint16_t id, flags;
    uint32_t software; /* the firmware does not look at it */
    uint64_t buffer;
};
_Static_assert(sizeof(struct sev_ring_command) == 16, "RB: sev_ring_buffer.h");
#define RB_FLAG_INTERRUPT BIT(0)
#define RB_FLAG_CONTINUE  BIT(1)

struct sev_ring_status {
    uint16_t status, reserved0;
    uint32_t reserved1;
    uint64_t error_stack;
};
_Static_assert(sizeof(struct sev_ring_status) == 16, "RB: sev_ring_buffer.h");
#define RB_ENTRIES 256u /* of a page; a queue is empty when head and tail agree */

/* Status codes: ABI chapter 6 */
enum snp_status {
    SNP_SUCCESS = 0,
    SNP_INVALID_PLATFORM_STATE = 1,
    SNP_INVALID_GUEST_STATE = 2,
    SNP_INVALID_CONFIG = 3,
    SNP_INVALID_LENGTH = 4,
    SNP_ALREADY_OWNED = 5,
    SNP_INVALID_CERTIFICATE = 6,
    SNP_POLICY_FAILURE = 7,
    SNP_INACTIVE = 8,
    SNP_INVALID_ADDRESS = 9,
    SNP_BAD_SIGNATURE = 0xa,
    SNP_BAD_MEASUREMENT = 0xb,
    SNP_ASID_OWNED = 0xc,
    SNP_INVALID_ASID = 0xd,
    SNP_WBINVD_REQUIRED = 0xe,
    SNP_DFFLUSH_REQUIRED = 0xf,
    SNP_INVALID_GUEST = 0x10,
    SNP_INVALID_COMMAND = 0x11,
    SNP_ACTIVE = 0x12,
    SNP_HWERROR_PLATFORM = 0x13,
    SNP_HWERROR_UNSAFE = 0x14,
    SNP_UNSUPPORTED = 0x15,
    SNP_INVALID_PARAM = 0x16,
    SNP_RESOURCE_LIMIT = 0x17,
    SNP_SECURE_DATA_INVALID = 0x18,
    SNP_INVALID_PAGE_SIZE = 0x19,
    SNP_INVALID_PAGE_STATE = 0x1a,
    SNP_INVALID_MDATA_ENTRY = 0x1b,
    SNP_INVALID_PAGE_OWNER = 0x1c,
    SNP_AEAD_OFLOW = 0x1d,
    SNP_EXIT_RING_BUFFER = 0x1f,
    SNP_RMP_INIT_REQUIRED = 0x20,
    SNP_BAD_SVN = 0x21,
    SNP_BAD_VERSION = 0x22,
    SNP_SHUTDOWN_REQUIRED = 0x23,
    SNP_UPDATE_FAILED = 0x24,
    SNP_RESTORE_REQUIRED = 0x25,
    SNP_RMP_INIT_FAILED = 0x26,
    SNP_INVALID_KEY = 0x27,
    SNP_SHUTDOWN_INCOMPLETE = 0x28,
};

enum snp_page_type { /* ABI table 66 */
    SNP_PAGE_NORMAL = 1,
    SNP_PAGE_VMSA = 2,
    SNP_PAGE_ZERO = 3,
    SNP_PAGE_UNMEASURED = 4,
    SNP_PAGE_SECRETS = 5,
    SNP_PAGE_CPUID = 6,
};

/* What the launch digest has for the address of a save area: ABI 8.17.2. */
#define SNP_VMSA_GPA 0xfffffffff000ull

struct snp_init_ex { /* ABI 8.8 */
    uint32_t flags; /* SNP_INIT_* */
    uint32_t reserved0;
    uint64_t list;
    uint16_t max_snp_asid;
    uint8_t reserved1[46];
};
_Static_assert(sizeof(struct snp_init_ex) == 64, "ABI 8.8");
#define SNP_INIT_RMP  BIT(0) /* initialise it */
#define SNP_INIT_LIST BIT(1) /* there is a list */

struct snp_range_list { /* ABI 8.8.2: one page at most */
    uint32_t count, reserved;
    struct {
        uint64_t base;
        uint32_t pages, reserved;
    } range[255];
};
_Static_assert(sizeof(struct snp_range_list) == 4088, "ABI 8.8.2");

struct snp_shutdown_ex { /* ABI 8.9 */
    uint32_t length, flags;
};
_Static_assert(sizeof(struct snp_shutdown_ex) == 8, "ABI 8.9");
#define SNP_SHUTDOWN_IOMMU BIT(0) /* IOMMUs, too, enforce SNP no more */
#define SNP_SHUTDOWN_X86   BIT(1) /* nor do the processors; only with the IOMMUs */

struct snp_platform_status { /* ABI 8.3 */
    uint8_t api_major, api_minor, state, rmp_initialized;
    uint32_t build, features, guest_count;
    uint64_t current_tcb, reported_tcb;
};
_Static_assert(sizeof(struct snp_platform_status) == 32, "ABI 8.3");

struct snp_feature_info { /* ABI 8.14; the answer is CPUID 80000024h: EAX, EBX, ECX, EDX */
    uint32_t length, ecx_in;
    uint64_t address;
};
_Static_assert(sizeof(struct snp_feature_info) == 16, "ABI 8.14");
#define SNP_STATUS_FEATURE_INFO BIT(3) /* of platform_status.features: there is that command */
/* ECX of subfunction 0 */
#define SNP_FEATURE_RAPL_DIS          BIT(2)
#define SNP_FEATURE_CIPHERTEXT_HIDING BIT(3)
#define SNP_FEATURE_AES_256_XTS       BIT(4)
#define SNP_FEATURE_CXL_ALLOW         BIT(5)

struct snp_activate {
    uint64_t gctx;
    uint32_t asid;
};

struct snp_launch_start { /* ABI 8.16 */
    uint64_t gctx, policy, ma_gctx;
    uint32_t flags, desired_tsc_khz;
    uint8_t gosvw[16];
};
_Static_assert(sizeof(struct snp_launch_start) == 48, "ABI 8.16");
/* The guest policy: ABI 4.3, table 9 */
#define SNP_POLICY_MINOR(p)      ((unsigned int)(p) & 0xff)
#define SNP_POLICY_MAJOR(p)      ((unsigned int)((p) >> 8) & 0xff)
#define SNP_POLICY_SMT           BIT(16)
#define SNP_POLICY_RESERVED_1    BIT(17)
#define SNP_POLICY_MIGRATE_MA    BIT(18)
#define SNP_POLICY_DEBUG         BIT(19)
#define SNP_POLICY_SINGLE_SOCKET BIT(20)
#define SNP_POLICY_CXL_ALLOW     BIT(21)
#define SNP_POLICY_AES_256_XTS   BIT(22)
#define SNP_POLICY_RAPL_DIS      BIT(23)
#define SNP_POLICY_CIPHERTEXT_HIDING BIT(24)
#define SNP_POLICY_PAGE_SWAP_OFF BIT(25)

struct snp_launch_update { /* ABI 8.17 */
    uint64_t gctx;
    uint32_t page; /* bit 0: 2 MiB, bits 3:1: type, bit 4: IMI */
    uint32_t reserved0;
    uint64_t address;
    uint8_t reserved1, vmpl1_perms, vmpl2_perms, vmpl3_perms;
    uint32_t reserved2;
};
_Static_assert(sizeof(struct snp_launch_update) == 32, "ABI 8.17");
#define SNP_UPDATE_SIZE(page) ((page) & 1)
#define SNP_UPDATE_TYPE(page) ((page) >> 1 & 7)

struct snp_launch_finish { /* ABI 8.18 */
    uint64_t gctx, id_block, id_auth;
    uint64_t flags; /* bit 0: ID block, 1: author key, 2: no VCEK */
    uint8_t host_data[32];
};
_Static_assert(sizeof(struct snp_launch_finish) == 64, "ABI 8.18");
#define SNP_FINISH_ID_BLOCK   BIT(0)
#define SNP_FINISH_AUTHOR_KEY BIT(1)

struct snp_guest_request { /* ABI 8.26 */
    uint64_t gctx, request, response;
};

/* The CPUID page: ABI 8.17.2.6 */
struct snp_cpuid_function {
    uint32_t eax_in, ecx_in;
    uint64_t xcr0_in, xss_in;
    uint32_t eax, ebx, ecx, edx;
    uint64_t reserved;
};
#define SNP_CPUID_MAX 64u
struct snp_cpuid_page {
    uint32_t count, reserved0;
    uint64_t reserved1;
    struct snp_cpuid_function fn[SNP_CPUID_MAX];
    uint8_t reserved2[4096 - 16 - SNP_CPUID_MAX * 48];
};
_Static_assert(sizeof(struct snp_cpuid_page) == 4096, "a page");

/* The secrets page: ABI 8.17.2.5 */
struct snp_secrets_page {
    uint32_t version, imi_en, fms, reserved0;
    uint8_t gosvw[16];
    uint8_t vmpck[4][32];
    uint8_t os_reserved[96];
    uint64_t vmsa_tweak_bitmap[8];
    uint8_t svsm[0x20]; /* 140h: for guest software */
    uint32_t tsc_factor;
    uint8_t reserved1[4096 - 0x164];
};
_Static_assert(sizeof(struct snp_secrets_page) == 4096, "a page");
_Static_assert(offsetof(struct snp_secrets_page, vmpck) == 0x20, "ABI 8.17.2.5");
_Static_assert(offsetof(struct snp_secrets_page, tsc_factor) == 0x160, "ABI 8.17.2.5");

/* Guest messages: ABI 8.26, table 99 */
struct snp_message {
    uint8_t authtag[32];
    uint64_t seqno;
    uint8_t reserved0[8];
    uint8_t algorithm, header_version; /* 30h: authenticated from here */
    uint16_t header_size;
    uint8_t type, version;
    uint16_t size;
    uint32_t reserved1;
    uint8_t vmpck, reserved2[35];
    uint8_t payload[4000];
};
_Static_assert(sizeof(struct snp_message) == 4096, "a page");
#define SNP_MESSAGE_AAD 0x30u
#define SNP_MSG_REPORT_REQ 5u
#define SNP_MSG_REPORT_RSP 6u
#define SNP_MSG_KEY_REQ 3u
#define SNP_MSG_KEY_RSP 4u

#endif
