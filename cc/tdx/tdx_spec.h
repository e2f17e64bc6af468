/*
 * Intel TDX as its specifications have it, under their names: leaves, status codes, structures.
 * ABI: Intel TDX Module v1.5 ABI Specification (348551). BASE: TDX Module v1.5 Base Architecture
 * Specification (348549). GHCI: Guest-Host-Communication Interface for TDX 1.5 (348552). SEAMLDR:
 * SEAM Loader Interface Specification (343755).
 */
#ifndef TDX_SPEC_H
#define TDX_SPEC_H

#include "hv/types.h"

/* Registers of SEAMCALL, TDCALL and VP.ENTER. RSP is never one of them. */
struct tdx_regs {
    uint64_t rax, rcx, rdx, rbx, rsp_unused, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};
_Static_assert(sizeof(struct tdx_regs) == 128, "in the order of their numbers");
#define TDX_GPR(regs, n) (((uint64_t *)(regs))[n])

/* ---- host leaves: ABI 5.3; RAX has the leaf in 15:0, its version in 23:16 ---- */
enum tdh_leaf {
    TDH_VP_ENTER = 0,
    TDH_MNG_ADDCX = 1,
    TDH_MEM_PAGE_ADD = 2,
    TDH_MEM_SEPT_ADD = 3,
    TDH_VP_ADDCX = 4,
    TDH_MEM_PAGE_AUG = 6,
    TDH_MEM_RANGE_BLOCK = 7,
    TDH_MNG_KEY_CONFIG = 8,
    TDH_MNG_CREATE = 9,
    TDH_VP_CREATE = 10,
    TDH_MNG_RD = 11,
    TDH_MEM_PAGE_DEMOTE = 15,
    TDH_MR_EXTEND = 16,
    TDH_MR_FINALIZE = 17,
    TDH_VP_FLUSH = 18,
    TDH_MNG_VPFLUSHDONE = 19,
    TDH_MNG_KEY_FREEID = 20,
    TDH_MNG_INIT = 21,
    TDH_VP_INIT = 22,
    TDH_MEM_PAGE_PROMOTE = 23,
    TDH_PHYMEM_PAGE_RDMD = 24,
    TDH_MEM_SEPT_RD = 25,
    TDH_VP_RD = 26,
    TDH_PHYMEM_PAGE_RECLAIM = 28,
    TDH_MEM_PAGE_REMOVE = 29,
    TDH_MEM_SEPT_REMOVE = 30,
    TDH_SYS_KEY_CONFIG = 31,
    TDH_SYS_INIT = 33,
    TDH_SYS_RD = 34,
    TDH_SYS_LP_INIT = 35,
    TDH_SYS_TDMR_INIT = 36,
    TDH_MEM_TRACK = 38,
    TDH_MEM_RANGE_UNBLOCK = 39,
    TDH_PHYMEM_CACHE_WB = 40,
    TDH_PHYMEM_PAGE_WBINVD = 41,
    TDH_VP_WR = 43,
    TDH_SYS_LP_SHUTDOWN = 44,
    TDH_SYS_CONFIG = 45,
    TDH_SYS_SHUTDOWN = 52,
};
#define TDX_LEAF(rax)    ((rax) & 0xffffu)
#define TDX_VERSION(rax) ((rax) >> 16 & 0xffu)

/* ---- the persistent loader, P-SEAMLDR, answers SEAMCALLs with RAX bit 63: SEAMLDR ---- */
#define SEAMLDR_LEAF BIT(63)
#define SEAMLDR_INFO (SEAMLDR_LEAF | 0u) /* RCX: where to, 256 bytes, aligned on as many */
#define SEAMLDR_SUCCESS     0ull
#define SEAMLDR_EBADPARAM   0x8000000000000000ull
#define SEAMLDR_EBADCALL    0x8000000000000003ull
#define SEAMLDR_EUNSPECERR  0x8000000000010003ull
struct tdx_seamextend { /* what the CPUs know of the module that is loaded */
    uint64_t valid;
    uint8_t tee_tcb_svn[16], mrseam[48], mrsignerseam[48];
    uint64_t attributes;
    uint8_t seam_ready, seam_debug, p_seamldr_ready, reserved[5];
};
_Static_assert(sizeof(struct tdx_seamextend) == 136, "SEAMLDR: SEAMEXTEND");
_Static_assert(offsetof(struct tdx_seamextend, seam_ready) == 128, "SEAMLDR: SEAMEXTEND");
struct tdx_seamldr_info { /* later loaders have more where this one is reserved */
    uint32_t version, attributes, vendor_id, build_date; /* the date in decimal: 20231231 */
    uint16_t build_num, minor, major, update;
    uint32_t acm_x2apicid, num_remaining_updates;
    struct tdx_seamextend seamextend;
    uint8_t reserved[88];
};
_Static_assert(sizeof(struct tdx_seamldr_info) == 256, "SEAMLDR: SEAMLDR_INFO");
_Static_assert(offsetof(struct tdx_seamldr_info, build_num) == 16, "SEAMLDR: SEAMLDR_INFO");
_Static_assert(offsetof(struct tdx_seamldr_info, acm_x2apicid) == 24, "SEAMLDR: SEAMLDR_INFO");
_Static_assert(offsetof(struct tdx_seamldr_info, seamextend) == 32, "SEAMLDR: SEAMLDR_INFO");
#define SEAMLDR_ATTR_DEBUG BIT(31)
#define SEAMLDR_INTEL      0x8086u

