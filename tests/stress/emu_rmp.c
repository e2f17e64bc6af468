/* Two processors at the emulated chip at once, under ThreadSanitizer. */
#include "cu.h"
#include "emu_host.h"

#include <pthread.h>

#define ROUNDS 2000
#define GPA    0x12345000ull
#define GPA2   0x40000000ull
#define BASE   MiB(16)

struct worker {
    uint32_t asid;
    unsigned int assigned, validated, broken;
};

static void look(struct worker *w, uint64_t at)
{
    struct emu_rmp e;

    if (!emu_rmp_get(pa(at), &e) || (e.assigned && e.asid != 1 && e.asid != 2) ||
        (!e.assigned && (e.asid != 0 || e.validated || e.gpa != 0)) ||
        (e.assigned && e.gpa != GPA && e.gpa - GPA2 >= SIZE_2M)) {
        w->broken++;
    }
}

/* Both fight for the same 512 pages, in both sizes. */
static void *churn(void *arg)
{
    struct worker *w = arg;
    const struct rmp_entry nobody = {0};

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t at = BASE + (i * 7ull + w->asid) % 512 * PAGE_SIZE;
        bool changed;

        w->assigned += host_assign(at, RMP_4K, GPA, w->asid, false) == RMP_OK;
        w->validated +=
            emu_pvalidate(pa(at), GPA, w->asid, 0, RMP_4K, true, &changed) == RMP_OK && changed;
        (void)emu_rmpadjust(pa(at), GPA, w->asid, 0, RMP_4K, 1, 3, (i & 1) != 0);
        if (emu_rmp_use(pa(at), w->asid)) {
            emu_rmp_unuse(pa(at));
        }
        look(w, at);
        (void)host_assign(BASE, RMP_2M, GPA2, w->asid, false);
        (void)emu_psmash(pa(BASE));
        (void)emu_rmpupdate(pa(at), &nobody);
    }
    return NULL;
}

static void two_processors_never_see_half_a_change(void)
{
    struct worker w[2] = {{.asid = 1}, {.asid = 2}};
    pthread_t t[2];

    emu_host_reset();
    for (unsigned int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, churn, &w[i]), 0);
    }
    for (unsigned int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
        CU_ASSERT_EQUAL(w[i].broken, 0);
        CU_ASSERT(w[i].assigned > 0 && w[i].validated > 0);
    }
}

#define FIRST_USES 50

/* Each takes one page of every region that nobody used before, and looks at the other's and at one
 * that is nobody's. */
static void *use_first(void *arg)
{
    struct worker *w = arg;

    for (uint64_t at = BASE; at < HOST_MEMORY; at += SIZE_2M) {
        struct emu_rmp mine, other, none;

        w->broken += !emu_rmp_get(pa(at + (3 - w->asid) * PAGE_SIZE), &other) ||
                     (other.assigned && (other.asid != 3 - w->asid || other.gpa != GPA));
        w->assigned += host_assign(at + w->asid * PAGE_SIZE, RMP_4K, GPA, w->asid, false) == RMP_OK;
        w->broken += !emu_rmp_get(pa(at + w->asid * PAGE_SIZE), &mine) || mine.asid != w->asid;
        w->broken += !emu_rmp_get(pa(at + 511 * PAGE_SIZE), &none) || none.assigned || none.gpa;
        w->broken += !emu_rmp_has_asid(w->asid) || emu_rmp_has_asid(EMU_SNP_ASIDS);
    }
    return NULL;
}

static void two_processors_that_use_a_region_first_find_it_empty(void)
{
    for (unsigned int n = 0; n < FIRST_USES; n++) {
        struct worker w[2] = {{.asid = 1}, {.asid = 2}};
        pthread_t t[2];

        emu_host_reset();
        for (unsigned int i = 0; i < 2; i++) {
            CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, use_first, &w[i]), 0);
        }
        for (unsigned int i = 0; i < 2; i++) {
            pthread_join(t[i], NULL);
            CU_ASSERT_EQUAL(w[i].broken, 0);
            CU_ASSERT_EQUAL(w[i].assigned, (HOST_MEMORY - BASE) / SIZE_2M);
        }
    }
}

/* The status that a mailbox command answers belongs to some command, whoever reads it. */
static void *ring(void *arg)
{
    unsigned int *bad = arg;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint32_t v;

        emu_psp_wbinvd(i & 1);
        emu_psp_write(PSP_REG_CMDRESP, PSP_CMD(SNP_CMD_DF_FLUSH));
        v = emu_psp_read(PSP_REG_CMDRESP);
        *bad += (v & PSP_RESPONSE) == 0 ||
                (PSP_STATUS(v) != SNP_SUCCESS && PSP_STATUS(v) != SNP_WBINVD_REQUIRED);
    }
    return NULL;
}

static void the_mailbox_takes_one_command_at_a_time(void)
{
    unsigned int bad[2] = {0};
    pthread_t t[2];

    emu_host_reset();
    CU_ASSERT_EQUAL_FATAL(host_init(), SNP_SUCCESS);
    emu_psp_cpus(2);
    for (unsigned int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, ring, &bad[i]), 0);
    }
    for (unsigned int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
        CU_ASSERT_EQUAL(bad[i], 0);
    }
}

static const struct cu_test tests[] = {
    CU(two_processors_never_see_half_a_change),
    CU(two_processors_that_use_a_region_first_find_it_empty),
    CU(the_mailbox_takes_one_command_at_a_time),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("emu_rmp_stress", tests, argc, argv);
}
