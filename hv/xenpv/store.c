/*
 * A minimal xenstore (public/io/xs_wire.h, docs/misc/xenstore.txt): one domain's own nodes, and the
 * protocol on its ring. Watches fire once, when they are set, as each does: nobody else changes a
 * node. Transactions are granted, and never conflict.
 */
#include "store.h"

#include "hv/string.h"

static void emit(struct store *s, uint32_t type, const struct xen_store_header *h, const void *body,
                 size_t len)
{
    struct xen_store_header out = {type, h->request, h->transaction, (uint32_t)len};

    memcpy(&s->out[s->out_len], &out, sizeof(out));
    memcpy(&s->out[s->out_len + sizeof(out)], body, len);
    s->out_len += (uint32_t)(sizeof(out) + len);
}

static void answer(struct store *s, const void *body, size_t len)
{
    emit(s, s->in.h.type, &s->in.h, body, len);
}

static void refuse(struct store *s, const char *error)
{
    emit(s, XS_ERROR, &s->in.h, error, strlen(error) + 1);
}

static void done(struct store *s, const char *error)
{
    if (error != NULL) {
        refuse(s, error);
    } else {
        answer(s, "OK", 3);
    }
}

/* The bytes behind the first string of the body; NULL: that does not end. */
static const uint8_t *behind_path(const struct store *s, size_t *len)
{
    const uint8_t *end = memchr(s->in.body, '\0', s->in.h.len);

    if (end == NULL) {
        return NULL;
    }
    *len = s->in.h.len - (size_t)(end + 1 - s->in.body);
    return end + 1;
}

static void write_node(struct store *s, const char *path)
{
    size_t len = 0;
    const uint8_t *value = behind_path(s, &len);

    if (value == NULL) {
        refuse(s, "EINVAL");
    } else if (!nodes_may_change(&s->nodes, path)) {
        refuse(s, "EACCES");
    } else if (s->in.h.type == XS_MKDIR && nodes_exists(&s->nodes, path)) {
        done(s, NULL);
    } else {
        done(s, nodes_write(&s->nodes, path, value, s->in.h.type == XS_MKDIR ? 0 : len));
    }
}

static void remove_node(struct store *s, const char *path)
{
    if (!nodes_may_change(&s->nodes, path)) {
        refuse(s, "EACCES");
    } else if (!nodes_exists(&s->nodes, path)) {
        refuse(s, "ENOENT");
    } else {
        nodes_remove(&s->nodes, path);
        done(s, NULL);
    }
}

static void read_node(struct store *s, const char *path)
{
    struct node *n = nodes_find(&s->nodes, path);

    if (n != NULL) {
        answer(s, n->value, n->len);
    } else if (nodes_exists(&s->nodes, path)) { /* a directory that nobody wrote */
        answer(s, "", 0);
    } else {
        refuse(s, "ENOENT");
    }
}

static void directory(struct store *s, const char *path)
{
    char names[1024];

    if (!nodes_exists(&s->nodes, path)) {
        refuse(s, "ENOENT");
    } else {
        answer(s, names, nodes_children(&s->nodes, path, names, sizeof(names)));
    }
}

/* The event carries path and token as they came. */
static void watch(struct store *s)
{
    static const struct xen_store_header none;
    size_t len = 0;
    const uint8_t *token = behind_path(s, &len);

    if (token == NULL || memchr(token, '\0', len) == NULL) {
        refuse(s, "EINVAL");
        return;
    }
    done(s, NULL);
    if (s->in.h.type == XS_WATCH) {
        emit(s, XS_WATCH_EVENT, &none, s->in.body, s->in.h.len);
    }
}

static void get_perms(struct store *s, const char *path)
{
    if (nodes_exists(&s->nodes, path)) {
        answer(s, "n0", 3);
    } else {
        refuse(s, "ENOENT");
    }
}

