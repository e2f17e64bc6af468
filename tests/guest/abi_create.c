/* One that may create others: bundles from its ramdisk, handed over, built, started, stopped. With
 * alone=1 there is one bundle, of a domain that is to live its life. */
#include "abi/abi.h"
#include "guest.h"

#define SLOTS 8u
#define CHUNK 65536u

struct module { /* Xen, public/arch-x86/hvm/start_info.h: hvm_modlist_entry */
    uint64_t at, size, cmdline, reserved;
};

static struct {
    struct abi_request_ring head;
    struct abi_request_slot slot[SLOTS];
} ring __attribute__((aligned(4096)));
static struct {
    struct abi_control head;
    struct abi_buffer_part part;
} message;
static uint64_t ring_handle, message_handle, data_handle, next_id;
static const uint8_t *bundles;

/* Puts one request in; what it is answered with is in the slot after kick(). */
static struct abi_request_slot *put(uint32_t operation, uint32_t domain, const void *data,
                                    uint32_t len)
{
    struct abi_request_slot *s = &ring.slot[ring.head.produced % SLOTS];

    memset(s, 0, sizeof(*s));
    s->id = ++next_id;
    s->operation = operation;
    s->domain = domain;
    s->length = len;
    memcpy(s->data, data, len);
    store_release(&ring.head.produced, ring.head.produced + 1);
    return s;
}

static void kick(void)
{
    message.head = (struct abi_control){.id = 1, .operation = ABI_CONTROL_RING};
    message.part = (struct abi_buffer_part){.handle = (uint32_t)ring_handle,
                                            .length = sizeof(ring)};
    expect_eq(vmmcall(ABI_CALL_VM_CONTROL, message_handle, 0, sizeof(message), 0).status, ABI_OK);
    expect_eq(load_acquire(&ring.head.consumed), ring.head.produced);
}

static struct abi_request_slot *ask(uint32_t operation, uint32_t domain)
{
    struct abi_request_slot *s = put(operation, domain, NULL, 0);

    kick();
    return s;
}

static uint32_t state(uint32_t id)
{
    const struct abi_request_slot *s = ask(ABI_CONTROL_STATISTICS, id);

    return s->status == ABI_OK ? ((const struct abi_control_domain *)(const void *)s->data)->state
                               : 100 + s->status;
}

static uint32_t size_of(const uint8_t *fdt) /* its second word, big-endian */
{
    return (uint32_t)fdt[4] << 24 | (uint32_t)fdt[5] << 16 | (uint32_t)fdt[6] << 8 | fdt[7];
}

/* In chunks, several requests at a time. */
static void hand_over(const uint8_t *bundle, uint32_t size)
{
    struct abi_bundle_stage s = {.bytes = size};

    put(ABI_CONTROL_STAGE, 0, &s, sizeof(s));
    for (uint32_t at = 0; at < size; at += CHUNK) {
        struct abi_buffer_part p = {
            .handle = (uint32_t)data_handle,
            .offset = (uint64_t)(bundle - bundles) + at,
            .length = MIN(CHUNK, size - at),
            .to = at,
        };

        if (ring.head.produced - ring.head.consumed == SLOTS) {
            kick();
        }
        put(ABI_CONTROL_LOAD, 0, &p, sizeof(p));
    }
    kick();
    expect_eq(ring.slot[(ring.head.produced - 1) % SLOTS].status, ABI_OK);
}

static struct abi_request_slot *build(const uint8_t *bundle)
{
    hand_over(bundle, size_of(bundle));
    return ask(ABI_CONTROL_BUILD, 0);
}

