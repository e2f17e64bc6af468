/* What QEMU launches from an OVMF image, as plain parts; the parser is libcloister-attest's. */
#ifndef TESTS_LIB_EMU_FIRMWARE_H
#define TESTS_LIB_EMU_FIRMWARE_H

#include <stddef.h>
#include <stdint.h>

struct fw_part {
    uint64_t gpa, size;
    int type;            /* PAGE_TYPE */
    const uint8_t *data; /* NULL: none */
};

struct fw_case {
    const uint8_t *image;
    size_t len;
    unsigned int vcpus;
    const char *cpu; /* QEMU's name */
    uint64_t features;
};

/* Parts in launch order; 0 when the image or the CPU is not understood, or max is too small. */
size_t fw_parts(const struct fw_case *c, struct fw_part *out, size_t max);

#endif
