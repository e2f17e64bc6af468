/*
 * Root in the user space of an unmodified Linux that is a control domain: sentences, the control
 * port as bytes, the cloister program. Runs from the ramdisk (tests/boot/root_test.py).
 */
#ifndef ROOT_H
#define ROOT_H

#include "abi/abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sentence {
    const char *name;
    void (*run)(void);
};
#define SENTENCE(name) {#name, name}

/* Runs each, and prints "ok NAME" or "FAILED NAME: what". How many failed, with those before. */
int root_run(const struct sentence *s);
extern const struct sentence root_tool[]; /* tool.c; ends with one without a name */

void root_expect(bool good, const char *what, int line);
#define EXPECT(x) root_expect((x), #x, __LINE__)

/* The control port's device, or NULL: there is none. */
const char *root_port(void);
int root_open(void);

#define ROOT_DATA (ABI_MAX_PORT_BYTES - sizeof(struct abi_port_frame))
struct root_answer {
    struct abi_port_frame head;
    uint8_t data[ROOT_DATA] __attribute__((aligned(8)));
};
/* Writes those bytes; then waits for an answer, a few seconds. */
bool root_write(int fd, const void *bytes, size_t len);
bool root_read(int fd, struct root_answer *a);
/* A request and its answer's status; 999: there was none. It is told in the variable below. */
uint32_t root_ask(int fd, uint32_t operation, uint32_t domain, const void *data, uint32_t len);
extern struct root_answer root_told;
struct abi_port_frame root_frame(uint32_t operation, uint32_t domain, uint32_t len);

/* Runs a command; its exit status. What it printed is in root_said. */
int root_shell(const char *command);
extern char root_said[16384];
bool root_says(const char *text);
/* Runs it until it says the text, for at most so many seconds. */
bool root_says_soon(const char *command, const char *text, unsigned int seconds);

/* Executes VMMCALL, or VMCALL, with that number: true when it is an undefined instruction. */
bool root_call_is_undefined(uint64_t number, bool vmcall);

#endif
