/* Shared by fake_vm.c (memory), fake_io.c (ports, pages, streams). */
#ifndef TESTS_LIB_FAKE_PRIV_H
#define TESTS_LIB_FAKE_PRIV_H

#include "fake_vm.h"

#define REGIONS    64
#define PAGES      64
#define OUTPUT_MAX 65536
#define INPUT_MAX  4096

struct region {
    enum io_space space;
    uint64_t base;
    uint32_t len;
    const struct io_ops *ops;
    void *dev;
};

struct allocation {
    struct allocation *next;
};

struct fake_stream {
    const struct stream_ops *ops;
    void *dev;
    bool open;
    char output[OUTPUT_MAX];
    size_t output_len, output_total;
    uint8_t input[INPUT_MAX];
    size_t input_len;
    bool delivering;
};

struct vm {
    const char *name;
    uint32_t id; /* from 1 on, never reused */
    uint8_t *ram;
    size_t memory;
    uint64_t private_at, private_len;
    struct platform *platform;
    struct region region[REGIONS];
    unsigned int regions;
    struct {
        uint64_t at;
        void *page;
    } mapped[PAGES];
    struct vm_hook *hooks;
    struct allocation *allocations;
    void *pages[4096];
    unsigned int page_count;
    size_t allocated;
    int alloc_limit;
    int lock_depth;
    bool serve_asked;
    unsigned long accesses;
    uint64_t lines; /* wired interrupts that are high */
    unsigned int rises;
    unsigned int msis;
    uint64_t msi_address;
    uint32_t msi_data;
    struct fake_stream stream[STREAM_COUNT];
    bool control; /* there is STREAM_CONTROL, with room for so many bytes */
    size_t room;
    bool ended;
    enum vm_cause cause;
};

#endif
