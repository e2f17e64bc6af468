/* Memory that a guest registered as a buffer, with every technology: nothing makes it private. */
#include "cc_host.h"
#include "cu.h"

#include "hv/abi.h"

#define BUFFER (LAY_FREE + 100)

static const enum cc_kind technologies[] = {CC_NONE, CC_SEV_SNP, CC_TDX};

static enum abi_status registers(struct vm *vm, uint64_t *handle)
{
    struct call c = {.arg = {BUFFER, 8}};
    enum abi_status st = call_BUF_REGISTER(vm->vcpu[0], &c);

    *handle = c.value[0];
    return st;
}

static void convert_it(enum cc_kind cc)
{
    struct vm *vm = snp_guest(cc, 1);
    bool plain = cc == CC_NONE;
    struct call c = {0};
    uint64_t handle;

    CU_ASSERT_EQUAL(registers(vm, &c.arg[0]), ABI_OK);
    CU_ASSERT_EQUAL(cc_convert(vm, LAY_FREE, true), plain);
    CU_ASSERT_TRUE(vm->ops->shared(vm, snp_pa(vm, LAY_FREE)));
    CU_ASSERT_FALSE(vm->end_asked);
    CU_ASSERT_EQUAL(call_BUF_UNREGISTER(vm->vcpu[0], &c), ABI_OK);
    CU_ASSERT_TRUE(cc_convert(vm, LAY_FREE, true));
    CU_ASSERT_EQUAL(vm->ops->shared(vm, snp_pa(vm, LAY_FREE)), plain);
    CU_ASSERT_EQUAL(registers(vm, &handle), plain ? ABI_OK : ABI_BAD_ADDRESS);
    vm_destroy(vm);
}

static void a_buffer_stays_shared_until_it_is_unregistered(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(technologies); i++) {
        snp_boot(MiB(64));
        convert_it(technologies[i]);
        CU_ASSERT(core_is_clean());
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
    }
}

static void write_privately(struct vmcb *b, struct vmsa *save)
{
    (void)save;
    b->exit_code = EXIT_NPF;
    b->exit_info1 = NPF_RMP | NPF_ENC | NPF_WRITE;
    b->exit_info2 = BUFFER;
}

static bool is_ended_for(struct vm *vm, const char *text)
{
    return snp_ended(vm) && strstr(vm->detail, text) != NULL;
}

/* Asking is refused; taking it is the guest's end, and says why. */
static void a_buffer_that_is_used_as_private_memory_ends_the_guest(void)
{
    uint64_t handle;
    struct vm *vm;

    snp_boot(MiB(64));
    vm = snp_guest(CC_SEV_SNP, 1);
    CU_ASSERT_EQUAL(registers(vm, &handle), ABI_OK);
    snp_guest_code = write_privately;
    snp_run(vm->vcpu[0]);
    CU_ASSERT(is_ended_for(vm, "uses memory at 40064 as private that is registered as a buffer"));
    CU_ASSERT(snp_agrees(vm));
    snp_drop(vm);
    vm = snp_guest(CC_TDX, 1);
    CU_ASSERT_EQUAL(registers(vm, &handle), ABI_OK);
    CU_ASSERT_EQUAL(cc_tdx_accept(vm->vcpu[0], LAY_FREE, TDX_4K), CC_NEVER);
    CU_ASSERT(is_ended_for(vm, "cannot give it memory at 40000"));
    CU_ASSERT(cc_tdx_agrees(vm));
    snp_drop(vm);
    CU_ASSERT_EQUAL(snp_pages_kept(), 0);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(a_buffer_stays_shared_until_it_is_unregistered),
        CU(a_buffer_that_is_used_as_private_memory_ends_the_guest),
        CU_END,
    };

    return cu_main("cc_buffer", tests, argc, argv);
}
