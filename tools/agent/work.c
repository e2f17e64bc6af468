/* Loads that the actions put on a guest. A bound of 0 seconds means for ever. */
#include "agent.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool until(double start, unsigned int seconds)
{
    return seconds == 0 || now() - start < seconds;
}

/* Runs body in one process per CPU, pinned to it, and waits for all. */
static void on_every_cpu(void (*body)(unsigned int), unsigned int argument)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;

    for (int cpu = 0; cpu < cpus; cpu++) {
        if (child_fork("a load on each CPU") == 0) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            sched_setaffinity(0, sizeof(set), &set);
            body(argument);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
}

static void spin_body(unsigned int seconds)
{
    double start = now();

    while (until(start, seconds)) {
        for (volatile int i = 0; i < 1000000; i++) {
        }
    }
}

void work_spin(unsigned int seconds)
{
    on_every_cpu(spin_body, seconds);
}

void work_flood(unsigned int seconds)
{
    double start = now();
    unsigned long line = 0;

    while (until(start, seconds)) {
        say("flood %lu [    0.000000] cpu0 panic: not the hypervisor \033[2J\r\001", line++);
    }
    say("flood ended after %lu lines", line);
}

/* A global expedited barrier interrupts every other CPU that runs a registered process. */
static void ipi_body(unsigned int seconds)
{
    double start = now();

    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
    while (until(start, seconds)) {
        for (int i = 0; i < 1000; i++) {
            syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
        }
    }
}

void work_ipi(unsigned int seconds)
{
    on_every_cpu(ipi_body, seconds);
}

void work_memory(unsigned int percent)
{
    size_t bytes = (size_t)sysconf(_SC_PHYS_PAGES) / 100 * (percent > 90 ? 90 : percent) *
                   (size_t)sysconf(_SC_PAGESIZE);
    size_t words = bytes / sizeof(uint64_t);
    uint64_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        say_failed("cannot map %zu bytes", bytes);
        return;
    }
    for (size_t i = 0; i < words; i += 64) {
        memory[i] = (uint64_t)i * 0x9e3779b97f4a7c15ULL;
    }
    for (size_t i = 0; i < words; i += 64) {
        if (memory[i] != (uint64_t)i * 0x9e3779b97f4a7c15ULL) {
            say_failed("memory changed at offset %zu of %zu", i * sizeof(uint64_t), bytes);
            return;
        }
    }
    say("memory %zu MiB written and verified", bytes >> 20);
    say_event("memory", "\"bytes\":%zu", bytes);
}

static double bench_cpu(void)
{
    double start = now();
    volatile uint64_t x = 88172645463325252ULL;

    for (int i = 0; i < 5000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return now() - start;
}

/* -1: told. */
static double bench_fork(void)
{
    double start = now();

    for (int i = 0; i < 50; i++) {
        pid_t child = child_fork("the benchmark of fork");

        if (child == 0) {
            _exit(0);
        }
        if (!child_wait(child, "the benchmark of fork")) {
            return -1;
        }
    }
    return now() - start;
}

static double bench_syscall(void)
{
    double start = now();

    for (int i = 0; i < 100000; i++) {
        syscall(SYS_getppid);
    }
    return now() - start;
}

void work_bench(void)
{
    double cpu = bench_cpu();
    double forks = bench_fork();
    double calls = bench_syscall();

    if (forks < 0) {
        return;
    }
    say("bench cpu %.3f s, fork %.3f s, syscall %.3f s", cpu, forks, calls);
    say_event("bench", "\"cpu\":%.6f,\"fork\":%.6f,\"syscall\":%.6f", cpu, forks, calls);
}

void work_echo(void)
{
    char line[1024];
    ssize_t n;

    if (say_channel() < 0) {
        say_failed("there is no channel to echo");
        return;
    }
    say_event("echo", "\"ready\":true");
    while ((n = read(say_channel(), line, sizeof(line) - 1)) >= 0) {
        line[n] = '\0';
        if (strncmp(line, "quit", 4) == 0) {
            return;
        }
        if (write(say_channel(), line, (size_t)n) != n) {
            say_failed("the channel does not take what it gave");
            return;
        }
    }
}
