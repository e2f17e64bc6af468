/*
 * A fair, preemptive scheduler. Each CPU has a queue sorted by virtual run time (time run, divided
 * by weight). A CPU that chooses takes the head of its own queue, or of another's when that has
 * waited a slice longer: so shares are fair across CPUs, too, and no CPU idles beside a queue.
 * Who comes to a CPU brings little credit, however long it slept or waited elsewhere.
 *
 * Lock order: one queue lock at a time, and nothing else is taken under it.
 */
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/vcpu.h"
#include "hv/vm_priv.h"

#define SLICE_NS     10000000u
#define WEIGHT_1     100u /* the default: virtual time is real time */
#define WAKE_CREDIT  SLICE_NS
#define STEAL_CREDIT (8 * SLICE_NS) /* queues differ by some slices even when they are fair */

static uint64_t sleepers; /* CPUs that sleep, or are about to */
static uint64_t spare;    /* CPUs that run no guest; set before there is one */
_Static_assert(CPUS_MAX <= 64, "sleepers, affinity and wanted are masks of CPUs");

static struct run_queue *queue_lock(struct vcpu *v)
{
    for (;;) {
        struct cpu *c = load_once(&v->cpu);

        lock(&c->queue.lock);
        if (load_acquire(&v->cpu) == c) { /* with what was written before it came here */
            return &c->queue;
        }
        unlock(&c->queue.lock);
    }
}

static void publish(struct run_queue *q)
{
    uint64_t wanted = 0;

    for (const struct vcpu *v = q->head; v != NULL; v = v->next) {
        wanted |= v->affinity;
    }
    store_once(&q->wanted, wanted);
    store_once(&q->first, q->head == NULL ? UINT64_MAX : q->head->vruntime);
}

static void insert(struct run_queue *q, struct vcpu *v)
{
    struct vcpu **at = &q->head;

    while (*at != NULL && (*at)->vruntime <= v->vruntime) {
        at = &(*at)->next;
    }
    v->next = *at;
    *at = v;
    publish(q);
}

/* The first that may run on that CPU, if its virtual run time is below the bound. */
static struct vcpu *take(struct run_queue *q, const struct cpu *on, uint64_t below)
{
    struct vcpu **at = &q->head;
    struct vcpu *v;

    while (*at != NULL && ((*at)->affinity & BIT(on->index)) == 0) {
        at = &(*at)->next;
    }
    v = *at;
    if (v != NULL && v->vruntime < below) {
        *at = v->next;
        v->next = NULL;
        publish(q);
        return v;
    }
    return NULL;
}

/* Books the time that the running vCPU took since the last time; the queue lock is held. */
static void account(struct cpu *c)
{
    uint64_t now = clock_ns();
    uint64_t least = c->queue.first;
    struct vcpu *v = c->current;

    if (v != NULL) {
        uint64_t ran = now - MIN(now, c->accounted);

        store_once(&v->ran, v->ran + ran); /* others read it: statistics */
        v->vruntime += ran * WEIGHT_1 / v->weight;
        least = MIN(least, v->vruntime);
    }
    store_once(&c->accounted, now);
    if (least != UINT64_MAX) {
        store_once(&c->queue.min_vruntime, MAX(c->queue.min_vruntime, least));
    }
}

/* What a vCPU that comes to this CPU has run at least: `credit` less than those that were here. */
static uint64_t floor_of(const struct cpu *c, uint64_t credit)
{
    uint64_t least = load_once(&c->queue.min_vruntime);

    return least - MIN(least, credit);
}

bool sched_spare_cpus(unsigned int count)
{
    if (count >= cpu_count()) {
        return false;
    }
    spare = BIT(count) - 1;
    return true;
}

bool sched_has_cpu(uint64_t affinity)
{
    affinity &= ~spare;
    for (unsigned int i = 0; i < cpu_count(); i++) {
        if (load_once(&cpu_at(i)->online) && (affinity & BIT(i)) != 0) {
            return true;
        }
    }
    return false;
}

static bool may_run_on(const struct vcpu *v, const struct cpu *c)
{
    return load_once(&c->online) && (v->affinity & BIT(c->index)) != 0;
}

static struct cpu *first_of(uint64_t mask)
{
    return cpu_at((unsigned int)__builtin_ctzll(mask));
}

/* Where it ran last when that sleeps or nobody else does; a sleeping CPU otherwise. */
static struct cpu *choose_cpu(const struct vcpu *v)
{
    uint64_t asleep = load_once(&sleepers) & v->affinity;
    struct cpu *last = v->cpu;

    if (may_run_on(v, last) && (asleep == 0 || (asleep & BIT(last->index)) != 0)) {
        return last;
    }
    if (asleep != 0) {
        return first_of(asleep);
    }
    for (unsigned int i = 0; i < cpu_count(); i++) {
        if (may_run_on(v, cpu_at(i))) {
            return cpu_at(i);
        }
    }
    panic("vCPU %u of %s may run nowhere", v->index, v->vm->name);
}

