/* Bundles and descriptions as files. */
#include "bundle_schema.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool read_all(int fd, unsigned char *to, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, to, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        to += n;
        size -= (size_t)n;
    }
    return true;
}

/* An open file, from where it stands. */
static bool load(int fd, const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return bundle_fail(error, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || st.st_size < 1 || (uint64_t)st.st_size > BUNDLE_IMAGES_SUM) {
        return bundle_fail(error, "%s: is no file of 1 byte to 1 GiB", path);
    }
    out->size = (size_t)st.st_size;
    out->data = cli_alloc(out->size);
    if (!read_all(fd, out->data, out->size)) {
        free(out->data);
        return bundle_fail(error, "%s: cannot be read to its end", path);
    }
    return true;
}

bool bundle_load(const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good;

    if (fd < 0) {
        return bundle_fail(error, "%s: %s", path, strerror(errno));
    }
    good = load(fd, path, out, error);
    close(fd);
    return good;
}

/* Closes it, too. */
static bool write_all(FILE *f, const struct bundle_blob *blob)
{
    bool good = f != NULL && fwrite(blob->data, 1, blob->size, f) == blob->size;

    return (f == NULL || fclose(f) == 0) && good;
}

/* What must not outlive this program. A path that is done with is empty. */
static struct temporary {
    struct temporary *next;
    char *path;
} *temporaries;

static void remove_temporaries(void)
{
    for (const struct temporary *t = temporaries; t != NULL; t = t->next) {
        unlink(t->path);
    }
}

static void on_end(int number)
{
    remove_temporaries();
    raise(number); /* by its default now, when this returns */
}

/* A signal that is ignored, or caught by who tidies up in time, ends nobody. */
static void remove_on_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXFSZ};
    struct sigaction old, action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            sigaction(signals[i], &action, NULL);
        }
    }
}

/* Before the file is made; takes the path over, and never frees it. */
static void remove_at_end(char *path)
{
    struct temporary *t = cli_alloc(sizeof(*t));

    if (temporaries == NULL) {
        atexit(remove_temporaries);
        remove_on_signals();
    }
    *t = (struct temporary){temporaries, path};
    atomic_signal_fence(memory_order_release);
    temporaries = t;
}

/* Beside the old one, of which nothing is lost until the new one is whole. */
static bool replace(const char *path, const struct bundle_blob *blob, struct bundle_error *error)
{
    char *new = cli_format("%s.new%d", path, (int)getpid());
    bool good;

    remove_at_end(new);
    good = write_all(fopen(new, "wbxe"), blob) && rename(new, path) == 0;
    if (!good) {
        bundle_fail(error, "%s: cannot be written: %s", path, strerror(errno));
        unlink(new);
    }
    new[0] = '\0';
    return good;
}

bool bundle_save(const char *path, const struct bundle_blob *blob, struct bundle_error *error)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode)) {
        return replace(path, blob, error);
    }
    return write_all(fopen(path, "wbe"), blob) || /* a device or a pipe stays one */
           bundle_fail(error, "%s: cannot be written: %s", path, strerror(errno));
}

char *bundle_save_temporary(const struct bundle_blob *blob, bool keep, struct bundle_error *error)
{
    char *path = cli_temporary();
    int fd;

    if (!keep) {
        remove_at_end(path);
    }
    fd = mkstemp(path);
    if (fd < 0) {
        bundle_fail(error, "%s: cannot be made: %s", path, strerror(errno));
        path[0] = '\0';
        return NULL;
    }
    if (!write_all(fdopen(fd, "wb"), blob)) {
        bundle_fail(error, "%s: cannot be written: %s", path, strerror(errno));
        unlink(path);
        return NULL;
    }
    return path;
}

bool bundle_is_description(const char *path)
{
    size_t n = strlen(path);

    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

json_t *bundle_description(const char *path, struct bundle_error *error)
{
    json_error_t at;
    json_t *description = json_load_file(path, JSON_REJECT_DUPLICATES, &at);
    const char *name;
    json_t *value;

    if (description == NULL) {
        if (at.line < 0) { /* jansson's text names the file */
            bundle_fail(error, "%s", at.text);
        } else {
            bundle_fail(error, "%s:%d: %s", path, at.line, at.text);
        }
        return NULL;
    }
    json_object_foreach(description, name, value)
    {
        if (strcmp(name, "images") != 0 && strcmp(name, "domains") != 0) {
            bundle_fail(error, "%s: '%.40s' is neither images nor domains", path, name);
            json_decref(description);
            return NULL;
        }
    }
    return description;
}

bool bundle_from_description(const json_t *description, const char *path, struct bundle_blob *out,
                             struct bundle_error *error)
{
    char *copy = cli_format("%s", path);
    bool good = bundle_write(description, dirname(copy), out, error);

    free(copy);
    return good;
}

static bool from_json(const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    json_t *description = bundle_description(path, error);
    bool good =
        description != NULL && bundle_from_description(description, path, out, error);

    json_decref(description);
    return good;
}

static int run_dtc(const char *source, int out)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        dup2(out, 1);
        execlp("dtc", "dtc", "-q", "-I", "dts", "-O", "dtb", source, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool checked(const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    struct bundle_error why;
    json_t *description = bundle_read(out->data, out->size, &why);

    if (description == NULL) {
        free(out->data);
        return bundle_fail(error, "%.100s: %.200s", path, why.text);
    }
    json_decref(description);
    return true;
}

/* What dtc writes has no name: nothing of it can be left behind. */
static bool from_source(const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    int compiled = memfd_create("bundle", MFD_CLOEXEC);
    int status;
    bool good;

    if (compiled < 0) {
        return bundle_fail(error, "%s: %s", path, strerror(errno));
    }
    status = run_dtc(path, compiled);
    if (status != 0) {
        good = bundle_fail(error,
                           status == 127 ? "%s: dtc (device-tree-compiler) is not installed"
                                         : "%s: dtc does not compile it",
                           path);
    } else {
        good = lseek(compiled, 0, SEEK_SET) == 0 && load(compiled, path, out, error) &&
               checked(path, out, error);
    }
    close(compiled);
    return good;
}

bool bundle_from_file(const char *path, struct bundle_blob *out, struct bundle_error *error)
{
    size_t n = strlen(path);

    if (bundle_is_description(path)) {
        return from_json(path, out, error);
    }
    if (n > 4 && strcmp(path + n - 4, ".dts") == 0) {
        return from_source(path, out, error);
    }
    return bundle_load(path, out, error) && checked(path, out, error);
}
