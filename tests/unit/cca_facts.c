/*
 * RMI and RSI by a third source: what Linux says, as numbers. Realms' side: arch/arm64/include/asm/
 * rsi_smc.h and rsi_cmds.h (6.13); hosts': asm/rmi_smc.h of the KVM series "Support for Arm CCA in
 * KVM" (v9). A realm's Linux boots on the RMM besides: tests/boot/arm_test.py.
 */
#include <stdio.h>

#include "../../cc/cca/cca_spec.h"
#include "cu.h"

static const struct {
    const char *name;
    uint64_t ours, theirs;
} numbers[] = {
#define N(ours, value) {#ours, (uint64_t)(ours), value}
    N(RMI_VERSION, 0xc4000150), N(RMI_GRANULE_DELEGATE, 0xc4000151),
    N(RMI_GRANULE_UNDELEGATE, 0xc4000152), N(RMI_DATA_CREATE, 0xc4000153),
    N(RMI_DATA_CREATE_UNKNOWN, 0xc4000154), N(RMI_DATA_DESTROY, 0xc4000155),
    N(RMI_REALM_ACTIVATE, 0xc4000157), N(RMI_REALM_CREATE, 0xc4000158),
    N(RMI_REALM_DESTROY, 0xc4000159), N(RMI_REC_CREATE, 0xc400015a),
    N(RMI_REC_DESTROY, 0xc400015b), N(RMI_REC_ENTER, 0xc400015c), N(RMI_RTT_CREATE, 0xc400015d),
    N(RMI_RTT_DESTROY, 0xc400015e), N(RMI_RTT_MAP_UNPROTECTED, 0xc400015f),
    N(RMI_RTT_READ_ENTRY, 0xc4000161), N(RMI_RTT_UNMAP_UNPROTECTED, 0xc4000162),
    N(RMI_PSCI_COMPLETE, 0xc4000164), N(RMI_FEATURES, 0xc4000165), N(RMI_RTT_FOLD, 0xc4000166),
    N(RMI_REC_AUX_COUNT, 0xc4000167), N(RMI_RTT_INIT_RIPAS, 0xc4000168),
    N(RMI_RTT_SET_RIPAS, 0xc4000169), N(RMI_REVISION_1_0, 1 << 16),
    N(RMI_UNASSIGNED, 0), N(RMI_ASSIGNED, 1), N(RMI_TABLE, 2),
    N(RMI_SUCCESS, 0), N(RMI_ERROR_INPUT, 1), N(RMI_ERROR_REALM, 2), N(RMI_ERROR_REC, 3),
    N(RMI_ERROR_RTT, 4), N(RMI_STATUS(0x304), 4), N(RMI_INDEX(0x304), 3),
    N(RIPAS_EMPTY, 0), N(RIPAS_RAM, 1), N(RIPAS_DESTROYED, 2),
    N(RMI_HASH_SHA_256, 0), N(RMI_HASH_SHA_512, 1),
    N(RMI_F0_HASH_SHA_256, 1ull << 32), N(RMI_F0_HASH_SHA_512, 1ull << 33),
    N(RMI_F0_NUM_BPS_SHIFT, 14), N(RMI_F0_NUM_WPS_SHIFT, 20),
    N(RMI_F0_NUM_LRS_SHIFT, 34), N(RMI_F0_RECS_SHIFT, 38), N(RMI_MEASURE_CONTENT, 1),
    N(RMI_REC_RUNNABLE, 1), N(RMI_REC_GPRS, 8), N(RMI_REC_AUX_MAX, 16), N(RMI_GPRS, 31),
    N(RMI_LRS, 16), N(RMI_EXIT_SYNC, 0),
    N(RMI_EXIT_IRQ, 1), N(RMI_EXIT_FIQ, 2), N(RMI_EXIT_PSCI, 3),
    N(RMI_EXIT_RIPAS_CHANGE, 4), N(RMI_EXIT_HOST_CALL, 5), N(RMI_EXIT_SERROR, 6),
    N(REC_ENTER_EMUL_MMIO, 1), N(REC_ENTER_INJECT_SEA, 2), N(REC_ENTER_TRAP_WFI, 4),
    N(REC_ENTER_TRAP_WFE, 8), N(REC_ENTER_RIPAS_REJECT, 16),
    N(RSI_VERSION, 0xc4000190), N(RSI_FEATURES, 0xc4000191),
    N(RSI_MEASUREMENT_READ, 0xc4000192), N(RSI_MEASUREMENT_EXTEND, 0xc4000193),
    N(RSI_ATTESTATION_TOKEN_INIT, 0xc4000194), N(RSI_ATTESTATION_TOKEN_CONTINUE, 0xc4000195),
    N(RSI_REALM_CONFIG, 0xc4000196), N(RSI_IPA_STATE_SET, 0xc4000197),
    N(RSI_IPA_STATE_GET, 0xc4000198), N(RSI_HOST_CALL, 0xc4000199),
    N(RSI_SUCCESS, 0), N(RSI_ERROR_INPUT, 1), N(RSI_ERROR_STATE, 2), N(RSI_INCOMPLETE, 3),
    N(RSI_ERROR_UNKNOWN, 4),
    N(RSI_ACCEPT, 0), N(RSI_REJECT, 1), N(RSI_CHANGE_DESTROYED, 1),
#undef N
};

