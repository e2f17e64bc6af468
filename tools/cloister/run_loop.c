/* The loop: reads what the machine says, and acts when it is time. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_SECONDS   0.4 /* after the last event, for the console's last lines */
#define PANIC_SECONDS   1.5 /* after the hypervisor's panic, for its backtrace */
#define GRACE_SECONDS   5.0 /* for a guest's kernel to end after its panic; for QEMU to end */
#define POLL_MS         100
#define INPUT_MAX_BYTES 256
#define FIXED           5u /* descriptors that are no broker's */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void run_catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, action = {.sa_handler = on_interrupt};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(signals[i], &action, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

bool run_interrupted(void)
{
    return interrupted != 0;
}

/* A frame goes out whole or not at all, however slowly the port takes it. */
bool run_send(struct run *run, enum link_type type, uint16_t domain, const void *payload,
              size_t length)
{
    size_t n = link_encode(run->link_bytes + run->to_link, sizeof(run->link_bytes) - run->to_link,
                           type, domain, payload, length);

    run->to_link += n;
    return n > 0 && run->machine.link >= 0;
}

static void write_link(struct run *run)
{
    ssize_t n = write(run->machine.link, run->link_bytes, run->to_link);

    if (n > 0) {
        run->to_link -= (size_t)n;
        memmove(run->link_bytes, run->link_bytes + n, run->to_link);
    }
}

/* What guests have credit for, in frames, while the port's buffer has room for whole ones. */
static void fill_link(struct run *run)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        struct guest *g = &run->guest[i];
        uint8_t bytes[LINK_PAYLOAD_MAX];
        size_t n;

        while (sizeof(run->link_bytes) - run->to_link >= LINK_HEADER + LINK_PAYLOAD_MAX &&
               (n = channel_take(&g->channel, bytes, sizeof(bytes))) > 0) {
            run_send(run, LINK_CHANNEL, g->id, bytes, n);
        }
    }
}

bool run_command(struct run *run, uint16_t domain, const char *word)
{
    return run_send(run, LINK_COMMAND, domain, word, strlen(word));
}

static void read_link(struct run *run)
{
    uint8_t bytes[8192];
    ssize_t n = read(run->machine.link, bytes, sizeof(bytes));

    if (n > 0) {
        link_feed(&run->decoder, bytes, (size_t)n, events_take, run);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(run->machine.link);
        run->machine.link = -1;
    }
}

static void read_text(struct run *run, int *fd,
                      void (*take)(struct run *run, const char *bytes, size_t length))
{
    char bytes[8192];
    ssize_t n = read(*fd, bytes, sizeof(bytes));

    if (n > 0) {
        take(run, bytes, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
        take(run, "\n", (take == console_take ? run->console.length : run->errors.length) > 0);
        close(*fd);
        *fd = -1;
    }
}

/*
 * What is typed goes to the first guest's console. At a terminal from its start on: it may be a
 * firmware. What a pipe has is there before, and a kernel throws away what it finds when it opens
 * its console: that waits for userspace.
 */
static bool takes_input(const struct run *run)
{
    const struct guest *g = &run->guest[0];

    return run->guests > 0 && (g->userspace || (g->running_at > 0 && isatty(0)));
}

static void read_input(struct run *run, bool *open)
{
    char bytes[INPUT_MAX_BYTES];
    ssize_t n = read(0, bytes, sizeof(bytes));

    if (n <= 0) {
        *open = false;
    } else {
        for (ssize_t i = 0; i < n && isatty(0); i++) {
            bytes[i] = bytes[i] == '\n' ? '\r' : bytes[i]; /* as the key Enter has it */
        }
        run_send(run, LINK_CONSOLE, run->guest[0].id, bytes, (size_t)n);
    }
}

static bool kill_due(const struct run *run, const struct run_kill *k, const struct guest *g)
{
    double from = 0;

    if (k->sent || g->id == 0 || g->ended) {
        return false;
    }
    switch (k->after) {
    case KILL_START:
        break;
    case KILL_USERSPACE:
        from = g->userspace_at;
        break;
    case KILL_RESTART:
        from = g->restarted_at;
        break;
    }
    return (k->after == KILL_START || from > 0) && machine_seconds(run) >= from + k->seconds;
}

static void act_kills(struct run *run)
{
    for (unsigned int i = 0; i < run->kills; i++) {
        struct run_kill *k = &run->kill[i];
        struct guest *g = guest_by_name(run, k->name);

        if (g == NULL || !kill_due(run, k, g)) {
            continue;
        }
        k->sent = true;
        run_step(run, "destroying %s", g->name);
        if (!run_command(run, g->id, "destroy")) {
            guest_failed(run, g, "the hypervisor does not take the command to destroy it");
        }
    }
}

/* A panicked kernel that does not reboot by itself is ended from outside. */
static void act_panics(struct run *run)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        struct guest *g = &run->guest[i];

        if (g->panicked && !g->ended && machine_seconds(run) > g->panicked_at + GRACE_SECONDS) {
            g->panicked_at += 1e9;
            run_command(run, g->id, "destroy");
        }
    }
}

