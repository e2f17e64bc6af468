/*
 * The PSP's command ring (snp_spec.h, RB): many small commands for one round trip. It is entered
 * for a batch and left behind it, so all other commands, and the shutdown, find the mailbox. Only
 * the low queue is used; the firmware stops it at the first command that fails.
 */
#include "snp.h"

#include "arch/boot.h"
#include "arch/timer.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/page.h"
#include "hv/string.h"

#define WORTH 4u /* commands: to enter and to leave takes two */

static struct {
    struct lock lock; /* taken before the mailbox's */
    bool there;
    pa_t queue, buffers;
} ring;

struct batch {
    enum snp_command cmd;
    const uint8_t *bufs;
    size_t len, n, done;
    pa_t status;   /* a page that is the firmware's in ring mode: RB, sev_mcmd.c */
    size_t failed; /* its entry in the status queue; RB_ENTRIES: none */
};

/*
 * RB: the firmware starts both indices at 0, but RING_BUFFER's extended error is in the registers
 * (main.c), until it works: then it writes the head, and never reads it.
 */
static enum snp_status enter(const struct batch *b)
{
    const struct sev_ring_buffer c = {
        .low_commands = ring.queue.v,
        .low_status = b->status.v,
        .low_pages = 1,
    };
    enum snp_status st;

    memcpy(pa_to_hva(ring.buffers), &c, sizeof(c));
    st = snp_psp_send(SEV_CMD_RING_BUFFER, ring.buffers);
    if (st == SNP_SUCCESS) {
        snp_hw_psp_write(PSP_REG_RB_HEAD, 0);
    }
    return st;
}

/* The tail stays: the firmware may still look for more. A NOP, should it have left before. */
static enum snp_status leave(void)
{
    return snp_psp_ask(SEV_CMD_NOP);
}

static void put(const struct batch *b, uint32_t tail, size_t count)
{
    struct sev_ring_command *queue = pa_to_hva(ring.queue);

    memcpy(pa_to_hva(ring.buffers), b->bufs + b->done * b->len, count * b->len);
    for (size_t i = 0; i < count; i++) {
        queue[(tail + i) % RB_ENTRIES] = (struct sev_ring_command){
            .id = (uint16_t)b->cmd,
            .buffer = ring.buffers.v + i * b->len,
        };
    }
}

/* Until the queue is empty, or stopped: PAUSED tells, as RUNS is not said before it works. */
static bool drain(uint32_t tail, uint32_t *head)
{
    uint64_t end = clock_ns() + SNP_PSP_TIMEOUT_NS;
    uint32_t last = 0;

    snp_hw_psp_write(PSP_REG_RB_TAIL, tail);
    snp_hw_psp_write(PSP_REG_RB_CTL, (uint32_t)(RB_CTL_X86 | RB_CTL_ACTIVE | RB_CTL_CLEAR));
    do {
        *head = snp_hw_psp_read(PSP_REG_RB_HEAD);
        if ((*head & RB_HEAD_PAUSED) != 0 || RB_HEAD_LOW(*head) == tail) {
            return true;
        }
        if (*head != last) {
            end = clock_ns() + SNP_PSP_TIMEOUT_NS;
            last = *head;
        }
        cpu_relax();
    } while (clock_ns() < end);
    return false;
}

/* As many as the queue and their page take, then the next ones behind them. */
static enum snp_status run(struct batch *b)
{
    uint32_t at = 0, head, ran;

    while (b->done < b->n) {
        size_t count = MIN(MIN(b->n - b->done, PAGE_SIZE / b->len), RB_ENTRIES - 1);

        put(b, at, count);
        if (!drain((uint32_t)(at + count) % RB_ENTRIES, &head)) {
            return snp_psp_lost(b->cmd);
        }
        ran = (RB_HEAD_LOW(head) - at) % RB_ENTRIES;
        if ((head & RB_HEAD_PAUSED) == 0) {
            b->done += count;
        } else if (ran == 0 || ran > count) {
            return snp_psp_lost(b->cmd);
        } else {
            b->done += ran - 1;
            b->failed = (at + ran - 1) % RB_ENTRIES;
            return SNP_SUCCESS;
        }
        at = RB_HEAD_LOW(head);
    }
    return SNP_SUCCESS;
}

