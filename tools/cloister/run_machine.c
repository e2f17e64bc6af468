/* QEMU: its command line, its process, its end. */
#include "run.h"

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS_MAX       160u
#define MIB            (1ull << 20)
#define HOST_OVERHEAD  (192 * MIB) /* hypervisor, bundle and its copies, firmware */
#define CCA_OVERHEAD   (96 * MIB)  /* the RMM and its tables */
#define CCA_RMM_AT     "0x42000000"
#define UNKNOWN_MEMORY (1024 * MIB)

struct arguments {
    char *word[ARGS_MAX];
    unsigned int count;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double machine_seconds(const struct run *run)
{
    return run->machine.started > 0 ? now() - run->machine.started : 0;
}

/* proc(5): the 14th and 15th word of stat; the second is in parentheses. */
double machine_cpu_seconds(const struct run *run)
{
    unsigned long user = 0, system = 0;
    char path[32], text[512] = "";
    const char *from;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)run->machine.pid);
    f = run->machine.pid > 0 ? fopen(path, "re") : NULL;
    if (f == NULL) {
        return 0;
    }
    from = fgets(text, sizeof(text), f) != NULL ? strrchr(text, ')') : NULL;
    fclose(f);
    if (from == NULL ||
        sscanf(from, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2) {
        return 0;
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void add(struct arguments *a, char *word)
{
    if (a->count < ARGS_MAX - 1) {
        a->word[a->count++] = word;
    }
}

static void add2(struct arguments *a, const char *option, char *value)
{
    add(a, cli_format("%s", option));
    add(a, value);
}

/* QEMU splits its lists at commas; a doubled one stands for itself. */
static char *double_commas(const char *text)
{
    char *out = cli_alloc(2 * strlen(text) + 1);
    char *to = out;

    for (; *text != '\0'; text++) {
        *to++ = *text;
        if (*text == ',') {
            *to++ = ',';
        }
    }
    return out;
}

static uint64_t guests_memory(const struct run *run)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < run->guests; i++) {
        sum += run->guest[i].memory;
    }
    return sum;
}

static uint32_t machine_cpus(const struct run *run)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t wanted = 0;

    if (run->opts->cpus != 0) {
        return run->opts->cpus;
    }
    if (run->opts->iso != NULL) {
        return 1; /* its command line is its own: see spares_first_cpu() */
    }
    for (unsigned int i = 0; i < run->guests; i++) {
        wanted += run->guest[i].vcpus;
    }
    wanted = run->guests == 0 ? 2 : wanted;
    return online > 0 && wanted > (uint32_t)online ? (uint32_t)online : wanted;
}

/* What differs between the machines that QEMU makes. */
static const struct {
    const char *image, *qemu, *machine, *cpu;
} kinds[] = {
    {"cloister.bin", "cache/qemu-system-x86_64", "q35", "EPYC-Milan,+x2apic"},
    {"cloister-aarch64.bin", "cache/qemu-system-aarch64", "virt,virtualization=on,gic-version=3",
     "max,pauth-impdef=on"},
    {"cloister-aarch64.bin", "cache/qemu-system-aarch64",
     "virt,secure=on,virtualization=on,gic-version=3", "max,x-rme=on,pauth-impdef=on"},
};

/* Realms: a machine with firmware of its own, EL3's monitor and the RMM. */
bool machine_has_realms(const struct run *run)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        if (strcmp(run->guest[i].cc, "cca") == 0) {
            return domain_opts_aarch64(&run->opts->domain);
        }
    }
    return false;
}

static unsigned int kind_of(const struct run *run)
{
    return machine_has_realms(run) ? 2 : domain_opts_aarch64(&run->opts->domain) ? 1 : 0;
}

/* Has the optional module: `make XENPV=1`. */
#define XEN_IMAGE "cloister-xen.bin"

const char *machine_qemu(const struct run_opts *o)
{
    return kinds[domain_opts_aarch64(&o->domain)].qemu;
}

