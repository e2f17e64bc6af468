#ifndef X86_MBI_H
#define X86_MBI_H

#include "hv/types.h"

extern char _image_start[], _text_end[], _rodata_end[], _data_end[], _image_end[];

/* Fills boot_info from what the loader left; panics when it is not usable. */
void mbi_read(uint32_t magic, uint32_t info);

#endif
