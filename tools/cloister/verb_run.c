/* cloister run: builds a bundle, boots it on Cloister in QEMU, and says what became of it. */
#include "cli.h"
#include "pv64.h"
#include "run.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT 300u

const char run_usage[] =
    "Usage: cloister run [OPTION...]\n\n"
    "Boots guests on Cloister in QEMU, shows their consoles and each step with its time.\n"
    "Confidential guests are attested: each must prove to be what was predicted before the boot,\n"
    "and is given the key of a volume. Exit status: 0 when every guest reached userspace, got\n"
    "its key and powered off (and each one named by --kill was destroyed); 1 when a guest did\n"
    "not; 2 for bad usage or input; 3 when QEMU or the hypervisor failed.";

#define TEXT(name, argument, member, help)                                                         \
    {                                                                                              \
        name, argument, help, OPT_STRING, offsetof(struct run_opts, member), 0, 0                  \
    }
#define FLAG(name, member, help)                                                                   \
    {                                                                                              \
        name, NULL, help, OPT_FLAG, offsetof(struct run_opts, member), 0, 0                        \
    }

const struct opt run_options[] = {
#define DOMAIN_OPT(member, name, argument, kind, least, most, help)                                \
    {name, argument, help, kind, offsetof(struct run_opts, domain.member), least, most},
#include "domain_opts.def"
#undef DOMAIN_OPT
    TEXT("bundle", "FILE", bundle,
         "a bundle, or a .json or .dts description, in place of the above"),
    TEXT("iso", "FILE", iso, "boot that medium, with the bundle that it carries"),
    TEXT("firmware", "NAME", firmware,
         "of --iso: seabios or ovmf (seabios); of aarch64: uefi (none)"),
    {"cpus", "N", "CPUs of the machine (as many as guests have, up to the host's)", OPT_COUNT,
     offsetof(struct run_opts, cpus), 1, 64},
    {"host-memory", "SIZE", "memory of the machine (what the guests need and 192M)", OPT_SIZE,
     offsetof(struct run_opts, host_memory), 32ull << 20, BUNDLE_MEMORY_MAX},
    {"timeout", "SECONDS", "end the run by then (300)", OPT_COUNT,
     offsetof(struct run_opts, timeout), 1, 86400},
    {"kill", "GUEST@WHEN", "destroy it: SECONDS, or userspace or restart [+SECONDS]", OPT_LIST,
     offsetof(struct run_opts, kill), 0, 0},
    TEXT("json", "FILE", json, "write the result there as JSON"),
    TEXT("log", "FILE", log, "write everything that is shown there, too"),
    FLAG("quiet", quiet, "show the result only"),
    FLAG("interactive", interactive, "what is typed goes to the first guest's console"),
    FLAG("unchecked", unchecked, "give --bundle to the hypervisor as it is, good or bad"),
    FLAG("no-attest", no_attest,
         "no broker, secret and volume for confidential guests"),
    TEXT("policy", "FILE", policy,
         "what they must prove (docs/policy.md), in place of what was predicted"),
    TEXT("tamper", "IMAGE[@BYTE]", tamper,
         "change a bit of that image (of its last byte) after the prediction"),
    FLAG("keep", keep, "keep the bundle that was made, and say where"),
    TEXT("image", "FILE", image, "the hypervisor (of build/cloister*.bin, as guests need)"),
    TEXT("hv-options", "TEXT", hv_options, "more words for the hypervisor's command line"),
    TEXT("qemu", "PROGRAM", qemu, "QEMU >= 10 (build/cache/qemu-system-x86_64 or -aarch64)"),
    {"qemu-arg", "WORD", "one more word for QEMU's command line; may be repeated", OPT_LIST,
     offsetof(struct run_opts, qemu_args), 0, 0},
    {NULL, NULL, NULL, OPT_FLAG, 0, 0, 0},
};

