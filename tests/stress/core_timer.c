/* Timers armed, moved and cancelled on several CPUs at once, under the thread sanitizer. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core_host.h"
#include "cu.h"

#define CPUS   4u
#define ROUNDS 4000u
#define TIMERS 6u
#define CANCELS 4000u

struct ticker {
    struct timer timer;
    uint64_t fired;
    bool may_fire;
    bool armed; /* handed from the CPU that arms to the one that cancels */
    bool broken;
};

static struct ticker tickers[TIMERS];
static unsigned int done; /* CPUs that cancelled enough */

static void tick(struct timer *t)
{
    struct ticker *k = container_of(t, struct ticker, timer);

    (void)atomic_add(&k->fired, 1u);
    if (!load_once(&k->may_fire)) {
        store_once(&k->broken, true);
    }
    for (unsigned int i = 0; i < 3; i++) {
        sched_yield(); /* time for somebody to cancel it meanwhile */
    }
    timer_arm(t, time_ns() + 20000);
}

static void start(void)
{
    fake_ram_size(MiB(16));
    core_boot_map(CPUS + 1, 0);
    fake_play(CPUS);
    for (unsigned int i = 0; i < TIMERS; i++) {
        tickers[i] = (struct ticker){.timer = {.fn = tick}};
    }
    store_once(&done, 0u);
    fake_start_free();
}

static void join(pthread_t *threads, void *(*fn)(void *arg))
{
    for (uintptr_t i = 0; i < CPUS; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, fn, (void *)i) == 0);
    }
    for (unsigned int i = 0; i < CPUS; i++) {
        pthread_join(threads[i], NULL);
    }
    fake_stop();
    for (unsigned int i = 0; i < TIMERS; i++) {
        timer_cancel(&tickers[i].timer);
    }
    core_done();
}

/* CPU 0 arms tickers that go on by themselves; the others cancel them. */
static void *arms_or_cancels(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg;
    unsigned int seed = cpu;

    fake_play(cpu);
    for (unsigned int n = 0; cpu == 0 ? load_once(&done) < CPUS - 1 : n < CANCELS;) {
        struct ticker *k = &tickers[(unsigned int)rand_r(&seed) % TIMERS];

        if (cpu == 0) {
            if (!load_acquire(&k->armed)) {
                store_once(&k->may_fire, true);
                timer_arm(&k->timer, time_ns() + 100);
                store_release(&k->armed, true);
            }
            fake_wait(time_ns() + 5000);
        } else if ((unsigned int)(k - tickers) % (CPUS - 1) == cpu - 1 && load_acquire(&k->armed)) {
            timer_cancel(&k->timer);
            store_once(&k->may_fire, false);
            sched_yield();
            store_release(&k->armed, false);
            n++;
        } else {
            sched_yield();
        }
    }
    (void)atomic_add(&done, cpu == 0 ? 0u : 1u);
    return NULL;
}

static void after_a_cancel_elsewhere_a_timer_that_arms_itself_stays_quiet(void)
{
    pthread_t threads[CPUS];
    uint64_t fired = 0;

    start();
    join(threads, arms_or_cancels);
    for (unsigned int i = 0; i < TIMERS; i++) {
        fired += tickers[i].fired;
        CU_ASSERT_FALSE(tickers[i].broken);
    }
    CU_ASSERT(fired > 100);
}

static void *anything(void *arg)
{
    unsigned int seed = (unsigned int)(uintptr_t)arg;

    fake_play((unsigned int)(uintptr_t)arg);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        struct ticker *k = &tickers[(unsigned int)rand_r(&seed) % TIMERS];

        switch (rand_r(&seed) % 4) {
        case 0:
            timer_cancel(&k->timer);
            break;
        case 1:
            fake_wait(time_ns() + 200);
            break;
        default:
            timer_arm(&k->timer, time_ns() + (unsigned int)rand_r(&seed) % 3000);
        }
    }
    return NULL;
}

static void everybody_may_arm_and_cancel_everything(void)
{
    pthread_t threads[CPUS];

    start();
    for (unsigned int i = 0; i < TIMERS; i++) {
        tickers[i].may_fire = true;
    }
    join(threads, anything);
}

static const struct cu_test tests[] = {
    CU(after_a_cancel_elsewhere_a_timer_that_arms_itself_stays_quiet),
    CU(everybody_may_arm_and_cancel_everything),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_timer_stress", tests, argc, argv);
}