static void its_ramdisk_has_bundles(void)
{
    const struct module *m = (const struct module *)start_info->module_list;

    expect_eq(start_info->modules, 1);
    bundles = (const uint8_t *)m->at;
    expect(option("alone", 0) != 0 ||
           size_of(bundles) + size_of(bundles + size_of(bundles)) == m->size);
    ring.head.slots = SLOTS;
    ring_handle = vmmcall(ABI_CALL_BUF_REGISTER, (uint64_t)&ring, sizeof(ring), 0, 0).value[0];
    message_handle =
        vmmcall(ABI_CALL_BUF_REGISTER, (uint64_t)&message, sizeof(message), 0, 0).value[0];
    data_handle = vmmcall(ABI_CALL_BUF_REGISTER, m->at, m->size, ABI_BUF_READ_ONLY, 0).value[0];
    expect(ring_handle != 0 && message_handle != 0 && data_handle != 0);
}

static void a_bundle_that_is_none_is_refused_with_the_reason(void)
{
    const struct abi_request_slot *s;

    hand_over(bundles + 8, 4096);
    s = ask(ABI_CONTROL_BUILD, 0);
    expect_eq(s->status, ABI_BAD_FORMAT);
    expect(strcmp((const char *)s->data, "bundle: not a flattened Device Tree") == 0);
    expect_eq(ask(ABI_CONTROL_BUILD, 0)->status, ABI_BAD_STATE);
}

static void a_domain_is_built_started_and_lives_its_life(void)
{
    const struct abi_request_slot *s = build(bundles);
    uint64_t id = next_id;
    uint32_t made = ((const struct abi_control_domain *)(const void *)s->data)->id;

    expect_eq(s->status, ABI_OK);
    expect_eq(state(made), 0);
    s = build(bundles);
    expect_eq(s->status, ABI_EXISTS); /* its name lives */
    next_id = id - 1;
    s = ask(ABI_CONTROL_BUILD, 0); /* the first one again */
    expect_eq(s->status, ABI_OK);
    expect_eq(((const struct abi_control_domain *)(const void *)s->data)->id, made);
    next_id = id + 1000;
    expect_eq(ask(ABI_CONTROL_START, made)->status, ABI_OK);
    expect(within_ms(60000, state(made) == 100 + ABI_NOT_FOUND));
}

static void another_is_stopped_and_kept_until_it_is_destroyed(void)
{
    const struct abi_request_slot *s;
    uint32_t made;

    if (option("alone", 0) != 0) {
        return;
    }
    s = build(bundles + size_of(bundles));
    made = ((const struct abi_control_domain *)(const void *)s->data)->id;
    expect_eq(s->status, ABI_OK);
    expect_eq(ask(ABI_CONTROL_START, made)->status, ABI_OK);
    expect_eq(ask(ABI_CONTROL_START, made)->status, ABI_BAD_STATE);
    expect_eq(state(made), 1);
    expect_eq(ask(ABI_CONTROL_STOP, made)->status, ABI_OK);
    expect(within_ms(20000, state(made) == 3));
    delay_us(100000);
    expect_eq(state(made), 3);
    expect_eq(ask(ABI_CONTROL_DESTROY, made)->status, ABI_OK);
    expect(within_ms(20000, state(made) == 100 + ABI_NOT_FOUND));
}

static void its_quota_is_what_its_description_says(void)
{
    struct abi_bundle_stage s = {.bytes = MiB(6)};

    expect_eq(put(ABI_CONTROL_STAGE, 0, &s, sizeof(s))->status, 0);
    kick();
    expect_eq(ring.slot[(ring.head.produced - 1) % SLOTS].status,
              option("alone", 0) != 0 ? ABI_OK : ABI_LIMIT);
    s.bytes = MiB(1);
    put(ABI_CONTROL_STAGE, 0, &s, sizeof(s)); /* goes with this domain */
    kick();
    expect_eq(ring.slot[(ring.head.produced - 1) % SLOTS].status, ABI_OK);
}

const struct test tests[] = {
    TEST(its_ramdisk_has_bundles),
    TEST(a_bundle_that_is_none_is_refused_with_the_reason),
    TEST(a_domain_is_built_started_and_lives_its_life),
    TEST(another_is_stopped_and_kept_until_it_is_destroyed),
    TEST(its_quota_is_what_its_description_says),
    TEST_END,
};
