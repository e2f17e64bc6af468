/*
 * The guest agent: PID 1 of the default ramdisk. It says that userspace is reached, checks what
 * the guest was given, does what the kernel command line asks for, and ends the guest.
 *
 * It tells the console in lines "CLOISTER: ..." and, when the guest has a port of that name, the
 * channel "cloister.host" in JSON lines.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* say.c: the console and the channel. */
void say_open_console(void);
void say_open_channel(void);
int say_channel(void); /* descriptor of the channel, -1 when there is none */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* One JSON object on the channel: {"event":"NAME", MEMBERS}. MEMBERS may be empty. */
__attribute__((format(printf, 2, 3))) void say_event(const char *event, const char *members, ...);
/* Something is not as it must be: on the console, on the channel, and in the exit line. */
__attribute__((format(printf, 1, 2))) void say_failed(const char *format, ...);
unsigned int say_failures(void);
/* Copies text as the inside of a JSON string; never overruns, may cut. */
const char *say_json(char *out, size_t size, const char *text);

/* files.c: small files, whole. */
/* Reads at most size - 1 bytes, terminates, strips a final newline; false when unreadable. */
bool file_read(const char *path, char *out, size_t size);
bool file_write(const char *path, const char *text);
/* Finds the word KEY=value in /proc/cmdline; false when absent or longer than size - 1. */
bool cmdline_get(const char *key, char *out, size_t size);
/* The same as a number, or the given one when absent; a word that is no number is a failure. */
unsigned long cmdline_number(const char *key, unsigned long otherwise);

/* child.c: what a process is called in what is told of it. */
/* fork; -1: told. */
pid_t child_fork(const char *what);
/* Did it exit with 0? If not, told; -1 is one that child_fork has told. */
bool child_wait(pid_t child, const char *what);

/* modules.c: loads /lib/modules/RELEASE/list in its order. */
void modules_load(void);

/* checks.c */
void check_all(void);

/* attest.c: fetches the secret that cloister.secret names, when it does. */
void attest_if_asked(void);

/* actions.c: does what cloister.action says; returns only for a power-off. */
void action_run(void);

/* work.c: what the actions load the guest with. */
void work_spin(unsigned int seconds);
void work_flood(unsigned int seconds);
void work_ipi(unsigned int seconds);
void work_memory(unsigned int percent);
void work_bench(void);
void work_echo(void);

/* fpu.c: processes that share the CPUs' wide registers. */
void work_fpu(unsigned int seconds);

/* cpus.c: each CPU but the first goes offline and comes back; all take an NMI. */
void work_cpus(void);

/* net.c: calls the other guests of the network, and fails when none is heard in time. */
void work_net(unsigned int seconds);

#endif
