/* The ACPI tables: their own sums, and what ACPICA's disassembler reads in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cu.h"
#include "hv/device.h"

#define AT 0xe0000u

static uint8_t tables[16384];
static size_t used;

static uint64_t field(const uint8_t *p, unsigned int size)
{
    uint64_t v = 0;

    memcpy(&v, p, size);
    return v;
}

static bool sums_to_zero(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return sum == 0;
}

static void build(unsigned int vcpus)
{
    memset(tables, 0xa5, sizeof(tables));
    used = acpi_build(tables, sizeof(tables), gpa(AT), vcpus, NULL);
    CU_ASSERT_FATAL(used > 0 && used <= sizeof(tables));
}

static const uint8_t *at(uint64_t address)
{
    CU_ASSERT_FATAL(address >= AT && address - AT < used);
    return tables + (address - AT);
}

/* Follows RSDP and XSDT as a kernel does; DSDT through the FADT. */
static const uint8_t *find(const char *signature)
{
    const uint8_t *xsdt = at(field(tables + 24, 8));
    unsigned int n = (unsigned int)(field(xsdt + 4, 4) - 36) / 8;

    for (unsigned int i = 0; i < n; i++) {
        const uint8_t *t = at(field(xsdt + 36 + 8 * i, 8));

        if (memcmp(t, signature, 4) == 0) {
            return t;
        }
        if (memcmp(t, "FACP", 4) == 0 && memcmp(signature, "DSDT", 4) == 0) {
            return at(field(t + 140, 8));
        }
    }
    CU_FAIL_FATAL("table is missing");
    return NULL;
}

static void every_checksum_is_right(void)
{
    static const char *const names[] = {"FACP", "APIC", "DSDT"};
    const uint8_t *xsdt;

    build(4);
    CU_ASSERT_EQUAL(memcmp(tables, "RSD PTR ", 8), 0);
    CU_ASSERT(sums_to_zero(tables, 20));
    CU_ASSERT(sums_to_zero(tables, 36));
    xsdt = at(field(tables + 24, 8));
    CU_ASSERT(sums_to_zero(xsdt, field(xsdt + 4, 4)));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const uint8_t *t = find(names[i]);

        CU_ASSERT(sums_to_zero(t, field(t + 4, 4)));
    }
}

static void the_machine_is_hardware_reduced(void)
{
    const uint8_t *fadt;
    uint64_t flags;

    build(1);
    fadt = find("FACP");
    flags = field(fadt + 112, 4);
    CU_ASSERT_EQUAL(fadt[8], 6);
    CU_ASSERT(flags >> 20 & 1);
    CU_ASSERT(flags >> 19 & 1);
    CU_ASSERT(flags >> 10 & 1);
    CU_ASSERT_EQUAL(field(fadt + 116 + 4, 8), 0x602);
    CU_ASSERT_EQUAL(field(fadt + 244 + 4, 8), 0x600);
    CU_ASSERT_EQUAL(field(fadt + 256 + 4, 8), 0x601);
}

static void each_vcpu_has_a_local_apic_and_nothing_else_is_there(void)
{
    const uint8_t *madt;

    build(64);
    madt = find("APIC");
    CU_ASSERT_EQUAL(field(madt + 4, 4), 44 + 64 * 8);
    for (unsigned int i = 0; i < 64; i++) {
        const uint8_t *e = madt + 44 + 8 * i;

        CU_ASSERT(e[0] == 0 && e[1] == 8 && e[2] == i && e[3] == i && e[4] == 1);
    }
}

static const struct acpi_td td = {{0x9c000}, {0xffffffe0}, {0x9d000}, 4096};

static void a_mailbox_follows_the_apics(void)
{
    const uint8_t *madt, *e;

    memset(tables, 0xa5, sizeof(tables));
    used = acpi_build(tables, sizeof(tables), gpa(AT), 3, &td);
    CU_ASSERT_FATAL(used > 0 && used <= sizeof(tables));
    madt = find("APIC");
    CU_ASSERT_EQUAL(field(madt + 4, 4), 44 + 3 * 8 + 24);
    CU_ASSERT(sums_to_zero(madt, field(madt + 4, 4)));
    e = madt + 44 + 3 * 8; /* multiprocessor wakeup structure: ACPI 6.5, 5.2.12.19 */
    CU_ASSERT(e[0] == 0x10 && e[1] == 24);
    CU_ASSERT_EQUAL(field(e + 2, 2), 1); /* the version that has a reset vector */
    CU_ASSERT_EQUAL(field(e + 4, 4), 0);
    CU_ASSERT_EQUAL(field(e + 8, 8), 0x9c000);
    CU_ASSERT_EQUAL(field(e + 16, 8), 0xffffffe0);
}

