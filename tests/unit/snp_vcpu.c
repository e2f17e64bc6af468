/* An SNP guest's vCPUs: what a CPU remembers of them, how they start each other, their events. */
#include "cu.h"
#include "snp_attack.h"

#include "arch_impl/svm.h"
#include "abi/call.h"
#include "hv/io.h"

#include <string.h>

#define AREA      (LAY_FREE + PAGE_SIZE)
#define FOR(who)  ((uint64_t)(who) << 32)

/* ---- translations ---- */

static uint8_t flushed;

static void look_at_flush(struct vmcb *b, struct vmsa *save)
{
    (void)save;
    flushed = b->tlb_control;
    b->tlb_control = 0; /* as after each exit */
}

static bool flushes(struct vcpu *who)
{
    snp_run(who);
    return flushed == TLB_FLUSH_ASID;
}

static void ap_event(uint64_t info1, uint64_t vmsa)
{
    ghcb_clear();
    snp_ghcb_set(v, 0x1f8, SEV_FEATURE_SNP);
    snp_event(v, NAE_AP_CREATION, info1, vmsa);
    CU_ASSERT_EQUAL((uint32_t)snp_ghcb(v)->info1, 0);
}

static void two_vcpus(void)
{
    attack_begin();
    snp_guest_code = look_at_flush;
    make_vmsa(AREA);
    ap_event(FOR(1) | AP_CREATE, AREA);
}

/* They share an ASID: what one left in the TLB must not serve the other. */
static void vcpus_that_take_turns_on_a_cpu_do_not_use_each_others_translations(void)
{
    two_vcpus();
    CU_ASSERT_TRUE(flushes(v));
    CU_ASSERT_FALSE(flushes(v));
    CU_ASSERT_TRUE(flushes(bad->vcpu[1]));
    CU_ASSERT_TRUE(flushes(v));
    CU_ASSERT_FALSE(flushes(v));
    CU_ASSERT_TRUE(flushes(bad->vcpu[1]));
    CU_ASSERT_FALSE(flushes(bad->vcpu[1]));
    attack_end();
}

static void a_vcpu_that_comes_back_to_a_cpu_does_not_use_what_it_left_there(void)
{
    two_vcpus();
    CU_ASSERT_TRUE(flushes(v));
    v->arch.last_cpu = NULL; /* it ran elsewhere, and nobody else of its guest here */
    CU_ASSERT_TRUE(flushes(v));
    CU_ASSERT_FALSE(flushes(v));
    attack_end();
}

/* It was told to leave again before it entered. */
static void a_flush_that_no_entry_followed_is_made_up_for(void)
{
    two_vcpus();
    CU_ASSERT_TRUE(flushes(v));
    CU_ASSERT_TRUE(flushes(bad->vcpu[1]));
    v->arch.encrypted->load(v);
    CU_ASSERT_TRUE(flushes(v));
    CU_ASSERT_FALSE(flushes(v));
    attack_end();
}

/* Asked for when plain guests' ASIDs are handed out anew: whoever enters next has to. */
static void a_flush_of_everything_is_not_made_a_smaller_one(void)
{
    two_vcpus();
    CU_ASSERT_TRUE(flushes(v));
    bad->vcpu[1]->arch.vmcb->tlb_control = TLB_FLUSH_ALL;
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(flushed, TLB_FLUSH_ALL);
    v->arch.vmcb->tlb_control = TLB_FLUSH_ALL;
    snp_run(v);
    CU_ASSERT_EQUAL(flushed, TLB_FLUSH_ALL);
    attack_end();
}

/* ---- AP creation ---- */

static bool waits(struct vcpu *who)
{
    return who->arch.wait == WAIT_SIPI && (who->requests & REQ_INIT) == 0;
}

static void a_vcpu_that_is_created_runs_its_save_area_from_the_next_entry_on(void)
{
    two_vcpus();
    CU_ASSERT_FALSE(waits(bad->vcpu[1]));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.vmcb->vmsa, snp_pa(bad, AREA).v);
    make_vmsa(AREA + PAGE_SIZE);
    ap_event(FOR(1) | AP_CREATE, AREA + PAGE_SIZE);
    CU_ASSERT_TRUE(flushes(bad->vcpu[1])); /* and nothing that it knew before holds */
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.vmcb->vmsa, snp_pa(bad, AREA + PAGE_SIZE).v);
    attack_end();
}

static void a_vcpu_that_is_created_on_init_waits_for_it(void)
{
    attack_begin();
    make_vmsa(AREA);
    ap_event(FOR(1) | AP_CREATE_ON_INIT, AREA);
    CU_ASSERT_TRUE(waits(bad->vcpu[1]));
    snp_init(bad->vcpu[1]);
    CU_ASSERT_FALSE(waits(bad->vcpu[1]));
    snp_run(bad->vcpu[1]);
    CU_ASSERT_FALSE(snp_ended(bad));
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.vmcb->vmsa, snp_pa(bad, AREA).v);
    attack_end();
}

