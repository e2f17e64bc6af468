/* A hostile PV64 kernel in the box: pointers, frames and tables that are not its own. */
#include "pv.h"

static const uint64_t bad[] = {
    0x00007fffffff0000, /* nothing there */
    0x0000800000000000, /* no address */
    0x8000000000000000,
    0xffff7ffffffffff8,
    0xffff800000000000, /* the M2P table: to read, by instructions */
    0xffff828000000000, /* the box */
    0xffff828040021ff0, /* its stack */
    0xffff830000200000, /* memory as the box sees it */
    0xffff87fffffffff8,
    0xfffffffffffffff0,
};
#define BADS (sizeof(bad) / sizeof(bad[0]))

/* With that pointer, as what the call takes one for. */
static const struct {
    uint8_t number;
    uint64_t op; /* the first argument, if the pointer is the second */
    bool first;  /* the pointer is the first; the second is then a count of one */
} calls[] = {
    {HC_MMU_UPDATE, 0, true},
    {HC_SET_GDT, 0, true},
    {HC_MULTICALL, 0, true},
    {HC_MMUEXT_OP, 0, true},
    {HC_SET_TRAP_TABLE, 0, true},
    {HC_CALLBACK_OP, CALLBACKOP_REGISTER, false},
    {HC_EVENT_CHANNEL_OP, EVTCHN_SEND, false},
    {HC_EVENT_CHANNEL_OP, EVTCHN_STATUS, false},
    {HC_EVENT_CHANNEL_OP, EVTCHN_ALLOC_UNBOUND, false},
    {HC_EVENT_CHANNEL_OP, EVTCHN_BIND_VIRQ, false},
    {HC_MEMORY_OP, XENMEM_DECREASE, false},
    {HC_MEMORY_OP, XENMEM_POPULATE, false},
    {HC_MEMORY_OP, XENMEM_MEMORY_MAP, false},
    {HC_MEMORY_OP, XENMEM_MACHPHYS_MAPPING, false},
    {HC_XEN_VERSION, XENVER_EXTRAVERSION, false},
    {HC_XEN_VERSION, XENVER_CAPABILITIES, false},
    {HC_XEN_VERSION, XENVER_GET_FEATURES, false},
    {HC_SCHED_OP, SCHEDOP_POLL, false},
    {HC_SCHED_OP, SCHEDOP_SHUTDOWN, false},
    {HC_PHYSDEV_OP, PHYSDEVOP_SET_IOPL, false},
};

static void pointers_that_are_not_its_own_are_refused_by_every_call(void)
{
    for (unsigned int c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
        for (unsigned int b = 0; b < BADS; b++) {
            int64_t rc = calls[c].first ? pv_hypercall(calls[c].number, bad[b], 1, 0, DOMID_SELF)
                                        : pv_hypercall(calls[c].number, calls[c].op, bad[b], 1, 0);

            if (rc != -XEN_EFAULT) {
                say("call %u, %lx: %ld", calls[c].number, (unsigned long)bad[b], (long)rc);
                expect(rc == -XEN_EFAULT);
            }
        }
    }
}

static void console_grant_and_vcpu_calls_refuse_them_too(void)
{
    for (unsigned int b = 0; b < BADS; b++) {
        expect(pv_hypercall(HC_CONSOLE_IO, 0, 8, bad[b], 0) == -XEN_EFAULT);
        expect(pv_hypercall(HC_GRANT_TABLE_OP, GNTTAB_QUERY_SIZE, bad[b], 1, 0) == -XEN_EFAULT);
        expect(pv_hypercall(HC_VCPU_OP, VCPUOP_REGISTER_INFO, 0, bad[b], 0) == -XEN_EFAULT);
        expect(pv_hypercall(HC_VCPU_OP, VCPUOP_GET_RUNSTATE, 0, bad[b], 0) == -XEN_EFAULT);
        expect(pv_hypercall(HC_STACK_SWITCH, FLAT_DS, bad[b], 0, 0) == 0); /* used later, or not */
    }
}

/* The port would be read from a stack that is the box's: nothing is sent to anyone. */
static void a_send_from_a_stack_that_is_not_its_own_interrupts_nobody(void)
{
    struct xen_evtchn_ipi ipi = {0, 0};

    expect(pv_hypercall(HC_EVENT_CHANNEL_OP, EVTCHN_BIND_IPI, (uint64_t)&ipi, 0, 0) == 0);
    pv_shared->mask[0] = 0;
    pv_events = 0;
    for (uint64_t at = 0xffff828040020ff0; at < 0xffff828040026000; at += 8) {
        expect(pv_hypercall(HC_EVENT_CHANNEL_OP, EVTCHN_SEND, at, 0, 0) == -XEN_EFAULT);
    }
    expect(pv_shared->pending[0] == 0 && pv_events == 0);
    for (unsigned int i = 0; i < 64; i++) {
        uint32_t port = i == 0 ? 0xffffffff : 1u << (i % 32) | 0x10000u;

        expect(pv_hypercall(HC_EVENT_CHANNEL_OP, EVTCHN_SEND, (uint64_t)&port, 0, 0) < 0);
    }
    expect(pv_shared->pending[0] == 0 && pv_events == 0);
}

