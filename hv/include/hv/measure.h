/*
 * Measured launch: what the hypervisor is and what it loads goes into the TPM, and into a log that
 * leads to the same PCRs (TCG PC Client Platform Firmware Profile 1.06, 10). Each event's digest is
 * that of its text.
 *
 *   PCR 11   "cloister image VERSION bytes=N sha256=HEX": of the image's first N bytes, code and
 *            constants; "cloister cmdline TEXT"; "cloister bundle bytes=N sha256=HEX"
 *   PCR 12   "cloister domain NAME config=HEX": before it is created for the first time with that
 *            configuration, at boot and at run time
 *
 * Without a TPM nothing is measured. When one fails, there is no evidence from then on, since it
 * would not tell all. The log has room for all that may be measured.
 */
#ifndef HV_MEASURE_H
#define HV_MEASURE_H

#include "hv/tpm.h"
#include "hv/types.h"

/* Boot CPU, before the first domain. */
void measure_start(void);
/*
 * Any CPU, no lock held. `count` is of those that its creator had measured since boot, and changed
 * here alone; NULL: it comes from the boot bundle. ABI_LIMIT: that was ABI_MAX_MEASURED, and this
 * one would be another: it must not be created; the log stays whole, and has room for others.
 */
MUST_CHECK enum abi_status measure_domain(const char *name, const uint8_t hash[SHA256_SIZE],
                                          uint32_t *count);

struct evidence_request {
    uint32_t owner; /* of whom asks: a domain's id */
    uint32_t pcrs;  /* bit i: PCR i; not 0 */
    uint8_t nonce[TPM_NONCE_SIZE];
};
struct evidence {
    struct tpm_quote quote;
    uint32_t log_len; /* as long as it was when it was quoted */
    uint8_t pcr[TPM_PCRS][SHA256_SIZE];
};

/*
 * ABI_BUSY: the TPM is at it, for this request or another's: call again, within two seconds. Owners
 * have one request each under way or in line, and are served in the order they came: whoever
 * was served comes after all who wait. ABI_NOT_SUPPORTED: there is no TPM. ABI_HARDWARE: it failed,
 * now or before.
 */
MUST_CHECK enum abi_status measure_quote(const struct evidence_request *r, struct evidence *e);
/* A part of the log: up to `room` bytes from there on; 0 bytes at its end. */
MUST_CHECK enum abi_status measure_log(uint64_t from, uint8_t *to, uint32_t room, uint32_t *len);

#endif
