/* Debian's OVMF.fd, launched by the production driver: the module measures what was predicted. */
#include <attest/measure_tdx.h>

#include "cc_host.h"
#include "cu.h"

#include "../../hv/domain/plan_x86.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OVMF "/usr/share/ovmf/OVMF.fd"
#define MEMORY MiB(32)

static uint8_t scratch[LAYOUT_SCRATCH_SIZE] __attribute__((aligned(16)));

static size_t read_image(uint8_t *to, size_t room)
{
    FILE *f = fopen(OVMF, "rb");
    size_t len = f == NULL ? 0 : fread(to, 1, room, f);

    if (f != NULL) {
        fclose(f);
    }
    return len;
}

static struct layout *lay_out(const struct domain_config *cfg)
{
    static struct layout l;
    char err[200] = "";
    struct plan p = {cfg, &l, scratch, sizeof(scratch), MEMORY, err, sizeof(err)};

    memset(&l, 0, sizeof(l));
    memset(scratch, 0, sizeof(scratch));
    CU_ASSERT_EQUAL_FATAL(tdvf_x86_plan(&p), ABI_OK);
    CU_ASSERT_STRING_EQUAL(err, "");
    return &l;
}

static void predict(const uint8_t *image, size_t len, uint8_t mrtd[MRTD_SIZE])
{
    struct tdx_region r[TDVF_SECTIONS_MAX];
    struct attest_error err;
    struct tdvf t;

    CU_ASSERT_EQUAL_FATAL(tdvf_parse(image, len, &t, &err), ATTEST_OK);
    CU_ASSERT_EQUAL_FATAL(tdx_mrtd(r, tdvf_regions(&t, r), TDX_ORDER_PAGE, mrtd, &err), ATTEST_OK);
}

static void check_launch(const uint8_t *image, size_t len)
{
    struct domain_config cfg = snp_config(CC_TDX, MEMORY, 2);
    uint8_t predicted[MRTD_SIZE];
    const struct tdx_vp *vp;
    struct layout *l;
    struct vm *vm;

    cfg.kernel = (struct blob){image, len};
    CU_ASSERT_TRUE_FATAL(tdvf_x86_is(cfg.kernel));
    l = lay_out(&cfg);
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    CU_ASSERT_EQUAL_FATAL(vm_launch(vm, l), ABI_OK);
    predict(image, len, predicted);
    CU_ASSERT_EQUAL(memcmp(tdx_tdcs_of(fake_chip(tdx_of(vm)->td.tdr))->mrtd, predicted, MRTD_SIZE),
                    0);
    vp = fake_chip(tdx_vcpu_of(vm->vcpu[1])->tdvpr);
    CU_ASSERT(l->entry.boot_data != 0 && vp->regs.rcx == l->entry.boot_data);
    CU_ASSERT_EQUAL(*(uint16_t *)snp_ram(vm, vp->regs.rcx), 1); /* the first HOB: hand-off */
    vm_destroy(vm);
}

static void the_measurement_of_debians_ovmf_is_the_one_predicted(void)
{
    uint8_t *image = malloc(MiB(16));
    size_t len = read_image(image, MiB(16));

    if (len == 0) {
        cu_skip(1, "no " OVMF ": install the package ovmf");
    } else {
        snp_boot(MiB(128));
        check_launch(image, len);
        image[len / 2] ^= 1; /* another image has another one */
        check_launch(image, len);
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
    }
    free(image);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(the_measurement_of_debians_ovmf_is_the_one_predicted),
        CU_END,
    };

    return cu_main("cc_tdx_firmware", tests, argc, argv);
}