/* QEMU has no confidential silicon: those kinds run on the image that models it. */
const char *machine_image(const struct run *run)
{
    for (unsigned int i = 0; i < run->guests && !domain_opts_aarch64(&run->opts->domain); i++) {
        if (guest_confidential(&run->guest[i])) {
            return "cloister-emulated.bin";
        }
    }
    return run->xen ? XEN_IMAGE : kinds[kind_of(run)].image;
}

/* A TD wants an Intel CPU; there is none with SVM but here. Its SHARED bit is address bit 47. */
static const char *cpu_for(const struct run *run, const char *otherwise)
{
    for (unsigned int i = 0; i < run->guests; i++) {
        if (strcmp(run->guest[i].cc, "tdx") == 0) {
            return "max,vendor=GenuineIntel,+svm,phys-bits=48";
        }
    }
    return otherwise;
}

static uint64_t machine_memory(const struct run *run)
{
    if (run->opts->host_memory != 0) {
        return run->opts->host_memory;
    }
    if (run->guests == 0) { /* a medium or an unchecked bundle: they are not known yet */
        return UNKNOWN_MEMORY;
    }
    return guests_memory(run) + guests_memory(run) / 64 + HOST_OVERHEAD +
           (machine_has_realms(run) ? CCA_OVERHEAD : 0);
}

/*
 * QEMU's TCG (10.0 at least) keeps x87's IGNNE# in the first CPU's SVM flags, and a FXRSTOR or
 * XRSTOR on any other CPU writes them without a lock: the first CPU may find itself in guest mode
 * while it runs the host, or the reverse. So where there are several, that one runs no guest.
 */
static bool spares_first_cpu(const struct run *run)
{
    return run->opts->iso == NULL && machine_cpus(run) > 1 &&
           !domain_opts_aarch64(&run->opts->domain);
}

static bool by_uefi(const struct run *run, const char *name)
{
    return run->opts->firmware != NULL && strcmp(run->opts->firmware, name) == 0;
}

/* A PC has a drive for it; the Arm machine gets one. */
static void add_medium(struct arguments *a, const struct run *run)
{
    char *doubled = double_commas(run->opts->iso);
    bool arm = domain_opts_aarch64(&run->opts->domain);

    add2(a, "-drive", cli_format("%smedia=cdrom,format=raw,readonly=on,file=%s",
                                 arm ? "if=none,id=medium," : "", doubled));
    free(doubled);
    if (arm) {
        add2(a, "-device", cli_format("virtio-scsi-pci"));
        add2(a, "-device", cli_format("scsi-cd,drive=medium"));
    }
}

/* The Arm machine has no firmware of its own; ours reads no ACPI there. */
static void add_firmware(struct arguments *a, const struct run *run)
{
    if (by_uefi(run, "ovmf")) {
        add2(a, "-drive",
             cli_format("if=pflash,unit=0,format=raw,readonly=on,file=%s", RUN_OVMF));
    } else if (by_uefi(run, "uefi")) {
        add2(a, "-machine", cli_format("acpi=off"));
        add2(a, "-bios", cli_format("%s", RUN_UEFI_ARM));
    }
}

static void add_boot(struct arguments *a, const struct run *run, const char *bundle)
{
    char *doubled;

    add_firmware(a, run);
    if (run->opts->iso != NULL) {
        add_medium(a, run);
        return;
    }
    doubled = double_commas(bundle);
    add2(a, "-kernel",
         run->opts->image ? cli_format("%s", run->opts->image)
                           : cli_built(machine_image(run)));
    add2(a, "-initrd", doubled);
    add2(a, "-append",
         cli_format("link=com2%s%s%s", spares_first_cpu(run) ? " spare-cpus=1" : "",
                    run->opts->hv_options ? " " : "",
                    run->opts->hv_options ? run->opts->hv_options : ""));
}

