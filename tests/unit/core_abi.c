/* The guest ABI's calls, as a guest makes them: discovery, buffers, console ring, time page. */
#include <stdio.h>
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "arch/boot.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"
#include "hv/page.h"

static struct vm *vm;

static void start(void)
{
    core_boot(MiB(64), 1);
    vm = abi_vm("guest", MiB(32), 1, 0x7f, NULL);
}

static void finish(void)
{
    vm_destroy(vm);
    core_done();
}

static uint64_t value(uint32_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct call call;

    CU_ASSERT_EQUAL(abi_call(vm, &call, number, a, b, c, d), ABI_OK);
    return call.value[0];
}

static uint64_t status(uint32_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct call call;
    uint64_t st = abi_call(vm, &call, number, a, b, c, d);

    CU_ASSERT(st == ABI_OK || (call.value[0] | call.value[1] | call.value[2]) == 0);
    return st;
}

static void query_says_what_the_domain_has(void)
{
    struct call c;

    start();
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_VERSION, 0, 0, 0, 0), ABI_VERSION_1_0);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_CALL, 8, 0, 0), 1);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_CALL, 18, 0, 0), 0); /* a capability */
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_CALL, 19, 0, 0), 0);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_LIMIT, ABI_LIMIT_PORTS, 0, 0), 256);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_FEATURE, ABI_FEATURE_TIME, 0, 0), 1);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_FEATURE, 30, 0, 0), 0);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_SOURCE, ABI_SOURCE_SELF, 0, 0), 1);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_SOURCE, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_PEER, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(abi_call(vm, &c, ABI_CALL_ABI_QUERY, ABI_QUERY_CALL, 2, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(c.value[1], ABI_VERSION_1_0);
    finish();
}

static void a_feature_that_is_off_has_no_calls(void)
{
    start();
    vm_destroy(vm);
    vm = abi_vm("guest", MiB(4), 1, 0x03, NULL);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SEND, 0, 0, 0, 0), ABI_NO_CALL);
    CU_ASSERT_EQUAL(status(ABI_CALL_TIME_SETUP, 1, 0, 0, 0), ABI_NO_CALL);
    CU_ASSERT_EQUAL(value(ABI_CALL_ABI_QUERY, ABI_QUERY_CALL, 8, 0, 0), 0);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_QUERY, 1, 0, 0, 0), ABI_NOT_FOUND);
    finish();
}

static void arguments_out_of_their_range_are_refused_by_the_list(void)
{
    start();
    CU_ASSERT_EQUAL(status(ABI_CALL_ABI_QUERY, 5, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_ABI_QUERY, 0, 0x10000, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, 0, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, BIT(47), 1, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, UINT64_MAX, 2, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, 0, MiB(16) + 1, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, 0, 1, 2, 0), ABI_RESERVED_BITS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, 0, 0, 2, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_SHARE_OFFER, 1, 0, 0, 1), ABI_RESERVED_BITS);
    finish();
}

static void a_buffer_is_ram_wherever_its_bytes_begin(void)
{
    struct call c;
    uint64_t h;

    start();
    for (uint64_t i = 0; i < 9; i++) {
        h = value(ABI_CALL_BUF_REGISTER, 4090 + i, 1 + i * 5000, i & 1, 0);
        CU_ASSERT_EQUAL(abi_call(vm, &c, ABI_CALL_BUF_QUERY, h, 0, 0, 0), ABI_OK);
        CU_ASSERT_EQUAL(c.value[0], 4090 + i);
        CU_ASSERT_EQUAL(c.value[1], 1 + i * 5000);
        CU_ASSERT_EQUAL(c.value[2], i & 1);
        CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
        CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_NOT_FOUND);
    }
    h = value(ABI_CALL_BUF_REGISTER, MiB(16), MiB(16), 0, 0);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(16) - 1, 2, 0, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(32) - 1, 1, 0, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(32), 1, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(32) - 1, 2, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, 0xe0000000, 64, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, BIT(47) - 1, 64, 0, 0), ABI_BAD_ADDRESS);
    finish();
}

static void there_are_64_buffers_and_handles_go_stale(void)
{
    uint64_t h[ABI_MAX_BUFFERS], again;

    start();
    for (unsigned int i = 0; i < ABI_MAX_BUFFERS; i++) {
        h[i] = value(ABI_CALL_BUF_REGISTER, i * 100, 100, 0, 0);
        CU_ASSERT(h[i] != 0 && (i == 0 || h[i] != h[i - 1]));
    }
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(1), 1, 0, 0), ABI_LIMIT);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h[9], 0, 0, 0), ABI_OK);
    again = value(ABI_CALL_BUF_REGISTER, MiB(1), 1, 0, 0);
    CU_ASSERT_NOT_EQUAL(again, h[9]);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_QUERY, h[9], 0, 0, 0), ABI_NOT_FOUND);
    finish();
}

