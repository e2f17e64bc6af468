/* Console, checks, the loop over a guest's tests; calls of the guest ABI. */
#include "abi/guest.h"
#include "guest.h"

#include "hv/mmio_map.h"

#define DT_SIZE  0x8000u
#define PSCI_OFF 0x84000008u

enum guest_kind guest_kind;
uint64_t shared_bit;
static const char *boot_data, *running = "start";
static unsigned int failures; /* of the test that runs */
static uint32_t console_lock;

void frame_begin(const char *dt);

static void emit(const char *text)
{
    uint64_t uart = MMIO_UART | ((read_sysreg(sctlr_el1) & 1) == 0 ? shared_bit : 0);

    for (; *text != '\0'; text++) {
        store32(uart, (uint8_t)*text);
    }
}

static void emit_line(const char *text)
{
    uint64_t flags = read_sysreg(daif);

    __asm__ volatile("msr daifset, #2" : : : "memory");
    while (atomic_swap(&console_lock, 1u) != 0) {
    }
    emit("-"); /* as lib/guest.c does */
    emit(text);
    emit("\n");
    store_release(&console_lock, 0u);
    write_sysreg(daif, flags);
}

void say(const char *fmt, ...)
{
    char text[240];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    emit_line(text);
}

void fail(const char *file, int line, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (atomic_add(&failures, 1) < 8) {
        say("FAILED %s: %s:%d: %s", running, file, line, text);
    }
}

void power_off(void)
{
    for (;;) {
        smc(&(struct regs){{PSCI_OFF}});
    }
}

void fatal(const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    console_lock = 0;
    say("FAILED %s: %s", running, text);
    power_off();
}

void take_exception(uint64_t syndrome, uint64_t at, uint64_t address);
void take_exception(uint64_t syndrome, uint64_t at, uint64_t address)
{
    fatal("exception, syndrome %lx, at %lx, address %lx", (unsigned long)syndrome,
          (unsigned long)at, (unsigned long)address);
}

/* The command line is a string in the Device Tree, and the only one with such words. */
uint64_t option(const char *name, uint64_t otherwise)
{
    size_t len = strlen(name);
    uint64_t v = 0;

    for (const char *at = boot_data; at < boot_data + DT_SIZE - 32; at++) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            for (at += len + 1; *at >= '0' && *at <= '9'; at++) {
                v = v * 10 + (uint64_t)(*at - '0');
            }
            return v;
        }
    }
    return otherwise;
}

static struct abi_result by_host_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                      uint64_t d)
{
    struct regs r = {{number - ABI_CALL_BASE + ABI_SMCCC_CALL, a, b, c, d}};

    host_call(&r);
    return (struct abi_result){r.x[0], {r.x[1], r.x[2], r.x[3]}};
}

/* The guest library's transport in a plain domain, ours in a realm. */
struct call_result call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct abi_result r = abi_call(number, a, b, c, d);

    return (struct call_result){r.status, {r.value[0], r.value[1], r.value[2]}};
}

static struct regs ask(uint64_t function)
{
    struct regs r = {{function}};

    if (guest_kind == GUEST_REALM) {
        host_call(&r);
    } else {
        hvc(&r);
    }
    return r;
}

struct abi_found discover(void)
{
    struct regs base = ask(ABI_SMCCC_BASE);

    if (!abi_present()) {
        return (struct abi_found){{0}, 0, 0};
    }
    return (struct abi_found){
        .signature = {(uint32_t)base.x[0], (uint32_t)base.x[1], (uint32_t)base.x[2]},
        .version = (uint32_t)ask(ABI_SMCCC_VERSION).x[0],
        .features = (uint32_t)ask(ABI_SMCCC_FEATURES).x[0],
    };
}

static void run_tests(void)
{
    unsigned int ok = 0, failed = 0;

    for (const struct test *t = tests; t->name != NULL; t++) {
        running = t->name;
        failures = 0;
        t->fn();
        if (load_acquire(&failures) == 0) {
            say("ok %s", t->name);
            ok++;
        } else {
            failed++;
        }
    }
    say("done: %u ok, %u failed", ok, failed);
    power_off();
}

static NORETURN void serve(struct guest_cpu *c)
{
    store_release(&c->online, true);
    for (;;) {
        void (*fn)(void *arg) = load_acquire(&c->work);

        if (fn != NULL) {
            fn(c->work_arg);
            store_release(&c->work, NULL);
        } else {
            __asm__ volatile("wfi" : : : "memory");
            irqs_window();
        }
    }
}

void guest_start(unsigned int index)
{
    cpu_begin(index);
    if (index == 0) {
        run_tests();
    }
    serve(&cpus[index]);
}

void frame_begin(const char *dt)
{
    boot_data = dt;
    realm_begin();
    if (guest_kind == GUEST_REALM) {
        abi_call = by_host_call;
    }
    mmu_begin();
    mmu_on();
}
