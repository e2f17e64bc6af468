/* Reading a description: what its files share. */
#ifndef CLOISTER_BUNDLE_READER_H
#define CLOISTER_BUNDLE_READER_H

#include "bundle_schema.h"

struct reader {
    const void *fdt;
    const char *path; /* of the node at hand, for errors */
    struct bundle_error *error;
    json_t *images;
};

/* Says what is wrong with a property of the node at hand; NULL. */
json_t *bundle_wrong(struct reader *r, const char *property, const char *what);

/* A new JSON value, or NULL after bundle_wrong(). */
json_t *bundle_read_value(struct reader *r, const struct prop *p, const void *data, int length);

#endif