static void a_buffer_in_use_cannot_be_taken_back(void)
{
    uint64_t h, other;

    start();
    h = value(ABI_CALL_BUF_REGISTER, MiB(1), 4096, 0, 0);
    other = value(ABI_CALL_BUF_REGISTER, MiB(2), 4096, ABI_BUF_READ_ONLY, 0);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, other, 0, 0, 0), ABI_DENIED);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h + 64, 0, 0, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h, 4096 - 24, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h, 32, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h, 4096 - 64, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h, 0, 0, 0), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_BUSY);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, 0, 0, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    finish();
}

static void the_console_ring_prints_and_takes_input(void)
{
    struct abi_console ring;
    uint64_t h, port;

    start();
    h = value(ABI_CALL_BUF_REGISTER, MiB(1), 8192, 0, 0);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SETUP, h, 4096, 0, 0), ABI_OK);
    port = value(ABI_CALL_EVENT_OPEN, ABI_SOURCE_CONSOLE, 0, 0, 40);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_OPEN, ABI_SOURCE_CONSOLE, 0, 0, 40), ABI_EXISTS);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(MiB(1)), 9), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_CONSOLE_SETUP, h, 0, 0, 0), ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(MiB(1)), 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_CONSOLE_SETUP, h, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_CONSOLE_SETUP, h, 0, 0, 0), ABI_EXISTS);
    for (uint32_t i = 0; i < 700; i++) { /* twice around the ring */
        CU_ASSERT_EQUAL(guestmem_write(vm, gpa(MiB(1) + 1088 + i * 6 % 2048), "line\n\n", 6),
                        ABI_OK);
        if (i * 6 % 2048 > 2042) {
            CU_ASSERT_EQUAL(guestmem_write(vm, gpa(MiB(1) + 1088), "line\n\n" + 2048 - i * 6 % 2048,
                                           i * 6 % 2048 - 2042), ABI_OK);
        }
        CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(MiB(1)), (i + 1) * 6), ABI_OK);
        CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_OK);
    }
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(MiB(1)), &ring, sizeof(ring)), ABI_OK);
    CU_ASSERT_EQUAL(ring.out_consumed, 4200);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "guest| line"));
    stream_input(vm, STREAM_CONSOLE, (const uint8_t *)"hello", 5);
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(MiB(1)), &ring, sizeof(ring)), ABI_OK);
    CU_ASSERT_EQUAL(ring.in_produced, 5);
    CU_ASSERT_EQUAL(memcmp(ring.in, "hello", 5), 0);
    CU_ASSERT_EQUAL(vm->vcpu[0]->arch.irqs[0], BIT(40));
    CU_ASSERT_EQUAL(guestmem_store32(vm, gpa(MiB(1)), 4200 + 2049), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_EVENT_SEND, port, 0, 0, 0), ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(status(ABI_CALL_CONSOLE_SETUP, 0, 0, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_CONSOLE_SETUP, 0, 0, 0, 0), ABI_BAD_STATE);
    finish();
}

