/*
 * Arm CCA: the Realm Management Monitor specification 1.0 (DEN0137), RMI and RSI, and the RMM-EL3
 * interface of Trusted Firmware-A (Documentation, "RMM-EL3 Communication Interface"). Names are
 * theirs, shortened.
 */
#ifndef CCA_SPEC_H
#define CCA_SPEC_H

#include "hv/types.h"

#define GRANULE_SIZE 4096u

/* B4.3: function identifiers are SMCCC 64-bit fast calls of the standard secure service. */
#define RMI_FID(n) (0xc4000150u + (n))
enum rmi_command {
    RMI_VERSION = RMI_FID(0x00),
    RMI_GRANULE_DELEGATE = RMI_FID(0x01),
    RMI_GRANULE_UNDELEGATE = RMI_FID(0x02),
    RMI_DATA_CREATE = RMI_FID(0x03),
    RMI_DATA_CREATE_UNKNOWN = RMI_FID(0x04),
    RMI_DATA_DESTROY = RMI_FID(0x05),
    RMI_REALM_ACTIVATE = RMI_FID(0x07),
    RMI_REALM_CREATE = RMI_FID(0x08),
    RMI_REALM_DESTROY = RMI_FID(0x09),
    RMI_REC_CREATE = RMI_FID(0x0a),
    RMI_REC_DESTROY = RMI_FID(0x0b),
    RMI_REC_ENTER = RMI_FID(0x0c),
    RMI_RTT_CREATE = RMI_FID(0x0d),
    RMI_RTT_DESTROY = RMI_FID(0x0e),
    RMI_RTT_MAP_UNPROTECTED = RMI_FID(0x0f),
    RMI_RTT_READ_ENTRY = RMI_FID(0x11),
    RMI_RTT_UNMAP_UNPROTECTED = RMI_FID(0x12),
    RMI_PSCI_COMPLETE = RMI_FID(0x14),
    RMI_FEATURES = RMI_FID(0x15),
    RMI_RTT_FOLD = RMI_FID(0x16),
    RMI_REC_AUX_COUNT = RMI_FID(0x17),
    RMI_RTT_INIT_RIPAS = RMI_FID(0x18),
    RMI_RTT_SET_RIPAS = RMI_FID(0x19),
};
#define RMI_COMMANDS 0x1au /* numbers, with holes */
#define RMI_REVISION_1_0 0x10000u

/* B4.4: RmiCommandReturnCode: status in bits 7:0, index (of ERROR_RTT: the level) in 15:8. */
enum rmi_status {
    RMI_SUCCESS = 0,
    RMI_ERROR_INPUT = 1,
    RMI_ERROR_REALM = 2,
    RMI_ERROR_REC = 3,
    RMI_ERROR_RTT = 4,
};
#define RMI_STATUS(code)       ((enum rmi_status)((code) & 0xff))
#define RMI_INDEX(code)        ((unsigned int)((code) >> 8 & 0xff))
#define RMI_CODE(status, index) ((uint64_t)(status) | (uint64_t)(index) << 8)

/* RmiFeatureRegister0 */
#define RMI_F0_S2SZ(f)       ((unsigned int)((f) & 0xff))
#define RMI_F0_NUM_BPS_SHIFT 14
#define RMI_F0_NUM_WPS_SHIFT 20
#define RMI_F0_HASH_SHA_256  BIT(32)
#define RMI_F0_HASH_SHA_512  BIT(33)
#define RMI_F0_NUM_LRS(f)    ((unsigned int)((f) >> 34 & 15) + 1)
#define RMI_F0_NUM_LRS_SHIFT 34
#define RMI_F0_RECS_SHIFT    38

enum rmi_hash { RMI_HASH_SHA_256 = 0, RMI_HASH_SHA_512 = 1 };
enum rmi_ripas { RIPAS_EMPTY = 0, RIPAS_RAM = 1, RIPAS_DESTROYED = 2 };
/* RmiRttEntryState */
enum rmi_rtte { RMI_UNASSIGNED = 0, RMI_ASSIGNED = 1, RMI_TABLE = 2 };