static uint64_t page[512] __attribute__((aligned(4096)));
static uint64_t table[512] __attribute__((aligned(4096)));

static void frames_that_are_not_its_own_cannot_be_mapped(void)
{
    for (uint64_t mfn = 0x200; mfn < 0x220; mfn++) { /* the box's image */
        expect(pv_map((uint64_t)page, mfn << 12 | 1) == -XEN_EINVAL);
    }
    expect(pv_map((uint64_t)page, 0x1 << 12 | 3) == -XEN_EINVAL);          /* below 1 MiB */
    expect(pv_map((uint64_t)page, 0xfee00ull << 12 | 3) == -XEN_EINVAL);   /* no memory */
    expect(pv_map((uint64_t)page, 0xfffffffffull << 12 | 3) == -XEN_EINVAL);
    expect(page[0] == 0);
}

static void a_table_is_never_writable(void)
{
    expect(pv_map(pv_info->pt_base, pv_frame((void *)pv_info->pt_base) << 12 | 3) == -XEN_EINVAL);
    expect(pv_write((uint64_t *)pv_info->pt_base + 300, 7) == 14);
}

static void a_page_that_is_writable_never_becomes_a_table(void)
{
    struct pv_mmuext pin = {MMUEXT_PIN_L1, 0, pv_frame(table), 0};

    expect(pv_hypercall(HC_MMUEXT_OP, (uint64_t)&pin, 1, 0, DOMID_SELF) == -XEN_EINVAL);
    expect(pv_map((uint64_t)table, pv_frame(table) << 12 | 1) == 0);
    expect(pv_hypercall(HC_MMUEXT_OP, (uint64_t)&pin, 1, 0, DOMID_SELF) == 0);
    expect(pv_map((uint64_t)table, pv_frame(table) << 12 | 3) == -XEN_EINVAL);
}

/* It is an L1 table now: single entries are written for it, after the same checks. */
static void a_write_to_a_table_is_done_only_if_a_hypercall_would(void)
{
    expect(pv_write(&table[3], pv_frame(page) << 12 | 1) == 0);
    expect((table[3] & ~0x7full) == (pv_frame(page) << 12 & ~0x7full) && (table[3] & 1) != 0);
    expect(pv_write(&table[4], 0x200 << 12 | 1) == 14);
    expect(table[4] == 0);
    expect(pv_write(&table[5], pv_frame(table) << 12 | 3) == 14);
    expect(table[5] == 0);
    expect(pv_write(&table[3], 0) == 0 && table[3] == 0);
}

static void what_the_box_maps_is_not_read_or_written(void)
{
    expect(pv_write((uint64_t *)0xffff828000000000, 1) == 14);
    expect(pv_write((uint64_t *)0xffff830000200000, 1) == 14);
    expect(pv_write((uint64_t *)0xffff800000000000, 1) == 14); /* the M2P table */
    expect(((volatile uint64_t *)0xffff800000000000)[pv_frame(page)] == (uint64_t)page >> 12);
}

/* Call gates and the like lead elsewhere; data and code become ring 3's. */
static void a_descriptor_table_holds_nothing_that_leads_elsewhere(void)
{
    uint64_t frame = pv_frame(page);

    page[3] = 0x0000ec0000000000; /* a call gate, present */
    expect(pv_map((uint64_t)page, frame << 12 | 1) == 0);
    expect(pv_hypercall(HC_SET_GDT, (uint64_t)&frame, 512, 0, 0) == -XEN_EINVAL);
    expect(pv_map((uint64_t)page, frame << 12 | 3) == 0);
    page[3] = 0x00af9a000000ffff; /* code of ring 0 */
    expect(pv_map((uint64_t)page, frame << 12 | 1) == 0);
    expect(pv_hypercall(HC_SET_GDT, (uint64_t)&frame, 512, 0, 0) == 0);
    expect(page[3] == 0x00affb000000ffff);
    expect(pv_hypercall(HC_UPDATE_DESCRIPTOR, frame << 12, 0x0000ec0000000000, 0, 0) ==
           -XEN_EINVAL);
}

const struct test tests[] = {
    TEST(pointers_that_are_not_its_own_are_refused_by_every_call),
    TEST(console_grant_and_vcpu_calls_refuse_them_too),
    TEST(a_send_from_a_stack_that_is_not_its_own_interrupts_nobody),
    TEST(frames_that_are_not_its_own_cannot_be_mapped),
    TEST(a_table_is_never_writable),
    TEST(a_page_that_is_writable_never_becomes_a_table),
    TEST(a_write_to_a_table_is_done_only_if_a_hypercall_would),
    TEST(what_the_box_maps_is_not_read_or_written),
    TEST(a_descriptor_table_holds_nothing_that_leads_elsewhere),
    TEST_END,
};
