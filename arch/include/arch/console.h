/* Two serial ports: one for people, one for programs (docs/link.md). */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include "hv/types.h"

enum uart { UART_CONSOLE, UART_LINK };

bool uart_init(enum uart u);
void uart_write(enum uart u, const void *buf, size_t len);
/* Returns how many bytes were waiting, up to len. */
size_t uart_read(enum uart u, void *buf, size_t len);

#endif