static void a_vcpu_that_is_destroyed_waits_until_it_is_created_again(void)
{
    two_vcpus();
    snp_run(bad->vcpu[1]);
    ap_event(FOR(1) | AP_DESTROY, 0);
    CU_ASSERT((bad->vcpu[1]->requests & REQ_INIT) != 0);
    bad->vcpu[1]->requests = 0;
    snp_init(bad->vcpu[1]);
    CU_ASSERT_TRUE(waits(bad->vcpu[1]));
    snp_init(bad->vcpu[1]); /* INIT alone does not start it */
    CU_ASSERT_TRUE(waits(bad->vcpu[1]));
    ap_event(FOR(1) | AP_CREATE, AREA);
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_HLT);
    attack_end();
}

static void a_vcpu_that_is_destroyed_and_created_at_once_runs(void)
{
    two_vcpus();
    snp_run(bad->vcpu[1]);
    ap_event(FOR(1) | AP_DESTROY, 0);
    ap_event(FOR(1) | AP_CREATE, AREA);
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_HLT);
    ap_event(FOR(1) | AP_CREATE, AREA);
    ap_event(FOR(1) | AP_DESTROY, 0);
    bad->vcpu[1]->requests = 0;
    snp_init(bad->vcpu[1]);
    CU_ASSERT_TRUE(waits(bad->vcpu[1]));
    attack_end();
}

/* ---- the GHCB MSR ---- */

static void the_ghcb_msr_starts_with_what_the_hypervisor_speaks(void)
{
    uint64_t info;

    attack_begin();
    info = bad->vcpu[1]->arch.vmcb->ghcb_gpa;
    CU_ASSERT_EQUAL(info, GHCB_SEV_INFO_RESP | (uint64_t)snp_platform.c_bit << 24 |
                              2ull << 32 | 2ull << 48);
    CU_ASSERT_EQUAL(snp_msr(v, GHCB_SEV_INFO_REQ), info);
    attack_end();
}

static void hold(struct vcpu *who)
{
    uint64_t answer = snp_msr(who, GHCB_AP_RESET_HOLD_REQ);

    CU_ASSERT_EQUAL(GHCB_INFO(answer), GHCB_AP_RESET_HOLD_RESP);
    CU_ASSERT(answer >> 12 != 0);
    CU_ASSERT_TRUE(waits(who));
}

static void a_vcpu_is_held_until_it_is_created(void)
{
    two_vcpus();
    snp_run(bad->vcpu[1]);
    hold(bad->vcpu[1]);
    ap_event(FOR(1) | AP_CREATE, AREA);
    snp_run(bad->vcpu[1]);
    CU_ASSERT_EQUAL(bad->vcpu[1]->arch.wait, WAIT_HLT);
    attack_end();
}

/* INIT, SIPI, SIPI; the second finds it running. One that is not held is not started so. */
static void a_vcpu_is_held_until_sipi(void)
{
    struct vcpu *ap;

    two_vcpus();
    ap = bad->vcpu[1];
    snp_run(ap);
    hold(ap);
    snp_init(ap);
    CU_ASSERT_TRUE(waits(ap));
    ap->arch.encrypted->sipi(ap);
    CU_ASSERT_FALSE(waits(ap));
    snp_init(ap);
    ap->arch.encrypted->sipi(ap);
    CU_ASSERT_TRUE(waits(ap));
    hold(ap);
    ap_event(FOR(1) | AP_DESTROY, 0);
    ap->requests = 0;
    snp_init(ap);
    ap->arch.encrypted->sipi(ap);
    CU_ASSERT_TRUE(waits(ap));
    attack_end();
}

/* ---- calls ---- */

static bool calls_at(int cpl)
{
    uint8_t *page = snp_ram(bad, GHCB_AT);

    ghcb_clear();
    snp_ghcb_set(v, 0x1f8, ABI_CALL_ABI_QUERY);
    if (cpl >= 0) {
        page[GHCB_CPL] = (uint8_t)cpl;
        snp_ghcb(v)->valid[0] |= BIT(GHCB_CPL / 8);
    }
    snp_event(v, EXIT_VMMCALL, 0, 0);
    CU_ASSERT(snp_ghcb(v)->info1 == 0 || (snp_ghcb(v)->info1 == GHCB_EXCEPTION &&
                                          (snp_ghcb(v)->info2 & EVENT_VECTOR) == VEC_UD));
    return snp_ghcb(v)->info1 == 0;
}

/* Linux passes VMMCALL of a process on, with its CPL. */
static void a_process_of_a_guest_makes_no_calls(void)
{
    attack_begin();
    CU_ASSERT_TRUE(calls_at(0));
    CU_ASSERT_TRUE(calls_at(-1)); /* the kernel for itself */
    CU_ASSERT_FALSE(calls_at(3));
    CU_ASSERT_FALSE(calls_at(1));
    CU_ASSERT_FALSE(calls_at(0xff));
    attack_end();
}