/* The machine with an EL3 keeps its second UART to the secure world. */
static void add_link(struct arguments *a, const struct run *run)
{
    char *rmm;

    if (!machine_has_realms(run)) {
        add2(a, "-serial", cli_format("chardev:com2"));
        return;
    }
    rmm = cli_built("cca-rmm.bin");
    add2(a, "-device", cli_format("pci-serial,chardev=com2"));
    add2(a, "-bios", cli_built("cca-monitor.bin"));
    add2(a, "-device", cli_format("loader,file=%s,addr=" CCA_RMM_AT ",force-raw=on", rmm));
    free(rmm);
}

static void build_arguments(struct arguments *a, const struct run *run, const char *bundle,
                            int link)
{
    unsigned int kind = kind_of(run);

    add(a, run->opts->qemu ? cli_format("%s", run->opts->qemu) : cli_built(kinds[kind].qemu));
    add2(a, "-machine", cli_format("%s", kinds[kind].machine));
    add2(a, "-accel", cli_format("tcg"));
    add2(a, "-cpu", cli_format("%s", cpu_for(run, kinds[kind].cpu)));
    add2(a, "-smp", cli_format("%u", machine_cpus(run) + spares_first_cpu(run)));
    add2(a, "-m", cli_format("%lluM", (unsigned long long)((machine_memory(run) + MIB - 1) / MIB)));
    add(a, cli_format("-nodefaults"));
    add(a, cli_format("-no-reboot"));
    add2(a, "-display", cli_format("none"));
    add2(a, "-chardev", cli_format("stdio,id=com1,signal=off"));
    add2(a, "-serial", cli_format("chardev:com1"));
    add2(a, "-chardev", cli_format("socket,id=com2,fd=%d", link));
    add_link(a, run);
    add_boot(a, run, bundle);
    for (unsigned int i = 0; i < run->opts->qemu_args.count; i++) {
        add(a, cli_format("%s", run->opts->qemu_args.value[i]));
    }
    a->word[a->count] = NULL;
}

static void child_exec(struct arguments *a, int out, int errors)
{
    int nothing = open("/dev/null", O_RDONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* QEMU does not outlive this program */
    dup2(nothing, 0);
    dup2(out, 1);
    dup2(errors, 2);
    execv(a->word[0], a->word);
    fprintf(stderr, "cannot run %s: %s\n", a->word[0], strerror(errno));
    _exit(127);
}

static void close_pair(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static bool open_pairs(int out[2], int errors[2], int link[2])
{
    if (pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(errors, O_CLOEXEC) != 0) {
        close_pair(out);
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, link) != 0) {
        close_pair(out);
        close_pair(errors);
        return false;
    }
    return true;
}

static void keep_ours(struct run *run, int out[2], int errors[2], int link[2])
{
    close(out[1]);
    close(errors[1]);
    close(link[1]);
    fcntl(link[0], F_SETFL, O_NONBLOCK);
    run->machine.com1 = out[0];
    run->machine.errors = errors[0];
    run->machine.link = link[0];
}

bool machine_start(struct run *run, const char *bundle)
{
    struct arguments a = {.count = 0};
    int out[2];
    int errors[2];
    int link[2];

    if (!open_pairs(out, errors, link)) {
        cli_error("cannot talk to QEMU: %s", strerror(errno));
        return false;
    }
    fcntl(link[0], F_SETFD, FD_CLOEXEC);
    build_arguments(&a, run, bundle, link[1]);
    run->machine.started = now();
    run->machine.pid = fork();
    if (run->machine.pid == 0) {
        child_exec(&a, out[1], errors[1]);
    }
    keep_ours(run, out, errors, link);
    for (unsigned int i = 0; i < a.count; i++) {
        free(a.word[i]);
    }
    if (run->machine.pid < 0) {
        cli_error("cannot start QEMU: %s", strerror(errno));
        return false;
    }
    return true;
}

void machine_signal(struct run *run, int signal)
{
    if (run->machine.pid > 0) {
        kill(run->machine.pid, signal);
    }
}

void machine_wait(struct run *run)
{
    while (wait4(run->machine.pid, &run->status, 0, &run->usage) < 0 && errno == EINTR) {
    }
    run->machine.pid = 0;
}
