/*
 * cloister run, in parts: the machine (QEMU), what it says (console, link), what became of each
 * guest, and the report. Everything that QEMU and the guests say is bytes from outside.
 */
#ifndef CLOISTER_RUN_H
#define CLOISTER_RUN_H

#include "bundle.h"
#include "channel.h"
#include "domain_opts.h"
#include "link.h"
#include "opts.h"
#include "run_attest.h"
#include "run_child.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#define RUN_GUESTS_MAX  BUNDLE_DOMAINS_MAX
#define RUN_LINE_MAX    2048u
#define RUN_NAME_SIZE   (BUNDLE_NAME_MAX + 1u)
#define RUN_OVMF        "/usr/share/OVMF/OVMF_CODE_4M.fd" /* Debian's package ovmf */
#define RUN_UEFI_ARM    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd" /* qemu-efi-aarch64 */
#define RUN_REASON_SIZE 320u
#define LINK_BYTES_MAX  (64u * 1024)

struct run_opts {
    struct domain_opts domain;
    const char *bundle;
    const char *iso;
    const char *firmware;
    const char *image;
    const char *hv_options;
    const char *qemu;
    struct opt_list qemu_args;
    uint32_t cpus;
    uint64_t host_memory;
    uint32_t timeout;
    struct opt_list kill;
    const char *json;
    const char *log;
    bool quiet;
    bool keep;
    bool unchecked;
    bool interactive;
    bool no_attest;
    const char *policy;
    const char *tamper;
};

extern const struct opt run_options[];
extern const char run_usage[];

/* When to send `destroy` to a guest: so many seconds after one of these. */
enum kill_after {
    KILL_START,     /* of the machine */
    KILL_USERSPACE, /* was reached */
    KILL_RESTART,   /* userspace was reached for the second time */
};

struct run_kill {
    char name[RUN_NAME_SIZE];
    enum kill_after after;
    uint32_t seconds;
    bool sent;
};

struct guest {
    char name[RUN_NAME_SIZE];
    char cc[12];
    char config[72]; /* its configuration hash: 64 hex digits, or empty */
    uint16_t id;     /* 0: not created yet */
    uint32_t vcpus;  /* as asked for; 0: not known */
    uint64_t memory; /* bytes, as asked for; 0: not known */
    bool userspace;
    bool panicked;
    bool ended;
    bool gone;
    bool rebooted; /* and that is the only reason it failed for */
    bool killed; /* by --kill: then the right end is `destroyed` */
    char cause[24];
    char refused[120]; /* the hypervisor's first error about it before it ran */
    char reason[RUN_REASON_SIZE]; /* why it failed; empty while it has not */
    double created_at, running_at, userspace_at, restarted_at, ended_at, panicked_at;
    double cpu_until_end; /* seconds of the machine's CPU time; 0: it has not ended */
    unsigned int userspace_lines; /* more than one: it was restarted */
    json_t *told; /* what the guest told on its channel, an array of bounded length */
    struct channel channel;
    struct attestation attest;
};

/* A running machine. Descriptors are -1 when closed. */
struct machine {
    pid_t pid;
    int com1;
    int errors; /* QEMU's stderr */
    int link;
    double started; /* monotonic seconds */
};

struct line_buffer {
    size_t length;
    char text[RUN_LINE_MAX];
};

/* The quotes that guests asked for, and the service that makes them: run_quote.c. */
#define RUN_REPORT_SIZE 1024u
#define RUN_QUOTES_MAX  (4u * RUN_GUESTS_MAX) /* a TD has four open */
#define RUN_QUOTE_SIZE  (16u * 1024)
struct run_quotes {
    struct child service;
    unsigned int count;
    struct {
        uint16_t domain;
        uint32_t id;
        uint8_t report[RUN_REPORT_SIZE];
    } asked[RUN_QUOTES_MAX]; /* oldest first, which the service has */
    size_t have;             /* bytes of the service's answer to the oldest */
    uint8_t answer[RUN_QUOTE_SIZE];
    size_t quote, length, sent; /* a quote that is on its way: where in answer, and how much */
};

