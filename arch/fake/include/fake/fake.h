/*
 * The fake machine, as tests see it. A test's thread plays CPU 0 until it says otherwise. CPUs run
 * their scheduler loop in threads of their own, in one of two ways:
 *
 *   in step  one at a time, on a clock that jumps from event to event; same seed, same run
 *   free     all at once, on the host's clock: for the thread sanitizer
 */
#ifndef FAKE_FAKE_H
#define FAKE_FAKE_H

#include <setjmp.h>

#include "arch/tpm.h"
#include "arch/boot.h"
#include "hv/types.h"

struct cpu;
struct vcpu;

/* Memory, up to FAKE_SPAN, by ranges as a boot map has them. All else faults when touched. */
#define FAKE_SPAN GiB(16)
void fake_ram(const struct boot_range *ranges, unsigned int count);
/* The same from one number: a machine of that size, with the hole that PCs have. */
void fake_ram_size(uint64_t bytes);
/* Fills RAM in the range with that byte: what a former owner left. */
void fake_dirty(uint64_t base, uint64_t len, uint8_t byte);
/* RAM as a chip reaches it: hidden or not. NULL: not RAM. */
void *fake_chip(pa_t at);

/* Called when memory is mapped again, as by another CPU at that moment; NULL: not. */
extern void (*fake_when_shown)(pa_t at);
/* Nothing more can be hidden, or shown in part: the mappings have no memory for smaller pages. */
extern bool fake_map_is_full;
void fake_max_leaf(unsigned int level);

/* New CPUs, none running; this thread plays CPU 0. Those from `online` on run no vCPUs. */
void fake_cpus(unsigned int count, unsigned int online);
void fake_play(unsigned int cpu);
unsigned int fake_kicks(unsigned int cpu); /* since the last call */

/* The clock of a machine that runs in step. fake_advance fires alarms of the CPU played. */
void fake_clock_set(uint64_t ns);
void fake_advance(uint64_t ns);
uint64_t fake_alarm(unsigned int cpu);
void fake_wall(uint64_t seconds);

/* Starts a thread for each online CPU; fake_stop() ends them. In step, fake_run_until() lets them
 * run; free, the test's thread must play a CPU that is not online. */
void fake_start_in_step(uint32_t seed);
void fake_run_until(uint64_t ns);
void fake_start_free(void);
void fake_stop(void);
/* CPU 0's thread runs this instead of its loop. */
extern void (*fake_boot_fn)(void);
uint64_t fake_idle_ns(unsigned int cpu); /* in step: time spent in cpu_idle */
bool fake_sleeps(unsigned int cpu);      /* in step: it is in cpu_idle now */

/* Of fake guests: passes time on this CPU until `ns`, a kick or an alarm. */
void fake_wait(uint64_t ns);

/* The n-th arch_vm_init or arch_vcpu_init from now fails; 0: none. */
void fake_fail_arch(unsigned int n);
void fake_fail_random(bool fail);
unsigned int fake_msis(void); /* since the last call */

/* What was written to a port, NUL-terminated; and what waits to be read from the link. */
const char *fake_console(void);
void fake_console_clear(void);
const uint8_t *fake_link(size_t *len);
void fake_link_clear(void);
void fake_link_input(const void *bytes, size_t len);
void fake_link_present(bool present);

/* Panics that a test expects jump back to it, and the core's variables are as before. */
extern _Thread_local jmp_buf fake_panic_jump;
void fake_panic_expect(bool expected);
const char *fake_panic_text(void);

#define PANICS(statement)                                                                          \
    __extension__({                                                                                \
        volatile bool panicked_ = true;                                                            \
        if (setjmp(fake_panic_jump) == 0) {                                                        \
            fake_panic_expect(true);                                                               \
            statement;                                                                             \
            panicked_ = false;                                                                     \
        }                                                                                          \
        fake_panic_expect(false);                                                                  \
        panicked_;                                                                                 \
    })
#define ASSERT_PANICS(statement) CU_ASSERT(PANICS(statement))

/* The core's variables as they were at the program's start: a new boot. Or as they were saved. */
void fake_reboot(void);
void fake_save(void);
void fake_restore(void);

/* For the core's own panic(), in programs that are linked without the fake's. */
bool fake_others_stopped(void);

/* The TPM of the next boot; what answers its commands; how often it says that it is busy. */
typedef void fake_tpm_fn(const uint8_t *command, uint32_t len, uint8_t *response,
                         uint32_t *response_len);
extern enum tpm_kind fake_tpm_kind;
extern fake_tpm_fn *fake_tpm_serve;
extern unsigned int fake_tpm_slow;

#endif
