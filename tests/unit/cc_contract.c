/*
 * The contract of struct cc_ops (hv/cc_ops.h): the same cases for every technology that the host
 * build knows, each through creation, launch, sharing, running and the end; and with every single
 * allocation, firmware command or SEAMCALL, and RMP update failing in turn.
 */
#include "cc_host.h"
#include "cu.h"

#include "arch_impl/insn.h"
#include "arch_impl/svm.h"
#include "hv/guestmem.h"
#include "hv/page.h"

#include <stdio.h>
#include <string.h>

static const enum cc_kind technologies[] = {CC_NONE, CC_SEV_SNP, CC_TDX};
static enum cc_kind cc; /* the one that the case is run for */
static unsigned int cases, faults;

static void for_each_technology(void (*fn)(void))
{
    for (size_t i = 0; i < ARRAY_SIZE(technologies); i++) {
        cc = technologies[i];
        snp_boot(MiB(64));
        fn();
        CU_ASSERT(core_is_clean());
        CU_ASSERT_EQUAL(snp_pages_kept(), 0);
        cases++;
    }
}

/* ---- what can fail ---- */

enum fault { FAIL_ALLOC, FAIL_COMMAND, FAIL_RMPUPDATE, FAULT_KINDS };

static void arm(enum fault kind, unsigned int n)
{
    switch (kind) {
    case FAIL_ALLOC:
        core_fail_alloc(n, false);
        break;
    case FAIL_COMMAND:
        emu_psp_fail_nth(n, SNP_HWERROR_PLATFORM);
        emu_tdx_fault_reset();
        emu_tdx_fail_nth(n, tdx_error(TDX_OPERAND_INVALID, TDX_RCX));
        break;
    case FAIL_RMPUPDATE:
        emu_rmpupdate_fail_nth(n, RMP_FAIL_PERMISSION);
        break;
    default:
        CU_FAIL("no such fault");
    }
}

static unsigned int allocs_before;

/* Has the fault come? Then it is not waiting any more. */
static bool came(enum fault kind, unsigned int n)
{
    bool yes = kind == FAIL_ALLOC                     ? core_allocs() >= n
               : cc == CC_TDX && kind == FAIL_COMMAND ? emu_tdx_calls() >= n
                                                      : !emu_fault_armed();

    core_fail_alloc(0, false);
    emu_fault_reset();
    emu_tdx_fault_reset();
    return yes;
}

/*
 * What the chip does not give back is kept from others: the page at fault, whatever its size; of a
 * TD that the module does not let die, all.
 */
static uint64_t may_be_kept(enum fault kind, uint64_t largest)
{
    if (cc == CC_TDX && kind == FAIL_COMMAND) {
        return UINT64_MAX;
    }
    return kind == FAIL_ALLOC ? 0 : kind == FAIL_COMMAND ? 1 : largest;
}

/* Runs fn with the n-th event of each kind failing, for every n there is. */
static void fail_each(void (*fn)(void), uint64_t largest)
{
    for (enum fault kind = 0; kind < FAULT_KINDS; kind++) {
        for (unsigned int n = 1;; n++) {
            snp_boot(MiB(64));
            (void)core_allocs();
            arm(kind, n);
            fn();
            if (!came(kind, n)) {
                break;
            }
            faults++;
            n += kind == FAIL_COMMAND ? n / 32 : 0; /* a TD takes thousands, the later ones alike */
            CU_ASSERT_EQUAL(vm_count(), 0);
            CU_ASSERT(snp_pages_kept() <= may_be_kept(kind, largest));
            CU_ASSERT(tdx_pages_agree());
        }
    }
    snp_boot(MiB(64));
}

/* ---- cases ---- */

static struct domain_config config(uint32_t vcpus)
{
    return snp_config(cc, MiB(4), vcpus);
}

static struct vm *created(uint32_t vcpus)
{
    struct domain_config cfg = config(vcpus);
    struct vm *vm = NULL;

    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &vm), ABI_OK);
    return vm;
}

static void create_and_destroy(void)
{
    struct vm *vm = created(3);

    CU_ASSERT_EQUAL(vm->ops->kind, cc);
    CU_ASSERT_EQUAL(vm->vcpus, 3);
    vm_destroy(vm);
}

static void a_domain_comes_and_goes(void)
{
    for_each_technology(create_and_destroy);
}