#define RMI_RPV_SIZE 64u
struct rmi_realm_params {
    uint64_t flags;
    uint8_t s2sz, pad0[7];
    uint8_t sve_vl, pad1[7];
    uint8_t num_bps, pad2[7]; /* breakpoints, watchpoints: less one; 0 is reserved */
    uint8_t num_wps, pad3[7];
    uint8_t pmu_num_ctrs, pad4[7];
    uint8_t hash_algo, pad5[0x3cf];
    uint8_t rpv[RMI_RPV_SIZE], pad6[0x3c0];
    uint16_t vmid, pad7[3];
    uint64_t rtt_base;
    int64_t rtt_level_start;
    uint32_t rtt_num_start, pad8[0x1f9];
};
_Static_assert(sizeof(struct rmi_realm_params) == 0x1000, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, s2sz) == 0x8, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, sve_vl) == 0x10, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, num_bps) == 0x18, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, num_wps) == 0x20, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, pmu_num_ctrs) == 0x28, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, hash_algo) == 0x30, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, rpv) == 0x400, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, vmid) == 0x800, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, rtt_base) == 0x808, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, rtt_level_start) == 0x810, "RmiRealmParams");
_Static_assert(offsetof(struct rmi_realm_params, rtt_num_start) == 0x818, "RmiRealmParams");

#define RMI_REC_RUNNABLE BIT(0)
#define RMI_REC_GPRS     8u
#define RMI_REC_AUX_MAX  16u
struct rmi_rec_params {
    uint64_t flags, pad0[0x1f];
    uint64_t mpidr, pad1[0x1f];
    uint64_t pc, pad2[0x1f];
    uint64_t gprs[RMI_REC_GPRS], pad3[0x98];
    uint64_t num_aux;
    uint64_t aux[RMI_REC_AUX_MAX], pad4[0xef];
};
_Static_assert(sizeof(struct rmi_rec_params) == 0x1000, "RmiRecParams");
_Static_assert(offsetof(struct rmi_rec_params, mpidr) == 0x100, "RmiRecParams");
_Static_assert(offsetof(struct rmi_rec_params, pc) == 0x200, "RmiRecParams");
_Static_assert(offsetof(struct rmi_rec_params, gprs) == 0x300, "RmiRecParams");
_Static_assert(offsetof(struct rmi_rec_params, num_aux) == 0x800, "RmiRecParams");
_Static_assert(offsetof(struct rmi_rec_params, aux) == 0x808, "RmiRecParams");

#define RMI_MEASURE_CONTENT BIT(0)

/* RmiRecEnterFlags */
#define REC_ENTER_EMUL_MMIO      BIT(0)
#define REC_ENTER_INJECT_SEA     BIT(1)
#define REC_ENTER_TRAP_WFI       BIT(2)
#define REC_ENTER_TRAP_WFE       BIT(3)
#define REC_ENTER_RIPAS_REJECT   BIT(4)
#define REC_ENTER_FLAGS          0x1full

/* RmiRecExitReason */
enum rmi_exit {
    RMI_EXIT_SYNC = 0,
    RMI_EXIT_IRQ = 1,
    RMI_EXIT_FIQ = 2,
    RMI_EXIT_PSCI = 3,
    RMI_EXIT_RIPAS_CHANGE = 4,
    RMI_EXIT_HOST_CALL = 5,
    RMI_EXIT_SERROR = 6,
};

