/*
 * The relying party before the boot: a secret and an encrypted volume for each confidential guest,
 * the prediction of what it must measure to, and a broker's store that releases the one for the
 * other. Nothing of it is on the machine that is booted but the volumes, encrypted.
 */
#include "attest_kind.h"
#include "attest_prepare.h"
#include "cli.h"
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <libfdt.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRET_WORD "cloister.secret="

/* Its path is absolute, for descriptions take other ones as relative to themselves. */
static bool make_directory(struct run *run)
{
    char *name;

    if (run->attest.directory != NULL) {
        return true;
    }
    name = cli_temporary();
    if (mkdtemp(name) != NULL) {
        run->attest.directory = realpath(name, NULL);
    }
    if (run->attest.directory == NULL) {
        cli_error("%s: %s", name, strerror(errno));
    }
    free(name);
    return run->attest.directory != NULL;
}

static void clean_file(const char *directory, const char *name)
{
    char *path = cli_format("%s/%s", directory, name);

    if (name[0] != '.') {
        unlink(path);
    }
    free(path);
}

void attest_clean(struct run *run, bool keep)
{
    struct run_attest *a = &run->attest;
    DIR *d = a->directory != NULL && !keep ? opendir(a->directory) : NULL;
    struct dirent *entry;

    while (d != NULL && (entry = readdir(d)) != NULL) {
        clean_file(a->directory, entry->d_name);
    }
    if (d != NULL) {
        closedir(d);
        rmdir(a->directory);
    } else if (a->directory != NULL) {
        printf("broker, policies and volumes: %s\n", a->directory);
    }
    OPENSSL_cleanse(a->volume, sizeof(a->volume));
    free(a->directory);
    free(a->predicted);
    memset(a, 0, sizeof(*a));
}

/* ---- the description: what a guest is given ---- */

static unsigned int disks_of(json_t *devices)
{
    unsigned int count = 0;
    const char *name;
    json_t *device;

    json_object_foreach(devices, name, device)
    {
        const char *type = json_string_value(json_object_get(device, "type"));

        count += type != NULL && strcmp(type, "virtio-blk") == 0;
    }
    return count;
}

/* Where to find secret and volume goes to the end of the command line, and so is measured. */
static void describe_wish(json_t *domain, const char *name, unsigned int disks)
{
    const char *old = json_string_value(json_object_get(domain, "cmdline"));
    char *cmdline = cli_format("%s%s" SECRET_WORD ATTEST_SECRET " cloister.volume=vd%c",
                               old ? old : "", old ? " " : "", name, 'a' + disks);

    json_object_set_new(domain, "cmdline", json_string(cmdline));
    free(cmdline);
}

/* One disk more, the last, by a name that is not taken. */
static void describe_volume(json_t *images, json_t *devices, const char *path)
{
    char name[24];
    unsigned int i = 0;

    do {
        snprintf(name, sizeof(name), "volume%u", i++);
    } while (json_object_get(images, name) != NULL || json_object_get(devices, name) != NULL);
    json_object_set_new(images, name, json_string(path));
    json_object_set_new(devices, name, json_pack("{s:s, s:s}", "type", "virtio-blk", "image",
                                                 name));
}

static bool describe_guest(struct run *run, json_t *images, const char *name, json_t *domain)
{
    json_t *devices = json_object_get(domain, "devices");
    char *path = attest_file(run, "volume", name);

    if (devices == NULL) {
        devices = json_object();
        json_object_set_new(domain, "devices", devices);
    }
    describe_wish(domain, name, disks_of(devices));
    describe_volume(images, devices, path);
    free(path);
    return attest_make_volume(run, name);
}

/* One that asks for a secret already, or is signed as it is by an ID block, stays as it is. */
static bool may_change(const json_t *domain)
{
    const char *kind = json_string_value(json_object_get(domain, "cc"));
    const char *cmdline = json_string_value(json_object_get(domain, "cmdline"));

    return kind != NULL && attest_kind_of(kind) != NULL &&
           json_object_get(domain, "snp-id-block") == NULL &&
           (cmdline == NULL || strstr(cmdline, SECRET_WORD) == NULL);
}

