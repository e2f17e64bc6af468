/* The legacy Xen ABI: what its calls do, and what they do with hostile pointers. */
#include <string.h>

#include "arch/timer.h"
#include "cu.h"
#include "hv/page.h"
#include "xenpv_host.h"

static struct vm *vm;

static void start(uint32_t vcpus)
{
    vm = xen_vm(vcpus);
    xen_bring_up(vm);
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static struct xen_shared_info *shared(void)
{
    return xen_ram(vm, GPA_SHARED);
}

static uint32_t bind_ipi(struct vm *of, uint32_t vcpu)
{
    struct xen_evtchn_ipi a = {.vcpu = vcpu};

    CU_ASSERT_EQUAL(xen_call_with(of, HC_EVENT_CHANNEL_OP, EVTCHN_BIND_IPI, &a, sizeof(a)), 0);
    return a.port;
}

static int64_t send_from(uint64_t va)
{
    return xen_call(vm, HC_EVENT_CHANNEL_OP, EVTCHN_SEND, va, 0);
}

static int64_t send(uint32_t port)
{
    return xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port, sizeof(port));
}

static void a_confidential_domain_is_refused_by_name(void)
{
    struct domain_config cfg = core_config(XEN_MEMORY, 1);
    struct vm *other = NULL;

    core_boot(MiB(64), 1);
    cfg.legacy_abi = "xen";
    CU_ASSERT_EQUAL_FATAL(vm_create(&cfg, &other), ABI_OK);
    other->cc = CC_SEV_SNP;
    fake_console_clear();
    CU_ASSERT_EQUAL(guest_abi_adopt(other, &cfg), ABI_NOT_SUPPORTED);
    CU_ASSERT_PTR_NULL(other->legacy_abi);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(fake_console(), "guest: abi xen: not for a confidential domain"));
    other->cc = CC_NONE;
    vm_destroy(other);
    core_done();
}

static void an_abi_that_is_not_here_is_not_built(void)
{
    CU_ASSERT_TRUE(guest_abi_present(NULL));
    CU_ASSERT_TRUE(guest_abi_present("xen"));
    CU_ASSERT_FALSE(guest_abi_present("xen2"));
}

static void user_code_has_no_calls(void)
{
    start(1);
    xen_paging.user = true;
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_VERSION, 0, 0), -XEN_EPERM);
    finish();
}

static void calls_of_32_bit_code_are_not_built(void)
{
    start(1);
    xen_paging.code64 = false;
    CU_ASSERT_EQUAL((uint64_t)xen_call(vm, HC_XEN_VERSION, 0, 0, 0), (uint32_t)-XEN_ENOSYS);
    finish();
}

/* What no leaf of it has is zero, too: there is no other hypervisor to fall back on. */
static void all_leaves_of_the_range_are_xens(void)
{
    start(1);
    for (uint32_t leaf = GUEST_ABI_BASE; leaf <= GUEST_ABI_LAST; leaf++) {
        uint32_t out[4] = {~0u, ~0u, ~0u, ~0u};

        vm->legacy_abi->cpuid(vm->vcpu[0], leaf, 0, out);
        CU_ASSERT_EQUAL(out[1] == 0x566e6558, leaf == XEN_LEAF_SIGNATURE); /* XenV */
        CU_ASSERT(leaf < XEN_LEAF_LAST || (out[0] | out[1] | out[2] | out[3]) == 0);
    }
    finish();
}

static void no_other_number_is_a_call(void)
{
    start(1);
    for (uint64_t n = 0; n < 200; n++) {
        bool ours = n == 12 || n == 15 || n == 17 || n == 18 || n == 20 || n == 24 || n == 29 ||
                    n == 32 || n == 34;

        if (!ours) {
            CU_ASSERT_EQUAL(xen_call(vm, n, 0, 0, 0), -XEN_ENOSYS);
        }
    }
    CU_ASSERT_EQUAL(xen_call(vm, 1ull << 32 | HC_XEN_VERSION, 0, 0, 0), -XEN_ENOSYS);
    finish();
}

