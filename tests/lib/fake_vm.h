/*
 * A VM without a hypervisor: implements io.h, guestmem.h, stream.h, log.h, and panic(), over
 * allocated memory, so that device models and the builder run as a test program.
 */
#ifndef TESTS_LIB_FAKE_VM_H
#define TESTS_LIB_FAKE_VM_H

#include <setjmp.h>

#include "hv/io.h"
#include "hv/stream.h"
#include "hv/vm.h"

/* RAM is [0, memory), zeroed. The name is kept as it is. */
struct vm *fake_vm_new(const char *name, size_t memory);

/* Runs the destroy hooks and frees everything; CUnit and fuzzers see leaks through ASan. */
void fake_vm_free(struct vm *vm);

/* Guest RAM; aborts when [at, at + len) is not all RAM. */
void *fake_ram(struct vm *vm, uint64_t at, size_t len);

/* Port access as a vCPU makes it; unclaimed ports read all ones and swallow writes. */
uint32_t fake_in(struct vm *vm, uint16_t port, unsigned int size);
void fake_out(struct vm *vm, uint16_t port, unsigned int size, uint32_t value);
unsigned long fake_port_accesses(struct vm *vm);

/* A tick: all poll hooks. fake_poll: one, and all serve hooks before it, as if that was asked for.
 * fake_serve_asked: vm_serve_soon was called since the last of those. */
void fake_tick(struct vm *vm);
void fake_poll(struct vm *vm);
bool fake_serve_asked(struct vm *vm);

/* MSIs sent so far; the last one. */
unsigned int fake_msis(struct vm *vm);
uint64_t fake_msi_address(struct vm *vm);
uint32_t fake_msi_data(struct vm *vm);

/* Register access in memory, as a vCPU makes it; false when nothing is there. */
bool fake_mmio_in(struct vm *vm, uint64_t at, unsigned int size, uint32_t *value);
bool fake_mmio_out(struct vm *vm, uint64_t at, unsigned int size, uint32_t value);
/* A wired interrupt line; how often any of them rose. */
bool fake_line(struct vm *vm, unsigned int line);
unsigned int fake_rises(struct vm *vm);

/* The page that is mapped there, or NULL. */
void *fake_mapped(struct vm *vm, uint64_t at);

/* What the guest wrote to a stream (at most 64 KiB are kept), and whether it opened it. */
const char *fake_output(struct vm *vm, enum stream_id id, size_t *len);
size_t fake_output_total(struct vm *vm, enum stream_id id);
void fake_output_clear(struct vm *vm, enum stream_id id);
bool fake_stream_open(struct vm *vm, enum stream_id id);
/* From now on there is STREAM_CONTROL, with room for so many bytes. Before or after its device. */
void fake_control(struct vm *vm, size_t room);

/* Bytes from outside; what the guest does not take waits (at most 4 KiB). Returns what waits. */
size_t fake_input(struct vm *vm, enum stream_id id, const void *buf, size_t len);
size_t fake_input_waiting(struct vm *vm, enum stream_id id);

/* True when the VM ended, and why. */
bool fake_ended(struct vm *vm, enum vm_cause *cause);

/* vm_alloc and vm_alloc_page succeed that many times more, then answer NULL; -1: always. */
void fake_alloc_limit(struct vm *vm, int successes);
size_t fake_allocated(struct vm *vm);

/* Pages in [at, at + len) are private from now on: guestmem refuses them. One range for each VM. */
void fake_make_private(struct vm *vm, uint64_t at, uint64_t len);

/* Lines of the log since the last clear; the latest of them. */
unsigned int fake_log_lines(void);
const char *fake_log_last(void);
void fake_log_clear(void);

/* The clocks, and the random generator. */
void fake_set_wall(uint64_t seconds);
void fake_random_works(bool works);

/*
 * ASSERT_PANICS(f(x)), or (v = f(x)) when the result must be used: passes when f panics;
 * fake_panic_message says how.
 */
extern jmp_buf fake_panic_jump;
void fake_panic_expected(bool expected);
const char *fake_panic_message(void);

#define ASSERT_PANICS(expr)                                                                        \
    do {                                                                                           \
        fake_panic_expected(true);                                                                 \
        if (setjmp(fake_panic_jump) == 0) {                                                        \
            (void)(expr);                                                                          \
            CU_FAIL("no panic: " #expr);                                                           \
        }                                                                                          \
        fake_panic_expected(false);                                                                \
    } while (0)

#endif
