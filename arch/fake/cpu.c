/* CPUs that are threads: in step on a clock that jumps, or free on the host's clock (fake.h). */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/panic.h"
#include "arch/timer.h"
#include "fake/fake.h"
#include "hv/cpu.h"
#include "hv/vcpu.h"

#define NEVER       UINT64_MAX
#define STEPS_MAX   1000000u /* at one moment of the clock: somebody is stuck */

enum mode { DIRECT, IN_STEP, FREE };

struct fake_cpu {
    struct cpu cpu;
    pthread_t thread;
    bool started;
    bool kicked;
    bool idle;
    unsigned int kicks;
    uint64_t alarm; /* its own thread's, or the director's while that waits */
    uint64_t due;
    uint64_t idle_ns;
    sem_t go;
    pthread_mutex_t mutex; /* free: guards kicked, and sleeping on it */
    pthread_cond_t cond;
};

static struct fake_cpu cpus[CPUS_MAX];
static unsigned int count;
static enum mode mode;
static bool quit;
static bool others_stopped;
static uint64_t now;
static struct timespec free_base;
static sem_t director;
static uint32_t dice;
_Thread_local struct cpu *fake_self;
void (*fake_boot_fn)(void);

static struct fake_cpu *of(struct cpu *c)
{
    return container_of(c, struct fake_cpu, cpu);
}

void fake_cpus(unsigned int n, unsigned int online)
{
    REQUIRE(mode == DIRECT && n >= 1 && n <= CPUS_MAX && online <= n);
    memset(cpus, 0, sizeof(cpus));
    count = n;
    quit = false;
    now = 1000000000;
    for (unsigned int i = 0; i < n; i++) {
        cpus[i].cpu.self = &cpus[i].cpu;
        cpus[i].cpu.index = i;
        cpus[i].alarm = NEVER;
        cpu_init(&cpus[i].cpu);
        cpus[i].cpu.online = i < online;
        sem_init(&cpus[i].go, 0, 0);
        pthread_mutex_init(&cpus[i].mutex, NULL);
        pthread_cond_init(&cpus[i].cond, NULL);
    }
    fake_play(0);
}

void fake_play(unsigned int cpu)
{
    fake_self = &cpus[cpu].cpu;
}

struct cpu *cpu_at(unsigned int index)
{
    REQUIRE(index < count);
    return &cpus[index].cpu;
}

unsigned int cpu_count(void)
{
    return count;
}

/* The caller's thread plays each CPU in turn. */
void cpu_run_on_all(void (*fn)(void))
{
    struct cpu *self = fake_self;

    for (unsigned int i = 0; i < count; i++) {
        fake_play(i);
        fn();
    }
    fake_self = self;
}

/* In step nobody else runs, so what a CPU spins for never comes. */
void fake_relax(void)
{
    static unsigned int spins;

    if (mode == FREE) {
        sched_yield();
    } else if (++spins > STEPS_MAX) {
        spins = 0;
        panic("CPU %u spins for ever", fake_self->index);
    }
}

uint64_t clock_ns(void)
{
    struct timespec t;

    if (mode != FREE) {
        return now;
    }
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)(t.tv_sec - free_base.tv_sec) * 1000000000u + (uint64_t)t.tv_nsec -
           (uint64_t)free_base.tv_nsec + 1000000000u;
}

void clock_set_alarm(uint64_t ns)
{
    of(this_cpu())->alarm = ns;
}

uint64_t fake_alarm(unsigned int cpu)
{
    return cpus[cpu].alarm;
}

void fake_clock_set(uint64_t ns)
{
    now = ns;
}

/* The alarm is a little late, as real ones are, never early, and comes until another is set. */
static void ring(struct fake_cpu *f)
{
    if (f->alarm <= clock_ns()) {
        timer_interrupt();
    }
}

void fake_advance(uint64_t ns)
{
    struct fake_cpu *f = of(this_cpu());
    uint64_t end = now + ns;

    while (f->alarm <= end) {
        now = MAX(now, f->alarm);
        ring(f);
    }
    now = end;
}

void cpu_kick(struct cpu *c)
{
    struct fake_cpu *f = of(c);

    pthread_mutex_lock(&f->mutex);
    f->kicked = true;
    f->kicks++;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->mutex);
}

unsigned int fake_kicks(unsigned int cpu)
{
    unsigned int n = cpus[cpu].kicks;

    cpus[cpu].kicks = 0;
    return n;
}

static void take_kick(struct fake_cpu *f)
{
    bool kicked;

    pthread_mutex_lock(&f->mutex);
    kicked = f->kicked;
    f->kicked = false;
    pthread_mutex_unlock(&f->mutex);
    if (kicked) {
        sched_set_slice();
    }
}

static void wait_free(struct fake_cpu *f, uint64_t due)
{
    uint64_t until = MIN(due, f->alarm);
    struct timespec at = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

    at.tv_sec += free_base.tv_sec - 1;
    at.tv_nsec += free_base.tv_nsec;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&f->mutex);
    while (!f->kicked && !load_once(&quit) && clock_ns() < until) {
        if (until == NEVER) {
            pthread_cond_wait(&f->cond, &f->mutex);
        } else {
            pthread_cond_clockwait(&f->cond, &f->mutex, CLOCK_MONOTONIC, &at);
        }
    }
    pthread_mutex_unlock(&f->mutex);
}