static void plan_end(struct run *run)
{
    double at = machine_seconds(run);

    if (run->end_at > 0) {
        return;
    }
    if (run->panicked) {
        run->end_at = at + PANIC_SECONDS;
    } else if (run->idle != NULL) {
        run->end_at = at + DRAIN_SECONDS;
    } else if (interrupted) {
        machine_failed(run, "interrupted");
        run->end_at = at;
    } else if (at > run->opts->timeout) {
        run->timed_out = true;
        run->end_at = at;
    }
}

static void act_end(struct run *run)
{
    plan_end(run);
    if (run->end_at > 0 && !run->told_end && machine_seconds(run) >= run->end_at) {
        run->told_end = true;
        machine_signal(run, SIGTERM);
    } else if (run->told_end && machine_seconds(run) > run->end_at + GRACE_SECONDS) {
        machine_signal(run, SIGKILL);
    }
}

static void wait_and_read(struct run *run, bool *input)
{
    struct machine *m = &run->machine;
    struct pollfd fds[FIXED + RUN_GUESTS_MAX] = {
        {.fd = m->com1, .events = POLLIN},
        {.fd = m->link, .events = (short)(POLLIN | (run->to_link > 0 ? POLLOUT : 0))},
        {.fd = m->errors, .events = POLLIN},
        {.fd = *input && takes_input(run) ? 0 : -1, .events = POLLIN},
        {.fd = quote_descriptor(run), .events = POLLIN},
    };
    unsigned int guests = run->guests; /* more may come while frames are read */

    for (unsigned int i = 0; i < guests; i++) {
        fds[FIXED + i].fd = broker_descriptor(&run->guest[i]);
        fds[FIXED + i].events = POLLIN;
    }
    if (poll(fds, FIXED + guests, POLL_MS) <= 0) {
        return;
    }
    /* First those who answer guests: what a guest asks next may end them, or start them anew. */
    for (unsigned int i = 0; i < guests; i++) {
        if (fds[FIXED + i].revents != 0) {
            broker_readable(run, &run->guest[i]);
        }
    }
    if (fds[4].revents != 0) {
        quote_readable(run);
    }
    if (fds[0].revents != 0) {
        read_text(run, &m->com1, console_take);
    }
    if ((fds[1].revents & POLLOUT) != 0) {
        write_link(run);
    }
    if ((fds[1].revents & ~POLLOUT) != 0) {
        read_link(run);
    }
    if (fds[2].revents != 0) {
        read_text(run, &m->errors, errors_take);
    }
    if (fds[3].revents != 0) {
        read_input(run, input);
    }
}

static void judge_end(struct run *run)
{
    if (run->told_end || run->reason[0] != '\0') {
        return;
    }
    if (run->idle == NULL) {
        machine_failed(run, "QEMU ended before the hypervisor was done (%s %d)",
                       WIFSIGNALED(run->status) ? "signal" : "exit status",
                       WIFSIGNALED(run->status) ? WTERMSIG(run->status) : WEXITSTATUS(run->status));
    }
}

void run_until_end(struct run *run)
{
    bool input = run->opts->interactive;

    while (run->machine.com1 >= 0 || run->machine.link >= 0 || run->machine.errors >= 0) {
        fill_link(run);
        quote_fill(run);
        wait_and_read(run, &input);
        act_kills(run);
        act_panics(run);
        act_end(run);
    }
    quote_end(run);
    machine_wait(run);
    judge_end(run);
    guests_judge(run);
}
