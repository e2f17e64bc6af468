/* The properties of each kind of bundle node: one table for writing, reading and errors. */
#ifndef CLOISTER_BUNDLE_SCHEMA_H
#define CLOISTER_BUNDLE_SCHEMA_H

#include "bundle.h"

enum prop_kind {
    PROP_FIXED,  /* a string that must be `text` */
    PROP_CHOICE, /* a string, one of the words of `text`, which are separated by '|'; where it is
                  * needed a description that leaves it out means the first */
    PROP_STRING, /* a string of up to max characters */
    PROP_NAME,   /* a string that is a name */
    PROP_U32,    /* min..max */
    PROP_U64,    /* min..max, a multiple of step */
    PROP_MASK,   /* u64, at least one bit; in JSON "0x..." */
    PROP_EMPTY,  /* there or not; in JSON true */
    PROP_WORDS,  /* strings, each one of the words of `text`, or a name; in JSON an array */
    PROP_MAC,    /* 6 bytes, unicast; in JSON "02:00:00:00:00:01" */
};

struct prop {
    const char *name;
    enum prop_kind kind;
    bool needed;
    const char *text;      /* PROP_FIXED, PROP_CHOICE */
    const char *otherwise; /* a default, as JSON text; NULL for none */
    uint64_t min, max, step;
};

/* Tables end with a row whose name is NULL. */
extern const struct prop bundle_domain_props[];
/* Those that name an image for a technology's firmware, and how many bytes it has. */
struct sized_image {
    const char *property;
    long long min, max;
};
extern const struct sized_image bundle_sized_images[];
/* The properties of a device of that type, or NULL for an unknown type. */
const struct prop *bundle_device_props(const char *type);
const struct prop *bundle_prop(const struct prop *table, const char *name);

/* Is word one of the '|'-separated words of choices? */
bool bundle_choice(const char *choices, const char *word);

__attribute__((format(printf, 2, 3))) bool bundle_fail(struct bundle_error *error,
                                                       const char *format, ...);

#endif
