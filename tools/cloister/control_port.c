/* The control port: found, opened, asked. */
#include "control.h"

#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PORT_NAME "cloister.control"
#define PORTS     "/sys/class/virtio-ports"
#define UDEV_NAME "/dev/virtio-ports/" PORT_NAME

#define BUSY_TRIES   50
#define BUSY_WAIT_MS 100

static bool has_name(const char *port)
{
    char path[320], name[64] = "";
    FILE *f;

    snprintf(path, sizeof(path), PORTS "/%s/name", port);
    f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    if (fgets(name, sizeof(name), f) == NULL) {
        name[0] = '\0';
    }
    fclose(f);
    name[strcspn(name, "\n")] = '\0';
    return strcmp(name, PORT_NAME) == 0;
}

/* The link that udev makes, or without udev the device of that name; allocated, or NULL. */
static char *find_port(void)
{
    struct dirent *entry;
    char *path = NULL;
    DIR *ports;

    if (access(UDEV_NAME, F_OK) == 0) {
        return cli_format("%s", UDEV_NAME);
    }
    ports = opendir(PORTS);
    while (ports != NULL && path == NULL && (entry = readdir(ports)) != NULL) {
        if (has_name(entry->d_name)) {
            path = cli_format("/dev/%s", entry->d_name);
        }
    }
    if (ports != NULL) {
        closedir(ports);
    }
    return path;
}

/* The kernel lets one program at a time have a port. */
static int open_when_free(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    for (int i = 0; fd < 0 && errno == EBUSY && i < BUSY_TRIES; i++) {
        poll(NULL, 0, BUSY_WAIT_MS);
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    return fd;
}

bool control_open(struct control *c, const char *path)
{
    char *found = path == NULL ? find_port() : cli_format("%s", path);

    c->fd = -1;
    if (found == NULL) {
        cli_error("there is no port " PORT_NAME " here: the domain's description must have abi 1.2 "
                  "and the features control and control-port, and the kernel its driver, "
                  "virtio_console");
        return false;
    }
    c->fd = open_when_free(found);
    if (c->fd < 0) {
        cli_error("%s: %s%s", found, strerror(errno),
                  errno == EBUSY    ? ": another program has the port open; try again"
                  : errno == EACCES ? ": only root may open it"
                                    : "");
    }
    free(found);
    return c->fd >= 0;
}

void control_close(struct control *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
}

static bool write_all(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            cli_error("the control port takes nothing: %s",
                      n < 0 ? strerror(errno) : "it is closed");
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    uint8_t *at = data;

    while (size > 0) {
        ssize_t n = read(fd, at, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            cli_error("the control port gives no answer: %s",
                      n < 0 ? strerror(errno) : "it is closed");
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* Ids are this program's own: one that another request had would be answered EXISTS. */
static uint64_t new_id(void)
{
    uint64_t id = 0;

    while (id == 0) {
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
            id = 0;
        }
    }
    return id;
}

static bool read_answer(struct control *c, const struct abi_port_frame *asked)
{
    if (!read_all(c->fd, &c->answer, sizeof(c->answer))) {
        return false;
    }
    if (c->answer.id != asked->id || c->answer.operation != asked->operation ||
        c->answer.reserved != 0 || c->answer.length > sizeof(c->data)) {
        cli_error("the control port's answer is to another question");
        return false;
    }
    return read_all(c->fd, c->data, c->answer.length);
}

bool control_ask(struct control *c, uint32_t operation, uint32_t domain, struct control_bytes head,
                 struct control_bytes part)
{
    struct abi_port_frame f = {.operation = operation, .domain = domain};
    static uint8_t frame[ABI_MAX_PORT_BYTES];

    f.id = c->id = new_id();
    f.length = head.size + part.size;
    memcpy(frame, &f, sizeof(f));
    if (head.size > 0) {
        memcpy(frame + sizeof(f), head.data, head.size);
    }
    if (part.size > 0) {
        memcpy(frame + sizeof(f) + head.size, part.data, part.size);
    }
    return write_all(c->fd, frame, sizeof(f) + f.length) && read_answer(c, &f);
}
