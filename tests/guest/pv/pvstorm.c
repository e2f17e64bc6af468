/*
 * Hypercalls at random, with arguments that are nearly right: the guest's own addresses and frames
 * among others' and rubbish. It may ruin itself; the box must not be found broken, nor must anybody
 * else notice (tests/guest/list.xen runs a neighbour).
 */
#include "pv.h"

#define ROUNDS 60000u

static uint64_t buffer[512] __attribute__((aligned(4096)));
static uint64_t tables[8][512] __attribute__((aligned(4096)));

/* All but those that end the guest, or wait for what never comes. */
static const uint8_t numbers[] = {
    HC_SET_TRAP_TABLE, HC_MMU_UPDATE, HC_SET_GDT, HC_STACK_SWITCH, HC_SET_CALLBACKS,
    HC_FPU_TASKSWITCH, HC_SET_DEBUGREG, HC_GET_DEBUGREG, HC_UPDATE_DESCRIPTOR, HC_MEMORY_OP,
    HC_UPDATE_VA_MAPPING, HC_SET_TIMER_OP, HC_XEN_VERSION, HC_GRANT_TABLE_OP, HC_VM_ASSIST,
    HC_VCPU_OP, HC_SET_SEGMENT_BASE, HC_MMUEXT_OP, HC_CALLBACK_OP, HC_EVENT_CHANNEL_OP,
    HC_PHYSDEV_OP,
};

static uint64_t frame(void)
{
    switch (pv_random() % 4) {
    case 0:
        return pv_random() % 0x1200;
    case 1:
        return pv_frame((void *)pv_info->pt_base) + pv_random() % 8;
    default:
        return pv_frame(tables[pv_random() % 8]);
    }
}

static uint64_t word(void)
{
    switch (pv_random() % 8) {
    case 0:
        return pv_random();
    case 1:
        return (uint64_t)buffer + pv_random() % 4096;
    case 2:
        return (uint64_t)tables[pv_random() % 8];
    case 3:
        return frame() << 12 | (pv_random() & 0x1ff);
    case 4:
        return frame();
    case 5:
        return 0xffff828000000000 + pv_random() % 0x80000000;
    default:
        return pv_random() % 8;
    }
}

static void fill(void)
{
    for (unsigned int i = 0; i < 16; i++) {
        buffer[i] = word();
    }
}

/* What it needs for the next one it leaves mapped. */
static uint64_t first_of(uint64_t number)
{
    switch (number) {
    case HC_MMU_UPDATE:
    case HC_MMUEXT_OP:
        return (uint64_t)buffer;
    case HC_UPDATE_VA_MAPPING:
        return (uint64_t)tables[pv_random() % 8];
    default:
        return word();
    }
}

static void random_calls_leave_the_box_whole(void)
{
    uint64_t answers = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t number = numbers[pv_random() % sizeof(numbers)];
        uint64_t first = first_of(number);
        uint64_t count = pv_random() % 3;

        fill();
        answers += pv_hypercall(number, first, number == HC_MMU_UPDATE ? count : word(),
                                pv_random() % 2 ? 0 : word(), DOMID_SELF) == 0;
    }
    say("%lu of %u calls succeeded", (unsigned long)answers, ROUNDS);
}

/* The tables are the guest's to make wrong, too: read-only, so that they can be pinned. */
static void tables_are_made_ready(void)
{
    for (unsigned int i = 0; i < 8; i++) {
        for (unsigned int j = 0; j < 512; j += 7) {
            tables[i][j] = pv_random() % 4 == 0 ? frame() << 12 | (pv_random() & 7) : 0;
        }
        expect(pv_map((uint64_t)tables[i], pv_frame(tables[i]) << 12 | 1) == 0);
    }
}

const struct test tests[] = {
    TEST(tables_are_made_ready),
    TEST(random_calls_leave_the_box_whole),
    TEST_END,
};