/* SECONDS, userspace, userspace+SECONDS, restart, restart+SECONDS */
static bool parse_when(struct run_kill *k, const char *text)
{
    static const char *const events[] = {
        [KILL_USERSPACE] = "userspace",
        [KILL_RESTART] = "restart",
    };
    uint64_t seconds = 0;

    k->after = KILL_START;
    for (enum kill_after e = KILL_USERSPACE; e <= KILL_RESTART; e++) {
        size_t n = strlen(events[e]);

        if (strncmp(text, events[e], n) == 0) {
            k->after = e;
            text += n;
            if (*text == '\0') {
                return true;
            }
            if (*text++ != '+') {
                return false;
            }
            break;
        }
    }
    if (!opts_number(text, &seconds) || seconds > 86400) {
        return false;
    }
    k->seconds = (uint32_t)seconds;
    return true;
}

static bool parse_kill(struct run *run, const char *text)
{
    struct run_kill *k = &run->kill[run->kills];
    const char *at = strchr(text, '@');

    if (at == NULL || (size_t)(at - text) >= sizeof(k->name)) {
        return false;
    }
    memcpy(k->name, text, (size_t)(at - text));
    if (!bundle_name_ok(k->name) || !parse_when(k, at + 1)) {
        return false;
    }
    run->kills++;
    return true;
}

static bool firmware_good(const struct run_opts *o)
{
    bool arm = domain_opts_aarch64(&o->domain);

    if (arm && o->iso != NULL && o->firmware == NULL) {
        cli_error("run: --iso: an aarch64 machine boots media with --firmware uefi");
        return false;
    }
    if (o->firmware == NULL || (arm && strcmp(o->firmware, "uefi") == 0)) {
        return true;
    }
    if (arm || (strcmp(o->firmware, "seabios") != 0 && strcmp(o->firmware, "ovmf") != 0)) {
        cli_error("run: --firmware %s: must be %s", o->firmware,
                  arm ? "uefi" : "seabios or ovmf");
        return false;
    }
    if (o->iso == NULL) {
        cli_error("run: --firmware goes with --iso");
        return false;
    }
    return true;
}

/* Is what was named, or the part of the build folder that stands in for it, there? */
static bool there(const char *named, const char *built, const char *target)
{
    char *path = named ? cli_format("%s", named) : cli_built(built);
    bool good = access(path, R_OK) == 0;

    if (!good && named != NULL) {
        cli_error("%s: cannot be read: %s", path, strerror(errno));
    } else if (!good) {
        cli_error("%s is not there: `%s` makes it", path, target);
    }
    free(path);
    return good;
}

static bool usage_good(struct run *run)
{
    const struct run_opts *o = run->opts;
    struct bundle_error error;

    if ((o->bundle != NULL) + (o->iso != NULL) + domain_opts_given(&o->domain) > 1) {
        cli_error("run: --bundle, --iso and options of a guest exclude each other");
        return false;
    }
    if ((o->tamper != NULL || o->policy != NULL) && (o->iso != NULL || o->unchecked)) {
        cli_error("run: --%s goes with a bundle that this command makes or checks",
                  o->tamper != NULL ? "tamper" : "policy");
        return false;
    }
    if (!domain_opts_good(&o->domain, &error)) {
        cli_error("run: %s", error.text);
        return false;
    }
    if (o->iso != NULL && !there(o->iso, NULL, NULL)) {
        return false;
    }
    if (o->quiet && o->interactive) {
        cli_error("run: --quiet shows no console that --interactive could be typed at");
        return false;
    }
    if (!firmware_good(o)) {
        return false;
    }
    if (o->bundle == NULL && o->unchecked) {
        cli_error("run: --unchecked goes with --bundle");
        return false;
    }
    for (unsigned int i = 0; i < o->kill.count; i++) {
        if (!parse_kill(run, o->kill.value[i])) {
            cli_error("run: --kill %s: must be GUEST@SECONDS, GUEST@userspace[+SECONDS] or "
                      "GUEST@restart[+SECONDS]",
                      o->kill.value[i]);
            return false;
        }
    }
    return true;
}

