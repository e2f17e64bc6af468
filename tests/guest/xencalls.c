/* The legacy Xen ABI as a kernel meets it, and hostile pointers through its own page tables. */
#include "xen.h"

static volatile unsigned int upcalls;

static void upcall(struct frame *f)
{
    (void)f;
    upcalls++;
    xen_shared->vcpu_info[0].upcall_pending = 0;
    xen_shared->vcpu_info[0].pending_sel = 0;
    eoi();
}

static void it_is_found_by_its_leaves(void)
{
    struct cpuid_regs r = cpuid(XEN_LEAF_SIGNATURE, 0);
    uint64_t value;

    expect(r.ebx == 0x566e6558 && r.ecx == 0x65584d4d && r.edx == 0x4d4d566e);
    expect_eq(cpuid(XEN_LEAF_SIGNATURE + 2, 0).ebx, XEN_MSR_PAGE);
    expect_eq(rdmsr_fault(XEN_MSR_PAGE, &value), NO_FAULT);
    expect_eq(wrmsr_fault(XEN_MSR_PAGE, 0x1001), 13);
    expect_eq(wrmsr_fault(XEN_MSR_PAGE, 1ull << 45), 13);
}

static void nothing_of_kvm_is_seen(void)
{
    uint64_t value;

    for (uint32_t leaf = XEN_LEAF_LAST; leaf < XEN_LEAF_SIGNATURE + 0x100; leaf++) {
        struct cpuid_regs r = cpuid(leaf, 0);

        expect_eq(r.eax | r.ebx | r.ecx | r.edx, 0);
    }
    for (uint32_t at = XEN_LEAF_SIGNATURE; at < XEN_LEAF_SIGNATURE + 0x10000; at += 0x100) {
        expect(cpuid(at, 0).ebx != 0x4b4d564b); /* KVMK */
    }
    expect_eq(rdmsr_fault(MSR_KVM_TIME, &value), 13);
    expect_eq(rdmsr_fault(MSR_KVM_WALL, &value), 13);
    expect_eq(wrmsr_fault(MSR_KVM_TIME, 1), 13);
    expect_eq(wrmsr_fault(MSR_KVM_WALL, 0), 13);
}

static void the_hypercall_page_calls(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    uint64_t rax = 0, rdi = XENVER_VERSION, rsi = 0;

    expect_eq(wrmsr_fault(XEN_MSR_PAGE, (uint64_t)page), NO_FAULT);
    expect(page[0] == 0xb8 && page[HC_XEN_VERSION * 32 + 1] == HC_XEN_VERSION);
    __asm__ volatile("call *%3" : "+a"(rax), "+D"(rdi), "+S"(rsi)
                     : "r"(page + HC_XEN_VERSION * 32) : "memory");
    expect_eq(rax, XEN_VERSION);
}

static void an_event_comes_as_an_interrupt(void)
{
    uint32_t port;

    on[0x60] = upcall;
    xen_setup(0x60);
    port = xen_bind_ipi(0);
    irqs_on();
    for (unsigned int i = 0; i < 1000; i++) {
        unsigned int before = upcalls;

        xen_shared->pending[0] = 0;
        expect_eq(xen(HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port, 0), 0);
        within_ms(100, upcalls != before);
        if (upcalls == before) {
            return;
        }
    }
    irqs_off();
    expect_eq(upcalls, 1000);
}

/* Every port that is not its own, from any memory that holds the number. */
static void a_send_of_what_is_not_ones_own_interrupts_nobody(void)
{
    unsigned int before = upcalls;
    uint32_t own = xen_bind_ipi(0);
    uint64_t fine = 0;

    irqs_on();
    for (uint32_t port = own + 1; port < 5000; port++) {
        fine += xen(HC_EVENT_CHANNEL_OP, EVTCHN_SEND, &port, 0) == -XEN_EINVAL;
    }
    irqs_off();
    expect_eq(fine, 5000 - own - 1);
    expect_eq(upcalls, before);
}

static void hostile_pointers_fault(void)
{
    static const uint64_t hostile[] = {0x7fffffffffffull, 1ull << 46, 1ull << 47, 1ull << 63,
                                       ~0ull, ~0ull - 3, 0xfee00000, 0xe0000000};
    static const uint64_t calls[] = {HC_GRANT_TABLE_OP, HC_EVENT_CHANNEL_OP, HC_HVM_OP};

    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        const void *at = (const void *)hostile[i];

        for (size_t c = 0; c < ARRAY_SIZE(calls); c++) {
            for (uint64_t op = 0; op < 32; op++) {
                int64_t rc = xen(calls[c], op, at, 1);

                expect(rc == -XEN_EFAULT || rc == -XEN_ENOSYS);
            }
        }
        expect_eq(xen(HC_XEN_VERSION, XENVER_CAPABILITIES, at, 0), -XEN_EFAULT);
        expect_eq(xen(HC_SCHED_OP, SCHEDOP_SHUTDOWN, at, 0), -XEN_EFAULT);
        expect_eq(xen(HC_SCHED_OP, SCHEDOP_POLL, at, 0), -XEN_EFAULT);
    }
}

static volatile int64_t user_answer;
static void user_call(void)
{
    uint64_t rax = HC_XEN_VERSION;

    __asm__ volatile("vmmcall" : "+a"(rax) : "D"(XENVER_VERSION) : "memory");
    user_answer = (int64_t)rax;
    __asm__ volatile(USER_END);
}

static void ring_3_is_not_permitted(void)
{
    (void)user_run(user_call);
    expect_eq(user_answer, -XEN_EPERM);
}

const struct test tests[] = {
    TEST(it_is_found_by_its_leaves),
    TEST(nothing_of_kvm_is_seen),
    TEST(the_hypercall_page_calls),
    TEST(an_event_comes_as_an_interrupt),
    TEST(a_send_of_what_is_not_ones_own_interrupts_nobody),
    TEST(hostile_pointers_fault),
    TEST(ring_3_is_not_permitted),
    TEST_END,
};
