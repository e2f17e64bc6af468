/* Collateral and firmware as JSON, for show and collateral. */
#ifndef CLOISTER_ATTEST_DESCRIBE_H
#define CLOISTER_ATTEST_DESCRIBE_H

#include <attest/collateral.h>

#include <jansson.h>

/* SEV metadata of a firmware image; NULL when it has none. */
json_t *describe_firmware(const uint8_t *p, size_t len);

/* One certificate, with AMD's extensions when it has them. */
json_t *describe_cert(struct attest_cert *c);
json_t *describe_crl(const struct attest_crl *c);
json_t *describe_item(const struct attest_item *item);

/* All that one file holds; NULL with the error when it is no collateral. */
json_t *describe_collateral(const char *name, const uint8_t *p, size_t len,
                            struct attest_error *err);

#endif
