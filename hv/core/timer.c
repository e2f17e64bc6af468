#include "hv/timer.h"

#include "arch/timer.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/vcpu.h"

static void insert(struct cpu *c, struct timer *t)
{
    struct timer **at = &c->timers;

    while (*at != NULL && (*at)->deadline <= t->deadline) {
        at = &(*at)->next;
    }
    t->next = *at;
    *at = t;
}

static void remove(struct cpu *c, struct timer *t)
{
    struct timer **at = &c->timers;

    while (*at != t) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = t->next;
    t->next = NULL;
    store_release(&t->cpu, (struct cpu *)NULL);
}

/* The timer's CPU may change while we wait for its lock. */
static void disarm(struct timer *t)
{
    for (;;) {
        struct cpu *c = load_acquire(&t->cpu); /* NULL: taken by its CPU, which said so before */

        if (c == NULL) {
            return;
        }
        lock(&c->timer_lock);
        if (load_once(&t->cpu) == c) {
            remove(c, t);
            unlock(&c->timer_lock);
            return;
        }
        unlock(&c->timer_lock);
    }
}

/* Its function and its owner may both arm it, on two CPUs: whoever sets t->cpu inserts it. */
static bool claim(struct timer *t, struct cpu *c, uint64_t deadline)
{
    struct cpu *none = NULL;
    bool mine;

    lock(&c->timer_lock);
    mine = atomic_cas(&t->cpu, &none, c);
    if (mine) {
        store_release(&t->last, c);
        t->deadline = deadline;
        insert(c, t);
    }
    unlock(&c->timer_lock);
    return mine;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
    struct cpu *c = this_cpu();

    while (!claim(t, c, deadline)) {
        disarm(t);
    }
    if (deadline < c->alarm) {
        timer_program();
    }
}

/* On that CPU, at one moment: it is not armed there any more, but does it run there? */
static bool quiet_on(struct timer *t, struct cpu *c)
{
    bool runs;

    lock(&c->timer_lock);
    if (load_once(&t->cpu) == c) {
        remove(c, t);
    }
    runs = load_acquire(&c->timer_running) == t && c != this_cpu();
    unlock(&c->timer_lock);
    return !runs;
}

/* It was moved while its function ran. */
static bool runs_elsewhere(const struct timer *t)
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        struct cpu *c = cpu_at(i);

        if (c != this_cpu() && load_acquire(&c->timer_running) == t) {
            return true;
        }
    }
    return false;
}

/* Its function may arm it again as long as it runs, but only where it runs. */
void timer_cancel(struct timer *t)
{
    struct cpu *c = load_acquire(&t->last);

    while (c != NULL && (!quiet_on(t, c) || runs_elsewhere(t) || load_acquire(&t->last) != c)) {
        cpu_relax();
        c = load_acquire(&t->last);
    }
}

void timer_program(void)
{
    struct cpu *c = this_cpu();
    uint64_t next = c->slice_end;

    lock(&c->timer_lock);
    if (c->timers != NULL) {
        next = MIN(next, c->timers->deadline);
    }
    unlock(&c->timer_lock);
    if (next != c->alarm) {
        c->alarm = next;
        clock_set_alarm(next);
    }
}

static struct timer *take_due(struct cpu *c, uint64_t now)
{
    struct timer *t;

    lock(&c->timer_lock);
    t = c->timers;
    if (t != NULL && t->deadline <= now) {
        store_release(&c->timer_running, t);
        remove(c, t);
    } else {
        t = NULL;
    }
    unlock(&c->timer_lock);
    return t;
}

void timer_interrupt(void)
{
    struct cpu *c = this_cpu();
    uint64_t now = clock_ns();
    struct timer *t;

    c->alarm = 0; /* it came: whatever is next is set, and nothing is, too */
    while ((t = take_due(c, now)) != NULL) {
        t->fn(t);
        store_release(&c->timer_running, (struct timer *)NULL);
    }
    if (now >= c->slice_end) {
        store_once(&c->resched, true);
        store_once(&c->slice_end, UINT64_MAX);
    }
    timer_program();
}
