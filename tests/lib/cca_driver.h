/*
 * The CCA driver as it is, above the test RMM on the machine of cca_host.h; the core and the rest
 * of the architecture, as far as the driver asks, are played.
 */
#ifndef TESTS_LIB_CCA_DRIVER_H
#define TESTS_LIB_CCA_DRIVER_H

#include "../../cc/cca/cca.h"
#include "cca_host.h"

#define RAM       (2 * SIZE_2M)
#define RAM_FIRST 1024u /* the guest's pages: two blocks of 2 MiB */
#define RAM_PAGES 1024u
#define IMAGE_AT  0x2000u /* where a launch puts it: two pages and a part, of IMAGE_BYTE */
#define IMAGE_LEN (3 * PAGE_SIZE - 100)
#define IMAGE_BYTE 0x5a

extern struct vm drv_vm;
extern struct vcpu drv_vcpu[2];
extern struct drv {
    unsigned int calls;       /* SMCs since drv_reset */
    unsigned int fail_at;     /* which of them fails, and another; 0: none */
    unsigned int fail_too;
    uint64_t failed;          /* which command that was */
    uint64_t refuse;          /* a command that always fails; 0: none; how often it did */
    unsigned int refused;
    bool no_tables;           /* the hypervisor's own mappings cannot be cut */
    unsigned int fail_alloc;  /* which page_alloc finds nothing; 0: none */
    unsigned int allocs, lost;
    bool newer;               /* the RMM speaks RMI 2.0 */
    bool registered;          /* all its memory is in buffers of the guest ABI */
    bool more_irqs;           /* there are more than list registers */
    void (*after_second)(void); /* once: vCPU 1 has left the RMM, its exit was not looked at */
    bool ended;               /* the realm was ended; why */
    char why[200];
    char said[200];           /* the last line of the log */
    uint64_t device;          /* the last address that was taken for a device's */
    uint64_t called, arg[4];  /* the last call of the guest ABI */
} drv;

/* A new boot: the platform is started, no realm is there. */
void drv_reset(void);
MUST_CHECK enum abi_status drv_launch(void); /* with two vCPUs and an image */
/* Pages that are not as they were before there was a realm. */
unsigned int drv_not_back(void);
/* Pages that the RMM has and the hypervisor's table calls its own. */
unsigned int drv_exposed(void);

#endif