/* ---- guest leaves: ABI 5.5 ---- */
enum tdg_leaf {
    TDG_VP_VMCALL = 0,
    TDG_VP_INFO = 1,
    TDG_MR_RTMR_EXTEND = 2,
    TDG_VP_VEINFO_GET = 3,
    TDG_MR_REPORT = 4,
    TDG_VP_CPUIDVE_SET = 5,
    TDG_MEM_PAGE_ACCEPT = 6,
    TDG_VM_RD = 7,
    TDG_VM_WR = 8,
};

/* ---- status: ABI 4.2; the upper half of RAX is the code, the lower one details ---- */
enum tdx_status {
    TDX_SUCCESS = 0,
#define TDX_STATUS(name, code, abi, text) TDX_##name = code,
#include "tdx_status.def"
#undef TDX_STATUS
};
#define TDX_STATUS_OF(rax)   ((enum tdx_status)((rax) >> 32))
#define TDX_DETAILS(rax)     ((uint32_t)(rax))
#define TDX_ERROR_BIT        BIT(63)
#define TDX_NON_RECOVERABLE  BIT(62)
#define TDX_FATAL_BIT        BIT(61)

/* What the lower half of a status names: ABI 4.2.4. General registers by their number. */
enum tdx_operand {
    TDX_RAX = 0,
    TDX_RCX = 1,
    TDX_RDX = 2,
    TDX_R8 = 8,
    TDX_R9 = 9,
    TDX_ATTRIBUTES = 64,
    TDX_XFAM = 65,
    TDX_EXEC_CONTROLS = 66,
    TDX_EPTP_CONTROLS = 67,
    TDX_MAX_VCPUS = 68,
    TDX_CPUID_CONFIG = 69,
    TDX_TSC_FREQUENCY = 70,
    TDX_NUM_L2_VMS = 71,
    TDX_TDR = 128,
    TDX_SEPT_TREE = 146,
    TDX_RTMR = 168,
    TDX_TD_EPOCH = 169,
    TDX_OP_STATE = 172,
    TDX_KOT = 186,
    TDX_WBCACHE = 188,
};

/* ---- machine registers: BASE 3, SDM Vol. 4 ---- */
enum {
    MSR_MTRRCAP_TDX = 0xfe,
    MSR_KEYID_PARTITIONING = 0x87, /* 31:0: MKTME key ids, 63:32: TDX key ids above them */
    MSR_TME_ACTIVATE = 0x982,      /* 35:32: key id bits, at the top of a physical address */
};
#define MTRRCAP_SEAMRR BIT(15)