static void try_create(void)
{
    struct domain_config cfg = config(2);
    struct vm *vm = NULL;

    if (vm_create(&cfg, &vm) == ABI_OK) {
        vm_destroy(vm);
    } else {
        CU_ASSERT_PTR_NULL(vm);
    }
}

static void create_failing(void)
{
    fail_each(try_create, 1);
}

static void a_creation_that_fails_anywhere_leaves_nothing(void)
{
    for_each_technology(create_failing);
}

static void launch(void)
{
    struct vm *vm = created(2);
    const uint8_t *kernel;

    CU_ASSERT_EQUAL_FATAL(vm_launch(vm, snp_layout(cc)), ABI_OK);
    kernel = snp_ram(vm, LAY_KERNEL + PAGE_SIZE);
    CU_ASSERT(kernel[0] == LAY_BYTE && kernel[PAGE_SIZE - 1] == LAY_BYTE);
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(vm, LAY_FREE), 0);
    vm_destroy(vm);
}

static void a_launch_puts_the_pieces_in_place(void)
{
    for_each_technology(launch);
}

static unsigned int launched;

static void try_launch(void)
{
    struct domain_config cfg = config(2);
    struct vm *vm = NULL;

    if (vm_create(&cfg, &vm) == ABI_OK) {
        launched += vm_launch(vm, snp_layout(cc)) == ABI_OK ? 1 : 0;
        vm_destroy(vm);
    }
}

static void launch_failing(void)
{
    launched = 0;
    fail_each(try_launch, 1);
    /* Only those whose fault never came, or came too late to matter, succeed. */
    CU_ASSERT(launched >= FAULT_KINDS);
}

/* A layout with pieces of 2 MiB and more, which a launch may put in place as a whole. */
static const struct layout *large_layout(void)
{
    static uint8_t ramdisk[SIZE_2M + PAGE_SIZE];
    static struct layout l;

    l = *snp_layout(cc);
    memset(ramdisk, LAY_BYTE, sizeof(ramdisk));
    l.piece[l.pieces++] =
        (struct piece){PIECE_RAMDISK, SIZE_2M, sizeof(ramdisk), ramdisk, sizeof(ramdisk)};
    return &l;
}

static void try_launch_large(void)
{
    struct domain_config cfg = snp_config(cc, MiB(6), 1);
    struct vm *vm = NULL;

    if (vm_create(&cfg, &vm) == ABI_OK) {
        if (vm_launch(vm, large_layout()) == ABI_OK) {
            const uint8_t *ramdisk = snp_ram(vm, SIZE_2M + SIZE_2M);

            CU_ASSERT(ramdisk[0] == LAY_BYTE && ramdisk[PAGE_SIZE] == 0);
            launched++;
        }
        vm_destroy(vm);
    }
}

static void launch_large_failing(void)
{
    launched = 0;
    fail_each(try_launch_large, SIZE_2M / PAGE_SIZE);
    CU_ASSERT(launched >= FAULT_KINDS);
}

static void a_launch_of_large_pages_that_fails_anywhere_leaves_nothing(void)
{
    for_each_technology(launch_large_failing);
}

static void a_launch_that_fails_anywhere_leaves_nothing(void)
{
    for_each_technology(launch_failing);
}

static void share_and_take_back(void)
{
    struct vm *vm = snp_guest(cc, 1);
    uint8_t byte = 0;

    CU_ASSERT_TRUE(cc_convert(vm, LAY_FREE, true));
    CU_ASSERT_EQUAL(vm->ops->shared(vm, snp_pa(vm, LAY_FREE)), cc == CC_NONE);
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(LAY_FREE), &byte, 1) == ABI_OK, cc == CC_NONE);
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(LAY_FREE), &byte, 1) == ABI_OK, cc == CC_NONE);
    CU_ASSERT_TRUE(cc_convert(vm, LAY_FREE, false));
    CU_ASSERT_TRUE(vm->ops->shared(vm, snp_pa(vm, LAY_FREE)));
    byte = 7;
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(LAY_FREE), &byte, 1), ABI_OK);
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(vm, LAY_FREE), 7);
    vm_destroy(vm);
}

static void the_hypervisor_touches_what_is_shared_and_nothing_else(void)
{
    for_each_technology(share_and_take_back);
}

