/* The little that we read of ACPI (6.5): CPUs; is there a TPM. Runs on the boot mappings. */
#include "acpi.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "hv/log.h"
#include "hv/string.h"

struct rsdp { /* 5.2.5.3 */
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

struct table { /* 5.2.6 */
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct table) == 36, "ACPI 5.2.6");

#define REACHABLE GiB(4)

static bool sums_to_zero(const void *p, size_t len)
{
    const uint8_t *bytes = p;
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static const struct table *table_at(uint64_t at)
{
    const struct table *t = pa_to_hva(pa(at));

    if (at == 0 || at >= REACHABLE - sizeof(*t) || t->length < sizeof(*t) ||
        t->length > MiB(1) || !sums_to_zero(t, t->length)) {
        return NULL;
    }
    return t;
}

static const struct rsdp *scan(uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += 16) {
        const struct rsdp *r = pa_to_hva(pa(at));

        if (memcmp(r->signature, "RSD PTR ", 8) == 0 && sums_to_zero(r, 20)) {
            return r;
        }
    }
    return NULL;
}

/* 5.2.5.1: the loader's copy, the extended BIOS data area, the BIOS. */
static const struct rsdp *find_rsdp(void)
{
    const uint16_t *ebda = pa_to_hva(pa(0x40e));
    const struct rsdp *r;

    if (boot_info.rsdp != 0) {
        return pa_to_hva(pa(boot_info.rsdp));
    }
    r = scan((uint64_t)*ebda << 4, ((uint64_t)*ebda << 4) + KiB(1));
    return r != NULL ? r : scan(0xe0000, 0x100000);
}

static const struct table *find_table(const char *signature)
{
    const struct rsdp *r = find_rsdp();
    bool wide = r != NULL && r->revision >= 2 && r->xsdt != 0;
    const struct table *root = r == NULL ? NULL : table_at(wide ? r->xsdt : r->rsdt);
    size_t size = wide ? 8 : 4;

    if (root == NULL) {
        return NULL;
    }
    for (size_t at = sizeof(*root); at + size <= root->length; at += size) {
        uint64_t address = 0;
        const struct table *t;

        memcpy(&address, (const uint8_t *)root + at, size);
        t = table_at(address);
        if (t != NULL && memcmp(t->signature, signature, 4) == 0) {
            return t;
        }
    }
    return NULL;
}

/* 5.2.12.2 and 5.2.12.12: local APIC, local x2APIC; flags bit 0: enabled. */
static bool apic_of(const uint8_t *e, uint8_t len, uint32_t *id)
{
    uint32_t flags = 0;

    *id = 0;
    if (e[0] == 0 && len >= 8) {
        *id = e[3];
        memcpy(&flags, e + 4, 4);
    } else if (e[0] == 9 && len >= 16) {
        memcpy(id, e + 4, 4);
        memcpy(&flags, e + 8, 4);
    }
    return (flags & 1) != 0;
}

unsigned int acpi_cpus(uint32_t boot_id, uint32_t *ids, unsigned int max)
{
    const struct table *madt = find_table("APIC");
    const uint8_t *bytes = (const uint8_t *)madt;
    unsigned int n = 1;

    ids[0] = boot_id;
    if (madt == NULL) {
        log_warn("no ACPI table of CPUs: only this one is used");
        return n;
    }
    for (uint32_t at = sizeof(*madt) + 8; at + 2 <= madt->length;) {
        uint8_t len = bytes[at + 1];
        uint32_t id;

        if (len < 2 || at + len > madt->length) {
            break;
        }
        if (apic_of(bytes + at, len, &id) && id != boot_id) {
            if (n == max) {
                log_warn("more than %u CPUs: the rest is not used", max);
                break;
            }
            ids[n++] = id;
        }
        at += len;
    }
    return n;
}

/* TCG ACPI Specification 1.4, 8.3: the table of a TPM 2.0. Its start methods: 6 FIFO, 7 CRB. */
static enum tpm_kind find_tpm(void)
{
    const struct table *t = find_table("TPM2");
    uint32_t method = 0;

    if (t == NULL || t->length < 52) {
        return TPM_NONE;
    }
    memcpy(&method, (const uint8_t *)t + 48, sizeof(method));
    return method == 6 ? TPM_FIFO : method == 7 ? TPM_CRB : TPM_NONE;
}

static enum tpm_kind tpm;

void acpi_read_tpm(void)
{
    tpm = find_tpm();
}

enum tpm_kind acpi_tpm(void)
{
    return tpm;
}
