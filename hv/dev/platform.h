/* The fixed part of the platform: what platform_create makes, and its parts. */
#ifndef HV_DEV_PLATFORM_H
#define HV_DEV_PLATFORM_H

#include "hv/stream.h"
#include "pci.h"

#define COM1_PORT 0x3f8u
#define COM1_LEN  8u
#define RTC_PORT  0x70u /* 70h index, 71h data */
#define RTC_LEN   2u

/* SLP_TYP that \_S5 names (ACPI 6.5, 4.8.3.7), and the value for the reset register. */
#define PM_SLP_TYP_S5  5u

#define COM1_FIFO 16u

/* A 16550A that is always ready to send and never interrupts. */
struct com1 {
    struct vm *vm;
    uint8_t ier, lcr, mcr, scr, fcr;
    uint8_t dll, dlm;
    bool thri;    /* "transmitter empty" is not yet acknowledged */
    bool overrun; /* in loopback */
    uint8_t head, count;
    uint8_t fifo[COM1_FIFO]; /* received */
};

#define CMOS_SIZE 128u

struct rtc {
    struct vm *vm;
    uint8_t index;
    uint8_t cmos[CMOS_SIZE];
};

/* Of machines that a firmware starts on: piix.c. */
struct piix {
    struct pci_function isa, pm;
    uint32_t control; /* PMCNTRL */
};

struct platform {
    struct vm *vm;
    struct pci_bus pci;
    struct piix piix;
    bool chipset; /* piix is there */
    struct com1 com1;
    struct rtc rtc;
};

MUST_CHECK enum abi_status com1_init(struct com1 *c, struct vm *vm);
MUST_CHECK enum abi_status rtc_init(struct rtc *r, struct vm *vm);
MUST_CHECK enum abi_status piix_init(struct piix *x, struct pci_bus *bus);

/* A broken-down time in UTC, years 1970 to 9999. */
struct rtc_time {
    uint16_t year;
    uint8_t month, day, hour, minute, second;
    uint8_t weekday; /* 1 = Sunday */
};
void rtc_from_seconds(uint64_t seconds, struct rtc_time *t);

#endif