/* A range that is partly private is refused as a whole, and nothing of it is written. */
static void partly_shared(void)
{
    struct vm *vm = snp_guest(cc, 1);
    uint8_t bytes[2 * PAGE_SIZE];

    memset(bytes, 9, sizeof(bytes));
    CU_ASSERT_TRUE(cc_convert(vm, LAY_FREE + PAGE_SIZE, true));
    CU_ASSERT_EQUAL(guestmem_write(vm, gpa(LAY_FREE), bytes, sizeof(bytes)),
                    cc == CC_NONE ? ABI_OK : ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(vm, LAY_FREE), cc == CC_NONE ? 9 : 0);
    vm_destroy(vm);
}

static void a_range_that_is_partly_private_is_not_written_at_all(void)
{
    for_each_technology(partly_shared);
}

static void try_convert(void)
{
    struct vm *vm = snp_guest(cc, 1);
    const pa_t to = snp_pa(vm, LAY_FREE);
    bool before, ok;

    /* Set up without faults, then one conversion each way with them. */
    before = vm->ops->shared(vm, to);
    ok = cc_convert(vm, LAY_FREE, true);
    CU_ASSERT_EQUAL(vm->ops->shared(vm, to), ok ? cc == CC_NONE : before);
    before = vm->ops->shared(vm, to);
    ok = cc_convert(vm, LAY_FREE, false);
    CU_ASSERT_EQUAL(vm->ops->shared(vm, to), ok ? true : before);
    vm_destroy(vm);
}

static void arm_late(void)
{
    for (enum fault kind = 0; kind < FAULT_KINDS; kind++) {
        for (unsigned int n = 1; n <= 4; n++) {
            struct vm *vm = snp_guest(cc, 1);
            const pa_t to = snp_pa(vm, LAY_FREE);
            bool ok;

            (void)core_allocs();
            arm(kind, n);
            ok = cc_convert(vm, LAY_FREE, true);
            CU_ASSERT_EQUAL(vm->ops->shared(vm, to), cc == CC_NONE || !ok);
            faults += came(kind, n);
            CU_ASSERT_TRUE(vm->end_asked || cc_convert(vm, LAY_FREE, true));
            (void)core_allocs();
            arm(kind, n);
            ok = cc_convert(vm, LAY_FREE, false);
            CU_ASSERT_EQUAL(vm->ops->shared(vm, to), cc == CC_NONE || ok);
            faults += came(kind, n);
            snp_drop(vm);
            CU_ASSERT_EQUAL(snp_pages_kept(), 0);
        }
    }
}

static void a_conversion_that_fails_changes_nothing(void)
{
    for_each_technology(try_convert);
    for_each_technology(arm_late);
}

static void fill_guest(struct vm *vm, uint8_t byte)
{
    for (uint64_t at = 0; at < MiB(4); at += SIZE_2M) {
        memset(snp_ram(vm, at), byte, SIZE_2M);
    }
}

static void scrub(void)
{
    struct vm *vm = snp_guest(cc, 1);

    CU_ASSERT_TRUE(cc_convert(vm, LAY_FREE, true));
    fill_guest(vm, 0xee);
    vm_destroy(vm);
    for (unsigned int i = 0; i < 3; i++) {
        vm = created(1);
        for (uint64_t at = 0; at < MiB(4); at += PAGE_SIZE) {
            CU_ASSERT_EQUAL_FATAL(*(uint8_t *)snp_ram(vm, at + 8), 0);
        }
        vm_destroy(vm);
    }
}

static void nobody_sees_what_a_former_guest_left(void)
{
    for_each_technology(scrub);
}

static void halt(struct vmcb *b, struct vmsa *save)
{
    CU_ASSERT_EQUAL(save->rip, LAY_KERNEL);
    b->exit_code = EXIT_HLT;
}

static void first_entry(void)
{
    struct vm *vm = snp_guest(cc, 2);

    if (cc == CC_NONE) {
        CU_ASSERT_PTR_EQUAL(vm->vcpu[0]->arch.entry, &snp_layout(cc)->entry);
    } else if (cc == CC_TDX) {
        cc_tdx_halt_all(vm);
    } else {
        snp_guest_code = halt;
        snp_run(vm->vcpu[0]);
        CU_ASSERT_EQUAL(vm->vcpu[0]->arch.wait, WAIT_HLT);
    }
    CU_ASSERT_EQUAL(vm->vcpu[1]->arch.wait, cc == CC_TDX ? WAIT_NONE : WAIT_SIPI);
    vm_destroy(vm);
}

