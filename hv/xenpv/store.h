/* A domain's xenstore: a small table of paths and values, and who serves it on a ring. */
#ifndef XENPV_STORE_H
#define XENPV_STORE_H

#include "hv/types.h"
#include "xen_abi.h"

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

struct store_message {
    struct xen_store_header h;
    uint8_t body[STORE_PAYLOAD_MAX];
};

/* An answer, and the event of a watch that was set. */
#define STORE_OUT_MAX (2 * sizeof(struct store_message))

struct store {
    struct nodes nodes;
    struct store_message in;
    uint32_t have; /* bytes of `in` */
    bool broken;
    uint32_t out_len, out_sent;
    uint8_t out[STORE_OUT_MAX];
};

/* How its ring is reached, by offsets in the page; each answers whether it could. */
struct store_io {
    void *of;
    bool (*load)(void *of, uint32_t offset, uint32_t *value);
    bool (*store)(void *of, uint32_t offset, uint32_t value);
    bool (*read)(void *of, uint32_t offset, void *to, uint32_t len);
    bool (*write)(void *of, uint32_t offset, const void *from, uint32_t len);
};

/* Serves what is in the ring; true when it did anything. A request that is too long ends it. */
bool store_serve(struct store *s, const struct store_io *io);

#endif