/* The example of what a pointer in a call can do: here the port is looked up in one's own table. */
static void a_send_from_a_foreign_stack_interrupts_nobody_else(void)
{
    struct vm *neighbour;
    uint32_t port, mine;

    start(2);
    neighbour = xen_vm_again(1);
    xen_bring_up(neighbour);
    for (int i = 0; i < 5; i++) {
        port = bind_ipi(neighbour, 0);
    }
    mine = bind_ipi(vm, 1);
    CU_ASSERT_NOT_EQUAL(mine, port);
    memcpy(xen_ram(vm, 0x80000), &port, sizeof(port)); /* a stack with the neighbour's port on it */
    CU_ASSERT_EQUAL(send_from(0x80000), -XEN_EINVAL);
    CU_ASSERT_EQUAL(xen_interrupts(), 0);
    memcpy(xen_ram(vm, 0x80000), &mine, sizeof(mine)); /* another vCPU's stack: still its own */
    CU_ASSERT_EQUAL(send_from(0x80000), 0);
    CU_ASSERT_EQUAL(xen_interrupts(), 1);
    CU_ASSERT_PTR_EQUAL(xen_last_vcpu, vm->vcpu[1]);
    vm_destroy(neighbour);
    finish();
}

static void hostile_pointers_fault_and_do_nothing(void)
{
    static const uint64_t hostile[] = {
        VA_ABSENT, VA_OUTSIDE, VA_USER, VA_LOOP + 0x1000, VA_NOWHERE, 0x800000, 1ull << 47,
        0xffff800000000000, ~0ull, ~0ull - 2, VA_ABSENT - 1, 1ull << 40};
    static const uint64_t calls[] = {HC_MEMORY_OP, HC_GRANT_TABLE_OP, HC_EVENT_CHANNEL_OP,
                                     HC_HVM_OP};

    start(1);
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        for (size_t c = 0; c < ARRAY_SIZE(calls); c++) {
            for (uint64_t op = 0; op < 64; op++) {
                int64_t rc = xen_call(vm, calls[c], op, hostile[i], 1);

                CU_ASSERT_TRUE(rc == -XEN_EFAULT || rc == -XEN_ENOSYS ||
                               (calls[c] == HC_MEMORY_OP && rc >= 0));
            }
        }
        CU_ASSERT_EQUAL(send_from(hostile[i]), -XEN_EFAULT);
        CU_ASSERT_EQUAL(xen_call(vm, HC_SCHED_OP, SCHEDOP_POLL, hostile[i], 0), -XEN_EFAULT);
        CU_ASSERT_EQUAL(xen_call(vm, HC_SCHED_OP, SCHEDOP_SHUTDOWN, hostile[i], 0), -XEN_EFAULT);
    }
    CU_ASSERT_EQUAL(xen_interrupts(), 0);
    CU_ASSERT_FALSE(vm->end_asked);
    finish();
}

static void a_read_only_page_is_not_written(void)
{
    start(1);
    memset(xen_ram(vm, VA_READ_ONLY), 0x5a, PAGE_SIZE);
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_CAPABILITIES, VA_READ_ONLY, 0),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(*(uint8_t *)xen_ram(vm, VA_READ_ONLY), 0x5a);
    xen_paging.cr0 &= ~BIT(16); /* a kernel may write there when CR0.WP is clear */
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_CAPABILITIES, VA_READ_ONLY, 0), 0);
    finish();
}

/* The first page is good, the second is not: neither changes. */
static void a_write_that_ends_in_a_bad_page_writes_nothing(void)
{
    uint64_t at = VA_ABSENT - 8;

    start(1);
    memset(xen_ram(vm, at), 0x5a, 8);
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_EXTRAVERSION, at, 0), -XEN_EFAULT);
    CU_ASSERT_EQUAL(*(uint8_t *)xen_ram(vm, at), 0x5a);
    finish();
}

static void user_pages_need_ac_under_smap(void)
{
    start(1);
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_CHANGESET, VA_USER, 0), 0 - XEN_EFAULT);
    xen_paging.user_allowed = true;
    /* The tables above it say user, too. */
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_CHANGESET, VA_USER, 0), 0);
    finish();
}

static void large_pages_are_walked(void)
{
    start(1);
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_EXTRAVERSION, VA_LARGE + 0x12345, 0), 0);
    CU_ASSERT_STRING_EQUAL((char *)xen_ram(vm, VA_LARGE + 0x12345), ".0-cloister");
    finish();
}

static void version_strings_leak_nothing(void)
{
    uint8_t *at;

    start(1);
    at = xen_ram(vm, GPA_ARGUMENT);
    memset(at, 0xff, 2048);
    CU_ASSERT_EQUAL(xen_call(vm, HC_XEN_VERSION, XENVER_CAPABILITIES, GPA_ARGUMENT, 0), 0);
    for (size_t i = strlen((char *)at); i < 1024; i++) {
        CU_ASSERT_EQUAL(at[i], 0);
    }
    CU_ASSERT_EQUAL(at[1024], 0xff);
    finish();
}

