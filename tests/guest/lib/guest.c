/* Console, checks, the loop over a guest's tests. */
#include "guest.h"

#define COM1       0x3f8
#define SLEEP_PORT 0x600 /* ACPI sleep control: SLP_EN, S5 */

struct start_info *start_info;
enum guest_kind guest_kind;
uint64_t shared_pte;
bool (*convert)(const void *page, bool shared);
static const char *running = "start";
static unsigned int failures; /* of the test that runs */
static uint32_t console_lock;

static void emit(const char *text)
{
    for (; *text != '\0'; text++) {
        outb(COM1, (uint8_t)*text);
    }
}

/* One line at a time, whoever speaks. */
static void emit_line(const char *text)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    while (atomic_swap(&console_lock, 1u) != 0) {
        pause_cpu();
    }
    emit("-"); /* a slow line may come in pieces: the runner sees where one begins */
    emit(text);
    outb(COM1, '\n');
    store_release(&console_lock, 0u);
    if ((flags & 0x200) != 0) {
        irqs_on();
    }
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
        outb(SLEEP_PORT, 5 << 2 | 0x20);
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

static uint64_t number(const char *s)
{
    unsigned int base = s[0] == '0' && s[1] == 'x' ? 16 : 10;
    uint64_t v = 0;

    for (s += base == 16 ? 2 : 0; *s != '\0' && *s != ' '; s++) {
        v = v * base + (uint64_t)(*s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10);
    }
    return v;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *at = (const char *)start_info->cmdline;
    size_t len = strlen(name);

    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            return number(&at[len + 1]);
        }
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return otherwise;
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
            irqs_off();
            store_release(&c->work, NULL);
        } else {
            halt();
        }
    }
}

static struct call_result by_vmmcall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                     uint64_t d)
{
    return vmmcall(number, a, b, c, d);
}

struct call_result (*call)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) = by_vmmcall;

void guest_start(unsigned int index)
{
    cpu_setup(index);
    if (index == 0) {
        time_setup();
        run_tests();
    }
    serve(&cpus[index]);
}
