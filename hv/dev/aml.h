/*
 * A writer for the little AML (ACPI 6.5, chapter 20) that our DSDT needs. Terms are written in
 * order; packages and scopes are opened and closed. It never writes past its buffer: a full buffer
 * sets `overflow`, and nothing more is written.
 */
#ifndef HV_DEV_AML_H
#define HV_DEV_AML_H

#include "hv/types.h"

#define AML_DEPTH 6u

struct aml {
    uint8_t *buf;
    size_t size, len;
    bool overflow;
    unsigned int depth;
    size_t open[AML_DEPTH]; /* where the package lengths of open terms are */
};

void aml_byte(struct aml *a, uint8_t byte);
void aml_bytes(struct aml *a, const void *bytes, size_t len);
void aml_word(struct aml *a, uint16_t v);
void aml_dword(struct aml *a, uint32_t v);

/* An integer constant in its shortest form. */
void aml_integer(struct aml *a, uint32_t v);

/* NameOp and a name of four characters; the value follows. A leading "\\" is kept. */
void aml_name(struct aml *a, const char *name);

/* _HID of a seven-character EISA id such as "PNP0A03". */
void aml_hid(struct aml *a, const char *id);

/* These open a term that aml_close ends. */
void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_package(struct aml *a, uint8_t elements);
void aml_close(struct aml *a);

/*
 * Name(_CRS, ResourceTemplate) { ... }: up to 255 bytes between begin and end, which get their
 * buffer size and end tag.
 */
void aml_crs_begin(struct aml *a);
void aml_crs_end(struct aml *a);
void aml_io(struct aml *a, uint16_t base, uint8_t len);
void aml_bus_range(struct aml *a, uint16_t first, uint16_t last);
void aml_io_window(struct aml *a, uint16_t base, uint16_t len);
void aml_memory_window(struct aml *a, uint32_t base, uint32_t len);

#endif
