/* The verbs of the cloister program. */
#include "cli.h"

#include <stddef.h>

const struct verb cli_verbs[] = {
#define VERB(name, function, summary) {name, function, summary},
#include "verbs.def"
#undef VERB
    {NULL, NULL, NULL},
};