/* When the firmware has left, the status page is there to be taken (RB, main.c). */
static enum snp_status run_in_ring(struct batch *b)
{
    enum snp_status st, left = SNP_SUCCESS;

    if (snp_page_to_firmware(0, b->status) != ABI_OK) {
        return SNP_HWERROR_PLATFORM;
    }
    snp_psp_hold();
    st = enter(b);
    if (st == SNP_SUCCESS) {
        st = run(b);
        left = leave();
    }
    snp_psp_release();
    if ((left == SNP_EXIT_RING_BUFFER ? snp_page_take_back(0, b->status)
                                      : snp_page_from_firmware(0, b->status)) != ABI_OK) {
        log_error("sev-snp: the command ring is lost: commands go by the mailbox");
        ring.there = false;
        return st != SNP_SUCCESS ? st : SNP_HWERROR_PLATFORM;
    }
    if (st == SNP_SUCCESS && b->failed < RB_ENTRIES) {
        st = ((const struct sev_ring_status *)pa_to_hva(b->status))[b->failed].status;
        st = st == SNP_SUCCESS ? SNP_HWERROR_PLATFORM : st; /* it stopped for nothing */
    }
    return st;
}

static enum snp_status run_with_page(struct batch *b)
{
    enum snp_status st = run_in_ring(b);

    if (page_state_of(b->status) == PAGE_HV) {
        page_free(b->status, PAGE_HV, 0);
    }
    return st;
}

static enum snp_status one_by_one(struct batch *b)
{
    enum snp_status st = SNP_SUCCESS;
    uint8_t buf[64];

    REQUIRE(b->len <= sizeof(buf));
    while (b->done < b->n && st == SNP_SUCCESS) {
        memcpy(buf, b->bufs + b->done * b->len, b->len);
        st = snp_psp(b->cmd, buf, b->len);
        b->done += st == SNP_SUCCESS;
    }
    return st;
}

enum snp_status snp_psp_all(enum snp_command cmd, const void *bufs, size_t len, size_t n,
                            size_t *done)
{
    struct batch b = {.cmd = cmd, .bufs = bufs, .len = len, .n = n, .failed = RB_ENTRIES};
    enum snp_status st;

    lock(&ring.lock);
    st = ring.there && n >= WORTH && page_alloc(ORDER_4K, PAGE_HV, 0, &b.status)
             ? run_with_page(&b)
             : one_by_one(&b);
    unlock(&ring.lock);
    *done = b.done;
    return st;
}

/* An empty batch tells whether this firmware has a ring. */
static enum snp_status probe(void)
{
    struct batch none = {.failed = RB_ENTRIES};
    enum snp_status st = SNP_RESOURCE_LIMIT;

    lock(&ring.lock);
    ring.there = true;
    if (page_alloc(ORDER_4K, PAGE_HV, 0, &none.status)) {
        st = run_with_page(&none);
    }
    ring.there = ring.there && st == SNP_SUCCESS;
    unlock(&ring.lock);
    return st;
}

/* Of firmware that has none, or did not leave it, two pages stay: it may still read them. */
void snp_ring_start(void)
{
    enum snp_status st;

    if (!page_alloc(ORDER_4K, PAGE_HV, 0, &ring.queue) ||
        !page_alloc(ORDER_4K, PAGE_HV, 0, &ring.buffers)) {
        return;
    }
    st = probe();
    if (!ring.there) {
        log_info("sev-snp: commands go by the mailbox, one at a time: RING_BUFFER: %s",
                 snp_status_text(st));
    }
}