static bool own_firmware_only(const struct run *run)
{
    if (machine_has_realms(run) && run->opts->firmware != NULL) {
        cli_error("run: --firmware: a machine with realms has firmware of its own");
        return false;
    }
    return true;
}

/* Each --kill must name a guest, or the run would never end as asked. */
static bool kills_name_guests(struct run *run)
{
    for (unsigned int i = 0; i < run->kills && run->guests > 0; i++) {
        if (guest_by_name(run, run->kill[i].name) == NULL) {
            cli_error("run: --kill %s: there is no such guest", run->kill[i].name);
            return false;
        }
    }
    return true;
}

/* A PV kernel has no driver that asks for a report. */
static bool attests(const struct run *run)
{
    return !run->opts->no_attest && !domain_opts_pv64(&run->opts->domain);
}

/* A description, and for its confidential guests what attestation gives them, to a bundle. */
static bool compose(struct run *run, struct bundle_blob *blob)
{
    const char *file = run->opts->bundle;
    struct bundle_error error;
    json_t *description = NULL;
    bool good;

    if (file != NULL && !bundle_is_description(file)) {
        good = bundle_from_file(file, blob, &error);
    } else {
        description = file != NULL ? bundle_description(file, &error)
                                   : domain_opts_describe(&run->opts->domain);
        if (description != NULL && attests(run) && !attest_describe(run, description)) {
            json_decref(description);
            return false;
        }
        good = description != NULL &&
               bundle_from_description(description, file != NULL ? file : "run", blob, &error);
        json_decref(description);
    }
    if (!good) {
        cli_error("%s", error.text);
    }
    return good;
}

/* Makes what the guests must prove, or says that they prove nothing. */
static bool prepare_attestation(struct run *run, const struct bundle_blob *blob,
                                const json_t *description)
{
    const struct domain_opts *d = &run->opts->domain;

    if (attests(run) && !attest_prepare(run, blob, description)) {
        return false;
    }
    if (run->opts->policy != NULL && !run->attest.on) {
        cli_error("run: --policy: no guest of this run is attested");
        return false;
    }
    if (!run->opts->no_attest && domain_opts_pv64(d) && guest_confidential(&run->guest[0])) {
        run_step(run, "no guest is attested: a PV kernel asks for no report; %s",
                 d->snp_id_block != NULL ? "an ID block binds the launch"
                                         : "an ID block (--snp-id-block) would bind the launch");
    }
    return true;
}

static bool make_bundle(struct run *run, struct bundle_blob *blob)
{
    struct bundle_error error;
    json_t *description;
    bool good;

    if (run->opts->unchecked) {
        if (!bundle_load(run->opts->bundle, blob, &error)) {
            cli_error("%s", error.text);
            return false;
        }
        return true;
    }
    if (!compose(run, blob)) {
        return false;
    }
    description = bundle_read(blob->data, blob->size, &error);
    guests_from_description(run, description);
    good = prepare_attestation(run, blob, description);
    json_decref(description);
    good = good && (run->opts->tamper == NULL || attest_tamper(run, blob, run->opts->tamper));
    if (!good) {
        free(blob->data);
    }
    return good;
}

static const char *save_bundle(const struct run *run, const struct bundle_blob *blob)
{
    struct bundle_error error;
    const char *path = bundle_save_temporary(blob, run->opts->keep, &error);

    if (path == NULL) {
        cli_error("%s", error.text);
    }
    return path;
}

static bool all_there(const struct run_opts *o)
{
    bool guest = o->bundle == NULL && o->iso == NULL;

    return (o->image == NULL || there(o->image, NULL, NULL)) &&
           (!domain_opts_pv64(&o->domain) || there(NULL, PV64_BOX, "make XENPV=1")) &&
           (o->firmware == NULL || strcmp(o->firmware, "seabios") == 0 ||
            there(strcmp(o->firmware, "ovmf") == 0 ? RUN_OVMF : RUN_UEFI_ARM, NULL, NULL)) &&
           there(o->qemu, machine_qemu(o), "make setup") &&
           (!guest || o->domain.kernel != NULL ||
            there(NULL, domain_opts_kernel(&o->domain), "make setup")) &&
           (!guest || o->domain.ramdisk != NULL ||
            there(NULL, domain_opts_ramdisk(&o->domain), "make guest"));
}