static void an_event_sets_its_bits_and_interrupts_once(void)
{
    uint32_t port;

    start(2);
    port = bind_ipi(vm, 1);
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_EQUAL(xen_interrupts(), 1);
    CU_ASSERT_EQUAL(xen_last_vector, 0xf3);
    CU_ASSERT_EQUAL(shared()->pending[0], BIT(port));
    CU_ASSERT_EQUAL(shared()->vcpu_info[1].pending_sel, 1);
    CU_ASSERT_EQUAL(shared()->vcpu_info[1].upcall_pending, 1);
    CU_ASSERT_EQUAL(shared()->vcpu_info[0].upcall_pending, 0);
    finish();
}

static void a_masked_event_waits_until_it_is_unmasked(void)
{
    uint32_t port;

    start(1);
    port = bind_ipi(vm, 0);
    shared()->mask[0] |= BIT(port);
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_EQUAL(xen_interrupts(), 0);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_UNMASK, &port, sizeof(port)), 0);
    CU_ASSERT_EQUAL(xen_interrupts(), 1);
    CU_ASSERT_EQUAL(shared()->mask[0], 0);
    finish();
}

static void ports_end_at_the_limit_and_come_back(void)
{
    struct xen_evtchn_alloc a = {.dom = DOMID_SELF};
    uint32_t made = 0;

    start(1);
    while (xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_ALLOC_UNBOUND, &a, sizeof(a)) == 0) {
        made++;
    }
    CU_ASSERT_EQUAL(made, PORTS - 3); /* 0, the console's and the store's */
    a.port = 17;
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_CLOSE, &a.port, 4), 0);
    a.dom = DOMID_SELF;
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_ALLOC_UNBOUND, &a, sizeof(a)), 0);
    CU_ASSERT_EQUAL(a.port, 17);
    finish();
}

static void a_port_whose_answer_has_no_place_is_not_made(void)
{
    struct xen_evtchn_ipi a = {.vcpu = 0};
    uint32_t port;

    start(1);
    port = bind_ipi(vm, 0);
    memcpy(xen_ram(vm, VA_READ_ONLY), &a, sizeof(a));
    CU_ASSERT_EQUAL(xen_call(vm, HC_EVENT_CHANNEL_OP, EVTCHN_BIND_IPI, VA_READ_ONLY, 0),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(bind_ipi(vm, 0), port + 1);
    finish();
}

static void a_timer_raises_its_virq(void)
{
    struct xen_evtchn_virq virq = {.virq = VIRQ_TIMER};
    struct xen_singleshot s = {0};

    start(1);
    s.timeout = clock_ns() + 5000000;
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_BIND_VIRQ, &virq, sizeof(virq)),
                    0);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_EVENT_CHANNEL_OP, EVTCHN_BIND_VIRQ, &virq, sizeof(virq)),
                    -XEN_EEXIST);
    memcpy(xen_ram(vm, GPA_ARGUMENT), &s, sizeof(s));
    CU_ASSERT_EQUAL(xen_call(vm, HC_VCPU_OP, VCPUOP_SET_SINGLESHOT, 0, GPA_ARGUMENT), 0);
    fake_advance(4000000);
    CU_ASSERT_EQUAL(xen_interrupts(), 0);
    fake_advance(2000000);
    CU_ASSERT_EQUAL(xen_interrupts(), 1);
    s.flags = SINGLESHOT_FUTURE;
    memcpy(xen_ram(vm, GPA_ARGUMENT), &s, sizeof(s));
    CU_ASSERT_EQUAL(xen_call(vm, HC_VCPU_OP, VCPUOP_SET_SINGLESHOT, 0, GPA_ARGUMENT), -XEN_ETIME);
    finish();
}

