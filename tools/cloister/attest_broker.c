/* The broker's store, made by the broker's own commands: whoever runs attestd would do the same. */
#include "attest_common.h"
#include "attest_kind.h"
#include "attest_prepare.h"
#include "cli.h"

#include <attest/hex.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 12u

static void child(const struct run *run, const char *const *words, int in)
{
    const char *all[WORDS_MAX + 6] = {"attestd"};
    char *program = cli_built("bin/attestd");
    unsigned int n = 1;

    while (words[n - 1] != NULL && n < WORDS_MAX) {
        all[n] = words[n - 1];
        n++;
    }
    all[n++] = "--db";
    all[n++] = attest_file(run, "store.db", "");
    all[n++] = "--key";
    all[n++] = attest_file(run, "broker.key", "");
    all[n] = NULL;
    dup2(in, 0);
    execv(program, (char **)(uintptr_t)all);
    fprintf(stderr, "cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

/* attestd WORDS... with these bytes (which fit in a pipe) on its stdin. */
static bool attestd(const struct run *run, const char *const *words, const void *p, size_t len)
{
    int in[2];
    int status = -1;
    pid_t pid;
    bool fed;

    if (pipe2(in, O_CLOEXEC) != 0) {
        return false;
    }
    pid = fork();
    if (pid == 0) {
        child(run, words, in[0]);
    }
    close(in[0]);
    fed = write(in[1], p, len) == (ssize_t)len || len == 0;
    close(in[1]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || !fed || status != 0) {
        cli_error("attestd %s %s failed", words[0], words[1] != NULL ? words[1] : "");
        return false;
    }
    return true;
}

static char *emulated_file(const char *name)
{
    char *in_build = cli_format("emu/%s", name);
    char *path = cli_built(in_build);

    free(in_build);
    return path;
}

static bool put_collateral(const struct run *run, const struct attest_kind *kind)
{
    bool ok = true;

    for (size_t i = 0; kind->collateral[i] != NULL && ok; i++) {
        char *path = emulated_file(kind->collateral[i]);
        const char *name = strrchr(kind->collateral[i], '/') + 1;
        const char *words[] = {"collateral", "put", name, path, NULL};

        ok = attestd(run, words, "", 0);
        free(path);
    }
    return ok;
}

/* The root of what QEMU's machine has: no maker's, so it is trusted by name only. */
static bool emulated_root(const struct attest_kind *kind, char spki[65])
{
    char *path = emulated_file(kind->root);
    struct blob b;
    bool ok = blob_load(path, 4096, &b);

    if (ok && b.len >= 64) {
        memcpy(spki, b.p, 64);
        spki[64] = '\0';
    } else if (ok) {
        cli_error("%s: is no hash of a key", path);
    }
    ok = ok && b.len >= 64;
    free(ok ? b.p : NULL);
    free(path);
    return ok;
}

static json_t *policy_of(const struct guest *g, const char *spki)
{
    const struct attest_kind *kind = g->attest.kind;

    return json_pack("{s:i, s:o, s:[{s:s, s:s, s:s}], s:o}", "version", 1, "name",
                     json_sprintf("the launch of %s as predicted", g->name), "test-roots", "name",
                     kind->root_name, "kind", kind->cc, "spki-sha256", spki, kind->cc,
                     kind->section(&g->attest.predicted));
}

/* The user's policy, or one made from the prediction. */
static bool put_policy(const struct run *run, const struct guest *g)
{
    char spki[65];
    char *path = attest_file(run, "policy", g->name);
    const char *words[] = {"policy", "put", g->name,
                           run->opts->policy != NULL ? run->opts->policy : path, NULL};
    bool ok = run->opts->policy != NULL || emulated_root(g->attest.kind, spki);

    if (ok && run->opts->policy == NULL) {
        json_t *policy = policy_of(g, spki);

        ok = json_dump_file(policy, path, JSON_INDENT(2)) == 0;
        json_decref(policy);
        if (!ok) {
            cli_error("%s: cannot be written", path);
        }
    }
    ok = ok && attestd(run, words, "", 0);
    free(path);
    return ok;
}

static bool put_secret(const struct run *run, const struct guest *g)
{
    const struct run_volume *v = attest_volume_of(run, g->name);
    char *path = cli_format(ATTEST_SECRET, g->name);
    const char *words[] = {"secret", "put", path, "--policy", g->name, NULL};
    uint8_t secret[ATTEST_KEY_SIZE];
    bool ok = true;

    if (v != NULL) {
        memcpy(secret, v->key, sizeof(secret));
    } else {
        ok = RAND_priv_bytes(secret, sizeof(secret)) == 1;
    }
    ok = ok && attestd(run, words, secret, sizeof(secret));
    OPENSSL_cleanse(secret, sizeof(secret));
    free(path);
    return ok;
}

bool attest_set_up_broker(const struct run *run)
{
    static const char *const init[] = {"init", NULL};
    bool ok;

    ok = attestd(run, init, "", 0);
    for (unsigned int i = 0; i < run->guests && ok; i++) {
        const struct guest *g = &run->guest[i];

        ok = g->attest.kind == NULL || (put_collateral(run, g->attest.kind) &&
                                        put_policy(run, g) && put_secret(run, g));
    }
    return ok;
}
