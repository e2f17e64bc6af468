#include "store.h"

#include "hv/check.h"
#include "hv/string.h"

static bool path_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '/' || c == '_' || c == '@';
}

/* docs/misc/xenstore.txt: no empty elements, no slash at the end but of "/" itself. */
bool nodes_path(const struct nodes *s, const uint8_t *text, size_t len, char path[NODE_PATH])
{
    size_t n = 0, home = strlen(s->home);

    while (n < len && text[n] != '\0') {
        if (!path_byte(text[n]) || (n > 0 && text[n] == '/' && text[n - 1] == '/')) {
            return false;
        }
        n++;
    }
    if (n == 0 || (n > 1 && text[n - 1] == '/') || n + home + 2 > NODE_PATH) {
        return false;
    }
    home = text[0] == '/' || text[0] == '@' ? 0 : (size_t)snprintf(path, NODE_PATH, "%s/", s->home);
    memcpy(path + home, text, n);
    path[home + n] = '\0';
    return true;
}

/* What lies below a path begins with it and a slash. */
static bool below(const char *path, const char *top)
{
    size_t n = strlen(top);

    return n == 1 ? path[0] == '/' : strncmp(path, top, n) == 0 && path[n] == '/';
}

bool nodes_may_change(const struct nodes *s, const char *path)
{
    return below(path, s->home);
}

struct node *nodes_find(struct nodes *s, const char *path)
{
    for (uint32_t i = 0; i < NODES; i++) {
        if (strcmp(s->node[i].path, path) == 0) {
            return &s->node[i];
        }
    }
    return NULL;
}

bool nodes_exists(const struct nodes *s, const char *path)
{
    for (uint32_t i = 0; i < NODES; i++) {
        const char *at = s->node[i].path;

        if (at[0] != '\0' && (strcmp(at, path) == 0 || below(at, path))) {
            return true;
        }
    }
    return false;
}

const char *nodes_write(struct nodes *s, const char *path, const uint8_t *value, size_t len)
{
    struct node *n = nodes_find(s, path);

    if (len > NODE_VALUE) {
        return "E2BIG";
    }
    if (n == NULL) {
        n = nodes_find(s, "");
        if (n == NULL) {
            return "ENOSPC";
        }
        (void)str_copy(n->path, sizeof(n->path), path); /* nodes_path() has measured it */
    }
    memcpy(n->value, value, len);
    n->len = (uint32_t)len;
    return NULL;
}

void nodes_remove(struct nodes *s, const char *path)
{
    for (uint32_t i = 0; i < NODES; i++) {
        if (strcmp(s->node[i].path, path) == 0 || below(s->node[i].path, path)) {
            s->node[i].path[0] = '\0';
        }
    }
}

static bool listed(const char *out, size_t used, const char *name, size_t len)
{
    for (size_t at = 0; at < used; at += strlen(&out[at]) + 1) {
        if (strlen(&out[at]) == len && strncmp(&out[at], name, len) == 0) {
            return true;
        }
    }
    return false;
}

size_t nodes_children(const struct nodes *s, const char *path, char *out, size_t size)
{
    size_t skip = strlen(path) == 1 ? 1 : strlen(path) + 1;
    size_t used = 0;

    for (uint32_t i = 0; i < NODES; i++) {
        const char *name = s->node[i].path + skip;
        size_t len = 0;

        if (s->node[i].path[0] == '\0' || !below(s->node[i].path, path)) {
            continue;
        }
        while (name[len] != '\0' && name[len] != '/') {
            len++;
        }
        if (len > 0 && used + len + 1 <= size && !listed(out, used, name, len)) {
            memcpy(&out[used], name, len);
            out[used + len] = '\0';
            used += len + 1;
        }
    }
    return used;
}

static void give(struct nodes *s, const char *name, const char *text)
{
    char path[NODE_PATH];

    snprintf(path, sizeof(path), "%s/%s", s->home, name);
    CHECK(nodes_write(s, path, (const uint8_t *)text, strlen(text)) == NULL);
}

void nodes_init(struct nodes *s, uint16_t domid, const char *name)
{
    char number[8];

    snprintf(number, sizeof(number), "%u", domid);
    snprintf(s->home, sizeof(s->home), "/local/domain/%s", number);
    give(s, "domid", number);
    give(s, "name", name);
    give(s, "control/platform-feature-xs_reset_watches", "1");
}