static void wait_in_step(struct fake_cpu *f, uint64_t due)
{
    uint64_t start = now;

    f->due = due;
    sem_post(&director);
    sem_wait(&f->go);
    f->idle_ns += f->idle ? now - start : 0;
}

void fake_wait(uint64_t due)
{
    struct fake_cpu *f = of(this_cpu());

    if (mode == DIRECT) {
        panic("CPU %u would sleep, and nobody wakes it", f->cpu.index);
    }
    if (mode == FREE) {
        wait_free(f, due);
    } else {
        wait_in_step(f, due);
    }
    if (load_once(&quit)) {
        pthread_exit(NULL);
    }
    take_kick(f);
    ring(f);
}

void cpu_idle(void)
{
    struct fake_cpu *f = of(this_cpu());

    f->idle = true;
    fake_wait(NEVER);
    f->idle = false;
}

static void *cpu_thread(void *arg)
{
    struct fake_cpu *f = arg;

    fake_self = &f->cpu;
    if (mode == IN_STEP) {
        sem_wait(&f->go);
        if (load_once(&quit)) {
            return NULL;
        }
    }
    if (f == &cpus[0] && fake_boot_fn != NULL) {
        fake_boot_fn();
    }
    cpu_main();
}

static void start(enum mode m)
{
    REQUIRE(mode == DIRECT);
    mode = m;
    sem_init(&director, 0, 0);
    clock_gettime(CLOCK_MONOTONIC, &free_base);
    for (unsigned int i = 0; i < count; i++) {
        if (cpus[i].cpu.online) {
            cpus[i].started = true;
            REQUIRE(pthread_create(&cpus[i].thread, NULL, cpu_thread, &cpus[i]) == 0);
        }
    }
}

void fake_start_in_step(uint32_t seed)
{
    dice = seed;
    start(IN_STEP);
}

void fake_start_free(void)
{
    REQUIRE(!this_cpu()->online);
    start(FREE);
}

/* The next CPU to go on: the earliest, and among those any. */
static struct fake_cpu *next_cpu(uint64_t *at)
{
    struct fake_cpu *next = NULL;
    unsigned int ties = 0;

    *at = NEVER;
    for (unsigned int i = 0; i < count; i++) {
        struct fake_cpu *f = &cpus[i];
        uint64_t due = f->kicked ? now : MAX(MIN(f->due, f->alarm), now);

        if (!f->started || due == NEVER || due > *at) {
            continue;
        }
        ties = due == *at ? ties + 1 : 1;
        dice = dice * 1103515245u + 12345u;
        if (ties == 1 || (dice >> 16) % ties == 0) {
            next = f;
        }
        *at = due;
    }
    return next;
}

void fake_run_until(uint64_t ns)
{
    unsigned int steps = 0;
    uint64_t at;

    REQUIRE(mode == IN_STEP);
    for (;;) {
        struct fake_cpu *f = next_cpu(&at);

        if (f == NULL || at > ns) {
            now = MAX(now, ns);
            return;
        }
        steps = at > now ? 0 : steps + 1;
        if (steps > STEPS_MAX) {
            panic("CPU %u gets nowhere", f->cpu.index);
        }
        now = at;
        sem_post(&f->go);
        sem_wait(&director);
    }
}

uint64_t fake_idle_ns(unsigned int cpu)
{
    return cpus[cpu].idle_ns;
}

bool fake_sleeps(unsigned int cpu)
{
    return cpus[cpu].idle;
}

void fake_stop(void)
{
    store_once(&quit, true);
    for (unsigned int i = 0; i < count; i++) {
        pthread_mutex_lock(&cpus[i].mutex);
        pthread_cond_signal(&cpus[i].cond);
        pthread_mutex_unlock(&cpus[i].mutex);
        sem_post(&cpus[i].go);
    }
    for (unsigned int i = 0; i < count; i++) {
        if (cpus[i].started) {
            pthread_join(cpus[i].thread, NULL);
        }
        cpus[i].started = false;
    }
    mode = DIRECT;
    fake_boot_fn = NULL;
    store_once(&quit, false);
}

void arch_start_cpus(void)
{
}

void cpu_stop(void)
{
    struct fake_cpu *f = of(this_cpu());

    while (mode == IN_STEP && !load_once(&quit)) {
        wait_in_step(f, NEVER);
    }
    pthread_exit(NULL);
}

void arch_stop_others(void)
{
    others_stopped = true;
}

bool fake_others_stopped(void)
{
    return others_stopped;
}

/* Three frames: two in the image (core_host.c has its symbols), one that is not. */
void arch_backtrace(uint64_t frame, void (*fn)(uint64_t address))
{
    uint64_t image = IMAGE_BASE + boot_info.image.base;

    REQUIRE(frame == 0);
    fn(image + 0x110);
    fn(image + 0x1a0);
    fn(0x1234);
}