/* The requests that name a node first. */
static void node_request(struct store *s)
{
    char path[NODE_PATH];

    if (!nodes_path(&s->nodes, s->in.body, s->in.h.len, path)) {
        refuse(s, "EINVAL");
        return;
    }
    switch (s->in.h.type) {
    case XS_DIRECTORY:
        directory(s, path);
        break;
    case XS_READ:
        read_node(s, path);
        break;
    case XS_GET_PERMS:
        get_perms(s, path);
        break;
    case XS_RM:
        remove_node(s, path);
        break;
    case XS_SET_PERMS:
        done(s, nodes_may_change(&s->nodes, path) ? NULL : "EACCES");
        break;
    case XS_WATCH:
    case XS_UNWATCH:
        watch(s);
        break;
    default: /* XS_WRITE, XS_MKDIR */
        write_node(s, path);
        break;
    }
}

static void request(struct store *s)
{
    switch (s->in.h.type) {
    case XS_DIRECTORY:
    case XS_READ:
    case XS_GET_PERMS:
    case XS_RM:
    case XS_SET_PERMS:
    case XS_WATCH:
    case XS_UNWATCH:
    case XS_WRITE:
    case XS_MKDIR:
        node_request(s);
        break;
    case XS_TRANSACTION_START:
        answer(s, "1", 2);
        break;
    case XS_TRANSACTION_END:
    case XS_RESET_WATCHES:
        done(s, NULL);
        break;
    case XS_GET_DOMAIN_PATH:
        answer(s, s->nodes.home, strlen(s->nodes.home) + 1);
        break;
    default:
        refuse(s, "ENOSYS");
        break;
    }
}

/* A ring's indexes; false when they cannot be: more in it than it holds. */
static bool indexes(const struct store_io *io, uint32_t cons_at, uint32_t *cons, uint32_t *prod)
{
    return io->load(io->of, cons_at, cons) && io->load(io->of, cons_at + 4, prod) &&
           *prod - *cons <= STORE_RING_SIZE;
}

/* Moves bytes of the message at hand, as far as they are there. */
static uint32_t take(struct store *s, const struct store_io *io, uint32_t want)
{
    uint32_t cons, prod, n, from;

    if (!indexes(io, STORE_REQ_CONS, &cons, &prod)) {
        return 0;
    }
    from = cons % STORE_RING_SIZE;
    n = MIN(MIN(want, prod - cons), STORE_RING_SIZE - from);
    if (n == 0 || !io->read(io->of, STORE_REQ + from, (uint8_t *)&s->in + s->have, n) ||
        !io->store(io->of, STORE_REQ_CONS, cons + n)) {
        return 0;
    }
    s->have += n;
    return n;
}

static bool give(struct store *s, const struct store_io *io)
{
    uint32_t cons, prod, n, to;

    if (!indexes(io, STORE_RSP_CONS, &cons, &prod)) {
        return false;
    }
    to = prod % STORE_RING_SIZE;
    n = MIN(MIN(s->out_len - s->out_sent, STORE_RING_SIZE - (prod - cons)), STORE_RING_SIZE - to);
    if (n == 0 || !io->write(io->of, STORE_RSP + to, &s->out[s->out_sent], n) ||
        !io->store(io->of, STORE_RSP_PROD, prod + n)) {
        return false;
    }
    s->out_sent += n;
    return true;
}

/* One step; false when there is nothing to do, or no room for it. */
static bool step(struct store *s, const struct store_io *io)
{
    uint32_t want = sizeof(s->in.h);

    if (s->out_sent < s->out_len) {
        return give(s, io);
    }
    s->out_sent = 0;
    s->out_len = 0;
    if (s->have >= sizeof(s->in.h)) {
        if (s->in.h.len > STORE_PAYLOAD_MAX) {
            s->broken = true;
            return false;
        }
        want += s->in.h.len;
    }
    if (s->have < want) {
        return take(s, io, want - s->have) > 0;
    }
    request(s);
    s->have = 0;
    return true;
}

#define STEPS_MAX 256u /* of one notification: a guest that fills the ring meanwhile comes again */

bool store_serve(struct store *s, const struct store_io *io)
{
    uint32_t steps = 0;

    while (!s->broken && steps < STEPS_MAX && step(s, io)) {
        steps++;
    }
    return steps > 0;
}
