/* The verbs of the program for the ramdisk of a control domain. */
#include "../cli.h"

#include <stddef.h>

const struct verb cli_verbs[] = {
#define VERB(name, function, summary) {name, function, summary},
#include "../control_verbs.def"
#undef VERB
    {NULL, NULL, NULL},
};
