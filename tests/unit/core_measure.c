/* The log of what is measured: whole, and with room for all that may be created. */
#include <string.h>

#include "core_host.h"
#include "cu.h"
#include "hv/control.h"
#include "hv/measure.h"
#include "hv/page.h"
#include "tpm_model.h"

static const struct evidence_request all_of_it = {.owner = 1, .pcrs = 0x1800, .nonce = {9}};

static uint32_t log_bytes(void)
{
    uint8_t none[1];
    uint32_t len, n = 0;

    while (measure_log(n, none, 1, &len) == ABI_OK && len == 1) {
        n++;
    }
    return n;
}

/* As the hypervisor has it of a creator's n-th new configuration, under the longest name. */
static enum abi_status another(uint32_t creator, uint32_t n, uint32_t *count)
{
    uint8_t hash[SHA256_SIZE] = {(uint8_t)creator, (uint8_t)n, (uint8_t)(n >> 8)};

    return measure_domain("a-name-of-thirty-one-characters", hash, count);
}

static void whose_domains_are_ever_new_is_refused_and_others_are_not(void)
{
    uint32_t count = 0, other = 0, commands, bytes;
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    fake_tpm_slow = 0;
    measure_start();
    for (uint32_t n = 0; n < ABI_MAX_MEASURED; n++) {
        CU_ASSERT_EQUAL(another(1, n, &count), ABI_OK);
        CU_ASSERT_EQUAL(another(1, n, &count), ABI_OK); /* a restart is nothing new */
    }
    commands = tpm_model.commands;
    bytes = log_bytes();
    CU_ASSERT_EQUAL(another(1, ABI_MAX_MEASURED, &count), ABI_LIMIT);
    CU_ASSERT_EQUAL(another(1, 0, &count), ABI_OK);
    CU_ASSERT_EQUAL(tpm_model.commands, commands);
    CU_ASSERT_EQUAL(log_bytes(), bytes);
    CU_ASSERT_EQUAL(another(2, 0, &other), ABI_OK);
    CU_ASSERT_EQUAL(another(1, ABI_MAX_MEASURED, NULL), ABI_OK); /* of the boot bundle */
    CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
}

static void the_log_has_room_for_all_that_may_be_created(void)
{
    uint32_t count[ABI_MAX_CONTROLLERS] = {0};
    struct evidence e;

    tpm_model_boot(TPM_CRB);
    fake_tpm_slow = 0;
    memset(boot_info.cmdline, 'x', sizeof(boot_info.cmdline) - 1);
    measure_start();
    for (uint32_t n = 0; n < BUNDLE_DOMAINS_MAX; n++) {
        CU_ASSERT_EQUAL(another(0xff, n, NULL), ABI_OK);
    }
    for (uint32_t n = 0; n < ABI_MAX_MEASURED; n++) {
        for (uint32_t i = 0; i < ABI_MAX_CONTROLLERS; i++) {
            CU_ASSERT_EQUAL(another(i, n, &count[i]), ABI_OK);
        }
    }
    CU_ASSERT_EQUAL(tpm_model_quote(&all_of_it, &e), ABI_OK);
    CU_ASSERT_EQUAL(memcmp(e.pcr[12], tpm_model.pcr[12], 32), 0);
    CU_ASSERT_EQUAL(e.log_len, log_bytes());
    boot_info.cmdline[0] = '\0';
}

static void what_the_log_cannot_tell_is_not_created(void)
{
    struct controller creator = {.name = "lord", .memory_max = UINT64_MAX, .domains_max = 9,
                                 .measured = ABI_MAX_MEASURED - 1};
    struct domain_config cfg;
    struct vm *vm = NULL;
    uint64_t free;

    tpm_model_boot(TPM_CRB);
    measure_start();
    cfg = core_config(MiB(4), 1);
    cfg.creator = &creator;
    cfg.hash[0] = 1;
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    cfg.hash[0] = 2;
    free = page_count_free();
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm), ABI_LIMIT);
    CU_ASSERT_EQUAL(page_count_free(), free);
    CU_ASSERT_EQUAL(creator.domains, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "lord had 256 configurations measured"));
    vm_destroy(vm);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(whose_domains_are_ever_new_is_refused_and_others_are_not),
        CU(the_log_has_room_for_all_that_may_be_created),
        CU(what_the_log_cannot_tell_is_not_created),
        CU_END,
    };

    return cu_main("core_measure", tests, argc, argv);
}
