/* From the boot code to the first guest, in the order it happens. */
#include "arch/boot.h"
#include "arch/console.h"
#include "arch/timer.h"
#include "hv/cc_ops.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/crash.h"
#include "hv/init.h"
#include "hv/log_ring.h"
#include "hv/measure.h"
#include "hv/page.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

#define TICK_NS      10000000u
#define TICK_BUSY_NS 200000u /* while bytes come in on the link */

static struct {
    struct bundle bundle;
    struct timer tick;
    uint64_t free_before; /* pages, before the first domain was made, and our own tables */
    bool started; /* every domain of the bundle had its turn */
    bool told_idle;
} sys;

uint64_t time_ns(void)
{
    return clock_ns();
}

uint64_t time_wall(void)
{
    return clock_wall_at_boot() + clock_ns() / 1000000000u;
}

/* "key=value" among the words of the command line. */
static bool option(const char *key, char *value, size_t size)
{
    const char *at = boot_info.cmdline;
    size_t key_len = strlen(key);

    while (*at != '\0') {
        const char *end = strchr(at, ' ');
        size_t len = end == NULL ? strlen(at) : (size_t)(end - at);

        if (len > key_len && at[key_len] == '=' && strncmp(at, key, key_len) == 0) {
            size_t n = MIN(len - key_len - 1, size - 1);

            memcpy(value, at + key_len + 1, n);
            value[n] = '\0';
            return true;
        }
        at += len + (end != NULL);
    }
    return false;
}

static void read_options(void)
{
    char value[16];
    enum log_level level;

    if (option("loglevel", value, sizeof(value))) {
        if (log_level_by_name(value, &level)) {
            log_set_level(level);
        } else {
            log_warn("loglevel=%s: not one of error, warning, info, debug", value);
        }
    }
    if (option("link", value, sizeof(value))) {
        if (strcmp(value, "com2") == 0) {
            link_init();
        } else {
            log_warn("link=%s: only com2 is known", value);
        }
    }
    if (option("spare-cpus", value, sizeof(value)) &&
        !(value[0] >= '0' && value[0] <= '9' && value[1] == '\0' &&
          sched_spare_cpus((unsigned int)(value[0] - '0')))) {
        log_warn("spare-cpus=%s: not a digit below the number of CPUs, %u", value, cpu_count());
    }
    if (option("crash", value, sizeof(value))) {
        crash_on_request(value);
    }
}

static void tick_vm(struct vm *vm, void *arg)
{
    (void)arg;
    if (load_acquire(&vm->state) != VM_CREATED) { /* the builder is not done with it */
        vm_poll(vm);
        stream_tick(vm);
    }
}

/* Devices look at what does not trap, the link at its port. Only while a VM lives. */
static void tick(struct timer *t)
{
    bool busy = link_poll();

    vms_lock();
    vm_for_each(tick_vm, NULL);
    vms_unlock();
    if (!load_once(&sys.told_idle)) {
        timer_arm(t, clock_ns() + (busy ? TICK_BUSY_NS : TICK_NS));
    }
}

void system_idle(void)
{
    uint64_t free = page_count_free();
    uint64_t leaked = sys.free_before - (free + arch_map_table_pages());

    full_barrier(); /* the last VM left the table; hv_main() says started, then counts */
    if (!load_once(&sys.started) || atomic_swap(&sys.told_idle, true)) {
        return;
    }
    cc_stop();
    log_info("no domain left; %lu MiB free, %ld pages leaked", (unsigned long)(free >> 8),
             (long)leaked);
    link_event("\"event\":\"idle\",\"free\":%lu,\"leaked\":%ld", (unsigned long)free,
               (long)leaked);
}

static void tell_start(void)
{
    uint64_t total = page_count_total();
    char kinds[64];

    cc_list(kinds, sizeof(kinds));
    log_info("Cloister %s: %u CPUs, %lu MiB, %lu KiB held", cloister_version, cpu_count(),
             (unsigned long)(total >> 8), (unsigned long)((total - page_count_free()) * 4));
    link_event("\"event\":\"hypervisor\",\"version\":\"%s\",\"cpus\":%u,\"memory\":%lu,"
               "\"free\":%lu,%s,\"cc\":[%s]",
               cloister_version, cpu_count(), (unsigned long)(total * PAGE_SIZE),
               (unsigned long)page_count_free(), silicon_says(), kinds);
}

static void start_domains(void)
{
    char err[200];

    if (boot_info.bundle.len == 0) {
        log_warn("no bundle: give the boot loader one as its module");
        return;
    }
    if (bundle_open(&sys.bundle, pa_to_hva(pa(boot_info.bundle.base)), boot_info.bundle.len, err,
                    sizeof(err)) != ABI_OK) {
        log_error("bundle: %s", err);
        return;
    }
    for (uint32_t i = 0; i < sys.bundle.domains; i++) {
        /* The reason is logged by domain_create; the others start all the same. */
        if (domain_create(&sys.bundle, i) != ABI_OK) {
            log_error("domain %u of the bundle was not started", i);
        }
    }
}

void hv_main(void)
{
    arch_start_cpus();
    read_options();
    cc_start();
    tell_start();
    measure_start();
    sys.free_before = page_count_free() + arch_map_table_pages();
    start_domains();
    store_once(&sys.started, true);
    full_barrier();
    if (vm_count() == 0) { /* the last one may have gone before that */
        system_idle();
    }
    sys.tick.fn = tick;
    timer_arm(&sys.tick, clock_ns());
    cpu_main();
}

void cpu_main(void)
{
    store_release(&this_cpu()->online, true);
    sched_loop();
}
