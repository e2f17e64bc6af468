/* The nodes of a domain's xenstore: a small table of paths and values. */
#ifndef XENPV_STORE_H
#define XENPV_STORE_H

#include "xenpv.h"

#define NODES       64u
#define NODE_PATH   128u
#define NODE_VALUE  256u

struct node {
    char path[NODE_PATH]; /* absolute; "": free */
    uint32_t len;
    uint8_t value[NODE_VALUE];
};

struct nodes {
    char home[32]; /* /local/domain/N: relative paths begin here, and all that it may change */
    struct node node[NODES];
};

void nodes_init(struct nodes *s, uint16_t domid, const char *name);
/* Makes a path absolute; false when it is none, or too long. text need not end. */
MUST_CHECK bool nodes_path(const struct nodes *s, const uint8_t *text, size_t len,
                           char path[NODE_PATH]);
bool nodes_may_change(const struct nodes *s, const char *path);
struct node *nodes_find(struct nodes *s, const char *path);
/* Is there a node, or one below it? */
bool nodes_exists(const struct nodes *s, const char *path);
/* NULL, or the name of an error. */
const char *nodes_write(struct nodes *s, const char *path, const uint8_t *value, size_t len);
void nodes_remove(struct nodes *s, const char *path);
/* Names of the children, each with its NUL. Returns the bytes used; never more than size. */
size_t nodes_children(const struct nodes *s, const char *path, char *out, size_t size);

#endif
