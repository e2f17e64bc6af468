/* A program that this one talks to by its standard input and output. */
#ifndef CLOISTER_RUN_CHILD_H
#define CLOISTER_RUN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;    /* 0: none runs */
    int to, from; /* our ends, valid while it runs */
};

/* Starts words[0], a path, with these words; the last is NULL. It does not outlive this program. */
bool child_start(struct child *c, const char *const words[]);
/* Ends it, if it runs, and waits for its end. */
void child_end(struct child *c);

#endif