/* ---- global metadata that TDH.SYS.RD gives: ABI 3.2 ---- */
enum {
    MD_CLASS_SHIFT = 56,
};
#define MD_MINOR_VERSION      0x0800000100000003ull
#define MD_MAJOR_VERSION      0x0800000100000004ull
#define MD_UPDATE_VERSION     0x0800000100000005ull
#define MD_TDX_FEATURES0      0x0a00000300000008ull
#define MD_MODULE_HV          0x8900000100000000ull /* of what it hands over: SYS.SHUTDOWN */
#define MD_MIN_UPDATE_HV      0x8900000100000001ull
#define MD_NO_DOWNGRADE       0x8900000000000002ull
#define MD_NUM_CMRS           0x9000000100000000ull
#define MD_CMR_BASE           0x9000000300000080ull
#define MD_CMR_SIZE           0x9000000300000100ull
#define MD_MAX_TDMRS          0x9100000100000008ull
#define MD_MAX_RESERVED       0x9100000100000009ull
#define MD_PAMT_4K_ENTRY      0x9100000100000010ull
#define MD_PAMT_2M_ENTRY      0x9100000100000011ull
#define MD_PAMT_1G_ENTRY      0x9100000100000012ull
#define MD_TDR_SIZE           0x9800000100000000ull
#define MD_TDCS_SIZE          0x9800000100000100ull
#define MD_TDVPS_SIZE         0x9800000100000200ull
#define MD_ATTRIBUTES_FIXED0  0x1900000300000000ull /* a bit of 0: must be 0 */
#define MD_ATTRIBUTES_FIXED1  0x1900000300000001ull /* a bit of 1: must be 1 */
#define MD_XFAM_FIXED0        0x1900000300000002ull
#define MD_XFAM_FIXED1        0x1900000300000003ull
#define MD_NUM_CPUID_CONFIG   0x9900000100000004ull
#define MD_CPUID_LEAVES       0x9900000300000400ull /* + n: leaf, subleaf << 32 */
#define MD_CPUID_VALUES       0x9900000300000500ull /* + 2n: EAX, EBX; + 2n + 1: ECX, EDX */
#define TDX_FEATURES0_TD_PRESERVING BIT(1) /* has SYS.SHUTDOWN */
#define TDX_FEATURES0_NO_RBP_MOD    BIT(18)
#define TDX_SUBLEAF_NONE 0xffffffffu

/* ---- a TD's metadata (ABI 3.3), by class and code; the context bits may be absent ---- */
#define MD_TD_ATTRIBUTES     0x1110000300000000ull
#define MD_TD_XFAM           0x1110000300000001ull
#define MD_TD_GPAW           0x1110000000000003ull
#define MD_TD_TSC_OFFSET     0x111000030000000aull
#define MD_TD_CONFIG_FLAGS   0x1110000300000016ull
#define MD_TD_TD_CTLS        0x1110000300000017ull
#define MD_TD_NOTIFY_ENABLES 0x9110000300000010ull
#define MD_TD_NUM_VCPUS      0x9010000200000001ull
#define MD_TD_OP_STATE       0x9010000200000004ull
#define MD_TD_EPOCH          0x9210000300000000ull
#define MD_CODE(id)          ((id) & 0x3f00000000ffffffull) /* class and field code */
/* ---- and a vCPU's: ABI 3.4 ---- */
#define MD_VP_VMCS(encoding) ((uint64_t)(encoding))
#define MD_VP_PEND_NMI       (BIT(63) | 32ull << MD_CLASS_SHIFT | 11)
#define MD_VP_STATE_DETAILS  (BIT(63) | 17ull << MD_CLASS_SHIFT | 0x100)
#define VP_DETAILS_INTERRUPT BIT(0) /* one is pending, whatever RFLAGS.IF says */
#define VMCS_POSTED_VECTOR     0x0002u
#define VMCS_POSTED_DESCRIPTOR 0x2016u
#define VMCS_SHARED_EPTP       0x203cu
#define VMCS_PIN_CONTROLS      0x4000u
#define PIN_POSTED_INTERRUPTS  BIT(7) /* what of them is the host's: SDM Vol. 3, 25.6.1 */

/* ---- TDMR_INFO: ABI 3.5.4 ---- */
#define TDX_MAX_RESERVED 16u
struct tdx_tdmr_info {
    uint64_t base, size;                 /* multiples of 1 GiB */
    uint64_t pamt_1g_base, pamt_1g_size; /* multiples of 4 KiB */
    uint64_t pamt_2m_base, pamt_2m_size;
    uint64_t pamt_4k_base, pamt_4k_size;
    struct {
        uint64_t offset, size; /* in order; the first of size 0 ends the list */
    } reserved[TDX_MAX_RESERVED];
    uint8_t pad[512 - 64 - 16 * TDX_MAX_RESERVED];
};
_Static_assert(sizeof(struct tdx_tdmr_info) == 512, "ABI 3.5.4: aligned on 512");
_Static_assert(offsetof(struct tdx_tdmr_info, reserved) == 64, "ABI 3.5.4");

