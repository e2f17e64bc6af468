/* Timers: order, moves, cancels, the alarm they set. */
#include <stdlib.h>

#include "core_host.h"
#include "cu.h"

#define FAR (1u << 30)

struct probe {
    struct timer timer;
    unsigned int fired;
    uint64_t at;
    unsigned int order;
    unsigned int cpu;
    uint64_t again; /* arms itself that much later */
};

static unsigned int sequence;

static void fire(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);

    CU_ASSERT_PTR_NULL(t->cpu);
    p->fired++;
    p->at = time_ns();
    p->order = sequence++;
    p->cpu = this_cpu()->index;
    if (p->again != 0) {
        timer_arm(t, time_ns() + p->again);
    }
}

static struct probe probe(void)
{
    struct probe p = {.timer = {.fn = fire}};

    return p;
}

static void boot(unsigned int cpus)
{
    core_boot(MiB(16), cpus);
    sequence = 0;
}

static void a_timer_fires_once_at_its_time(void)
{
    struct probe p = probe();
    uint64_t at;

    boot(1);
    at = time_ns() + 1000;
    timer_arm(&p.timer, at);
    CU_ASSERT_EQUAL(fake_alarm(0), at);
    fake_advance(999);
    CU_ASSERT_EQUAL(p.fired, 0);
    fake_advance(1);
    CU_ASSERT_EQUAL(p.fired, 1);
    CU_ASSERT_EQUAL(p.at, at);
    CU_ASSERT_EQUAL(fake_alarm(0), UINT64_MAX);
    fake_advance(FAR);
    CU_ASSERT_EQUAL(p.fired, 1);
    core_done();
}

static void timers_fire_by_deadline_whatever_the_order_they_were_armed_in(void)
{
    static struct probe p[64];
    uint64_t base;

    boot(1);
    base = time_ns();
    for (unsigned int i = 0; i < 64; i++) {
        p[i] = probe();
        timer_arm(&p[i].timer, base + 1 + (i * 37u) % 64);
    }
    fake_advance(100);
    for (unsigned int i = 0; i < 64; i++) {
        CU_ASSERT_EQUAL(p[i].order, (i * 37u) % 64);
        CU_ASSERT_EQUAL(p[i].at, base + 1 + (i * 37u) % 64);
    }
    core_done();
}

static void equal_deadlines_fire_in_the_order_of_arming(void)
{
    struct probe a = probe(), b = probe(), c = probe();

    boot(1);
    timer_arm(&a.timer, time_ns() + 5);
    timer_arm(&b.timer, time_ns() + 5);
    timer_arm(&c.timer, time_ns() + 5);
    fake_advance(5);
    CU_ASSERT(a.order == 0 && b.order == 1 && c.order == 2);
    core_done();
}

static void arming_again_moves_it(void)
{
    struct probe p = probe();

    boot(1);
    timer_arm(&p.timer, time_ns() + 100);
    timer_arm(&p.timer, time_ns() + 10);
    CU_ASSERT_EQUAL(fake_alarm(0), time_ns() + 10);
    timer_arm(&p.timer, time_ns() + 50);
    fake_advance(49);
    CU_ASSERT_EQUAL(p.fired, 0);
    fake_advance(1);
    CU_ASSERT_EQUAL(p.fired, 1);
    fake_advance(FAR);
    CU_ASSERT_EQUAL(p.fired, 1);
    core_done();
}

static void a_cancelled_timer_does_not_fire(void)
{
    struct probe p = probe(), q = probe();

    boot(1);
    timer_cancel(&p.timer); /* never armed: no error */
    timer_arm(&p.timer, time_ns() + 10);
    timer_arm(&q.timer, time_ns() + 20);
    timer_cancel(&p.timer);
    timer_cancel(&p.timer);
    fake_advance(FAR);
    CU_ASSERT_EQUAL(p.fired, 0);
    CU_ASSERT_EQUAL(q.fired, 1);
    core_done();
}

static void a_deadline_in_the_past_fires_at_once(void)
{
    struct probe p = probe();

    boot(1);
    timer_arm(&p.timer, 0);
    fake_advance(0);
    CU_ASSERT_EQUAL(p.fired, 1);
    timer_arm(&p.timer, UINT64_MAX - 1);
    fake_advance(FAR);
    CU_ASSERT_EQUAL(p.fired, 1);
    timer_cancel(&p.timer);
    core_done();
}

static void a_timer_may_arm_itself(void)
{
    struct probe p = probe();

    boot(1);
    p.again = 100;
    timer_arm(&p.timer, time_ns() + 100);
    fake_advance(1000);
    CU_ASSERT_EQUAL(p.fired, 10);
    timer_cancel(&p.timer);
    fake_advance(1000);
    CU_ASSERT_EQUAL(p.fired, 10);
    core_done();
}