/* Where somebody waits, a CPU that sleeps may take it over; that one calls the next. */
static void call_helper(void)
{
    uint64_t asleep, wanted = 0;

    full_barrier(); /* idle() says that it sleeps, then looks at the queues */
    asleep = load_once(&sleepers);
    for (unsigned int i = 0; asleep != 0 && i < cpu_count(); i++) {
        wanted |= load_once(&cpu_at(i)->queue.wanted);
    }
    asleep &= wanted;
    if (asleep != 0) {
        cpu_kick(first_of(asleep));
    }
}

/* Who waits here may run where a vCPU runs alone: its slice has an end from now on. */
static void end_a_slice(const struct cpu *busy)
{
    uint64_t wanted = load_once(&busy->queue.wanted) & ~BIT(busy->index);

    for (unsigned int i = 0; wanted != 0 && i < cpu_count(); i++) {
        struct cpu *c = cpu_at(i);

        if ((wanted & BIT(i)) != 0 && load_once(&c->current) != NULL &&
            load_once(&c->slice_end) == UINT64_MAX) {
            if (c == this_cpu()) {
                sched_set_slice();
            } else {
                cpu_kick(c);
            }
            return;
        }
    }
}

/* A queue that nobody used has an old virtual time: it goes on with the latest there is. */
static void catch_up(struct cpu *c)
{
    uint64_t now = clock_ns();
    uint64_t latest = 0;

    for (unsigned int i = 0; i < cpu_count(); i++) {
        const struct cpu *other = cpu_at(i);
        uint64_t at = load_once(&other->queue.min_vruntime);
        uint64_t weight = load_once(&other->weight);

        if (weight != 0) { /* not booked yet */
            at += (now - MIN(now, load_once(&other->accounted))) * WEIGHT_1 / weight;
        }
        latest = MAX(latest, at);
    }
    store_once(&c->queue.min_vruntime, latest);
}

static void enqueue(struct vcpu *v, struct cpu *c)
{
    const struct vcpu *running;
    bool preempt;

    lock(&c->queue.lock);
    account(c);
    running = c->current;
    if (running == NULL && c->queue.head == NULL) {
        catch_up(c);
    }
    v->vruntime = MAX(v->vruntime, floor_of(c, WAKE_CREDIT));
    insert(&c->queue, v);
    preempt = running == NULL || v->vruntime + SLICE_NS / 2 < running->vruntime;
    unlock(&c->queue.lock);
    if (preempt) {
        store_once(&c->resched, true);
    }
    if (c != this_cpu()) {
        cpu_kick(c);
    } else if (running != NULL) {
        sched_set_slice();
    }
    if (running != NULL) {
        call_helper();
        end_a_slice(c);
    }
}

void cpu_init(struct cpu *c)
{
    c->queue.first = UINT64_MAX;
    c->alarm = UINT64_MAX;
    store_once(&c->slice_end, UINT64_MAX);
}

void sched_init(struct vcpu *v, uint32_t weight, uint64_t affinity)
{
    v->weight = weight;
    v->affinity = affinity & ~spare;
    v->cpu = cpu_at(0);
    for (unsigned int i = 0; i < cpu_count(); i++) {
        struct cpu *c = cpu_at((v->index + i) % cpu_count());

        if (may_run_on(v, c)) {
            v->cpu = c;
            break;
        }
    }
    v->state = VCPU_OFF;
}

/* Not inlined: one that runs or waits already needs none of the registers that this saves. */
__attribute__((noinline)) static void queue_somewhere(struct vcpu *v, struct run_queue *q)
{
    struct cpu *target = choose_cpu(v);

    v->state = VCPU_QUEUED;
    store_release(&v->cpu, target);
    unlock(&q->lock);
    enqueue(v, target);
}

static void make_queued(struct vcpu *v, enum vcpu_state from)
{
    struct run_queue *q = queue_lock(v);
    struct cpu *runs_on = NULL;

    if (v->state == from) {
        queue_somewhere(v, q);
        return;
    }
    if (v->state == VCPU_RUNNING && v->cpu != this_cpu()) {
        runs_on = v->cpu;
    }
    unlock(&q->lock);
    if (runs_on != NULL) {
        cpu_kick(runs_on);
    }
}

void sched_wake(struct vcpu *v)
{
    make_queued(v, VCPU_BLOCKED);
}

void sched_start(struct vcpu *v)
{
    make_queued(v, VCPU_OFF);
}

/* One that is to stop comes next: it will take no time, and somebody waits for it. */
static void hurry(struct vcpu *v)
{
    struct run_queue *q = queue_lock(v);
    struct vcpu **at = &q->head;

    while (*at != NULL && *at != v) {
        at = &(*at)->next;
    }
    if (*at == v) {
        *at = v->next;
        v->vruntime = MIN(v->vruntime, q->first - MIN(q->first, 1ul));
        insert(q, v);
    }
    unlock(&q->lock);
}

