/* Layouts of trust domains: the shim, the mailbox, the memory it accepts, what it measures. */
#include <stdio.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/domain_lay.h"
#include "hv/shim.h"

#define SHIM_START 0xffffd000u
#define START_PAGE 0xfffff000u
#define LOG        0x9d000u

struct td {
    uint8_t kernel[LAY_BZIMAGE];
    struct laid t;
    const struct shim_table *table;
    const struct shim_places *places;
    const struct shim_measures *measures;
};

static const uint8_t *start_page(const struct td *d)
{
    return lay_piece(&d->t, PIECE_SHIM, 0)->data + (START_PAGE - SHIM_START);
}

static void td_lay(struct td *d, uint64_t memory)
{
    const struct piece *start;

    lay_bzimage(d->kernel);
    lay_config(&d->t, memory, d->kernel, sizeof(d->kernel));
    d->t.cfg.cc = CC_TDX;
    CU_ASSERT_TRUE_FATAL(lay(&d->t));
    start = lay_piece(&d->t, PIECE_SHIM, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(start);
    CU_ASSERT_EQUAL(start->at, SHIM_START);
    CU_ASSERT_EQUAL_FATAL(start->len, GiB(4) - SHIM_START);
    d->table = (const void *)(start_page(d) + SHIM_TABLE_OFFSET);
    d->places = (const void *)(start_page(d) + SHIM_PLACES_OFFSET);
    d->measures = (const void *)(start_page(d) + SHIM_MEASURES_OFFSET);
}

static void a_cpu_starts_at_the_end_of_the_last_page(void)
{
    struct td d;
    int32_t jump;

    td_lay(&d, MiB(64));
    memcpy(&jump, start_page(&d) + 0xff1, sizeof(jump));
    CU_ASSERT_EQUAL(d.t.l.entry.rip, 0xfffffff0);
    /* JMP rel32, backwards to the page's start */
    CU_ASSERT_EQUAL(start_page(&d)[0xff0], 0xe9);
    CU_ASSERT_EQUAL((uint32_t)(0xff5 + jump), 0);
    CU_ASSERT_EQUAL(d.table->entry, 0x1000200);
    lay_free(&d.t);
}

/* JMP rel8 or rel32, to code of the same page; what it needs there is not the kernel's to use. */
static void a_cpu_comes_back_to_the_start_page(void)
{
    struct td d;
    const uint8_t *at;
    int32_t jump;

    td_lay(&d, MiB(64));
    at = start_page(&d) + 0xfe0;
    CU_ASSERT_FATAL(at[0] == 0xe9 || at[0] == 0xeb);
    memcpy(&jump, at + 1, sizeof(jump));
    jump = at[0] == 0xeb ? 2 + (int8_t)at[1] : 5 + jump;
    CU_ASSERT(jump < 0 && jump >= -0xfe0);
    CU_ASSERT_EQUAL(at[jump], 0xfa); /* CLI */
    for (uint32_t i = 0; i < d.t.l.map_entries; i++) {
        const struct map_entry *m = &d.t.l.map[i];

        if (d.places->page_tables >= m->at && d.places->page_tables < m->at + m->len) {
            CU_ASSERT_EQUAL(m->type, MAP_RESERVED);
        }
    }
    lay_free(&d.t);
}

static void the_start_page_is_told_where_everything_is(void)
{
    struct td d;

    td_lay(&d, MiB(64));
    CU_ASSERT_EQUAL(d.places->boot_data, lay_piece(&d.t, PIECE_BOOT_DATA, 0)->at);
    CU_ASSERT_EQUAL(d.places->page_tables, lay_piece(&d.t, PIECE_PAGE_TABLES, 0)->at);
    CU_ASSERT_EQUAL(d.places->gdt_base, d.t.l.entry.gdt);
    CU_ASSERT_EQUAL(d.places->gdt_limit, 31);
    CU_ASSERT_EQUAL(d.places->mailbox, lay_piece(&d.t, PIECE_MAILBOX, 0)->at);
    lay_free(&d.t);
}

static void the_mailbox_is_an_empty_page_of_nvs_that_the_madt_names(void)
{
    struct td d;
    const struct piece *box;

    td_lay(&d, MiB(64));
    box = lay_piece(&d.t, PIECE_MAILBOX, 0); /* its place in the map: lay() */
    CU_ASSERT_EQUAL(box->at, 0x9c000);
    CU_ASSERT_EQUAL(host_acpi_mailbox, box->at);
    CU_ASSERT_EQUAL(host_acpi_reset, 0xffffffe0);
    CU_ASSERT_EQUAL_FATAL(box->len, PAGE_SIZE); /* launched: no page that the shim accepts */
    for (size_t i = 0; i < PAGE_SIZE; i++) {
        CU_ASSERT_EQUAL_FATAL(box->data[i], 0);
    }
    lay_free(&d.t);
}

static bool launched(const struct layout *l, uint64_t page)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        const struct piece *q = &l->piece[i];

        if (page >= ALIGN_DOWN(q->at, PAGE_SIZE) && page < piece_launched_end(q)) {
            return true;
        }
    }
    return false;
}