/* ACPI 6.5, 5.2.34 */
static void a_tds_tables_tell_where_its_event_log_is(void)
{
    const uint8_t *ccel;

    used = acpi_build(tables, sizeof(tables), gpa(AT), 1, &td);
    CU_ASSERT_FATAL(used > 0 && used <= sizeof(tables));
    ccel = find("CCEL");
    CU_ASSERT_PTR_NOT_NULL_FATAL(ccel);
    CU_ASSERT_EQUAL(field(ccel + 4, 4), 56);
    CU_ASSERT(sums_to_zero(ccel, 56));
    CU_ASSERT(ccel[36] == 2 && ccel[37] == 0 && field(ccel + 38, 2) == 0);
    CU_ASSERT_EQUAL(field(ccel + 40, 8), 4096);
    CU_ASSERT_EQUAL(field(ccel + 48, 8), 0x9d000);
}

static void a_buffer_that_is_too_small_gets_nothing_past_its_end(void)
{
    size_t need;

    build(2);
    need = used;
    for (size_t size = 0; size < need; size++) {
        uint8_t *small = malloc(size == 0 ? 1 : size);

        CU_ASSERT_EQUAL(acpi_build(small, size, gpa(AT), 2, NULL), 0);
        free(small);
    }
    CU_ASSERT_EQUAL(acpi_build(tables, need, gpa(AT), 2, NULL), need);
}

static bool write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    bool ok;

    if (f == NULL) {
        return false;
    }
    ok = fwrite(data, 1, len, f) == len;
    return fclose(f) == 0 && ok;
}

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (f == NULL) {
        return 0;
    }
    n = fread(buf, 1, size - 1, f);
    buf[n] = '\0';
    fclose(f);
    return n;
}

/* The table as ACPI source, by iasl; its complaints are in it, too. */
static const char *disassemble(const char *signature)
{
    static char text[65536];
    char dir[] = "/tmp/acpi-XXXXXX";
    char path[64], command[256];
    const uint8_t *t = find(signature);
    size_t n;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/t.dat", dir);
    CU_ASSERT_FATAL(write_file(path, t, field(t + 4, 4)));
    snprintf(command, sizeof(command),
             "cd %s && iasl -d t.dat >log 2>&1 && sed s,^,//, log >>t.dsl", dir);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
    snprintf(path, sizeof(path), "%s/t.dsl", dir);
    n = read_file(path, text, sizeof(text));
    CU_ASSERT(n > 0);
    snprintf(command, sizeof(command), "cd %s && iasl -p again t.dsl >/dev/null 2>&1", dir);
    CU_ASSERT_EQUAL(system(command), 0);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CU_ASSERT_EQUAL(system(command), 0);
    return text;
}

static bool no_iasl(void)
{
    if (system("iasl -v >/dev/null 2>&1") == 0) {
        return false;
    }
    cu_skip(1, "iasl (acpica-tools) is not installed");
    return true;
}

static void a_disassembler_reads_the_dsdt_as_meant(void)
{
    static const char *const expected[] = {
        "Name (_S5, Package (0x04)",
        "Device (PCI0)",
        "EisaId (\"PNP0A03\")",
        "WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode",
        "0xC000,             // Range Minimum",
        "0xEFFF,             // Range Maximum",
        "0xE0000000,         // Range Minimum",
        "0xEFFFFFFF,         // Range Maximum",
        "0x10000000,         // Length",
        "Device (COM1)",
        "EisaId (\"PNP0501\")",
        "0x03F8,             // Range Minimum",
        "0x0CF8,             // Range Minimum",
        "EisaId (\"PNP0B00\")",
        "0x0070,             // Range Minimum",
    };
    const char *text;

    if (no_iasl()) {
        return;
    }
    build(2);
    text = disassemble("DSDT");
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        if (strstr(text, expected[i]) == NULL) {
            fprintf(stderr, "missing in the DSDT: %s\n", expected[i]);
            CU_FAIL("DSDT");
        }
    }
    CU_ASSERT_PTR_NULL(strstr(text, "Error"));
    CU_ASSERT_PTR_NULL(strstr(text, "IRQ"));
}

static void a_disassembler_reads_the_fadt_as_meant(void)
{
    static const char *const expected[] = {
        "Hardware Reduced (V5) : 1",         "Use APIC Physical Destination Mode (V4) : 1",
        "Reset Register Supported (V2) : 1", "8042 Present on ports 60/64 (V2) : 0",
        "Address : 0000000000000600",        "Value to cause reset : 01",
    };
    const char *text;

    if (no_iasl()) {
        return;
    }
    build(2);
    text = disassemble("FACP");
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        if (strstr(text, expected[i]) == NULL) {
            fprintf(stderr, "missing in the FADT: %s\n", expected[i]);
            CU_FAIL("FADT");
        }
    }
    CU_ASSERT_PTR_NULL(strstr(text, "Error"));
    CU_ASSERT_PTR_NULL(strstr(text, "Invalid"));
}

static const struct cu_test tests[] = {
    CU(every_checksum_is_right),
    CU(the_machine_is_hardware_reduced),
    CU(each_vcpu_has_a_local_apic_and_nothing_else_is_there),
    CU(a_mailbox_follows_the_apics),
    CU(a_tds_tables_tell_where_its_event_log_is),
    CU(a_buffer_that_is_too_small_gets_nothing_past_its_end),
    CU(a_disassembler_reads_the_dsdt_as_meant),
    CU(a_disassembler_reads_the_fadt_as_meant),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("dev_acpi", tests, argc, argv);
}
