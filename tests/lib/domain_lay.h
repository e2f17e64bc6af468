/* Lays out a configuration and checks what must hold of every layout. */
#ifndef TESTS_LIB_DOMAIN_LAY_H
#define TESTS_LIB_DOMAIN_LAY_H

#include "hv/layout.h"

struct laid {
    struct domain_config cfg;
    struct layout l;
    enum abi_status st;
    char err[256];
    uint8_t *scratch;
};

/* A domain named guest0 with that memory and kernel, 2 vCPUs, an empty command line. */
void lay_config(struct laid *t, uint64_t memory, const void *kernel, size_t len);

/*
 * Lays t->cfg out, the kernel copied to a block of its very size so that ASan sees overruns.
 * True when it succeeded, and then: pieces lie in RAM by the map, apart from each other.
 */
bool lay(struct laid *t);
void lay_free(struct laid *t);
/* It must fail, so, and say that; and is freed. */
void lay_refused(struct laid *t, enum abi_status st, const char *message);

/* A relocatable bzImage that asks for 4 MiB at 16 MiB; its <asm/bootparam.h> header at 1F1h. */
enum { LAY_SETUP = 4 * 512, LAY_CODE = 0x2000, LAY_BZIMAGE = LAY_SETUP + LAY_CODE };
void lay_bzimage(uint8_t file[LAY_BZIMAGE]);

/* The n-th piece of a kind, or NULL. */
const struct piece *lay_piece(const struct laid *t, enum piece_kind kind, unsigned int n);

#endif
