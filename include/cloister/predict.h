/*
 * What a launch of a domain puts into a guest, predicted from its bundle: the same layout code that
 * the hypervisor runs, as a hosted library (build/lib/libcloister-predict.a).
 */
#ifndef CLOISTER_PREDICT_H
#define CLOISTER_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who is in a bundle. */
#define PREDICT_DOMAINS_MAX 64u
struct predict_domain {
    char name[32];
    const char *cc; /* what it is to be: "none", "sev-snp", ... */
};
/*
 * Opens the bundle (8-byte aligned) and lists that domain, or all (name NULL). Their number; 0: err
 * says why it cannot be told.
 */
uint32_t predict_list(const void *bundle, size_t len, const char *name,
                      struct predict_domain list[PREDICT_DOMAINS_MAX], char *err, size_t err_size);

/*
 * One page of a launch, in launch order. type: SEV-SNP: PAGE_TYPE of SNP_LAUNCH_UPDATE; TDX: 1 if
 * its contents go into MRTD, 0 if only its address does.
 */
struct predict_page {
    uint64_t gpa;
    unsigned int type;
    const uint8_t *data; /* 4096 bytes; what the firmware fills is zero */
};

/* Called for each page; false stops. */
typedef bool predict_fn(void *arg, const struct predict_page *page);

/*
 * Opens the bundle (8-byte aligned), lays that domain out as an SEV-SNP guest on a chip with that
 * C-bit (32 to 51), and calls fn for each page it launches with. name NULL: the bundle's only
 * domain. False: err says why, naming domain and cause; or fn stopped, and err is empty.
 */
bool predict_snp(const void *bundle, size_t len, const char *name, unsigned int c_bit,
                 predict_fn *fn, void *arg, char *err, size_t err_size);

/*
 * The same for a TD, on any machine. Then fn `measure` for each part that the TD measures itself as
 * it starts, in that order: the SHA-384 of `len` bytes extends that RTMR.
 */
typedef bool predict_measure_fn(void *arg, uint32_t rtmr, const uint8_t *data, size_t len);
bool predict_tdx(const void *bundle, size_t len, const char *name, predict_fn *page,
                 predict_measure_fn *measure, void *arg, char *err, size_t err_size);
/* MRCONFIGID, MROWNER, MROWNERCONFIG of that TD. */
bool predict_tdx_owner(const void *bundle, size_t len, const char *name, uint8_t mr[3][48],
                       char *err, size_t err_size);

/* What the launch says to the firmware besides pages: SEV-SNP Firmware ABI 8.16, 8.18. */
struct predict_snp_id {
    uint64_t policy;
    uint8_t host_data[32];
    const uint8_t *id_block; /* 96 bytes in the bundle, or NULL: none */
    const uint8_t *id_auth;  /* 4096 bytes */
    bool author_key;
};
bool predict_snp_id(const void *bundle, size_t len, const char *name, struct predict_snp_id *id,
                    char *err, size_t err_size);

/* A command of a realm's launch that is measured: RMM DEN0137, B4.3. */
struct predict_rmi {
    enum {
        PREDICT_REALM_CREATE,
        PREDICT_RTT_INIT_RIPAS, /* of a whole range, by the largest entries up to 1 GiB */
        PREDICT_DATA_CREATE,    /* its contents are measured */
        PREDICT_REC_CREATE,     /* of the only REC that is runnable */
    } command;
    union {
        struct {
            uint8_t s2sz, num_bps, num_wps;
            uint8_t hash_algo; /* RmiHashAlgorithm */
            const uint8_t *rpv;      /* 64 bytes; not measured */
        } realm;
        struct {
            uint64_t base, top;
        } ripas;
        struct {
            uint64_t ipa;
            const uint8_t *content; /* 4096 bytes */
        } data;
        struct {
            uint64_t pc, gprs[8];
        } rec;
    };
};
typedef bool predict_rmi_fn(void *arg, const struct predict_rmi *command);

/* The same as predict_snp for a realm: fn is called for each command, in their order. */
bool predict_cca(const void *bundle, size_t len, const char *name, predict_rmi_fn *fn, void *arg,
                 char *err, size_t err_size);

/* The configuration hash of that domain: docs/bundle.md. */
bool predict_config(const void *bundle, size_t len, const char *name, uint8_t hash[32], char *err,
                    size_t err_size);

#endif
