/*
 * The tables of a hardware-reduced machine (ACPI 6.5): RSDP, XSDT, FADT, MADT, DSDT, a TD's CCEL.
 * No FACS, no IOAPIC, no SCI; power and reset are the three ports at PM_SLEEP_PORT.
 */
#include "aml.h"
#include "bytes.h"
#include "hv/check.h"
#include "hv/string.h"
#include "platform.h"

#define RSDP_LEN   36u
#define HEADER_LEN 36u
#define FADT_LEN   276u
#define XSDT_MAX   (HEADER_LEN + 3 * 8)
#define CCEL_LEN   56u
#define ALIGNMENT  64u

/* 5.2.9: offsets in the FADT; flags. */
enum {
    FADT_DSDT = 40,
    FADT_CENTURY = 108,
    FADT_IAPC_BOOT_ARCH = 109,
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,
    FADT_RESET_VALUE = 128,
    FADT_MINOR_VERSION = 131,
    FADT_X_DSDT = 140,
    FADT_SLEEP_CONTROL_REG = 244,
    FADT_SLEEP_STATUS_REG = 256,
    FADT_HYPERVISOR_VENDOR_ID = 268,
};

#define FADT_REVISION         6u
#define FADT_MINOR            5u
#define WBINVD                BIT(0)
#define PWR_BUTTON            BIT(4) /* no fixed power button */
#define SLP_BUTTON            BIT(5) /* no fixed sleep button */
#define FIX_RTC               BIT(6) /* no RTC wake-up in fixed registers */
#define RESET_REG_SUP         BIT(10)
#define FORCE_APIC_PHYSICAL   BIT(19)
#define HW_REDUCED_ACPI       BIT(20)
#define VGA_NOT_PRESENT       BIT(2) /* IAPC_BOOT_ARCH; no 8042 either, as its bit is clear */
#define PCIE_ASPM_NOT_OFFERED BIT(4)
#define CMOS_CENTURY          0x32u

#define LOCAL_APIC_ADDRESS 0xfee00000u
#define MADT_LOCAL_APIC    0u
#define MADT_WAKEUP        16u /* 5.2.12.19: multiprocessor wakeup */
#define WAKEUP_LEN         24u
#define WAKEUP_VERSION     1u  /* has a reset vector, and knows the command Test */
#define CCEL_TDX           2u /* CC type */
#define APIC_ID_LIMIT      255u /* from here on it would take x2APIC entries */

/* Tables one after another, aligned; `full` when one did not fit. */
struct layout {
    uint8_t *buf;
    size_t size, used;
    uint64_t at;
    bool full;
};

static uint8_t sum_to_zero(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return (uint8_t)-sum;
}

/* Room for a table, zeroed, or NULL. */
static uint8_t *place(struct layout *l, size_t len, uint64_t *address)
{
    size_t at = ALIGN_UP(l->used, ALIGNMENT);

    if (l->full || at > l->size || len > l->size - at) {
        l->full = true;
        return NULL;
    }
    l->used = at + len;
    *address = l->at + at;
    memset(l->buf + at, 0, len);
    return l->buf + at;
}

static void header(uint8_t *t, const char *signature, uint32_t len, uint8_t revision)
{
    memcpy(t, signature, 4);
    put_le32(t + 4, len);
    t[8] = revision;
    memcpy(t + 10, "CLOIST", 6);
    memcpy(t + 16, "CLOISTER", 8);
    put_le32(t + 24, 1);
    memcpy(t + 28, "CLOI", 4);
    put_le32(t + 32, 1);
    t[9] = 0;
    t[9] = sum_to_zero(t, len);
}

/* 5.2.3.2: a generic address structure for one byte of I/O space. */
static void io_register(uint8_t *gas, uint16_t port)
{
    gas[0] = 1; /* system I/O */
    gas[1] = 8; /* bits */
    gas[3] = 1; /* byte access */
    put_le64(gas + 4, port);
}

