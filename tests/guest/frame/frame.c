/* Console, checks, the loop over a guest's tests. */
#include "guest.h"

static const char *running = "start";
static unsigned int failures; /* of the test that runs */
static uint32_t console_lock;

/* One line at a time, whoever speaks. */
static void emit_line(const char *text)
{
    uint64_t flags = irqs_save();

    while (atomic_swap(&console_lock, 1u) != 0) {
        pause_cpu();
    }
    emit("-"); /* a slow line may come in pieces: the runner sees where one begins */
    emit(text);
    emit("\n");
    store_release(&console_lock, 0u);
    irqs_restore(flags);
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

void frame_run(unsigned int index)
{
    if (index == 0) {
        run_tests();
    }
    serve(&cpus[index]);
}