/* What is not as it must be is left for the bundle's own checks, which name it. */
bool attest_describe(struct run *run, json_t *description)
{
    json_t *domains = json_object_get(description, "domains");
    json_t *images = json_object_get(description, "images");
    const char *name;
    json_t *domain;

    if (!json_is_object(images)) {
        return true;
    }
    json_object_foreach(domains, name, domain)
    {
        if (!bundle_name_ok(name) || !may_change(domain)) {
            continue;
        }
        if (!make_directory(run) || !describe_guest(run, images, name, domain)) {
            return false;
        }
    }
    return true;
}

/* ---- the prediction ---- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool predict(struct run *run, struct guest *g, const struct bundle_blob *bundle)
{
    struct attestation *a = &g->attest;
    char why[256];
    double start = now();

    if (!a->kind->predict(bundle->data, bundle->size, g->name, &a->predicted, why, sizeof(why))) {
        cli_error("%s: cannot be predicted: %s", g->name, why);
        return false;
    }
    a->predict_seconds = now() - start;
    run_step(run, "%s predicted  %s (took %.3f s)", g->name, a->predicted.value[0],
             a->predict_seconds);
    return true;
}

static void note_wishes(struct run *run, struct guest *g, const json_t *domain)
{
    const char *cmdline = json_string_value(json_object_get(domain, "cmdline"));
    const struct run_volume *v = attest_volume_of(run, g->name);

    g->attest.wanted = cmdline != NULL && strstr(cmdline, SECRET_WORD) != NULL;
    if (v != NULL) {
        g->attest.volume = true;
        memcpy(g->attest.content, v->content, sizeof(v->content));
    }
}

bool attest_prepare(struct run *run, const struct bundle_blob *bundle, const json_t *description)
{
    const json_t *domains = json_object_get(description, "domains");
    bool any = false;

    for (unsigned int i = 0; i < run->guests; i++) {
        struct guest *g = &run->guest[i];

        g->attest.kind = attest_kind_of(g->cc);
        if (g->attest.kind == NULL) {
            continue;
        }
        note_wishes(run, g, json_object_get(domains, g->name));
        if (!predict(run, g, bundle)) {
            return false;
        }
        any = true;
    }
    if (!any) {
        return true;
    }
    run->attest.predicted = cli_alloc(bundle->size);
    run->attest.predicted_size = bundle->size;
    memcpy(run->attest.predicted, bundle->data, bundle->size);
    run->attest.on = make_directory(run) && attest_set_up_broker(run);
    return run->attest.on;
}

/* ---- a machine that boots something else ---- */

/* IMAGE or IMAGE@BYTE; the byte is the image's last by default. */
bool attest_tamper(struct run *run, struct bundle_blob *bundle, const char *what)
{
    const char *at = strchr(what, '@');
    char path[sizeof("/images/") + BUNDLE_NAME_MAX];
    uint64_t byte = 0;
    int node, length = 0;
    uint8_t *data = NULL;

    snprintf(path, sizeof(path), "/images/%.*s",
             at != NULL ? (int)(at - what) : (int)BUNDLE_NAME_MAX, what);
    node = fdt_path_offset(bundle->data, path);
    if (node >= 0) {
        data = fdt_getprop_w(bundle->data, node, "data", &length);
    }
    if (data == NULL) {
        cli_error("run: --tamper %s: there is no such image", what);
        return false;
    }
    byte = (uint64_t)length - 1;
    if (at != NULL && (!opts_number(at + 1, &byte) || byte >= (uint64_t)length)) {
        cli_error("run: --tamper %s: the image has %d bytes", what, length);
        return false;
    }
    data[byte] ^= 1;
    run_step(run, "one bit of the bundle is changed now, as asked: %s, byte %llu%s", path + 1,
             (unsigned long long)byte,
             run->attest.on ? "" : "; no guest is attested: nobody may notice");
    return true;
}