struct run {
    const struct run_opts *opts;
    struct machine machine;
    struct guest guest[RUN_GUESTS_MAX];
    unsigned int guests;
    bool xen; /* one of them has abi xen */
    struct run_kill kill[OPT_LIST_MAX];
    unsigned int kills;
    struct run_attest attest;
    struct run_quotes quotes;
    const char *bundle; /* what is booted; NULL: a medium's own */
    struct link_decoder decoder;
    size_t to_link; /* bytes that COM2 does not take yet */
    uint8_t link_bytes[LINK_BYTES_MAX];
    struct line_buffer console;
    struct line_buffer errors;
    FILE *log;
    json_t *hypervisor; /* the `hypervisor` event */
    json_t *idle;       /* the `idle` event */
    bool panicked;
    bool timed_out;
    bool told_end;                /* QEMU was told to end */
    double end_at;                /* when to tell it; 0: not yet */
    char reason[RUN_REASON_SIZE]; /* why the machine failed; empty while it has not */
    int status;                   /* of waitpid */
    struct rusage usage;
};

/* Below the build folder: the image for these guests, and the QEMU of that architecture. */
const char *machine_image(const struct run *run);
const char *machine_qemu(const struct run_opts *o);
/* Has it a guest that needs the firmware of realms, which is then the machine's? */
bool machine_has_realms(const struct run *run);
/* run_machine.c. Starts QEMU; false after an error message. `bundle` may be NULL with an ISO. */
bool machine_start(struct run *run, const char *bundle);
/* Waits for the process and its use of CPU. */
void machine_wait(struct run *run);
void machine_signal(struct run *run, int signal);
double machine_seconds(const struct run *run); /* since the start */
double machine_cpu_seconds(const struct run *run); /* that QEMU has used; 0: not known */

/* run_guest.c. What became of each guest. */
struct guest *guest_by_name(struct run *run, const char *name);
struct guest *guest_by_id(struct run *run, uint16_t id);
/* A guest that ended by reboot was created anew, under another id. */
void guest_restarted(struct guest *g, uint16_t id);
struct guest *guest_add(struct run *run, const char *name, const char *cc);
void guests_from_description(struct run *run, const json_t *description);
__attribute__((format(printf, 3, 4))) void guest_failed(struct run *run, struct guest *g,
                                                        const char *format, ...);
__attribute__((format(printf, 2, 3))) void machine_failed(struct run *run, const char *format, ...);
void guest_reached_userspace(struct run *run, struct guest *g);
void guest_ended(struct run *run, struct guest *g, const char *cause, const char *detail);
bool guest_good(const struct guest *g);
bool guest_confidential(const struct guest *g); /* is it known to be of such a kind? */
void guest_free(struct guest *g);
void guests_judge(struct run *run);

/* run_events.c. Frames of the link. */
void events_take(void *context, const struct link_frame *frame);

/* run_console.c. Lines of COM1 and of QEMU's stderr. */
void console_take(struct run *run, const char *bytes, size_t length);
void errors_take(struct run *run, const char *bytes, size_t length);
/* One step of the boot, with its time. */
__attribute__((format(printf, 2, 3))) void run_step(struct run *run, const char *format, ...);
/* Makes text printable: controls and non-ASCII become \xNN. Returns out. */
const char *printable(char *out, size_t size, const char *text, size_t length);

/*
 * run_loop.c. From then on what would end the program asks it to end, so that it leaves nothing
 * behind; was it asked to?
 */
void run_catch_signals(void);
bool run_interrupted(void);
/* Until the machine has ended. */
void run_until_end(struct run *run);
bool run_command(struct run *run, uint16_t domain, const char *word);
/* A frame goes out whole or not at all; false: there is no room now. */
bool run_send(struct run *run, enum link_type type, uint16_t domain, const void *payload,
              size_t length);

/* run_quote.c */
void quote_request(struct run *run, const struct link_frame *frame);
/* The service's descriptor to wait for, -1 when there is none; what to do when it is readable. */
int quote_descriptor(const struct run *run);
void quote_readable(struct run *run);
/* Sends what there is room for. */
void quote_fill(struct run *run);
void quote_end(struct run *run);

/* run_report.c */
int run_report(struct run *run);

#endif
