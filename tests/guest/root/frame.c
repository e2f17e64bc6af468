/* Sentences, commands, and the control port as bytes. */
#include "root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS     "/sys/class/virtio-ports"
#define ANSWER_MS 5000

struct root_answer root_told;
char root_said[16384];
static const char *current;
static int failed;
static bool current_failed;

void root_expect(bool good, const char *what, int line)
{
    if (!good) {
        printf("FAILED %s: line %d: %s\n", current, line, what);
        current_failed = true;
    }
}

int root_run(const struct sentence *s)
{
    for (; s->name != NULL; s++) {
        current = s->name;
        current_failed = false;
        s->run();
        if (current_failed) {
            failed++;
        } else {
            printf("ok %s\n", s->name);
        }
        fflush(stdout);
    }
    return failed;
}

static bool is_the_port(const char *name)
{
    char path[320], text[64] = "";
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), PORTS "/%s/name", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && strcmp(text, "cloister.control\n") == 0;
}

const char *root_port(void)
{
    static char path[320];
    struct dirent *entry;
    DIR *ports = opendir(PORTS);

    path[0] = '\0';
    while (ports != NULL && (entry = readdir(ports)) != NULL) {
        if (is_the_port(entry->d_name)) {
            snprintf(path, sizeof(path), "/dev/%.64s", entry->d_name);
        }
    }
    if (ports != NULL) {
        closedir(ports);
    }
    return path[0] != '\0' ? path : NULL;
}

int root_open(void)
{
    const char *path = root_port();

    return path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
}

bool root_write(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t n = write(fd, at, len);

        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_some(int fd, void *to, size_t len)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t *at = to;

    while (len > 0) {
        ssize_t n;

        if (poll(&p, 1, ANSWER_MS) != 1) {
            return false;
        }
        n = read(fd, at, len);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool root_read(int fd, struct root_answer *a)
{
    memset(a, 0, sizeof(*a));
    return read_some(fd, &a->head, sizeof(a->head)) && a->head.length <= ROOT_DATA &&
           read_some(fd, a->data, a->head.length);
}

struct abi_port_frame root_frame(uint32_t operation, uint32_t domain, uint32_t len)
{
    static uint64_t id = 0x1000;

    return (struct abi_port_frame){
        .id = ++id, .operation = operation, .domain = domain, .length = len};
}

uint32_t root_ask(int fd, uint32_t operation, uint32_t domain, const void *data, uint32_t len)
{
    struct abi_port_frame f = root_frame(operation, domain, len);

    if (!root_write(fd, &f, sizeof(f)) || !root_write(fd, data, len) ||
        !root_read(fd, &root_told) || root_told.head.id != f.id) {
        return 999;
    }
    return root_told.head.status;
}

int root_shell(const char *command)
{
    char line[512];
    size_t n;
    FILE *f;

    snprintf(line, sizeof(line), "%s 2>&1", command);
    f = popen(line, "re");
    if (f == NULL) {
        return -1;
    }
    n = fread(root_said, 1, sizeof(root_said) - 1, f);
    root_said[n] = '\0';
    return WEXITSTATUS(pclose(f));
}

bool root_says(const char *text)
{
    if (strstr(root_said, text) == NULL) {
        printf("said: %s\n", root_said);
        return false;
    }
    return true;
}

bool root_says_soon(const char *command, const char *text, unsigned int seconds)
{
    for (unsigned int i = 0; i < seconds * 10; i++) {
        (void)root_shell(command);
        if (strstr(root_said, text) != NULL) {
            return true;
        }
        poll(NULL, 0, 100);
    }
    return root_says(text);
}

static sigjmp_buf undefined;

static void on_sigill(int signal)
{
    siglongjmp(undefined, signal);
}

bool root_call_is_undefined(uint64_t number, bool vmcall)
{
    struct sigaction action = {.sa_handler = on_sigill}, old;
    bool caught = true;

    sigaction(SIGILL, &action, &old);
    if (sigsetjmp(undefined, 1) == 0) {
        uint64_t a = 1, b = 0, c = 0;

        if (vmcall) {
            __asm__ volatile("vmcall" : "+a"(number), "+D"(a), "+S"(b), "+d"(c) : : "memory");
        } else {
            __asm__ volatile("vmmcall" : "+a"(number), "+D"(a), "+S"(b), "+d"(c) : : "memory");
        }
        caught = false;
    }
    sigaction(SIGILL, &old, NULL);
    return caught;
}
