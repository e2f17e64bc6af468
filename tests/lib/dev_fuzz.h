/*
 * A fuzzer's input as the life of a guest with one device: register accesses, writes to its own
 * memory and to the MSI-X page, helpful and hostile descriptors, resets, ticks, input from outside.
 */
#ifndef TESTS_LIB_DEV_FUZZ_H
#define TESTS_LIB_DEV_FUZZ_H

#include "dev_driver.h"

/* Plays the input against a new VM with this device in slot 1, and takes the VM down. A console has
 * a control port, too. */
void dev_fuzz(enum device_type type, struct device_config *cfg, unsigned int queues,
              const uint8_t *data, size_t len);

/* What a call or an input may copy to the outside: more means that work is not bounded. */
#define DEV_FUZZ_OUTPUT_MAX (4u << 20)

#endif