static void pci_root(struct aml *a)
{
    aml_device(a, "PCI0");
    aml_hid(a, "PNP0A03");
    aml_name(a, "_BBN");
    aml_integer(a, 0);
    aml_crs_begin(a);
    aml_bus_range(a, 0, 0);
    aml_io(a, 0xcf8, 8);
    aml_io_window(a, PCI_PIO_BASE, PCI_PIO_SIZE);
    aml_memory_window(a, PCI_MMIO_BASE, PCI_MMIO_SIZE);
    aml_crs_end(a);
    aml_close(a);
}

/* No interrupt: Linux polls it. */
static void com1(struct aml *a)
{
    aml_device(a, "COM1");
    aml_hid(a, "PNP0501");
    aml_name(a, "_UID");
    aml_integer(a, 1);
    aml_crs_begin(a);
    aml_io(a, COM1_PORT, COM1_LEN);
    aml_crs_end(a);
    aml_close(a);
}

/* Linux would otherwise make up an RTC with an interrupt, and complain. */
static void rtc(struct aml *a)
{
    aml_device(a, "RTC_");
    aml_hid(a, "PNP0B00");
    aml_crs_begin(a);
    aml_io(a, RTC_PORT, RTC_LEN);
    aml_crs_end(a);
    aml_close(a);
}

static void s5(struct aml *a)
{
    aml_name(a, "_S5_");
    aml_package(a, 4);
    aml_integer(a, PM_SLP_TYP_S5);
    aml_integer(a, 0);
    aml_integer(a, 0);
    aml_integer(a, 0);
    aml_close(a);
}

static uint64_t build_dsdt(struct layout *l)
{
    uint64_t address = 0;
    uint8_t *t = place(l, HEADER_LEN, &address);
    struct aml a = {0};

    if (t == NULL) {
        return 0;
    }
    a.buf = t + HEADER_LEN;
    a.size = l->size - l->used;
    s5(&a);
    aml_scope(&a, "_SB_");
    pci_root(&a);
    com1(&a);
    rtc(&a);
    aml_close(&a);
    CHECK(a.depth == 0);
    if (a.overflow) {
        l->full = true;
        return 0;
    }
    l->used += a.len;
    header(t, "DSDT", (uint32_t)(HEADER_LEN + a.len), 2);
    return address;
}

static uint64_t build_fadt(struct layout *l, uint64_t dsdt)
{
    uint64_t address = 0;
    uint8_t *t = place(l, FADT_LEN, &address);

    if (t == NULL) {
        return 0;
    }
    put_le32(t + FADT_DSDT, dsdt <= UINT32_MAX ? (uint32_t)dsdt : 0);
    put_le64(t + FADT_X_DSDT, dsdt);
    t[FADT_CENTURY] = CMOS_CENTURY;
    put_le16(t + FADT_IAPC_BOOT_ARCH, VGA_NOT_PRESENT | PCIE_ASPM_NOT_OFFERED);
    put_le32(t + FADT_FLAGS, WBINVD | PWR_BUTTON | SLP_BUTTON | FIX_RTC | RESET_REG_SUP |
                                 FORCE_APIC_PHYSICAL | HW_REDUCED_ACPI);
    io_register(t + FADT_SLEEP_CONTROL_REG, PM_SLEEP_PORT);
    io_register(t + FADT_SLEEP_STATUS_REG, PM_SLEEP_PORT + 1);
    io_register(t + FADT_RESET_REG, PM_SLEEP_PORT + 2);
    t[FADT_RESET_VALUE] = PM_RESET_VALUE;
    t[FADT_MINOR_VERSION] = FADT_MINOR;
    memcpy(t + FADT_HYPERVISOR_VENDOR_ID, "CLOISTER", 8);
    header(t, "FACP", FADT_LEN, FADT_REVISION);
    return address;
}

