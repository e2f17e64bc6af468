/* Layouts and numbers, ours against those in the headers of the kernel that guests boot. */
#include "cu.h"
#include "snp_linux.h"

#include "../../cc/snp/snp_ghcb.h"
#include "../../cc/snp/snp_spec.h"

#include <stdio.h>

static const uint64_t psc_bits =
    LINUX_PSC_PAGE | LINUX_PSC_GFN << 12 | (uint64_t)PSC_SHARED << 52 | 1ull << 56 |
    LINUX_PSC_RESERVED << 57;
/* snp_launch_update: a 2 MiB CPUID page of an IMI, and its permissions; snp_launch_finish: an ID
 * block, no VCEK. */
static const uint64_t launch_update_bits = 1 | SNP_PAGE_CPUID << 1 | 1 << 4;
static const uint64_t launch_update_perms = 0x33221100;
static const uint64_t launch_finish_flags = BIT(0) | BIT(2);

static unsigned int compared, different;

static void compare(const struct linux_fact *fact, const char *name, uint64_t at, uint64_t size)
{
    compared++;
    if (fact->at == at && fact->size == size) {
        return;
    }
    different++;
    fprintf(stderr, "%s is %#llx (%llu bytes), Linux's %s %#llx (%llu bytes)\n", name,
            (unsigned long long)at, (unsigned long long)size, fact->name,
            (unsigned long long)fact->at, (unsigned long long)fact->size);
}

#define SIZE(s, f) sizeof(((struct s *)0)->f)
#define LAYOUT(s, f, ls, lf) compare(fact++, #s "." #f, offsetof(struct s, f), SIZE(s, f));
#define PLACE(s, f, ls, lf)  compare(fact++, #s "." #f, offsetof(struct s, f), 0);
#define GHCB(f, lf)                                                                                \
    compare(fact++, "ghcb." #f, offsetof(struct ghcb, f) + GHCB_WINDOW, SIZE(ghcb, f));
#define BYTES(s, ls)         compare(fact++, "sizeof " #s, sizeof(struct s), 0);
#define VALUE(ours, theirs)  compare(fact++, #ours, (uint64_t)(ours), 0);

static void compare_all(const struct linux_fact *fact)
{
#include "snp_linux.def"
}

static void every_layout_and_number_is_as_the_kernel_has_it(void)
{
    const struct linux_fact *fact = linux_facts();

    if (fact == NULL) {
        cu_skip(1, "the kernel's headers could not be had (tools/setup/headers)");
        return;
    }
    compare_all(fact);
    printf("\n    %u facts compared with Linux's headers\n", compared);
    CU_ASSERT(compared > 200);
    CU_ASSERT_EQUAL(different, 0);
}

/* Bits: 0 assigned, 1 size, 2 immutable, 50:12 address, 60:51 ASID, 61 VMSA, 62 validated. */
static void an_entry_of_the_rmp_in_memory_is_read_by_its_documented_bits(void)
{
    struct rmp_entry e = rmp_entry_of(0);

    CU_ASSERT(e.gpa == 0 && e.asid == 0);
    CU_ASSERT(e.assigned == 0 && e.page_size == 0 && e.immutable == 0);
    e = rmp_entry_of(1ull | 1ull << 1 | 0x7f12345678ull << 12 | 0x2a5ull << 51 | 3ull << 61);
    CU_ASSERT_EQUAL(e.gpa, 0x7f12345678000ull);
    CU_ASSERT_EQUAL(e.asid, 0x2a5);
    CU_ASSERT(e.assigned == 1 && e.page_size == RMP_2M && e.immutable == 0);
    e = rmp_entry_of(1ull << 2 | 0x1ffull << 3 | 1ull << 63);
    CU_ASSERT(e.assigned == 0 && e.immutable == 1 && e.gpa == 0 && e.asid == 0);
}

int main(int argc, char **argv)
{
    static const struct cu_test tests[] = {
        CU(every_layout_and_number_is_as_the_kernel_has_it),
        CU(an_entry_of_the_rmp_in_memory_is_read_by_its_documented_bits),
        CU_END,
    };

    return cu_main("snp_linux", tests, argc, argv);
}
