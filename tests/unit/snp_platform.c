/* The SEV-SNP platform: how the driver brings it up, what it makes of the firmware's answers. */
#include "cu.h"
#include "snp_host.h"

#include "arch_impl/insn.h"
#include "hv/page.h"

#include <stdio.h>
#include <string.h>

static void begin(void)
{
    snp_boot_cpus(MiB(64), 2, 2);
}

static void end(void)
{
    core_done();
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

/* The chip refuses to start where one has, and VMRUN where none has. */
static void every_cpu_has_its_host_save_area_again_when_the_firmware_has_started(void)
{
    begin();
    CU_ASSERT_TRUE(cc_present(CC_SEV_SNP));
    CU_ASSERT_TRUE(emu_core_has_save_area());
    CU_ASSERT(snp_hw_rdmsr(MSR_VM_HSAVE_PA) != 0);
    end();
}

static void the_firmware_tells_its_version_and_its_features(void)
{
    begin();
    CU_ASSERT(snp_platform.status.api_major == 1 && snp_platform.status.api_minor == 55);
    CU_ASSERT((snp_platform.status.features & SNP_STATUS_FEATURE_INFO) != 0);
    CU_ASSERT_EQUAL(snp_platform.features, BIT(1)); /* shutdown of x86; nothing optional */
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "firmware 1.55 build 21, features 2, "));
    end();
}

static void every_status_that_the_firmware_may_answer_has_a_text_of_its_own(void)
{
    static const char unknown[] = "a status that the specification does not list";
    unsigned int known = 0;

    begin();
    for (uint32_t a = 0; a < 0x100; a++) {
        const char *text = snp_status_text((enum snp_status)a);

        known += strcmp(text, unknown) != 0;
        for (uint32_t b = 0; b < a; b++) {
            CU_ASSERT(strcmp(text, unknown) == 0 ||
                      strcmp(text, snp_status_text((enum snp_status)b)) != 0);
        }
    }
    CU_ASSERT_EQUAL(known, 0x28); /* from 0 to 28h, without 1Eh */
    CU_ASSERT_EQUAL(snp_fail("test", "SUCCESS", SNP_SUCCESS), ABI_OK);
    CU_ASSERT_EQUAL(snp_fail("test", "INVALID_CONFIG", SNP_INVALID_CONFIG), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(snp_fail("test", "UNKNOWN", (enum snp_status)0x77), ABI_HARDWARE);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "test: UNKNOWN: a status"));
    end();
}

/* It says what it would have; the launch ends as every one that fails does. */
static void what_the_firmware_refuses_of_the_cpuid_page_is_named(void)
{
    struct domain_config cfg;
    struct vm *vm = NULL;
    uint32_t have[4];
    char line[100];

    begin();
    cfg = snp_config(CC_SEV_SNP, MiB(4), 1);
    emu_core_cpuid(1, 0, have);
    snp_invent = 1;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    CU_ASSERT_EQUAL(vm_launch(vm, snp_layout(CC_SEV_SNP)), ABI_BAD_ARG);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "CPUID 1, 0: "));
    CU_ASSERT_PTR_NULL(strstr(fake_console(), "CPUID 7, 0: "));
    snprintf(line, sizeof(line), "is not what this chip has: %x ", have[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), line));
    vm_destroy(vm);
    end();
}

static void a_chip_whose_caches_are_not_coherent_across_keys_is_refused(void)
{
    snp_lacks = SNP_CPUID_COHERENT;
    begin();
    snp_lacks = 0;
    CU_ASSERT_FALSE(cc_present(CC_SEV_SNP));
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "not coherent across encryption keys"));
    end();
}

/* ABI 5.2: HV-fixed, for those who may write to no other pages while SNP is enforced. */
static void memory_of_the_machines_firmware_never_becomes_anybodys(void)
{
    const struct rmp_entry assigned = {.assigned = 1, .asid = 1};
    struct emu_rmp e;

    begin();
    for (uint64_t at = SNP_RESERVED; at < SNP_RESERVED + SNP_RESERVED_LEN; at += PAGE_SIZE) {
        CU_ASSERT_FATAL(emu_rmp_get(pa(at), &e));
        CU_ASSERT(e.immutable && !e.assigned);
        CU_ASSERT_EQUAL(snp_hw_rmpupdate(pa(at), &assigned), RMP_FAIL_PERMISSION);
    }
    CU_ASSERT(emu_rmp_get(pa(SNP_RESERVED - PAGE_SIZE), &e) && !e.immutable);
    CU_ASSERT(emu_rmp_get(pa(SNP_RESERVED + SNP_RESERVED_LEN), &e) && !e.immutable);
    end();
}

/* An erratum: see svm_page_alloc. */
static void no_page_that_vmrun_uses_begins_2_mib(void)
{
    static pa_t plain[1200], safe[1200];
    unsigned int aligned = 0, unsafe = 0;

    begin();
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        CU_ASSERT_FATAL(page_alloc(ORDER_4K, PAGE_HV, 0, &plain[i]));
        aligned += IS_ALIGNED(plain[i].v, SIZE_2M);
    }
    for (size_t i = 0; i < ARRAY_SIZE(safe); i++) {
        CU_ASSERT_FATAL(svm_page_alloc(0, &safe[i]));
        unsafe += IS_ALIGNED(safe[i].v, SIZE_2M);
    }
    CU_ASSERT(aligned > 0 && unsafe == 0);
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
        page_free(plain[i], PAGE_HV, 0);
        page_free(safe[i], PAGE_HV, 0);
    }
    end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_cpu_has_its_host_save_area_again_when_the_firmware_has_started),
        CU(the_firmware_tells_its_version_and_its_features),
        CU(what_the_firmware_refuses_of_the_cpuid_page_is_named),
        CU(a_chip_whose_caches_are_not_coherent_across_keys_is_refused),
        CU(memory_of_the_machines_firmware_never_becomes_anybodys),
        CU(no_page_that_vmrun_uses_begins_2_mib),
        CU(every_status_that_the_firmware_may_answer_has_a_text_of_its_own),
        CU_END,
    };

    return cu_main("snp_platform", tests, argc, argv);
}
