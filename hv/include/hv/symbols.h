/* Names for addresses of the image. The table is made by tools/ksyms from the first link. */
#ifndef HV_SYMBOLS_H
#define HV_SYMBOLS_H

#include "hv/types.h"

struct symbol {
    uint32_t offset; /* from the image's base */
    uint32_t name;   /* in symbol_names */
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

/* The function an address lies in, and how far; "?" outside the image. */
const char *symbol_of(uint64_t address, uint64_t *offset);

/* One line of a backtrace on the console. */
void print_frame(uint64_t address);

#endif