static void a_timer_belongs_to_the_cpu_that_armed_it_last(void)
{
    struct probe p = probe();

    boot(2);
    timer_arm(&p.timer, time_ns() + 10);
    fake_play(1);
    timer_arm(&p.timer, time_ns() + 20);
    CU_ASSERT_PTR_EQUAL(p.timer.cpu, cpu_at(1));
    CU_ASSERT_PTR_NULL(cpu_at(0)->timers);
    fake_play(0);
    fake_advance(15); /* its old alarm comes for nothing */
    CU_ASSERT_EQUAL(p.fired, 0);
    fake_play(1);
    fake_advance(5);
    CU_ASSERT_EQUAL(p.fired, 1);
    CU_ASSERT_EQUAL(p.cpu, 1);
    core_done();
}

static void another_cpu_may_cancel(void)
{
    struct probe p = probe();

    boot(2);
    timer_arm(&p.timer, time_ns() + 10);
    fake_play(1);
    timer_cancel(&p.timer);
    CU_ASSERT_PTR_NULL(p.timer.cpu);
    fake_play(0);
    fake_advance(FAR);
    CU_ASSERT_EQUAL(p.fired, 0);
    core_done();
}

static void the_alarm_is_the_earlier_of_timer_and_slice(void)
{
    struct probe p = probe();
    uint64_t now;

    boot(1);
    now = time_ns();
    this_cpu()->slice_end = now + 50;
    timer_program();
    CU_ASSERT_EQUAL(fake_alarm(0), now + 50);
    timer_arm(&p.timer, now + 20);
    CU_ASSERT_EQUAL(fake_alarm(0), now + 20);
    fake_advance(20);
    CU_ASSERT_EQUAL(fake_alarm(0), now + 50);
    CU_ASSERT_FALSE(this_cpu()->resched);
    fake_advance(30);
    CU_ASSERT(this_cpu()->resched);
    CU_ASSERT_EQUAL(fake_alarm(0), UINT64_MAX);
    core_done();
}

static struct probe *victim;

static void fire_and_be_cancelled(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, timer);

    p->fired++;
    fake_play(1);
    ASSERT_PANICS(timer_cancel(&victim->timer)); /* waits for this very function: for ever here */
    fake_play(0);
}

static void cancel_waits_for_a_function_that_runs_elsewhere(void)
{
    struct probe p = probe();

    boot(2);
    victim = &p;
    p.timer.fn = fire_and_be_cancelled;
    timer_arm(&p.timer, time_ns() + 10);
    fake_advance(10);
    CU_ASSERT_EQUAL(p.fired, 1);
    timer_cancel(&p.timer); /* not from the CPU where it runs */
    core_done();
}

/* Many moves against a plain model: an array of deadlines. */
static void a_thousand_random_moves_follow_a_model(void)
{
    static struct probe p[20];
    static uint64_t due[20];

    boot(1);
    srand(11);
    for (unsigned int i = 0; i < 20; i++) {
        p[i] = probe();
        due[i] = UINT64_MAX;
    }
    for (unsigned int n = 0; n < 1000; n++) {
        unsigned int i = (unsigned int)rand() % 20;
        uint64_t least = UINT64_MAX;

        if (rand() % 3 == 0) {
            timer_cancel(&p[i].timer);
            due[i] = UINT64_MAX;
        } else {
            due[i] = time_ns() + 1 + (unsigned int)rand() % 500;
            timer_arm(&p[i].timer, due[i]);
        }
        fake_advance((unsigned int)rand() % 100);
        for (unsigned int j = 0; j < 20; j++) {
            if (due[j] <= time_ns()) {
                CU_ASSERT(p[j].fired == 1 && p[j].at == due[j]);
                due[j] = UINT64_MAX;
                p[j].fired = 0;
            }
            CU_ASSERT_EQUAL(p[j].fired, 0);
            CU_ASSERT_EQUAL(p[j].timer.cpu != NULL, due[j] != UINT64_MAX);
            least = MIN(least, due[j]);
        }
        CU_ASSERT(fake_alarm(0) <= least); /* a cancelled one's alarm may come for nothing */
    }
    for (unsigned int i = 0; i < 20; i++) {
        timer_cancel(&p[i].timer);
    }
    core_done();
}

static const struct cu_test tests[] = {
    CU(a_timer_fires_once_at_its_time),
    CU(timers_fire_by_deadline_whatever_the_order_they_were_armed_in),
    CU(equal_deadlines_fire_in_the_order_of_arming),
    CU(arming_again_moves_it),
    CU(a_cancelled_timer_does_not_fire),
    CU(a_deadline_in_the_past_fires_at_once),
    CU(a_timer_may_arm_itself),
    CU(a_timer_belongs_to_the_cpu_that_armed_it_last),
    CU(another_cpu_may_cancel),
    CU(the_alarm_is_the_earlier_of_timer_and_slice),
    CU(cancel_waits_for_a_function_that_runs_elsewhere),
    CU(a_thousand_random_moves_follow_a_model),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("core_timer", tests, argc, argv);
}
