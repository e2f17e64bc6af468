/* One that holds the capability `control` finds a domain, pauses it, lets it go on, ends it. */
#include "abi/abi.h"
#include "guest.h"

#define VICTIM "abi-victim"

static union {
    struct abi_control request;
    struct abi_control_domain domain[56];
    uint8_t page[4096];
} message SHARED;
static uint64_t handle, next_id;
static uint32_t victim;

static struct call_result ask(uint32_t operation, uint32_t domain)
{
    memset(&message, 0, sizeof(message));
    message.request.id = ++next_id;
    message.request.operation = operation;
    message.request.domain = domain;
    return call(ABI_CALL_VM_CONTROL, handle, 0, sizeof(message), 0);
}

static void the_list_has_everyone_and_us(void)
{
    struct call_result r;
    bool us = false;

    handle = call(ABI_CALL_BUF_REGISTER, (uint64_t)&message, sizeof(message), 0, 0).value[0];
    r = ask(ABI_CONTROL_LIST, 0);
    expect_eq(r.status, ABI_OK);
    expect(r.value[0] >= 2 * sizeof(message.domain[0]) &&
           r.value[0] % sizeof(message.domain[0]) == 0);
    for (size_t i = 0; i < r.value[0] / sizeof(message.domain[0]); i++) {
        const struct abi_control_domain *d = &message.domain[i];

        us = us || strcmp((const char *)d->name, "abi-control") == 0;
        victim = strcmp((const char *)d->name, VICTIM) == 0 ? d->id : victim;
    }
    expect(us && victim != 0);
}

static uint32_t state(void)
{
    return ask(ABI_CONTROL_STATISTICS, victim).status == ABI_OK ? message.domain[0].state : 9;
}

static uint64_t ran_until_now(void)
{
    (void)state();
    return message.domain[0].ran;
}

/* Its vCPU spins: it would run in any such time if it could. */
static bool stands_still(void)
{
    uint64_t ran = ran_until_now();

    delay_us(100000);
    return ran_until_now() == ran;
}

static void it_stops_and_goes_on(void)
{
    uint64_t ran;

    expect(within_ms(10000, state() == 1));
    expect_eq(ask(ABI_CONTROL_PAUSE, victim).status, ABI_OK);
    expect_eq(state(), 2);
    expect(within_ms(20000, stands_still()));
    ran = ran_until_now();
    expect_eq(ask(ABI_CONTROL_RESUME, victim).status, ABI_OK);
    expect(within_ms(20000, ran_until_now() > ran));
}

static void what_makes_no_sense_is_refused(void)
{
    expect_eq(ask(ABI_CONTROL_CREATE, 0).status, ABI_NOT_BUILT);
    expect_eq(ask(77, victim).status, ABI_BAD_FORMAT);
    expect_eq(ask(ABI_CONTROL_DESTROY, 0).status, ABI_NOT_FOUND);
    expect_eq(ask(ABI_CONTROL_DESTROY, 0xffffffff).status, ABI_NOT_FOUND);
}

static void it_ends_and_is_gone(void)
{
    expect_eq(ask(ABI_CONTROL_DESTROY, victim).status, ABI_OK);
    expect(within_ms(10000, ask(ABI_CONTROL_STATISTICS, victim).status == ABI_NOT_FOUND));
}

const struct test tests[] = {
    TEST(the_list_has_everyone_and_us),
    TEST(it_stops_and_goes_on),
    TEST(what_makes_no_sense_is_refused),
    TEST(it_ends_and_is_gone),
    TEST_END,
};