#define RMI_GPRS 31u
#define RMI_LRS  16u
struct rmi_rec_enter {
    uint64_t flags, pad0[0x3f];
    uint64_t gprs[RMI_GPRS], pad1;
    uint64_t gicv3_hcr;
    uint64_t gicv3_lrs[RMI_LRS], pad2[0x8f];
};
struct rmi_rec_exit {
    uint8_t exit_reason, pad0[0xff];
    uint64_t esr, far, hpfar, pad1[0x1d];
    uint64_t gprs[RMI_GPRS], pad2;
    uint64_t gicv3_hcr;
    uint64_t gicv3_lrs[RMI_LRS];
    uint64_t gicv3_misr, gicv3_vmcr, pad3[0x0d];
    uint64_t cntp_ctl, cntp_cval, cntv_ctl, cntv_cval, pad4[0x1c];
    uint64_t ripas_base, ripas_top;
    uint8_t ripas_value, pad5[0xef];
    uint16_t imm;
    uint8_t pad6[0xfe];
    uint8_t pmu_ovf_status, pad7[0xff];
};
struct rmi_rec_run {
    struct rmi_rec_enter enter;
    struct rmi_rec_exit exit;
};
_Static_assert(sizeof(struct rmi_rec_enter) == 0x800, "RmiRecEnter");
_Static_assert(offsetof(struct rmi_rec_enter, gprs) == 0x200, "RmiRecEnter");
_Static_assert(offsetof(struct rmi_rec_enter, gicv3_hcr) == 0x300, "RmiRecEnter");
_Static_assert(offsetof(struct rmi_rec_enter, gicv3_lrs) == 0x308, "RmiRecEnter");
_Static_assert(sizeof(struct rmi_rec_exit) == 0x800, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, esr) == 0x100, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, gprs) == 0x200, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, gicv3_hcr) == 0x300, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, gicv3_lrs) == 0x308, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, gicv3_misr) == 0x388, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, gicv3_vmcr) == 0x390, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, cntp_ctl) == 0x400, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, cntv_cval) == 0x418, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, ripas_base) == 0x500, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, ripas_value) == 0x510, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, imm) == 0x600, "RmiRecExit");
_Static_assert(offsetof(struct rmi_rec_exit, pmu_ovf_status) == 0x700, "RmiRecExit");
_Static_assert(sizeof(struct rmi_rec_run) == 0x1000, "RmiRecRun");

/* B5.3: what a realm asks of the RMM. */
enum rsi_command {
    RSI_VERSION = 0xc4000190u,
    RSI_FEATURES,
    RSI_MEASUREMENT_READ,
    RSI_MEASUREMENT_EXTEND,
    RSI_ATTESTATION_TOKEN_INIT,
    RSI_ATTESTATION_TOKEN_CONTINUE,
    RSI_REALM_CONFIG,
    RSI_IPA_STATE_SET,
    RSI_IPA_STATE_GET,
    RSI_HOST_CALL,
};
#define RSI_REVISION_1_0 0x10000u
enum rsi_status {
    RSI_SUCCESS = 0,
    RSI_ERROR_INPUT = 1,
    RSI_ERROR_STATE = 2,
    RSI_INCOMPLETE = 3,
    RSI_ERROR_UNKNOWN = 4,
};
#define RSI_CHANGE_DESTROYED BIT(0) /* RsiRipasChangeFlags */
enum rsi_response { RSI_ACCEPT = 0, RSI_REJECT = 1 };

struct rsi_realm_config {
    uint64_t ipa_width;
    uint8_t hash_algo, pad0[0x1f7];
    uint8_t rpv[RMI_RPV_SIZE], pad1[0xdc0];
};
_Static_assert(sizeof(struct rsi_realm_config) == 0x1000, "RsiRealmConfig");
_Static_assert(offsetof(struct rsi_realm_config, rpv) == 0x200, "RsiRealmConfig");

struct rsi_host_call {
    uint16_t imm, pad0[3];
    uint64_t gprs[RMI_GPRS];
};
_Static_assert(sizeof(struct rsi_host_call) == 0x100, "RsiHostCall");
_Static_assert(offsetof(struct rsi_host_call, gprs) == 0x8, "RsiHostCall");