static void a_page_is_given_back_once(void)
{
    uint64_t gfn = 0x90;
    struct xen_reservation r = {.extents = 0x80000, .count = 1, .domid = DOMID_SELF};

    start(1);
    memcpy(xen_ram(vm, 0x80000), &gfn, sizeof(gfn));
    memset(xen_ram(vm, 0x90000), 0x5a, PAGE_SIZE);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_MEMORY_OP, XENMEM_DECREASE, &r, sizeof(r)), 1);
    CU_ASSERT_EQUAL(*(uint8_t *)xen_ram(vm, 0x90000), 0);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_MEMORY_OP, XENMEM_DECREASE, &r, sizeof(r)), 0);
    CU_ASSERT_EQUAL(xen_call(vm, HC_MEMORY_OP, XENMEM_CURRENT, 0, 0), 1023);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_MEMORY_OP, XENMEM_POPULATE, &r, sizeof(r)), 1);
    CU_ASSERT_EQUAL(xen_call(vm, HC_MEMORY_OP, XENMEM_CURRENT, 0, 0), 1024);
    finish();
}

static int64_t place_frame(uint64_t i, uint64_t gfn)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .space = XENMAPSPACE_GRANT_TABLE,
                                   .idx = i, .gpfn = gfn};

    return xen_call_with(vm, HC_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, &a, sizeof(a));
}

static void grant_frames_move_only_so_often(void)
{
    struct xen_gnttab_size s = {.dom = DOMID_SELF};
    uint64_t free;
    pa_t first, to;
    unsigned int attr, level;

    start(1);
    CU_ASSERT_EQUAL(place_frame(3, 0x100000), 0);
    CU_ASSERT_TRUE(pt_lookup(&vm->stage2, GiB(4), &first, &attr, &level));
    CU_ASSERT_EQUAL(place_frame(3, 0x300000), 0);
    CU_ASSERT_FALSE(pt_lookup(&vm->stage2, GiB(4), &to, &attr, &level));
    CU_ASSERT_TRUE(pt_lookup(&vm->stage2, GiB(12), &to, &attr, &level));
    CU_ASSERT_EQUAL(to.v, first.v);
    CU_ASSERT_EQUAL(place_frame(3, 0x300000), -XEN_EINVAL); /* something is there */
    CU_ASSERT_TRUE(pt_lookup(&vm->stage2, GiB(12), &to, &attr, &level));
    CU_ASSERT_EQUAL(place_frame(GRANT_FRAMES, 0x400000), -XEN_EINVAL);
    CU_ASSERT_EQUAL(place_frame(0, 1ull << 36), -XEN_EINVAL);
    CU_ASSERT_EQUAL(xen_call_with(vm, HC_GRANT_TABLE_OP, GNTTAB_QUERY_SIZE, &s, sizeof(s)), 0);
    CU_ASSERT_EQUAL(s.frames, 4);
    free = page_count_free();
    for (uint64_t i = 0; i < 1000; i++) {
        (void)place_frame(3, (i + 1) << 27);
    }
    CU_ASSERT_TRUE(free - page_count_free() <= 3 * GRANT_MOVES_MAX);
    CU_ASSERT_EQUAL(place_frame(3, 0x500000), -XEN_ENOSPC);
    finish();
}

static void a_console_ring_that_contradicts_itself_prints_nothing(void)
{
    uint8_t *ring;
    uint32_t port;

    start(1);
    port = ((struct xenpv *)vm->abi_data)->console_port;
    ring = xen_ram(vm, GPA_XEN_CONSOLE);
    memcpy(ring + CONSOLE_OUT, "hello\n", 6);
    *(uint32_t *)(void *)(ring + CONSOLE_OUT_PROD) = 6;
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "guest| hello"));
    CU_ASSERT_EQUAL(*(uint32_t *)(void *)(ring + CONSOLE_OUT_CONS), 6);
    fake_console_clear();
    *(uint32_t *)(void *)(ring + CONSOLE_OUT_PROD) = 6 + CONSOLE_OUT_SIZE + 1;
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_PTR_NULL(strstr(fake_console(), "guest| "));
    finish();
}

static void console_input_waits_for_room_in_the_ring(void)
{
    uint32_t port, *index;
    uint8_t *ring;

    start(1);
    port = ((struct xenpv *)vm->abi_data)->console_port;
    ring = xen_ram(vm, GPA_XEN_CONSOLE);
    index = (uint32_t *)(void *)(ring + CONSOLE_IN_CONS);
    index[0] = 5;
    index[1] = 5 + CONSOLE_IN_SIZE - 2;
    stream_input(vm, STREAM_CONSOLE, (const uint8_t *)"hello", 5);
    CU_ASSERT_EQUAL(index[1], 5 + CONSOLE_IN_SIZE);
    CU_ASSERT_EQUAL(memcmp(ring + 3, "he", 2), 0);
    CU_ASSERT_EQUAL(xen_interrupts(), 1);
    index[0] = index[1];
    CU_ASSERT_EQUAL(send(port), 0);
    CU_ASSERT_EQUAL(memcmp(ring + 5, "llo", 3), 0);
    index[0] = index[1] + 7; /* it says that it read what was never there */
    stream_input(vm, STREAM_CONSOLE, (const uint8_t *)"x", 1);
    CU_ASSERT_EQUAL(index[1] + 7, index[0]);
    finish();
}

