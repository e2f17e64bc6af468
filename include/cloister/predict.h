/*
 * What a launch of a domain puts into a guest, predicted from its bundle: the same layout code that
 * the hypervisor runs, as a hosted library (build/lib/libcloister-predict.a).
 */
#ifndef CLOISTER_PREDICT_H
#define CLOISTER_PREDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One page of an SEV-SNP launch, in launch order. type is PAGE_TYPE of SNP_LAUNCH_UPDATE. */
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

/* The configuration hash of that domain: docs/bundle.md. */
bool predict_config(const void *bundle, size_t len, const char *name, uint8_t hash[32], char *err,
                    size_t err_size);

#endif