/* By a mailbox the kernel wakes CPUs that no start-up interrupt reaches. */
static void put_wakeup(uint8_t *t, const struct acpi_td *td)
{
    t[0] = MADT_WAKEUP;
    t[1] = WAKEUP_LEN;
    t[2] = WAKEUP_VERSION;
    put_le64(t + 8, td->mailbox.v);
    put_le64(t + 16, td->reset.v);
}

static uint64_t build_madt(struct layout *l, unsigned int vcpus, const struct acpi_td *td)
{
    size_t apics = HEADER_LEN + 8 + 8 * (size_t)vcpus;
    size_t len = apics + (td != NULL ? WAKEUP_LEN : 0);
    uint64_t address = 0;
    uint8_t *t = place(l, len, &address);

    if (t == NULL) {
        return 0;
    }
    put_le32(t + HEADER_LEN, LOCAL_APIC_ADDRESS);
    for (unsigned int i = 0; i < vcpus; i++) {
        uint8_t *e = t + HEADER_LEN + 8 + 8 * i;

        e[0] = MADT_LOCAL_APIC;
        e[1] = 8;
        e[2] = (uint8_t)i;  /* processor UID */
        e[3] = (uint8_t)i;  /* APIC id */
        put_le32(e + 4, 1); /* enabled */
    }
    if (td != NULL) {
        put_wakeup(t + apics, td);
    }
    header(t, "APIC", (uint32_t)len, 5);
    return address;
}

/* ACPI 6.5, 5.2.34: where a TD's event log is. */
static uint64_t build_ccel(struct layout *l, const struct acpi_td *td)
{
    uint64_t address = 0;
    uint8_t *t = place(l, CCEL_LEN, &address);

    if (t == NULL) {
        return 0;
    }
    t[HEADER_LEN] = CCEL_TDX;
    put_le64(t + HEADER_LEN + 4, td->log_size);
    put_le64(t + HEADER_LEN + 12, td->log.v);
    header(t, "CCEL", CCEL_LEN, 1);
    return address;
}

/* ccel 0: there is none. */
static uint64_t build_xsdt(struct layout *l, uint64_t fadt, uint64_t madt, uint64_t ccel)
{
    uint64_t address = 0;
    size_t len = ccel != 0 ? XSDT_MAX : XSDT_MAX - 8;
    uint8_t *t = place(l, len, &address);

    if (t == NULL) {
        return 0;
    }
    put_le64(t + HEADER_LEN, fadt);
    put_le64(t + HEADER_LEN + 8, madt);
    if (ccel != 0) {
        put_le64(t + HEADER_LEN + 16, ccel);
    }
    header(t, "XSDT", (uint32_t)len, 1);
    return address;
}

/* 5.2.5.3: the first checksum covers the 20 bytes of ACPI 1.0. */
static void fill_rsdp(uint8_t *t, uint64_t xsdt)
{
    memcpy(t, "RSD PTR ", 8);
    memcpy(t + 9, "CLOIST", 6);
    t[15] = 2;
    put_le32(t + 20, RSDP_LEN);
    put_le64(t + 24, xsdt);
    t[8] = sum_to_zero(t, 20);
    t[32] = sum_to_zero(t, RSDP_LEN);
}

size_t acpi_build(void *buf, size_t size, gpa_t at, unsigned int vcpus, const struct acpi_td *td)
{
    struct layout l = {.buf = buf, .size = size, .at = at.v};
    uint64_t address = 0;
    uint8_t *rsdp = place(&l, RSDP_LEN, &address);
    uint64_t dsdt, fadt, madt, xsdt, ccel;

    REQUIRE(IS_ALIGNED(at.v, PAGE_SIZE) && vcpus >= 1 && vcpus < APIC_ID_LIMIT);
    dsdt = build_dsdt(&l);
    fadt = build_fadt(&l, dsdt);
    madt = build_madt(&l, vcpus, td);
    ccel = td != NULL ? build_ccel(&l, td) : 0;
    xsdt = build_xsdt(&l, fadt, madt, ccel);
    if (l.full) {
        return 0;
    }
    fill_rsdp(rsdp, xsdt);
    return l.used;
}