/* ---- TD_PARAMS: ABI 3.6.1 ---- */
struct tdx_cpuid_value {
    uint32_t eax, ebx, ecx, edx;
};
#define TDX_CPUID_CONFIGS_MAX 48u
struct tdx_td_params {
    uint64_t attributes, xfam;
    uint16_t max_vcpus;
    uint8_t num_l2_vms, msr_config_ctls, reserved0[4];
    uint64_t eptp_controls, config_flags;
    uint16_t tsc_frequency; /* units of 25 MHz, 4..400 */
    uint8_t reserved1[38];
    uint8_t mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint64_t arch_capabilities_config;
    uint8_t reserved2[24];
    struct tdx_cpuid_value cpuid[TDX_CPUID_CONFIGS_MAX]; /* as many as SYS.RD says, in its order */
};
_Static_assert(sizeof(struct tdx_td_params) == 1024, "ABI 3.6.1");
_Static_assert(offsetof(struct tdx_td_params, eptp_controls) == 24, "ABI 3.6.1");
_Static_assert(offsetof(struct tdx_td_params, tsc_frequency) == 40, "ABI 3.6.1");
_Static_assert(offsetof(struct tdx_td_params, mrconfigid) == 80, "ABI 3.6.1");
_Static_assert(offsetof(struct tdx_td_params, cpuid) == 256, "ABI 3.6.1");
#define TD_ATTR_DEBUG           BIT(0)
#define TD_ATTR_SEPT_VE_DISABLE BIT(28)
#define TD_ATTR_MIGRATABLE      BIT(29)
#define TD_ATTR_PKS             BIT(30)
#define TD_ATTR_PERFMON         BIT(63)
#define TD_CONFIG_GPAW          BIT(0) /* the SHARED bit is 51, not 47 */
#define TD_CONFIG_FLEXIBLE_VE   BIT(1)
#define TD_CONFIG_NO_RBP_MOD    BIT(2)
#define TD_EPTP_4_LEVELS        (6u | 3u << 3) /* write-back, walk length 4 */
#define TDX_TSC_UNIT_HZ         25000000u
#define TDX_TSC_UNITS_MIN       4u
#define TDX_TSC_UNITS_MAX       400u

/* ---- pages ---- */
enum tdx_level { TDX_4K = 0, TDX_2M = 1, TDX_1G = 2, TDX_512G = 3 };
#define TDX_LEVEL_SIZE(l)       (BIT(PAGE_SHIFT) << (9 * (l)))
#define TDX_PAGE(gpa, level)    ((gpa) | (uint64_t)(level)) /* RCX of the memory leaves */
#define TDX_EXTEND_CHUNK        256u

enum tdx_page_type { /* what PHYMEM.PAGE.RDMD and RECLAIM tell: ABI 3.5.6 */
    TDX_PT_NDA = 0,
    TDX_PT_RSVD = 1,
    TDX_PT_REG = 3,
    TDX_PT_TDR = 4,
    TDX_PT_TDCX = 5,
    TDX_PT_TDVPR = 6,
    TDX_PT_EPT = 8,
};

enum tdx_sept_state { /* RDX 15:8 of a failed memory leaf; 2:0 are the level. ABI 3.6.3 */
    TDX_SEPT_FREE = 0,
    TDX_SEPT_BLOCKED = 1,
    TDX_SEPT_PENDING = 2,
    TDX_SEPT_PENDING_BLOCKED = 3,
    TDX_SEPT_MAPPED = 4,
    TDX_SEPT_NL_BLOCKED = 129,
    TDX_SEPT_NL_MAPPED = 132,
};

enum tdx_op_state { TDX_OP_UNINITIALIZED, TDX_OP_INITIALIZED, TDX_OP_RUNNABLE };
enum tdx_lifecycle { TDX_HKID_ASSIGNED, TDX_KEYS_CONFIGURED, TDX_BLOCKED, TDX_TEARDOWN };

