/* The kinds of `cloister measure`: each reads its own options and returns an exit status. */
#ifndef CLOISTER_ATTEST_MEASURE_H
#define CLOISTER_ATTEST_MEASURE_H

#define MEASURE(name, function, summary) int function(int argc, char **argv);
#include "attest_measure.def"
#undef MEASURE

#endif
