/*
 * The relying party beside a run: it predicts what each confidential guest must measure to, keeps a
 * secret for it in a broker (attestd), and passes the guest's lines to the broker and back.
 */
#ifndef CLOISTER_RUN_ATTEST_H
#define CLOISTER_RUN_ATTEST_H

#include "bundle.h"
#include "run_child.h"

#include <jansson.h>
#include <stdbool.h>

#define ATTEST_MEASURES_MAX 8u
#define ATTEST_MEASURE_SIZE 129u /* hex of up to 64 bytes */
#define ATTEST_ANSWER_MAX   16384u
#define ATTEST_KEY_SIZE     64u /* AES-256-XTS */
#define ATTEST_CONTENT_SIZE 65u /* hex of SHA-256 */

struct run;
struct guest;
struct attest_kind;
struct run_opts;

/* What a launch measures to, in hex, in the order of its kind (attest_kind.h); empty: not known. */
struct measures {
    char value[ATTEST_MEASURES_MAX][ATTEST_MEASURE_SIZE];
};

/* What attestation came to, for one guest. Times are seconds since the machine's start, 0: not. */
struct attestation {
    const struct attest_kind *kind; /* NULL: none */
    bool wanted;    /* its command line asks for a secret */
    bool volume;    /* ... and for a volume that was made for it */
    bool refused;
    bool released;
    bool opened;    /* the volume, and it held what it must */
    bool rooted;    /* its evidence ended at a root that is trusted */
    bool emulated;  /* ... of a platform that is none, says that root */
    struct measures predicted;
    struct measures launched; /* in the evidence, if that is authentic */
    char content[ATTEST_CONTENT_SIZE];  /* sha256 of the volume's content */
    double predict_seconds;             /* what the prediction took */
    double challenged_at, evidence_at, verdict_at, released_at, opened_at;
    struct child broker;
    bool asked; /* the broker owes an answer */
    size_t answer_length;
    char answer[ATTEST_ANSWER_MAX];
};

/* A disk that was made for one guest, encrypted with the key that is its secret. */
struct run_volume {
    char name[BUNDLE_NAME_MAX + 1]; /* the guest's */
    uint8_t key[ATTEST_KEY_SIZE];
    char content[ATTEST_CONTENT_SIZE];
};

struct run_attest {
    bool on;
    char *directory;   /* of this run: store, key, policies, volumes, audit logs */
    void *predicted;   /* the bundle as it was when it was predicted */
    size_t predicted_size;
    unsigned int volumes;
    struct run_volume volume[BUNDLE_DOMAINS_MAX];
};

/* run_broker.c. "DIRECTORY/KIND-NAME", or without "-NAME" when that is empty; allocated. */
char *attest_file(const struct run *run, const char *kind, const char *name);

/* attest_prepare.c. Each returns false after an error message. */
/* A secret, and a volume that it opens, for each confidential guest of a description. */
bool attest_describe(struct run *run, json_t *description);
/* Predicts the guests of a bundle, and sets up the broker with what they must prove. */
bool attest_prepare(struct run *run, const struct bundle_blob *bundle, const json_t *description);
/* Changes one bit of an image, as IMAGE or IMAGE@BYTE says. */
bool attest_tamper(struct run *run, struct bundle_blob *bundle, const char *what);
/* Removes what attest_describe and attest_prepare made, unless it is to be kept. */
void attest_clean(struct run *run, bool keep);

/* bundle_compare.c. How the second bundle differs from the first, in one sentence. */
void bundle_compare(const void *a, size_t a_size, const void *b, size_t b_size, const char *domain,
                    char *out, size_t size);

/* run_broker.c */
/* A line of the guest for the broker, without its prefix. */
void broker_line(struct run *run, struct guest *g, const char *line, size_t length);
/* The broker's descriptor to wait for, -1 when none runs; and what to do when it is readable. */
int broker_descriptor(const struct guest *g);
void broker_readable(struct run *run, struct guest *g);
void broker_end(struct guest *g);
/* The agent says that it read the volume. */
void broker_volume(struct run *run, struct guest *g, const json_t *line);
/* What is missing, at the guest's end. */
void attest_judge(struct run *run, struct guest *g);

#endif