/* ---- VP.ENTER: ABI 5.3.65 ---- */
#define TDX_EXIT_REASON(rax) ((uint32_t)(rax) & 0xffffu)
enum tdx_exit { /* SDM Vol. 3, appendix C */
    TDX_EXIT_EXCEPTION_NMI = 0,
    TDX_EXIT_INTERRUPT = 1,
    TDX_EXIT_TRIPLE_FAULT = 2,
    TDX_EXIT_INIT = 3,
    TDX_EXIT_SMI = 6,
    TDX_EXIT_CPUID = 10,
    TDX_EXIT_HLT = 12,
    TDX_EXIT_INVD = 13,
    TDX_EXIT_VMCALL = 18,
    TDX_EXIT_IO = 30,
    TDX_EXIT_RDMSR = 31,
    TDX_EXIT_WRMSR = 32,
    TDX_EXIT_BAD_STATE = 33, /* VM-entry failure: bit 31 is set, too */
    TDX_EXIT_MWAIT = 36,
    TDX_EXIT_MONITOR = 39,
    TDX_EXIT_EPT_VIOLATION = 48,
    TDX_EXIT_EPT_MISCONFIG = 49,
    TDX_EXIT_WBINVD = 54,
    TDX_EXIT_BUS_LOCK = 74,
    TDX_EXIT_TDCALL = 77,
};
/* VM-exit interruption information, in R9: SDM Vol. 3, 25.9.2 */
#define TDX_INTR_INFO_NMI      0x80000202u
#define TDX_INTR_INFO_IS(r9, info) (((r9) & 0x800007ffu) == (info))
/* Exit qualification of an EPT violation, in RCX: SDM Vol. 3, 28.2.1 */
#define EPT_VIOLATION_READ  BIT(0)
#define EPT_VIOLATION_WRITE BIT(1)
#define EPT_VIOLATION_EXEC  BIT(2)
/* Extended exit qualification, in RDX: ABI 3.7.2 */
#define TDX_EEQ_NONE    0u
#define TDX_EEQ_ACCEPT  1u /* 34:32: the level, of TDG.MEM.PAGE.ACCEPT */
#define TDX_EEQ_PENDING 6u /* an access to what is not accepted, without #VE */
#define TDX_EEQ_TYPE    0xfu

/* ---- TDVMCALL: GHCI 3; R10: 0 or a vendor's call, R11: the subfunction ---- */
enum tdvmcall {
    TDVMCALL_GET_INFO = 0x10000,
    TDVMCALL_MAP_GPA = 0x10001,
    TDVMCALL_GET_QUOTE = 0x10002,
    TDVMCALL_REPORT_FATAL_ERROR = 0x10003,
    TDVMCALL_SETUP_EVENT_NOTIFY = 0x10004,
};
#define TDVMCALL_SUCCESS         0ull
#define TDVMCALL_RETRY           1ull
#define TDVMCALL_INVALID_OPERAND 0x8000000000000000ull
#define TDVMCALL_GPA_INUSE       0x8000000000000001ull
#define TDVMCALL_ALIGN_ERROR     0x8000000000000002ull
#define TDVMCALL_NOT_SUPPORTED   0x8000000000000003ull

/* ---- TDREPORT_STRUCT: ABI 3.8 ---- */
struct tdx_report_mac {
    uint8_t type, subtype, version, reserved0[13];
    uint8_t cpusvn[16];
    uint8_t tee_tcb_info_hash[48], tee_info_hash[48];
    uint8_t report_data[64], reserved1[32], mac[32];
};
_Static_assert(sizeof(struct tdx_report_mac) == 256, "ABI 3.8.2");
_Static_assert(offsetof(struct tdx_report_mac, mac) == 224, "ABI 3.8.2");
struct tdx_tee_tcb_info {
    uint64_t valid;
    uint8_t tee_tcb_svn[16], mrseam[48], mrsignerseam[48];
    uint64_t attributes;
    uint8_t tee_tcb_svn2[16], reserved[95];
    uint8_t pad[17]; /* hashed are the 239 bytes before */
};
_Static_assert(sizeof(struct tdx_tee_tcb_info) == 256, "ABI 3.8.4");
struct tdx_info {
    uint64_t attributes, xfam;
    uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint8_t rtmr[4][48], servtd_hash[48], reserved[64];
};
_Static_assert(sizeof(struct tdx_info) == 512, "ABI 3.8.5");
struct tdx_report {
    struct tdx_report_mac mac;
    struct tdx_tee_tcb_info tcb;
    struct tdx_info info;
};
_Static_assert(sizeof(struct tdx_report) == 1024, "ABI 3.8.1");
_Static_assert(offsetof(struct tdx_report, info.mrtd) == 528, "ABI 3.8.5");
_Static_assert(offsetof(struct tdx_report, info.rtmr) == 720, "ABI 3.8.5");
#define TDX_REPORT_TYPE 0x81u
#define TDX_TEE_TCB_INFO_HASHED 239u
#define TDX_RTMRS 4u

#endif