/* ---- ports, with a device that keeps what it was given ---- */

static struct {
    uint32_t seen[8], count;
} device;

static uint32_t give(void *dev, uint32_t offset, unsigned int size)
{
    (void)dev;
    (void)offset;
    return 0x11223300u + device.count++ + size;
}

static void take(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    (void)dev;
    (void)offset;
    (void)size;
    device.seen[device.count++ % 8] = value;
}

#define PORT 0x5000ull
static uint8_t *begin_ports(void)
{
    static const struct io_ops ops = {"test", give, take};

    attack_begin();
    memset(&device, 0, sizeof(device));
    CU_ASSERT_EQUAL(vm_io_add(bad, IO_PORT, PORT, 4, &ops, &device), ABI_OK);
    snp_ghcb_set(v, 0x3a8, GHCB_AT + GHCB_SHARED_BUFFER + 16);
    return (uint8_t *)snp_ram(bad, GHCB_AT) + GHCB_SHARED_BUFFER + 16;
}

static void strings_go_to_a_port_from_the_shared_buffer(void)
{
    uint8_t *buffer = begin_ports();

    memcpy(buffer, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    snp_event(v, EXIT_IOIO, PORT << 16 | 2 << 4 | IOIO_STRING, 3);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
    CU_ASSERT(device.count == 3 && device.seen[0] == 0x0201 && device.seen[2] == 0x0605);
    snp_event(v, EXIT_IOIO, PORT << 16 | 4 << 4 | IOIO_STRING, 1);
    CU_ASSERT(device.count == 4 && device.seen[3] == 0x04030201);
    attack_end();
}

static void strings_come_from_a_port_to_the_shared_buffer(void)
{
    uint8_t *buffer = begin_ports();

    memset(buffer, 0xee, 8);
    snp_event(v, EXIT_IOIO, PORT << 16 | 1 << 4 | IOIO_STRING | IOIO_IN, 5);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
    CU_ASSERT_EQUAL(device.count, 5);
    CU_ASSERT(memcmp(buffer, "\x01\x02\x03\x04\x05\xee", 6) == 0);
    snp_ghcb_set(v, 0x3a8, GHCB_AT + GHCB_SHARED_BUFFER);
    snp_event(v, EXIT_IOIO, PORT << 16 | 1 << 4 | IOIO_STRING | IOIO_IN, GHCB_SHARED_SIZE);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
    CU_ASSERT_EQUAL(device.count, 5 + GHCB_SHARED_SIZE);
    attack_end();
}

/* An endless row of #DB or #AC would keep the CPU from everybody: CVE-2015-5307, CVE-2015-8104. */
static void exceptions_that_can_come_without_end_are_intercepted(void)
{
    attack_begin();
    for (unsigned int i = 0; i < bad->vcpus; i++) {
        CU_ASSERT((bad->vcpu[i]->arch.vmcb->exceptions & BIT(VEC_DB)) != 0);
        CU_ASSERT((bad->vcpu[i]->arch.vmcb->exceptions & BIT(VEC_AC)) != 0);
    }
    attack_end();
}

static void there_are_no_performance_counters_and_caches_need_no_care(void)
{
    attack_begin();
    ghcb_clear();
    snp_ghcb_set(v, 0x308, 0);
    snp_event(v, EXIT_RDPMC, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, GHCB_EXCEPTION);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info2 & 0xff, VEC_GP);
    snp_event(v, EXIT_INVD, 0, 0);
    CU_ASSERT_EQUAL(snp_ghcb(v)->info1, 0);
    attack_end();
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(vcpus_that_take_turns_on_a_cpu_do_not_use_each_others_translations),
        CU(a_vcpu_that_comes_back_to_a_cpu_does_not_use_what_it_left_there),
        CU(a_flush_that_no_entry_followed_is_made_up_for),
        CU(a_flush_of_everything_is_not_made_a_smaller_one),
        CU(a_vcpu_that_is_created_runs_its_save_area_from_the_next_entry_on),
        CU(a_vcpu_that_is_created_on_init_waits_for_it),
        CU(a_vcpu_that_is_destroyed_waits_until_it_is_created_again),
        CU(a_vcpu_that_is_destroyed_and_created_at_once_runs),
        CU(the_ghcb_msr_starts_with_what_the_hypervisor_speaks),
        CU(a_vcpu_is_held_until_it_is_created),
        CU(a_vcpu_is_held_until_sipi),
        CU(a_process_of_a_guest_makes_no_calls),
        CU(strings_go_to_a_port_from_the_shared_buffer),
        CU(strings_come_from_a_port_to_the_shared_buffer),
        CU(exceptions_that_can_come_without_end_are_intercepted),
        CU(there_are_no_performance_counters_and_caches_need_no_care),
        CU_END,
    };

    return cu_main("snp_vcpu", tests, argc, argv);
}