static ALWAYS_INLINE void request(struct vcpu *v, uint32_t bits)
{
    struct cpu *c;

    atomic_or(&v->requests, bits);
    c = atomic_load(&v->cpu);
    if (atomic_load(&c->current) != v) { /* put() says that it left, then looks at the requests */
        if (bits != REQ_FLUSH) { /* who sleeps uses no translations until its next entry */
            sched_wake(v);
        }
    } else if (c != this_cpu()) {
        cpu_kick(c);
    }
}

__attribute__((noinline)) static void request_and_hurry(struct vcpu *v, uint32_t bits)
{
    request(v, bits);
    hurry(v);
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
    if (UNLIKELY((bits & REQ_STOP) != 0)) {
        request_and_hurry(v, bits);
    } else {
        request(v, bits);
    }
}

static struct vcpu *steal(struct cpu *c)
{
    struct cpu *from = NULL;
    uint64_t own = load_once(&c->queue.first);
    uint64_t below = own == UINT64_MAX ? own : own - MIN(own, SLICE_NS);
    uint64_t least = below;
    struct vcpu *v;

    for (unsigned int i = 0; i < cpu_count(); i++) {
        struct cpu *other = cpu_at(i);

        uint64_t first = load_once(&other->queue.first);

        if (other != c && (load_once(&other->queue.wanted) & BIT(c->index)) != 0 && first < least) {
            least = first;
            from = other;
        }
    }
    if (from == NULL) {
        return NULL;
    }
    lock(&from->queue.lock);
    v = take(&from->queue, c, below);
    if (v != NULL) {
        /* Still guarded by that queue's lock until v->cpu says otherwise. */
        v->state = VCPU_RUNNING;
        v->vruntime = MAX(v->vruntime, floor_of(c, STEAL_CREDIT));
        store_release(&v->cpu, c);
    }
    unlock(&from->queue.lock);
    return v;
}

static struct vcpu *choose(struct cpu *c)
{
    struct vcpu *v;

    store_once(&c->resched, false); /* what comes from now on is for the one chosen here */
    v = steal(c);
    lock(&c->queue.lock);
    if (v == NULL) {
        v = take(&c->queue, c, UINT64_MAX);
    }
    if (v != NULL) {
        v->state = VCPU_RUNNING;
    }
    account(c); /* until now nobody ran */
    (void)atomic_swap(&c->current, v); /* before the vCPU looks at its requests: see vcpu_request */
    c->slice_start = c->accounted;
    store_once(&c->weight, v == NULL ? 0 : v->weight);
    unlock(&c->queue.lock);
    if (v != NULL) {
        call_helper();
        end_a_slice(c);
    }
    return v;
}

static bool somebody_waits_for(const struct cpu *c)
{
    for (unsigned int i = 0; i < cpu_count(); i++) {
        if ((load_once(&cpu_at(i)->queue.wanted) & BIT(c->index)) != 0) {
            return true;
        }
    }
    return false;
}

/* A slice only has an end while somebody waits for it. */
void sched_set_slice(void)
{
    struct cpu *c = this_cpu();

    if (c->current == NULL) {
        store_once(&c->slice_end, UINT64_MAX);
    } else if (c->slice_end == UINT64_MAX && somebody_waits_for(c)) {
        store_once(&c->slice_end, MAX(c->slice_start + SLICE_NS, clock_ns()));
    }
    timer_program();
}

/* The vCPU that ran leaves the CPU. After this nobody here touches it again. */
static void put(struct cpu *c, struct vcpu *v, enum run_end end)
{
    bool again;

    lock(&c->queue.lock);
    account(c);
    store_once(&c->current, (struct vcpu *)NULL);
    store_once(&c->weight, 0u);
    again = end == RUN_RESCHED;
    if (!again) {
        v->state = end == RUN_STOPPED ? VCPU_OFF : VCPU_BLOCKED;
        full_barrier();
        /* What came between its last look and now must not be lost. */
        again = end == RUN_BLOCKED && (load_once(&v->requests) != 0 || arch_vcpu_wakeable(v));
    }
    if (again) {
        v->state = VCPU_QUEUED;
        insert(&c->queue, v);
    }
    unlock(&c->queue.lock);
    if (end == RUN_STOPPED) {
        vm_vcpu_stopped(v);
    }
}

static void run(struct cpu *c, struct vcpu *v)
{
    enum run_end end;

    store_once(&c->slice_end, UINT64_MAX);
    sched_set_slice();
    arch_vcpu_load(v);
    end = arch_vcpu_run(v);
    arch_vcpu_save(v);
    put(c, v, end);
}

static void idle(struct cpu *c)
{
    store_once(&c->slice_end, UINT64_MAX);
    timer_program();
    (void)atomic_or(&sleepers, BIT(c->index));
    full_barrier();
    if (!somebody_waits_for(c) && !load_once(&c->resched) && !vm_reap_pending()) {
        cpu_idle();
    }
    (void)atomic_and(&sleepers, ~BIT(c->index));
}

void sched_loop(void)
{
    struct cpu *c = this_cpu();

    for (;;) {
        struct vcpu *v;

        if (vm_reap_pending()) {
            vm_reap();
        }
        v = choose(c);
        if (v != NULL) {
            run(c, v);
        } else {
            idle(c);
        }
    }
}
