/* Between the files that prepare a run's attestation. */
#ifndef CLOISTER_ATTEST_PREPARE_H
#define CLOISTER_ATTEST_PREPARE_H

#include "run.h"

/* The path of a guest's secret, a format with its name; its policy has the guest's name. */
#define ATTEST_SECRET "cloister/%s/volume-key"

/* attest_volume.c */
/* Makes key, content and the encrypted file volume-NAME; false after an error message. */
bool attest_make_volume(struct run *run, const char *name);
const struct run_volume *attest_volume_of(const struct run *run, const char *name); /* or NULL */

/* attest_broker.c. Store, key, certificates, and for each predicted guest a policy and a secret. */
bool attest_set_up_broker(const struct run *run);

#endif
