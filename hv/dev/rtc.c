/*
 * The clock of an MC146818 (Motorola data sheet, figure 8 ff.), UTC, BCD, 24 hours, with the
 * century where the FADT says it is. The time cannot be set and nothing alarms; update-in-progress
 * never shows, as a register is computed when it is read.
 */
#include "bytes.h"
#include "hv/vm.h"
#include "platform.h"

enum {
    REG_SECONDS = 0,
    REG_MINUTES = 2,
    REG_HOURS = 4,
    REG_WEEKDAY = 6,
    REG_DAY = 7,
    REG_MONTH = 8,
    REG_YEAR = 9,
    REG_A = 10,
    REG_B = 11,
    REG_C = 12,
    REG_D = 13,
    REG_CENTURY = 0x32,
    REG_ABOVE_16M = 0x34, /* two and three bytes: memory in units of 64 KiB */
    REG_ABOVE_4G = 0x5b,
};

#define A_32768HZ_1024HZ 0x26 /* divider and rate that every PC has */
#define B_24H            0x02
#define D_VALID          0x80

#define DAY 86400u

static bool leap(unsigned int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned int days_in_month(unsigned int year, unsigned int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap(year) ? 1u : 0u);
}

void rtc_from_seconds(uint64_t seconds, struct rtc_time *t)
{
    uint64_t last = 2932896; /* 31 December 9999 */
    uint64_t days = MIN(seconds / DAY, last);
    uint32_t rest = (uint32_t)(seconds % DAY);
    /* 400 Gregorian years are 146097 days: start close, then walk. */
    unsigned int year = 1970 + 400 * (unsigned int)(days / 146097);
    unsigned int month = 1;

    t->weekday = (uint8_t)((days + 4) % 7 + 1); /* 1970 began on a Thursday */
    for (days %= 146097; days >= 365u + leap(year); year++) {
        days -= 365u + leap(year);
    }
    for (; days >= days_in_month(year, month); month++) {
        days -= days_in_month(year, month);
    }
    t->year = (uint16_t)year;
    t->month = (uint8_t)month;
    t->day = (uint8_t)(days + 1);
    t->hour = (uint8_t)(rest / 3600);
    t->minute = (uint8_t)(rest / 60 % 60);
    t->second = (uint8_t)(rest % 60);
}

static uint8_t bcd(unsigned int v)
{
    return (uint8_t)((v / 10 % 10) << 4 | v % 10);
}

static uint8_t read_register(const struct rtc *r)
{
    struct rtc_time t;

    rtc_from_seconds(time_wall(), &t);
    switch (r->index) {
    case REG_SECONDS:
        return bcd(t.second);
    case REG_MINUTES:
        return bcd(t.minute);
    case REG_HOURS:
        return bcd(t.hour);
    case REG_WEEKDAY:
        return bcd(t.weekday);
    case REG_DAY:
        return bcd(t.day);
    case REG_MONTH:
        return bcd(t.month);
    case REG_YEAR:
        return bcd(t.year % 100);
    case REG_CENTURY:
        return bcd(t.year / 100);
    default:
        return r->cmos[r->index];
    }
}

static uint32_t rtc_read(void *dev, uint32_t offset, unsigned int size)
{
    const struct rtc *r = dev;

    if (size != 1) {
        return 0xffff;
    }
    return offset == 0 ? r->index : read_register(r);
}

static void rtc_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct rtc *r = dev;

    if (size != 1) {
        return;
    }
    if (offset == 0) {
        r->index = value & (CMOS_SIZE - 1); /* bit 7 masks NMIs, which nobody sends */
    } else if (r->index < REG_A || (r->index > REG_D && r->index != REG_CENTURY)) {
        r->cmos[r->index] = (uint8_t)value; /* alarms and plain memory; clock registers ignore it */
    }
}

static const struct io_ops rtc_ports = {"rtc", rtc_read, rtc_write};

/* Firmware finds there how much memory a PC has: OVMF does. */
static void tell_memory(struct rtc *r)
{
    uint64_t all = vm_memory(r->vm), low = MIN(all, (uint64_t)RAM_BELOW_4G);
    uint64_t units = (MAX(low, (uint64_t)MiB(16)) - MiB(16)) >> 16, high = (all - low) >> 16;

    for (unsigned int i = 0; i < 3; i++) {
        r->cmos[REG_ABOVE_4G + i] = (uint8_t)(high >> 8 * i);
        if (i < 2) {
            r->cmos[REG_ABOVE_16M + i] = (uint8_t)(units >> 8 * i);
        }
    }
}

enum abi_status rtc_init(struct rtc *r, struct vm *vm)
{
    r->vm = vm;
    r->cmos[REG_A] = A_32768HZ_1024HZ;
    r->cmos[REG_B] = B_24H;
    r->cmos[REG_D] = D_VALID;
    tell_memory(r);
    return vm_io_add(vm, IO_PORT, RTC_PORT, RTC_LEN, &rtc_ports, r);
}
