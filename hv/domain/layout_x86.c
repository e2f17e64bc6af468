/* Lays out what every x86 boot protocol needs, and leaves the kernel to the protocol. */
#include "hv/check.h"
#include "hv/device.h"
#include "hv/shim.h"
#include "hv/string.h"
#include "plan_x86.h"

static enum abi_status plan_cmdline(struct plan *p)
{
    const char *s = p->cfg->cmdline;
    struct piece piece = {PIECE_CMDLINE, GPA_CMDLINE, PAGE_SIZE, (const uint8_t *)s, strlen(s) + 1};

    REQUIRE(piece.len <= CMDLINE_MAX_LEN + 1);
    return plan_place(p, "command line", piece);
}

static enum abi_status plan_acpi(struct plan *p)
{
    struct piece piece = {PIECE_ACPI, GPA_ACPI, 0, NULL, 0};
    const struct acpi_td td = {gpa(GPA_MAILBOX), gpa(TDX_SHIM_RESET), gpa(GPA_EVENT_LOG),
                               PAGE_SIZE};
    size_t room = KiB(16);
    uint8_t *tables = plan_take(p, room);

    piece.data = tables;
    piece.len = acpi_build(tables, room, gpa(GPA_ACPI), p->cfg->vcpus,
                           p->cfg->cc == CC_TDX ? &td : NULL);
    CHECK(piece.len != 0);
    piece.span = ALIGN_UP(piece.len, PAGE_SIZE);
    return plan_place(p, "ACPI tables", piece);
}

static void map_add(struct layout *l, uint64_t at, uint64_t end, uint32_t type)
{
    CHECK(l->map_entries < LAYOUT_MAP_MAX);
    if (at < end) {
        l->map[l->map_entries++] = (struct map_entry){at, end - at, type};
    }
}

/* In a TD CPUs that the kernel gave back walk the page tables that it was started with. */
static void map_low(struct plan *p)
{
    uint64_t end = GPA_PAGE_TABLES + PAGE_TABLES_SIZE;

    if (p->cfg->cc == CC_TDX) {
        map_add(p->l, 0, GPA_PAGE_TABLES, MAP_RAM);
        map_add(p->l, GPA_PAGE_TABLES, end, MAP_RESERVED);
        map_add(p->l, end, GPA_ACPI, MAP_RAM);
    } else {
        map_add(p->l, 0, GPA_ACPI, MAP_RAM);
    }
}

/* Needs the ACPI tables' piece, the last one placed. */
static void plan_map(struct plan *p)
{
    const struct piece *acpi = &p->l->piece[p->l->pieces - 1];
    uint64_t acpi_end = acpi->at + acpi->span;

    CHECK(acpi->kind == PIECE_ACPI && acpi_end <= GPA_LOW_END);
    map_low(p);
    map_add(p->l, GPA_ACPI, acpi_end, MAP_ACPI);
    if (p->cfg->cc == CC_TDX) {
        /* By its type a TD knows that it is private: ACPI 6.5, 5.2.12.19. */
        CHECK(acpi_end <= GPA_MAILBOX);
        map_add(p->l, acpi_end, GPA_MAILBOX, MAP_RESERVED);
        map_add(p->l, GPA_MAILBOX, GPA_EVENT_LOG + PAGE_SIZE, MAP_NVS);
        acpi_end = GPA_EVENT_LOG + PAGE_SIZE;
    }
    map_add(p->l, acpi_end, GPA_HIGH_START, MAP_RESERVED);
    map_add(p->l, GPA_HIGH_START, p->ram_end, MAP_RAM);
    map_add(p->l, GiB(4), GiB(4) + p->cfg->memory - p->ram_end, MAP_RAM);
}

bool layout_has_firmware(const struct domain_config *cfg)
{
    return cfg->cc == CC_TDX && tdvf_x86_is(cfg->kernel);
}

enum abi_status layout_domain(const struct domain_config *cfg, void *scratch, struct layout *l,
                              char *err, size_t err_size)
{
    struct plan p = plan_begin(cfg, scratch, l, err, err_size);
    enum abi_status st;

    if (layout_has_firmware(cfg)) {
        return tdvf_x86_plan(&p);
    }
    st = plan_cmdline(&p);
    if (st == ABI_OK) {
        st = plan_acpi(&p);
    }
    if (st != ABI_OK) {
        return st;
    }
    plan_map(&p);
    if (linux_x86_is(cfg->kernel)) {
        st = linux_x86_plan(&p);
    } else if (pvh_x86_is(cfg->kernel)) {
        st = pvh_x86_plan(&p);
    } else {
        st = plan_fail(&p, ABI_BAD_FORMAT, "kernel: neither a bzImage nor an ELF file");
    }
    if (st == ABI_OK && cfg->cc == CC_TDX) {
        return tdx_x86_plan(&p); /* a TD is reset by nobody but its host */
    }
    st = st == ABI_OK ? reset_x86_plan(&p) : st;
    return st == ABI_OK && cfg->cc == CC_SEV_SNP ? snp_x86_plan(&p) : st;
}
