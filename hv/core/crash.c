/*
 * Broken on request: the command line's crash=WHAT makes the hypervisor do what it must never do,
 * so that tests can see each kind of fault caught and reported. Whoever writes the command line
 * owns the machine anyway.
 */
#include "hv/crash.h"

#include "arch/boot.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

/* The compiler must not know what these addresses are. */
static volatile uint8_t *hide(uint64_t address)
{
    __asm__("" : "+r"(address));
    return (volatile uint8_t *)address;
}

static void read_null(void)
{
    (void)*hide(8);
}

static void write_text(void)
{
    *hide((uint64_t)crash_on_request) = 0;
}

static void execute_data(void)
{
    static uint8_t ret_insn[16];

    ((void (*)(void))(uint64_t)hide((uint64_t)ret_insn))();
}

static void write_text_alias(void)
{
    *hide((uint64_t)pa_to_hva(hva_to_pa((void *)(uint64_t)crash_on_request))) = 0;
}

/* Each frame must exist, and be used after the call: no tail call, no folding. */
static uint32_t overflow_stack(uint32_t depth)
{
    volatile uint8_t frame[512];

    frame[depth % sizeof(frame)] = (uint8_t)depth;
    return depth == UINT32_MAX ? 0 : overflow_stack(depth + 1) + frame[depth % sizeof(frame)];
}

static void deep(void)
{
    (void)overflow_stack(0);
}

static void smash(void)
{
    uint8_t frame[16];
    volatile uint8_t *p = hide((uint64_t)frame);

    for (unsigned int i = 0; i < 48; i++) {
        p[i] = 0x5a;
    }
}

static void lock_twice(void)
{
    static struct lock l;

    lock(&l);
    lock(&l);
}

static void free_twice(void)
{
    pa_t at;

    CHECK(page_alloc(ORDER_4K, PAGE_HV, 0, &at));
    page_free(at, PAGE_HV, 0);
    page_free(at, PAGE_HV, 0);
}

static const struct crash_way ways[] = {
    {"null", read_null},           {"write-text", write_text},
    {"execute-data", execute_data}, {"write-alias", write_text_alias},
    {"stack", deep},               {"smash", smash},
    {"lock", lock_twice},          {"free", free_twice},
};

extern const struct crash_way *const __start_crash_ways[] __attribute__((weak));
extern const struct crash_way *const __stop_crash_ways[] __attribute__((weak));

static const struct crash_way *find(const char *what)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (strcmp(ways[i].name, what) == 0) {
            return &ways[i];
        }
    }
    for (const struct crash_way *const *w = __start_crash_ways; w < __stop_crash_ways; w++) {
        if (strcmp((*w)->name, what) == 0) {
            return *w;
        }
    }
    return NULL;
}

void crash_on_request(const char *what)
{
    const struct crash_way *way = find(what);

    if (way == NULL) {
        log_warn("crash=%s: not known", what);
        return;
    }
    log_warn("crash=%s: asked for by the command line", what);
    way->fn();
    log_error("crash=%s: nothing happened", what);
}