static void vcpu_0_starts_at_the_layouts_entry_and_the_others_wait(void)
{
    for_each_technology(first_entry);
}

static void many_at_once(void)
{
    struct vm *vm[8];

    for (size_t i = 0; i < ARRAY_SIZE(vm); i++) {
        vm[i] = snp_guest(cc, 1);
        memset(snp_ram(vm[i], LAY_FREE), (int)i + 1, PAGE_SIZE);
    }
    vm_destroy(vm[3]);
    vm[3] = snp_guest(cc, 1);
    for (size_t i = 0; i < ARRAY_SIZE(vm); i++) {
        CU_ASSERT_EQUAL(*(uint8_t *)snp_ram(vm[i], LAY_FREE), i == 3 ? 0 : (int)i + 1);
        vm_destroy(vm[i]);
    }
}

static void domains_do_not_see_each_other(void)
{
    for_each_technology(many_at_once);
}

static void until_full(void)
{
    struct domain_config cfg = snp_config(cc, SIZE_2M, 1);
    struct vm *vm[EMU_SNP_ASIDS + 8];
    unsigned int n = 0;

    snp_boot(MiB(512));
    while (n < ARRAY_SIZE(vm) && vm_create(&cfg, &vm[n]) == ABI_OK) {
        n++;
    }
    CU_ASSERT(n >= (cc == CC_TDX ? EMU_TDX_KEYS - EMU_TDX_KEY_FIRST - 1 : 60) && n <= VMS_MAX);
    while (n > 0) {
        vm_destroy(vm[--n]);
    }
    CU_ASSERT_EQUAL(vm_create(&cfg, &vm[0]), ABI_OK);
    vm_destroy(vm[0]);
}

static void what_runs_out_is_refused_and_comes_back(void)
{
    for_each_technology(until_full);
}

static void end_each_way(void)
{
    struct vm *vm = snp_guest(cc, 1);

    vm_end(vm, VM_POWER_OFF, "done");
    CU_ASSERT_EQUAL(vm->state, VM_ENDED);
    vm_reap();
    vm = created(1); /* never launched */
    vm_end(vm, VM_DESTROYED, "early");
    vm_reap();
}

static void an_ended_domain_is_reaped(void)
{
    for_each_technology(end_each_way);
}

/* An end in which the chip refuses: nothing is handed out that it still holds. */
static void try_end(void)
{
    struct vm *vm = snp_guest(cc, 2);
    unsigned int n = allocs_before;
    enum fault kind = n % 2 == 0 ? FAIL_COMMAND : FAIL_RMPUPDATE;

    arm(kind, n / 2 + 1);
    vm_end(vm, VM_POWER_OFF, "done");
    vm_reap();
    faults += came(kind, n / 2 + 1);
    CU_ASSERT_EQUAL(vm_count(), 0);
    CU_ASSERT(snp_pages_kept() <= may_be_kept(kind, 1));
    CU_ASSERT(tdx_pages_agree());
}

static void end_failing(void)
{
    for (allocs_before = 0; allocs_before < 12; allocs_before++) {
        snp_boot(MiB(64));
        try_end();
    }
    snp_boot(MiB(64));
}

static void an_end_that_the_chip_hinders_hands_out_nothing_it_holds(void)
{
    for_each_technology(end_failing);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(a_domain_comes_and_goes),
        CU(a_creation_that_fails_anywhere_leaves_nothing),
        CU(a_launch_puts_the_pieces_in_place),
        CU(a_launch_that_fails_anywhere_leaves_nothing),
        CU(a_launch_of_large_pages_that_fails_anywhere_leaves_nothing),
        CU(the_hypervisor_touches_what_is_shared_and_nothing_else),
        CU(a_range_that_is_partly_private_is_not_written_at_all),
        CU(a_conversion_that_fails_changes_nothing),
        CU(nobody_sees_what_a_former_guest_left),
        CU(vcpu_0_starts_at_the_layouts_entry_and_the_others_wait),
        CU(domains_do_not_see_each_other),
        CU(what_runs_out_is_refused_and_comes_back),
        CU(an_ended_domain_is_reaped),
        CU(an_end_that_the_chip_hinders_hands_out_nothing_it_holds),
        CU_END,
    };
    int status = cu_main("cc_contract", tests, argc, argv);

    fprintf(stderr, "contract: %u cases, %u of them with an injected fault\n", cases + faults,
            faults);
    return status;
}
