/*
 * Requests to the hypervisor from the user space of a control domain, by its control port: frames
 * of docs/abi.md, "Control of other domains".
 */
#ifndef CLOISTER_CONTROL_H
#define CLOISTER_CONTROL_H

#include "abi/abi.h"
#include "opts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_DATA_MAX ((uint32_t)(ABI_MAX_PORT_BYTES - sizeof(struct abi_port_frame)))

struct control {
    int fd;
    uint64_t id; /* of the last request */
    struct abi_port_frame answer;
    uint8_t data[CONTROL_DATA_MAX] __attribute__((aligned(8))); /* answer.length bytes of it */
};

/*
 * Opens the port; path NULL: the one of that name. Whoever has it open is waited for, for a few
 * seconds. False after an error message.
 */
bool control_open(struct control *c, const char *path);
void control_close(struct control *c);

/*
 * One request, and its answer in c: head and part follow each other, either may be empty; together
 * at most CONTROL_DATA_MAX bytes. False after an error message when the port failed; the answer's
 * status is the caller's to look at.
 */
struct control_bytes {
    const void *data;
    uint32_t size;
};
bool control_ask(struct control *c, uint32_t operation, uint32_t domain, struct control_bytes head,
                 struct control_bytes part);

/* Tells why the last request failed, and what to do: "VERB: ...". */
void control_explain(const struct control *c, const char *verb);
/* What control_ask returned, as CLI_OK or how to exit; the message is out then. */
int control_done(const struct control *c, const char *verb, bool answered);

/* Calls fn for each domain, in the order of their ids. False after an error message. */
typedef void control_domain_fn(const struct abi_control_domain *d, void *arg);
bool control_list(struct control *c, control_domain_fn *fn, void *arg);

/* The one of that name or number. A message, and *status for the exit, when there is none. */
bool control_find(struct control *c, const char *verb, const char *word,
                  struct abi_control_domain *d, int *status);

/* What the verbs take, each by a table of its own; CONTROL_PORT_OPT is a row of all. */
struct control_opts {
    const char *port;
    bool json;
    bool start;
    bool follow;
    const char *send;
};
#define CONTROL_PORT_OPT                                                                           \
    {"port", "PATH", "the control port, when it is not the one called cloister.control",           \
     OPT_STRING, offsetof(struct control_opts, port), 0, 0}

/*
 * Reads options and one word (`what`; NULL: none), and opens the port. False: that was all, and
 * *status says how the program ends.
 */
bool control_verb(const struct opt *table, const char *usage, const char *what, int argc,
                  char **argv, struct control_opts *o, const char **word, struct control *c,
                  int *status);

#endif