static void the_time_page_says_how_the_counter_runs(void)
{
    struct abi_time t;
    uint64_t h;

    start();
    fake_wall(1700000000);
    vm->arch.clock_zero = time_ns();
    h = value(ABI_CALL_BUF_REGISTER, MiB(1) + 4, 4096, 0, 0);
    CU_ASSERT_EQUAL(status(ABI_CALL_TIME_SETUP, h, 0, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_TIME_SETUP, h, 4096 - 60, 0, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(status(ABI_CALL_TIME_SETUP, h, 4, 0, 0), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_read(vm, gpa(MiB(1) + 8), &t, sizeof(t)), ABI_OK);
    CU_ASSERT_EQUAL(t.sequence, 2);
    CU_ASSERT_EQUAL(t.flags, 1);
    CU_ASSERT_EQUAL(((1000000ull << t.shift) * t.mul) >> 32, 1000000);
    CU_ASSERT_EQUAL(t.wall, time_wall());
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    finish();
}

static void what_is_not_built_says_so(void)
{
    start();
    CU_ASSERT_EQUAL(status(ABI_CALL_HOST_EVIDENCE, 1, 0, 64, 0), ABI_NOT_BUILT);
    CU_ASSERT_EQUAL(status(ABI_CALL_VM_CONTROL, 1, 0, 64, 0), ABI_NO_CALL); /* a capability */
    finish();
}

static void a_pinned_page_does_not_become_private(void)
{
    pa_t at;

    core_boot(MiB(64), 1);
    CU_ASSERT_FATAL(page_alloc(ORDER_2M, PAGE_GUEST, 7, &at));
    CU_ASSERT_FALSE(page_pin(at, 8));
    CU_ASSERT(page_pin(at, 7) && page_pin(at, 7));
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, 7), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(page_move(at, ORDER_2M, PAGE_GUEST, PAGE_PRIVATE, 7), ABI_BAD_STATE);
    page_unpin(at, 7);
    CU_ASSERT_EQUAL(page_move(at, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, 7), ABI_BAD_STATE);
    page_unpin(at, 7);
    ASSERT_PANICS(page_unpin(at, 7));
    core_boot(MiB(64), 1);
}

static bool is_shared(struct vm *of, pa_t at)
{
    return page_state_of(at) == PAGE_GUEST && page_owner_of(at) == of->id;
}

/* A technology whose pages are private or shared, as the page table has it. */
static void private_memory_is_no_buffer_and_a_buffer_stays_shared(void)
{
    struct cc_ops ops = cc_none_ops;
    uint64_t h, run;
    void *at;
    pa_t page;

    start();
    CU_ASSERT_EQUAL_FATAL(vm_mem_host(vm, gpa(MiB(2)), &at, &run), ABI_OK);
    page = pa(hva_to_pa(at).v + 4096); /* the second of three */
    ops.shared = is_shared;
    vm->ops = &ops;
    vm->cc = CC_SEV_SNP;
    CU_ASSERT_EQUAL(page_move(page, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, vm->id), ABI_OK);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(2) + 4096, 1, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_REGISTER, MiB(2) + 5, 12288 - 5, 0, 0), ABI_BAD_ADDRESS);
    CU_ASSERT_EQUAL(page_move(page, ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, vm->id), ABI_OK);
    h = value(ABI_CALL_BUF_REGISTER, MiB(2) + 5, 4096, 0, 0);
    CU_ASSERT_EQUAL(page_move(page, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, vm->id), ABI_BAD_STATE);
    CU_ASSERT_EQUAL(status(ABI_CALL_BUF_UNREGISTER, h, 0, 0, 0), ABI_OK);
    for (uint64_t i = 0; i < 3; i++) { /* no pin was left by those that failed either */
        pa_t p = pa(page.v + i * 4096 - 4096);

        CU_ASSERT_EQUAL(page_move(p, ORDER_4K, PAGE_GUEST, PAGE_PRIVATE, vm->id), ABI_OK);
        CU_ASSERT_EQUAL(page_move(p, ORDER_4K, PAGE_PRIVATE, PAGE_GUEST, vm->id), ABI_OK);
    }
    finish();
}

static uint64_t number_of(const char *name)
{
#define ABI_CALL(call, index, feature, arguments, values, meaning)                                 \
    if (strcmp(name, #call) == 0) {                                                                \
        return ABI_CALL_BASE + index;                                                              \
    }
#include "abi/call.def"
    CU_FAIL("the session names a call that is none");
    return 0;
}

/* What the bindings of other languages are tested with is what the core says. */
static void the_recorded_session_is_what_the_core_answers(void)
{
    FILE *f = fopen("tests/abi/session.txt", "r");
    char line[256], name[32];
    unsigned int lines = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    start();
    while (fgets(line, sizeof(line), f) != NULL) {
        unsigned long w[8];
        struct call c;

        if (sscanf(line, "%31s %lx %lx %lx %lx = %lx %lx %lx %lx", name, &w[0], &w[1], &w[2],
                   &w[3], &w[4], &w[5], &w[6], &w[7]) != 9) {
            CU_ASSERT_EQUAL(line[0], '#');
            continue;
        }
        CU_ASSERT_EQUAL(abi_call(vm, &c, number_of(name), w[0], w[1], w[2], w[3]), w[4]);
        CU_ASSERT(c.value[0] == w[5] && c.value[1] == w[6] && c.value[2] == w[7]);
        lines++;
    }
    fclose(f);
    CU_ASSERT(lines >= 20);
    finish();
}

static const struct cu_test tests[] = {
    CU(query_says_what_the_domain_has),
    CU(a_feature_that_is_off_has_no_calls),
    CU(arguments_out_of_their_range_are_refused_by_the_list),
    CU(a_buffer_is_ram_wherever_its_bytes_begin),
    CU(there_are_64_buffers_and_handles_go_stale),
    CU(a_buffer_in_use_cannot_be_taken_back),
    CU(the_console_ring_prints_and_takes_input),
    CU(the_time_page_says_how_the_counter_runs),
    CU(what_is_not_built_says_so),
    CU(the_recorded_session_is_what_the_core_answers),
    CU(private_memory_is_no_buffer_and_a_buffer_stays_shared),
    CU(a_pinned_page_does_not_become_private),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_abi", tests, argc, argv);
}
