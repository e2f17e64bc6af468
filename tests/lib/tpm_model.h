/* A TPM on the fake machine that does what the hypervisor needs, in its own words. */
#ifndef TESTS_LIB_TPM_MODEL_H
#define TESTS_LIB_TPM_MODEL_H

#include "fake/fake.h"
#include "hv/measure.h"
#include "hv/tpm.h"

extern struct tpm_model {
    uint8_t pcr[TPM_PCRS][SHA256_SIZE];
    uint32_t retries;  /* answers RETRY so often first */
    uint32_t fail;     /* the command that answers FAILURE; 0: none */
    uint32_t cut;      /* bytes that are missing of each response to `cut_code` */
    uint32_t cut_code;
    uint32_t commands, keys;
} tpm_model;

/* A new boot of a machine with that TPM, which takes a few polls for a command. */
void tpm_model_boot(enum tpm_kind kind);
/* PCR_Event of that text, as it must come out. */
void tpm_model_extend(uint8_t pcr[SHA256_SIZE], const char *text);
/* measure_quote, asked up to a hundred times while it is busy. */
enum abi_status tpm_model_quote(const struct evidence_request *r, struct evidence *e);

#endif
