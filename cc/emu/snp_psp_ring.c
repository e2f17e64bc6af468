/*
 * The PSP's command ring: AMD's published firmware, sev_ring_buffer.c, sev_mcmd.c and main.c. The
 * firmware works while somebody looks at the head: one command for each look.
 */
#include "snp_psp.h"

#include "hv/check.h"
#include "hv/string.h"

#define INTERRUPTS                                                                                 \
    ((uint32_t)(RB_HEAD_EMPTY | RB_HEAD_DONE | RB_HEAD_PAUSED | RB_HEAD_NEAR_EMPTY))

struct queue {
    uint64_t commands, status;
    uint16_t threshold;
    bool there, running;
    uint32_t head;
};

enum { HIGH, LOW, QUEUES };

static struct {
    bool on, interrupt_on_empty;
    uint32_t interrupts;
    struct queue queue[QUEUES];
} ring;

static const struct {
    uint32_t runs, resume, near_empty; /* in head, control, control */
    unsigned int shift;                /* of the index in head and tail */
} bits[QUEUES] = {
    [HIGH] = {RB_HEAD_HIGH_RUNS, RB_CTL_RESUME_HIGH, BIT(1), 16},
    [LOW] = {RB_HEAD_LOW_RUNS, RB_CTL_RESUME_LOW, BIT(0), 0},
};

static bool missing;

void emu_psp_lacks_ring(bool lacks)
{
    missing = lacks;
}

void psp_ring_reset(void)
{
    memset(&ring, 0, sizeof(ring));
}

bool psp_ring_on(void)
{
    return ring.on;
}

/* ---- RING_BUFFER ---- */

static uint32_t check_address(uint64_t at)
{
    return IS_ALIGNED(at, PAGE_SIZE) && emu_mem(pa(at)) != NULL ? SNP_SUCCESS : SNP_INVALID_ADDRESS;
}

/* The firmware reads the commands from anywhere, and writes the status to its own pages. */
static uint32_t check_queue(uint64_t commands, uint64_t status)
{
    uint32_t r = check_address(commands);

    r = r == SNP_SUCCESS ? check_address(status) : r;
    return r == SNP_SUCCESS ? psp_writable(status, PAGE_SIZE) : r;
}

static void start(struct queue *q, uint64_t commands, uint64_t status, uint16_t threshold)
{
    *q = (struct queue){
        .commands = commands,
        .status = status,
        .threshold = threshold,
        .there = true,
        .running = true,
    };
}

uint32_t psp_ring_buffer(const void *cmd)
{
    const struct sev_ring_buffer *c = cmd;
    uint32_t r;

    if (missing) {
        return SNP_INVALID_COMMAND;
    }
    if (ring.on || c->low_pages != 1 || c->high_pages > 1) {
        return SNP_INVALID_PARAM;
    }
    r = check_queue(c->low_commands, c->low_status);
    if (r == SNP_SUCCESS && c->high_pages != 0) {
        r = check_queue(c->high_commands, c->high_status);
    }
    if (r != SNP_SUCCESS) {
        return r;
    }
    psp_ring_reset();
    start(&ring.queue[LOW], c->low_commands, c->low_status, c->low_threshold);
    if (c->high_pages != 0) {
        start(&ring.queue[HIGH], c->high_commands, c->high_status, c->high_threshold);
    }
    ring.interrupt_on_empty = (c->interrupt_on_empty & 1) != 0;
    ring.on = true;
    return SNP_SUCCESS;
}

/* ---- at work ---- */

static uint32_t head_register(void)
{
    uint32_t v = ring.interrupts;

    for (unsigned int i = 0; i < QUEUES; i++) {
        v |= ring.queue[i].head << bits[i].shift;
        v |= ring.queue[i].running ? bits[i].runs : 0;
    }
    return v;
}

static uint32_t tail_of(unsigned int i, uint32_t tail)
{
    return tail >> bits[i].shift & (RB_ENTRIES - 1);
}

/* A queue that stopped runs again when told to; and works when no longer told. */
static void resume(uint32_t control)
{
    for (unsigned int i = 0; i < QUEUES; i++) {
        if ((control & bits[i].resume) != 0 && ring.queue[i].there) {
            ring.queue[i].running = true;
        }
    }
}

/* QUEUES: there is nothing to do. */
static unsigned int pick(uint32_t control, uint32_t tail)
{
    for (unsigned int i = 0; i < QUEUES; i++) {
        const struct queue *q = &ring.queue[i];
        uint32_t depth = (tail_of(i, tail) - q->head) & (RB_ENTRIES - 1);

        if (!q->running || (control & bits[i].resume) != 0) {
            continue;
        }
        if (depth < q->threshold && (control & bits[i].near_empty) != 0) {
            ring.interrupts |= (uint32_t)RB_HEAD_NEAR_EMPTY;
        }
        if (depth != 0) {
            return i;
        }
    }
    return QUEUES;
}

/* The page may have been reclaimed since: then the status has nowhere to go. */
static void save_status(const struct queue *q, uint32_t status)
{
    const struct sev_ring_status s = {.status = (uint16_t)status};
    uint64_t at = q->status + q->head * sizeof(s);

    if (psp_writable(at, sizeof(s)) == SNP_SUCCESS) {
        CHECK(psp_write(at, &s, sizeof(s)));
    }
}

static void work(struct queue *q)
{
    struct sev_ring_command c;
    uint32_t status;

    CHECK(psp_read(q->commands + q->head * sizeof(c), &c, sizeof(c)));
    status = psp_run(c.id, c.buffer);
    save_status(q, status);
    q->head = (q->head + 1) % RB_ENTRIES;
    if (status != SNP_SUCCESS && (c.flags & RB_FLAG_CONTINUE) == 0) {
        q->running = false;
        ring.interrupts |= (uint32_t)RB_HEAD_PAUSED;
    }
    if ((c.flags & RB_FLAG_INTERRUPT) != 0) {
        ring.interrupts |= (uint32_t)RB_HEAD_DONE;
    }
}

bool psp_ring_step(uint32_t control, uint32_t tail, uint32_t *head)
{
    unsigned int i;

    if ((control & RB_CTL_CLEAR) != 0) {
        ring.interrupts &= ~INTERRUPTS;
    }
    resume(control);
    i = pick(control, tail);
    if (i < QUEUES) {
        work(&ring.queue[i]);
    } else if (ring.interrupt_on_empty) {
        ring.interrupts |= (uint32_t)RB_HEAD_EMPTY;
    }
    *head = head_register();
    return i < QUEUES;
}

/* ---- the end ---- */

/* The page is whoever's who takes it: reclaim state (ABI 5.2). */
static void reclaim(uint64_t status)
{
    struct emu_rmp e;

    if (status != 0 && emu_rmp_get(pa(status), &e) && psp_is_firmware(&e)) {
        e.immutable = false;
        emu_rmp_set(pa(status), &e);
    }
}

void psp_ring_leave(bool rmp_ready)
{
    for (unsigned int i = 0; i < QUEUES && rmp_ready; i++) {
        reclaim(ring.queue[i].status);
    }
    psp_ring_reset();
}
