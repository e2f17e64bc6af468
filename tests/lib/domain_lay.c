#include "domain_lay.h"

#include <asm/bootparam.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cu.h"

void lay_config(struct laid *t, uint64_t memory, const void *kernel, size_t len)
{
    memset(t, 0, sizeof(*t));
    strcpy(t->cfg.name, "guest0");
    t->cfg.memory = memory;
    t->cfg.vcpus = 2;
    t->cfg.cmdline = "";
    t->cfg.kernel = (struct blob){kernel, len};
}

void lay_bzimage(uint8_t file[LAY_BZIMAGE])
{
    struct setup_header *h = (struct setup_header *)(file + 0x1f1);

    memset(file, 0x11, LAY_BZIMAGE);
    memset(h, 0, sizeof(*h));
    h->setup_sects = LAY_SETUP / 512 - 1;
    h->syssize = LAY_CODE / 16;
    h->boot_flag = 0xaa55;
    h->jump = 0xeb | 0x6a << 8;
    memcpy(&h->header, "HdrS", 4);
    h->version = 0x020f;
    h->loadflags = LOADED_HIGH;
    h->initrd_addr_max = 0x7fffffff;
    h->kernel_alignment = 0x200000;
    h->relocatable_kernel = 1;
    h->xloadflags = XLF_KERNEL_64;
    h->cmdline_size = 2047;
    h->pref_address = 0x1000000;
    h->init_size = 0x400000;
}

static bool in_map(const struct layout *l, const struct piece *q)
{
    uint32_t want = q->kind == PIECE_ACPI      ? MAP_ACPI
                    : q->kind == PIECE_RESET   ? MAP_RESERVED
                    : q->kind == PIECE_MAILBOX || q->kind == PIECE_EVENT_LOG ? MAP_NVS
                    : q->kind == PIECE_PAGE_TABLES && l->entry.rip == 0xfffffff0 ? MAP_RESERVED
                                               : MAP_RAM;

    if (q->kind == PIECE_SHIM && l->entry.rip == 0xfffffff0) {
        return q->at == 0xffffd000 && q->span == 0x3000; /* where a CPU starts: beyond the map */
    }
    for (uint32_t i = 0; i < l->map_entries; i++) {
        const struct map_entry *m = &l->map[i];

        if (m->type == want && q->at >= m->at && q->span <= m->len &&
            q->at - m->at <= m->len - q->span) {
            return true;
        }
    }
    return false;
}

static void check_invariants(const struct layout *l)
{
    for (uint32_t i = 0; i < l->pieces; i++) {
        const struct piece *q = &l->piece[i];

        CU_ASSERT_TRUE(q->span != 0 && q->len <= q->span);
        CU_ASSERT_PTR_NOT_NULL(q->data);
        CU_ASSERT_TRUE(in_map(l, q));
        for (uint32_t j = 0; j < i; j++) {
            const struct piece *o = &l->piece[j];

            CU_ASSERT_TRUE(q->at >= o->at + o->span || o->at >= q->at + q->span);
        }
    }
    for (uint32_t i = 1; i < l->map_entries; i++) {
        CU_ASSERT_TRUE(l->map[i].at >= l->map[i - 1].at + l->map[i - 1].len);
    }
}

/* Reads all that a loader would. */
static void touch(const struct layout *l)
{
    static volatile uint8_t sum;

    for (uint32_t i = 0; i < l->pieces; i++) {
        for (uint64_t j = 0; j < l->piece[i].len; j++) {
            sum += l->piece[i].data[j];
        }
    }
}

bool lay(struct laid *t)
{
    uint8_t *kernel = malloc(t->cfg.kernel.len == 0 ? 1 : t->cfg.kernel.len);
    struct domain_config cfg = t->cfg;

    t->scratch = calloc(1, LAYOUT_SCRATCH_SIZE);
    memcpy(kernel, t->cfg.kernel.data, t->cfg.kernel.len);
    cfg.kernel.data = kernel;
    t->st = layout_domain(&cfg, t->scratch, &t->l, t->err, sizeof(t->err));
    if (t->st == ABI_OK) {
        check_invariants(&t->l);
        touch(&t->l);
        /* The copy goes; what the test looks at is the original. */
        for (uint32_t i = 0; i < t->l.pieces; i++) {
            if (t->l.piece[i].kind == PIECE_KERNEL) {
                t->l.piece[i].data = t->cfg.kernel.data + (t->l.piece[i].data - kernel);
            }
        }
    } else {
        CU_ASSERT_EQUAL(strncmp(t->err, "guest0: ", 8), 0);
    }
    free(kernel);
    return t->st == ABI_OK;
}

void lay_free(struct laid *t)
{
    free(t->scratch);
    t->scratch = NULL;
}

void lay_refused(struct laid *t, enum abi_status st, const char *message)
{
    CU_ASSERT_FALSE(lay(t));
    CU_ASSERT_EQUAL(t->st, st);
    cu_says(t->err, message);
    lay_free(t);
}

const struct piece *lay_piece(const struct laid *t, enum piece_kind kind, unsigned int n)
{
    for (uint32_t i = 0; i < t->l.pieces; i++) {
        if (t->l.piece[i].kind == kind && n-- == 0) {
            return &t->l.piece[i];
        }
    }
    return NULL;
}
