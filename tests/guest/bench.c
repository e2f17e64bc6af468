/*
 * What an exit costs, in instructions: QEMU runs with -icount shift=0, where a TSC tick is an
 * instruction. Each figure is the median of many rounds, less what reading the counter takes.
 */
#include "abi/abi.h"
#include "guest.h"
#include "sample.h"

static uint64_t overhead;

struct operands {
    uint64_t rax, rcx, rdx, rdi;
};

/* One instruction between two readings of the counter. */
#define MEASURE(o, insn)                                                                           \
    do {                                                                                           \
        for (unsigned int i_ = 0; i_ < ROUNDS; i_++) {                                             \
            uint64_t a_ = (o)->rax, c_ = (o)->rcx, d_ = (o)->rdx, di_ = (o)->rdi;                  \
            uint64_t from_ = rdtsc();                                                              \
            __asm__ volatile(insn : "+a"(a_), "+c"(c_), "+d"(d_), "+D"(di_)                        \
                             : : "memory", "rbx", "rsi");                                          \
            sample[i_] = rdtsc() - from_;                                                          \
        }                                                                                          \
    } while (0)

static void print(const char *name)
{
    say("bench %-24s %lu", name, (unsigned long)(median() - overhead));
}

static void instructions_of_an_exit(void)
{
    struct operands none = {0, 0, 0, 0};
    struct operands null_call = {ABI_CALL_ABI_VERSION, 0, 0, 0};
    struct operands no_call = {ABI_CALL_BASE + 0xffff, 0, 0, 0};
    struct operands leaf = {1, 0, 0, 0};
    struct operands claimed = {0, 0, 0x3ff, 0};
    struct operands denied = {0, 0, 0x2ff, 0};
    struct operands beside = {0, 0, 0x3f0, 0}; /* 256-port page of COM1 */
    struct operands apic_id = {0, MSR_X2APIC + APIC_ID, 0, 0};
    struct operands deadline = {0, MSR_TSC_DEADLINE, 0x7fff, 0};

    MEASURE(&none, "");
    overhead = median();
    MEASURE(&null_call, "vmmcall");
    print("null-hypercall");
    MEASURE(&no_call, "vmmcall");
    print("unknown-hypercall");
    MEASURE(&leaf, "cpuid");
    print("cpuid");
    MEASURE(&denied, "inb %%dx, %%al");
    print("denied-port");
    MEASURE(&beside, "inb %%dx, %%al");
    print("denied-port-beside-com1");
    MEASURE(&claimed, "inb %%dx, %%al");
    print("claimed-port");
    MEASURE(&apic_id, "rdmsr");
    print("x2apic-id");
    apic_write(APIC_LVT_TIMER, LVT_TSC | LVT_MASKED);
    MEASURE(&deadline, "wrmsr");
    print("timer-set");
}

static volatile bool taken;
static void take(struct frame *f)
{
    (void)f;
    taken = true;
    eoi();
}

static void spin(void *arg)
{
    (void)arg;
    irqs_on();
    for (;;) {
        __asm__ volatile("");
    }
}

static void instructions_of_an_interrupt(void)
{
    on[0x50] = take;
    irqs_on();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from = rdtsc();

        taken = false;
        apic_write(APIC_SELF, 0x50);
        while (!taken) {
        }
        sample[i] = rdtsc() - from;
    }
    irqs_off();
    print("self-ipi-and-eoi");
    expect(smp_start(2));
    on[0x51] = take;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from = rdtsc();

        ipi(1, 0x51);
        sample[i] = rdtsc() - from;
        within_ms(100, taken);
        taken = false;
    }
    print("ipi-wake-and-switch");
    cpu_run(1, spin, NULL);
    delay_us(30000);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from = rdtsc();

        ipi(1, 0x51);
        sample[i] = rdtsc() - from;
    }
    print("ipi-to-awake-vcpu");
}

static struct {
    struct abi_event_area area __attribute__((aligned(64)));
    uint8_t page[4096] __attribute__((aligned(4096)));
} shared __attribute__((aligned(4096)));

/* Events with the bit clear and set before, to a vCPU that is awake; calls that use a buffer. */
static void instructions_of_a_call(void)
{
    uint64_t h = vmmcall(ABI_CALL_BUF_REGISTER, (uint64_t)&shared, sizeof(shared), 0, 0).value[0];
    struct operands send = {ABI_CALL_EVENT_SEND, 0, 0, 0};
    struct operands query = {ABI_CALL_BUF_QUERY, 0, 0, h};

    expect_eq(vmmcall(ABI_CALL_EVENT_SETUP, h, 0, 0, 0).status, ABI_OK);
    expect_eq(vmmcall(ABI_CALL_EVENT_OPEN, ABI_SOURCE_SELF, 0, 1, 0x51).status, ABI_OK);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t from;

        shared.area.pending[0] = 0;
        from = rdtsc();
        (void)vmmcall(ABI_CALL_EVENT_SEND, 0, 0, 0, 0);
        sample[i] = rdtsc() - from;
    }
    print("event-send-to-vcpu");
    MEASURE(&send, "vmmcall");
    print("event-send-again");
    MEASURE(&query, "vmmcall");
    print("buffer-query");
}

/* A request that asks for nothing, alone and with 4 KiB behind it: the difference is the copy. */
static void instructions_of_a_message(void)
{
    static union {
        struct abi_control request;
        uint8_t page[4096];
    } message __attribute__((aligned(4096))) = {.request = {.id = 1}};
    uint64_t h = vmmcall(ABI_CALL_BUF_REGISTER, (uint64_t)&message, 4096, 0, 0).value[0];

    for (uint64_t len = 32; len <= 4096; len += 4064) {
        for (unsigned int i = 0; i < ROUNDS; i++) {
            struct call_result r;
            uint64_t from;

            message.request.id++;
            from = rdtsc();
            r = vmmcall(ABI_CALL_VM_CONTROL, h, 0, len, 0);
            sample[i] = rdtsc() - from;
            expect_eq(r.status, ABI_OK);
        }
        print(len == 32 ? "message" : "message-4k");
    }
}

const struct test tests[] = {
    TEST(instructions_of_an_exit),
    TEST(instructions_of_an_interrupt),
    TEST(instructions_of_a_call),
    TEST(instructions_of_a_message),
    TEST_END,
};