static unsigned int accepted(const struct shim_table *t, uint64_t page)
{
    unsigned int n = 0;

    for (uint64_t i = 0; i < t->count; i++) {
        n += page >= t->range[i].start && page < t->range[i].end;
    }
    return n;
}

/* Twice accepted is as bad as never: the host could swap a page for an empty one. */
static void each_page_is_either_launched_or_accepted_once(void)
{
    static const uint64_t memory[] = {MiB(64), MiB(512), GiB(5)};

    for (size_t m = 0; m < ARRAY_SIZE(memory); m++) {
        struct td d;
        uint64_t pages = 0, below;

        td_lay(&d, memory[m]);
        for (uint64_t i = 0; i < d.table->count; i++) {
            CU_ASSERT_TRUE(d.table->range[i].start < d.table->range[i].end);
            pages += (d.table->range[i].end - d.table->range[i].start) / PAGE_SIZE;
        }
        for (uint32_t i = 0; i < d.t.l.pieces; i++) {
            const struct piece *q = &d.t.l.piece[i];

            if (q->kind != PIECE_SHIM) {
                pages += (piece_launched_end(q) - q->at) / PAGE_SIZE;
            }
        }
        CU_ASSERT_EQUAL(pages, memory[m] / PAGE_SIZE);
        below = memory[m] < GiB(4) ? memory[m] : MiB(64);
        for (uint64_t page = 0; page < below; page += PAGE_SIZE) {
            CU_ASSERT_EQUAL(accepted(d.table, page) + launched(&d.t.l, page), 1);
        }
        CU_ASSERT_EQUAL(accepted(d.table, SHIM_START), 0);
        CU_ASSERT_EQUAL(accepted(d.table, START_PAGE), 0);
        lay_free(&d.t);
    }
}

static bool measures(const struct td *d, const struct piece *q, uint32_t rtmr, uint64_t len)
{
    for (uint64_t i = 0; i < d->measures->count; i++) {
        if (d->measures->item[i].at == q->at) {
            return d->measures->item[i].rtmr == rtmr && d->measures->item[i].len == len;
        }
    }
    return false;
}

/* What the shim itself goes by is the launch's to measure. */
static void every_byte_is_measured_by_the_launch_or_by_the_td(void)
{
    struct td d;

    td_lay(&d, MiB(64));
    CU_ASSERT_EQUAL(d.measures->count, 4);
    for (uint32_t i = 0; i < d.t.l.pieces; i++) {
        const struct piece *q = &d.t.l.piece[i];
        bool own = (d.t.l.self_measured >> i & 1) != 0;

        switch (q->kind) {
        case PIECE_BOOT_DATA:
        case PIECE_ACPI:
            CU_ASSERT_TRUE(own && measures(&d, q, 0, q->len));
            break;
        case PIECE_KERNEL:
            CU_ASSERT_TRUE(own && measures(&d, q, 1, q->len));
            break;
        case PIECE_CMDLINE:
            CU_ASSERT_TRUE(own && measures(&d, q, 2, q->len - 1));
            break;
        default:
            CU_ASSERT_FALSE(own || measures(&d, q, 0, q->len) || measures(&d, q, 2, q->len));
        }
    }
    lay_free(&d.t);
}