/* RmmMeasurementDescriptor (C1): Data, Rec, Ripas begin alike. */
struct rmm_measurement {
    uint8_t type, pad0[7];
    uint64_t len;
    uint8_t rim[64];
    union {
        struct {
            uint64_t ipa, flags;
            uint8_t content[64];
        } data;
        struct {
            uint8_t content[64];
        } rec;
        struct {
            uint64_t base, top;
        } ripas;
        uint8_t all[0xb0];
    };
};
_Static_assert(sizeof(struct rmm_measurement) == 0x100, "RmmMeasurementDescriptor");
_Static_assert(offsetof(struct rmm_measurement, rim) == 0x10, "RmmMeasurementDescriptor");
_Static_assert(offsetof(struct rmm_measurement, data) == 0x50, "RmmMeasurementDescriptor");
_Static_assert(offsetof(struct rmm_measurement, data.content) == 0x60, "RmmMeasurementDescriptor");
enum { RMM_MEASURE_DATA = 0, RMM_MEASURE_REC = 1, RMM_MEASURE_RIPAS = 2 };

/* RMM-EL3 interface 0.4: calls of R-EL2, and what the RMM is booted with. */
enum rmm_el3_command {
    RMM_RMI_REQ_COMPLETE = 0xc400018fu, /* X1 on: the host's X0 on */
    RMM_GTSI_DELEGATE = 0xc40001b0u,
    RMM_GTSI_UNDELEGATE = 0xc40001b1u,
    RMM_ATTEST_GET_REALM_KEY = 0xc40001b2u,
    RMM_ATTEST_GET_PLAT_TOKEN = 0xc40001b3u,
    RMM_EL3_FEATURES = 0xc40001b4u,
    RMM_BOOT_COMPLETE = 0xc40001cfu, /* X1: enum rmm_boot */
};
#define RMM_EL3_VERSION      0x00000004u /* major 30:16, minor 15:0 */
#define RMM_VERSION_MAJOR(v) ((v) >> 16 & 0x7fff)
#define RMM_VERSION_MINOR(v) ((v) & 0xffff)
enum rmm_el3_status {
    RMM_EL3_OK = 0,
    RMM_EL3_UNKNOWN = -1,
    RMM_EL3_BAD_ADDR = -2,
    RMM_EL3_BAD_PAS = -3,
    RMM_EL3_NO_MEMORY = -4,
    RMM_EL3_INVALID = -5,
    RMM_EL3_AGAIN = -6,
};
enum rmm_boot {
    RMM_BOOT_SUCCESS = 0,
    RMM_BOOT_UNKNOWN_ERROR = -1,
    RMM_BOOT_VERSION_NOT_VALID = -2,
    RMM_BOOT_CPUS_OUT_OF_RANGE = -3,
    RMM_BOOT_CPU_ID_OUT_OF_RANGE = -4,
    RMM_BOOT_INVALID_SHARED_BUFFER = -5,
    RMM_BOOT_MANIFEST_VERSION_NOT_SUPPORTED = -6,
    RMM_BOOT_MANIFEST_DATA_ERROR = -7,
};

/* In the shared buffer (4 KiB) when the RMM boots, with all that it points at. Checksums make the
 * sum of a list's 64-bit words and of its entries' zero. */
struct rmm_dram_bank { /* Non-secure memory */
    uint64_t base, size;
};
struct rmm_list {
    uint64_t count, entries, checksum;
};
#define RMM_MANIFEST_VERSION 0x00000003u
struct rmm_manifest {
    uint32_t version, padding;
    uint64_t plat_data;
    struct rmm_list dram;    /* since 0.2 */
    struct rmm_list console; /* since 0.3 */
};
_Static_assert(offsetof(struct rmm_manifest, plat_data) == 0x8, "rmm_manifest");
_Static_assert(offsetof(struct rmm_manifest, dram) == 0x10, "rmm_manifest");
_Static_assert(offsetof(struct rmm_manifest, console) == 0x28, "rmm_manifest");
_Static_assert(sizeof(struct rmm_manifest) == 0x40, "rmm_manifest");

#endif