/* Could a file be made or replaced there? */
static bool writable(const char *path)
{
    char *copy = cli_format("%s", path);
    struct stat st;
    bool good = access(path, W_OK) == 0 || (errno == ENOENT && access(dirname(copy), W_OK) == 0);

    if (good && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        good = false;
    }
    free(copy);
    return good;
}

/* What could not be written at the end is known before the boot. */
static bool open_outputs(struct run *run)
{
    const struct run_opts *o = run->opts;

    if (o->json != NULL && !writable(o->json)) {
        cli_error("--json %s: cannot be written: %s", o->json, strerror(errno));
        return false;
    }
    if (o->log != NULL && (run->log = fopen(o->log, "we")) == NULL) {
        cli_error("--log %s: cannot be written: %s", o->log, strerror(errno));
        return false;
    }
    return true;
}

static int run_machine(struct run *run, const char *bundle)
{
    run->bundle = bundle;
    if (bundle != NULL && run->opts->image == NULL &&
        !there(NULL, machine_image(run), run->xen ? "make XENPV=1" : "make")) {
        return CLI_MACHINE;
    }
    if (run_interrupted()) {
        return cli_fail(CLI_MACHINE, "run: interrupted");
    }
    if (!machine_start(run, bundle)) {
        return CLI_MACHINE;
    }
    run_step(run, "QEMU started");
    run_until_end(run);
    return run_report(run);
}

static int run_bundle(struct run *run, struct domain_opts *domain)
{
    struct bundle_error error;
    struct bundle_blob blob;
    const char *path;
    int status;

    if (!domain_opts_prepare(domain, &error)) {
        cli_error("run: %s", error.text);
        return CLI_USAGE;
    }
    if (!make_bundle(run, &blob)) {
        return CLI_USAGE;
    }
    if (!kills_name_guests(run) || !own_firmware_only(run)) {
        free(blob.data);
        return CLI_USAGE;
    }
    path = save_bundle(run, &blob);
    free(blob.data);
    if (path == NULL) {
        return CLI_MACHINE;
    }
    status = run_machine(run, path);
    if (run->opts->keep) {
        printf("bundle: %s\n", path);
    }
    return status;
}

/* That it is cut off is told in the end: the run itself goes on without it. */
static bool close_log(struct run *run)
{
    bool good = run->log == NULL || !ferror(run->log);

    if (run->log != NULL && fclose(run->log) != 0) {
        good = false;
    }
    run->log = NULL;
    if (!good) {
        cli_error("--log %s: could not be written to its end", run->opts->log);
    }
    return good;
}

static void release(struct run *run)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        guest_free(&run->guest[i]);
    }
    attest_clean(run, run->opts->keep);
    json_decref(run->hypervisor);
    json_decref(run->idle);
    free(run);
}

int verb_run(int argc, char **argv)
{
    struct run_opts o = {.timeout = DEFAULT_TIMEOUT};
    struct run *run;
    const char *none[1];
    int status = opts_parse(run_options, &o, argc, argv, none, 0);

    if (status == -2) {
        opts_help(run_options, run_usage);
        return CLI_OK;
    }
    if (status < 0) {
        return CLI_USAGE;
    }
    run_catch_signals();
    run = cli_alloc(sizeof(*run));
    run->opts = &o;
    if (!usage_good(run)) {
        status = CLI_USAGE;
    } else if (!all_there(&o) || !open_outputs(run)) {
        status = CLI_MACHINE;
    } else {
        status = o.iso != NULL ? run_machine(run, NULL) : run_bundle(run, &o.domain);
    }
    if (!close_log(run)) {
        status = CLI_MACHINE;
    }
    release(run);
    return status;
}
