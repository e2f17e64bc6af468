/* Control of domains by one that holds the capability: messages, ids, refusals. */
#include <string.h>

#include "abi/abi.h"
#include "abi_host.h"
#include "core_host.h"
#include "cu.h"
#include "hv/abi.h"
#include "hv/guestmem.h"

#define AT MiB(1)

static struct vm *lord, *other;
static uint64_t handle;

static void start(void)
{
    struct call c;

    core_boot(MiB(64), 1);
    lord = abi_vm("lord", MiB(4), 1, 0xff, NULL);
    other = abi_vm("other", MiB(4), 2, 0x7f, NULL);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_BUF_REGISTER, AT, 8192, 0, 0), ABI_OK);
    handle = c.value[0];
}

static void finish(void)
{
    vm_destroy(lord);
    if (other != NULL) {
        vm_destroy(other);
    }
    core_done();
}

static uint64_t ask(uint64_t id, uint32_t operation, uint32_t domain, uint64_t len,
                    uint64_t *answered)
{
    struct abi_control r = {.id = id, .operation = operation, .domain = domain};
    struct call c;
    uint64_t st;

    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(AT), &r, sizeof(r)), ABI_OK);
    st = abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, len, 0);
    if (answered != NULL) {
        *answered = c.value[0];
    }
    return st;
}

static struct abi_control_domain told(unsigned int i)
{
    struct abi_control_domain d;

    CU_ASSERT_EQUAL(guestmem_read(lord, gpa(AT + i * sizeof(d)), &d, sizeof(d)), ABI_OK);
    return d;
}

static void a_list_tells_all_domains_in_order_as_many_as_fit(void)
{
    uint64_t bytes;

    start();
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_LIST, 0, 4096, &bytes), ABI_OK);
    CU_ASSERT_EQUAL(bytes, 2 * sizeof(struct abi_control_domain));
    CU_ASSERT_EQUAL(told(0).id, vm_id(lord));
    CU_ASSERT_EQUAL(told(1).id, vm_id(other));
    CU_ASSERT_STRING_EQUAL((const char *)told(1).name, "other");
    CU_ASSERT_EQUAL(told(1).memory, MiB(4));
    CU_ASSERT_EQUAL(told(1).vcpus, 2);
    CU_ASSERT_EQUAL(told(1).state, 0);
    CU_ASSERT_EQUAL(ask(2, ABI_CONTROL_LIST, 0, sizeof(struct abi_control_domain), &bytes), ABI_OK);
    CU_ASSERT_EQUAL(bytes, sizeof(struct abi_control_domain));
    CU_ASSERT_EQUAL(ask(3, ABI_CONTROL_LIST, vm_id(lord), 4096, &bytes), ABI_OK);
    CU_ASSERT_EQUAL(told(0).id, vm_id(other));
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_LIST, vm_id(other), 4096, &bytes), ABI_OK);
    CU_ASSERT_EQUAL(bytes, 0);
    CU_ASSERT_EQUAL(ask(5, ABI_CONTROL_LIST, 0, 32, &bytes), ABI_OK);
    CU_ASSERT_EQUAL(bytes, 0); /* no room for one */
    finish();
}

static void a_request_is_checked_before_it_is_done(void)
{
    struct call c;

    start();
    CU_ASSERT_EQUAL(ask(0, ABI_CONTROL_PING, 0, 32, NULL), ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_CREATE + 1, 0, 32, NULL), ABI_BAD_FORMAT);
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_CREATE, 0, 32, NULL), ABI_NOT_BUILT);
    CU_ASSERT_EQUAL(ask(2, ABI_CONTROL_DESTROY, 999, 32, NULL), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(3, ABI_CONTROL_DESTROY, 0x10000 + vm_id(other), 32, NULL), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(4, ABI_CONTROL_DESTROY, vm_id(lord), 32, NULL), ABI_DENIED);
    CU_ASSERT_EQUAL(ask(5, ABI_CONTROL_STATISTICS, vm_id(other), 32, NULL), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_PING, 0, 31, NULL), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(ask(6, ABI_CONTROL_PING, 0, 4097, NULL), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 8192 - 31, 32, 0), ABI_BAD_ARG);
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle + 64, 0, 32, 0), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(guestmem_fill(lord, gpa(AT), 0, 64), ABI_OK);
    CU_ASSERT_EQUAL(guestmem_fill(lord, gpa(AT + 3), 9, 1), ABI_OK); /* its id, at an odd address */
    CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 3, 32, 0), ABI_OK);
    CU_ASSERT_EQUAL(abi_call(other, &c, ABI_CALL_VM_CONTROL, handle, 0, 32, 0), ABI_NO_CALL);
    finish();
}

static void reserved_fields_must_be_zero(void)
{
    struct abi_control r = {.id = 1, .operation = ABI_CONTROL_PING};
    struct call c;

    start();
    for (unsigned int i = 0; i < 128; i++) {
        r.reserved[0] = i < 64 ? BIT(i) : 0;
        r.reserved[1] = i >= 64 ? BIT(i - 64) : 0;
        CU_ASSERT_EQUAL(guestmem_write(lord, gpa(AT), &r, sizeof(r)), ABI_OK);
        CU_ASSERT_EQUAL(abi_call(lord, &c, ABI_CALL_VM_CONTROL, handle, 0, 32, 0),
                        ABI_RESERVED_BITS);
    }
    finish();
}

static void a_request_with_the_last_id_is_answered_but_not_done_again(void)
{
    struct stream *s;

    start();
    s = &other->stream[STREAM_CONSOLE];
    CU_ASSERT_EQUAL(guestmem_write(lord, gpa(AT + 32), "hello", 5), ABI_OK);
    CU_ASSERT_EQUAL(ask(7, ABI_CONTROL_CONSOLE, vm_id(other), 37, NULL), ABI_OK);
    CU_ASSERT_EQUAL(s->count, 5);
    CU_ASSERT_EQUAL(memcmp(s->input, "hello", 5), 0);
    CU_ASSERT_EQUAL(ask(7, ABI_CONTROL_CONSOLE, vm_id(other), 37, NULL), ABI_OK);
    CU_ASSERT_EQUAL(s->count, 5);
    CU_ASSERT_EQUAL(ask(8, ABI_CONTROL_CONSOLE, vm_id(other), 37, NULL), ABI_OK);
    CU_ASSERT_EQUAL(s->count, 10);
    CU_ASSERT_EQUAL(ask(9, ABI_CONTROL_PAUSE, 999, 32, NULL), ABI_NOT_FOUND);
    CU_ASSERT_EQUAL(ask(9, ABI_CONTROL_PAUSE, 999, 32, NULL), ABI_NOT_FOUND);
    finish();
}

static void what_was_acknowledged_happens_though_the_one_who_asked_ends(void)
{
    start();
    CU_ASSERT_EQUAL(ask(1, ABI_CONTROL_DESTROY, vm_id(other), 32, NULL), ABI_OK);
    vm_destroy(lord);
    CU_ASSERT_EQUAL(vm_count(), 1);
    vm_reap();
    CU_ASSERT_EQUAL(vm_count(), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_console(), "other: destroyed: by domain lord"));
    core_done();
}

static const struct cu_test tests[] = {
    CU(a_list_tells_all_domains_in_order_as_many_as_fit),
    CU(a_request_is_checked_before_it_is_done),
    CU(reserved_fields_must_be_zero),
    CU(a_request_with_the_last_id_is_answered_but_not_done_again),
    CU(what_was_acknowledged_happens_though_the_one_who_asked_ends),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_control", tests, argc, argv);
}
