/* What PV64 micro-guests share: the console, sentences, exceptions that are expected. */
#include "pv.h"

#include "hv/string.h"

struct pv_start_info *pv_info;
struct xen_shared_info *pv_shared;
volatile uint32_t pv_events;
static unsigned int failed;

struct registers {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};
static uint64_t recover; /* where an exception goes on; 0: it is none that was expected */
static uint64_t caught;

void pv_trap(struct registers *r);
NORETURN void pv_main(struct pv_start_info *info);

void say(const char *fmt, ...)
{
    char line[200] = "-";
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line + 1, sizeof(line) - 3, fmt, ap);
    va_end(ap);
    strchr(line, '\0')[0] = '\n';
    (void)pv_hypercall(HC_CONSOLE_IO, 0, strnlen(line, sizeof(line)), (uint64_t)line, 0);
}

void fail(const char *file, int line, const char *what)
{
    say("FAILED %s:%d: %s", file, line, what);
    failed++;
}

static uint64_t state;

/* Marsaglia's xorshift64, from the time of the start on. */
uint64_t pv_random(void)
{
    if (state == 0) {
        uint32_t low, high;

        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        state = ((uint64_t)high << 32 | low) | 1;
        say("seed %lx", (unsigned long)state);
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

NORETURN void power_off(void)
{
    uint32_t reason = SHUTDOWN_POWEROFF;

    for (;;) {
        (void)pv_hypercall(HC_SCHED_OP, SCHEDOP_SHUTDOWN, (uint64_t)&reason, 0, 0);
    }
}

void pv_trap(struct registers *r)
{
    caught = r->vector;
    if (recover == 0) {
        say("FAILED exception %lu at %lx", (unsigned long)r->vector, (unsigned long)r->rip);
        power_off();
    }
    r->rip = recover;
}

uint64_t pv_write(volatile uint64_t *at, uint64_t value)
{
    caught = 0;
    __asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, %0; movq %2, (%1); 1:"
                     : "=m"(recover)
                     : "r"(at), "r"(value)
                     : "rax", "memory");
    recover = 0;
    return caught;
}

int64_t pv_map(uint64_t va, uint64_t entry)
{
    return pv_hypercall(HC_UPDATE_VA_MAPPING, va, entry, UVMF_INVLPG, 0);
}

static uint8_t shared_page[4096] __attribute__((aligned(4096)));

static void set_up(void)
{
    static struct pv_trap_info traps[] = {
        {6, 0, FLAT_CS64, 0, (uint64_t)pv_trap_6},
        {13, 0, FLAT_CS64, 0, (uint64_t)pv_trap_13},
        {14, 0, FLAT_CS64, 0, (uint64_t)pv_trap_14},
        {0, 0, 0, 0, 0},
    };
    struct pv_callback event = {CALLBACK_EVENT, 0, 0, (uint64_t)pv_event_entry};

    expect(pv_hypercall(HC_SET_TRAP_TABLE, (uint64_t)traps, 0, 0, 0) == 0);
    expect(pv_hypercall(HC_CALLBACK_OP, CALLBACKOP_REGISTER, (uint64_t)&event, 0, 0) == 0);
    pv_shared = (struct xen_shared_info *)(void *)shared_page;
    expect(pv_map((uint64_t)shared_page, pv_info->shared_info | 3) == 0);
}

void pv_main(struct pv_start_info *info)
{
    unsigned int good = 0;

    pv_info = info;
    set_up();
    for (const struct test *t = tests; t->fn != NULL; t++) {
        unsigned int before = failed;

        t->fn();
        if (failed == before) {
            good++;
            say("ok %s", t->name);
        } else {
            say("FAILED %s", t->name);
        }
    }
    say("done: %u ok, %u failed", good, failed);
    power_off();
}