static void a_ramdisk_is_measured_after_the_command_line(void)
{
    static const uint8_t ramdisk[5000] = {1};
    struct td d;
    const struct piece *q;

    lay_bzimage(d.kernel);
    lay_config(&d.t, MiB(64), d.kernel, sizeof(d.kernel));
    d.t.cfg.cc = CC_TDX;
    d.t.cfg.ramdisk = (struct blob){ramdisk, sizeof(ramdisk)};
    CU_ASSERT_TRUE_FATAL(lay(&d.t));
    d.measures = (const void *)(start_page(&d) + SHIM_MEASURES_OFFSET);
    q = lay_piece(&d.t, PIECE_RAMDISK, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(q);
    CU_ASSERT_EQUAL_FATAL(d.measures->count, 5);
    CU_ASSERT_EQUAL(d.measures->item[3].at, lay_piece(&d.t, PIECE_CMDLINE, 0)->at);
    CU_ASSERT_EQUAL(d.measures->item[4].at, q->at);
    CU_ASSERT_TRUE(measures(&d, q, 2, sizeof(ramdisk)));
    lay_free(&d.t);
}

/* TCG PC Client Platform Firmware Profile, 10.2: registers count from 1, for RTMR0 */
static void the_event_log_has_a_record_for_each_and_room_for_its_digest(void)
{
    static const char *const names[] = {"boot_params", "ACPI tables", "kernel", "command line"};
    const struct piece *log;
    uint64_t at = 65; /* behind the first record: 32 bytes, 33 of event */
    struct td d;

    td_lay(&d, MiB(64));
    log = lay_piece(&d.t, PIECE_EVENT_LOG, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(log);
    CU_ASSERT(log->at == LOG && d.measures->log == LOG && log->span == PAGE_SIZE);
    CU_ASSERT_EQUAL(memcmp(log->data + 32, "Spec ID Event03", 16), 0);
    for (uint64_t i = 0; i < d.measures->count; i++) {
        const uint8_t *record = log->data + at;

        CU_ASSERT_EQUAL(record[0], d.measures->item[i].rtmr + 1);
        CU_ASSERT_EQUAL(d.measures->item[i].digest, at + 14);
        CU_ASSERT_EQUAL(record[62], strlen(names[i]));
        CU_ASSERT_EQUAL(memcmp(record + 66, names[i], strlen(names[i])), 0);
        at += 66 + strlen(names[i]);
    }
    CU_ASSERT_EQUAL(at, log->len);
    lay_free(&d.t);
}

static void no_reset_code_comes_with_a_td(void)
{
    struct td d;

    td_lay(&d, MiB(64));
    CU_ASSERT_PTR_NULL(lay_piece(&d.t, PIECE_RESET, 0));
    CU_ASSERT_PTR_NULL(lay_piece(&d.t, PIECE_SECRETS, 0));
    CU_ASSERT_PTR_NULL(lay_piece(&d.t, PIECE_CPUID, 0));
    lay_free(&d.t);
}

static void a_plain_guest_has_no_mailbox(void)
{
    struct td d;

    lay_bzimage(d.kernel);
    lay_config(&d.t, MiB(64), d.kernel, sizeof(d.kernel));
    CU_ASSERT_TRUE_FATAL(lay(&d.t));
    CU_ASSERT_EQUAL(host_acpi_mailbox, 0);
    CU_ASSERT_PTR_NULL(lay_piece(&d.t, PIECE_MAILBOX, 0));
    CU_ASSERT_PTR_NULL(lay_piece(&d.t, PIECE_SHIM, 0));
    lay_free(&d.t);
}

static const struct cu_test tests[] = {
    CU(a_cpu_starts_at_the_end_of_the_last_page),
    CU(a_cpu_comes_back_to_the_start_page),
    CU(the_start_page_is_told_where_everything_is),
    CU(the_mailbox_is_an_empty_page_of_nvs_that_the_madt_names),
    CU(each_page_is_either_launched_or_accepted_once),
    CU(every_byte_is_measured_by_the_launch_or_by_the_td),
    CU(a_ramdisk_is_measured_after_the_command_line),
    CU(the_event_log_has_a_record_for_each_and_room_for_its_digest),
    CU(no_reset_code_comes_with_a_td),
    CU(a_plain_guest_has_no_mailbox),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_tdx", tests, argc, argv);
}