static const struct {
    const char *name;
    size_t ours, theirs;
} places[] = {
#define P(s, member, at) {#s "." #member, offsetof(struct s, member), at}
    P(rmi_realm_params, flags, 0), P(rmi_realm_params, s2sz, 0x8),
    P(rmi_realm_params, sve_vl, 0x10), P(rmi_realm_params, num_bps, 0x18),
    P(rmi_realm_params, num_wps, 0x20), P(rmi_realm_params, pmu_num_ctrs, 0x28),
    P(rmi_realm_params, hash_algo, 0x30), P(rmi_realm_params, rpv, 0x400),
    P(rmi_realm_params, vmid, 0x800), P(rmi_realm_params, rtt_base, 0x808),
    P(rmi_realm_params, rtt_level_start, 0x810), P(rmi_realm_params, rtt_num_start, 0x818),
    P(rmi_rec_params, flags, 0), P(rmi_rec_params, mpidr, 0x100), P(rmi_rec_params, pc, 0x200),
    P(rmi_rec_params, gprs, 0x300), P(rmi_rec_params, num_aux, 0x800),
    P(rmi_rec_params, aux, 0x808),
    P(rmi_rec_run, enter.flags, 0), P(rmi_rec_run, enter.gprs, 0x200),
    P(rmi_rec_run, enter.gicv3_hcr, 0x300), P(rmi_rec_run, enter.gicv3_lrs, 0x308),
    P(rmi_rec_run, exit.exit_reason, 0x800), P(rmi_rec_run, exit.esr, 0x900),
    P(rmi_rec_run, exit.far, 0x908), P(rmi_rec_run, exit.hpfar, 0x910),
    P(rmi_rec_run, exit.gprs, 0xa00), P(rmi_rec_run, exit.gicv3_hcr, 0xb00),
    P(rmi_rec_run, exit.gicv3_lrs, 0xb08), P(rmi_rec_run, exit.gicv3_misr, 0xb88),
    P(rmi_rec_run, exit.gicv3_vmcr, 0xb90), P(rmi_rec_run, exit.cntp_ctl, 0xc00),
    P(rmi_rec_run, exit.cntp_cval, 0xc08), P(rmi_rec_run, exit.cntv_ctl, 0xc10),
    P(rmi_rec_run, exit.cntv_cval, 0xc18), P(rmi_rec_run, exit.ripas_base, 0xd00),
    P(rmi_rec_run, exit.ripas_top, 0xd08), P(rmi_rec_run, exit.ripas_value, 0xd10),
    P(rmi_rec_run, exit.imm, 0xe00), P(rmi_rec_run, exit.pmu_ovf_status, 0xf00),
    P(rsi_realm_config, ipa_width, 0), P(rsi_realm_config, hash_algo, 8),
    P(rsi_realm_config, rpv, 0x200), P(rsi_host_call, imm, 0), P(rsi_host_call, gprs, 8),
#undef P
};

static void every_number_is_as_linux_has_it(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        CU_ASSERT_EQUAL(numbers[i].ours, numbers[i].theirs);
        if (numbers[i].ours != numbers[i].theirs) {
            fprintf(stderr, "%s is %#llx\n", numbers[i].name, (unsigned long long)numbers[i].ours);
        }
    }
}

static void every_member_is_where_linux_has_it(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        CU_ASSERT_EQUAL(places[i].ours, places[i].theirs);
        if (places[i].ours != places[i].theirs) {
            fprintf(stderr, "%s is at %#zx\n", places[i].name, places[i].ours);
        }
    }
}

static const struct cu_test tests[] = {
    CU(every_number_is_as_linux_has_it),
    CU(every_member_is_where_linux_has_it),
    CU_END,
};

int main(int argc, char **argv)
{
    int status = cu_main("cca_facts", tests, argc, argv);

    printf("%zu facts compared with Linux's\n", ARRAY_SIZE(numbers) + ARRAY_SIZE(places));
    return status;
}