/* One request through the ring; the answer's body, NUL-terminated. */
static uint32_t store(uint32_t type, const void *body, uint32_t len, char answer[1024])
{
    uint8_t *ring = xen_ram(vm, GPA_XEN_STORE);
    uint32_t *index = (uint32_t *)(void *)(ring + STORE_REQ_CONS);
    struct xen_store_header h = {.type = type, .request = 7, .len = len};

    memset(index, 0, 16);
    memcpy(ring + STORE_REQ, &h, sizeof(h));
    memcpy(ring + STORE_REQ + sizeof(h), body, len);
    index[1] = (uint32_t)sizeof(h) + len;
    CU_ASSERT_EQUAL(send(((struct xenpv *)vm->abi_data)->store_port), 0);
    memcpy(&h, ring + STORE_RSP, sizeof(h));
    CU_ASSERT_FATAL(h.len < 1000 && h.request == 7);
    memcpy(answer, ring + STORE_RSP + sizeof(h), h.len);
    answer[h.len] = '\0';
    return h.type;
}

static void the_store_keeps_what_the_domain_writes(void)
{
    char a[1024];

    start(1);
    CU_ASSERT_EQUAL(store(XS_READ, "domid", 6, a), XS_READ);
    CU_ASSERT_STRING_EQUAL(a, "1");
    CU_ASSERT_EQUAL(store(XS_WRITE, "data/x\0value", 12, a), XS_WRITE);
    CU_ASSERT_EQUAL(store(XS_READ, "/local/domain/1/data/x", 23, a), XS_READ);
    CU_ASSERT_STRING_EQUAL(a, "value");
    CU_ASSERT_EQUAL(store(XS_DIRECTORY, "data", 5, a), XS_DIRECTORY);
    CU_ASSERT_STRING_EQUAL(a, "x");
    CU_ASSERT_EQUAL(store(XS_WRITE, "/local/domain/2/x\0y", 19, a), XS_ERROR);
    CU_ASSERT_STRING_EQUAL(a, "EACCES");
    CU_ASSERT_EQUAL(store(XS_READ, "nothing", 8, a), XS_ERROR);
    CU_ASSERT_STRING_EQUAL(a, "ENOENT");
    CU_ASSERT_EQUAL(store(XS_READ, "a//b", 5, a), XS_ERROR);
    CU_ASSERT_EQUAL(store(99, "", 0, a), XS_ERROR);
    CU_ASSERT_STRING_EQUAL(a, "ENOSYS");
    finish();
}

static const struct cu_test tests[] = {
    CU(a_confidential_domain_is_refused_by_name),
    CU(an_abi_that_is_not_here_is_not_built),
    CU(user_code_has_no_calls),
    CU(calls_of_32_bit_code_are_not_built),
    CU(all_leaves_of_the_range_are_xens),
    CU(no_other_number_is_a_call),
    CU(a_send_from_a_foreign_stack_interrupts_nobody_else),
    CU(hostile_pointers_fault_and_do_nothing),
    CU(a_read_only_page_is_not_written),
    CU(a_write_that_ends_in_a_bad_page_writes_nothing),
    CU(user_pages_need_ac_under_smap),
    CU(large_pages_are_walked),
    CU(version_strings_leak_nothing),
    CU(an_event_sets_its_bits_and_interrupts_once),
    CU(a_masked_event_waits_until_it_is_unmasked),
    CU(ports_end_at_the_limit_and_come_back),
    CU(a_port_whose_answer_has_no_place_is_not_made),
    CU(a_timer_raises_its_virq),
    CU(a_page_is_given_back_once),
    CU(grant_frames_move_only_so_often),
    CU(a_console_ring_that_contradicts_itself_prints_nothing),
    CU(console_input_waits_for_room_in_the_ring),
    CU(the_store_keeps_what_the_domain_writes),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("xenpv_calls", tests, argc, argv);
}
