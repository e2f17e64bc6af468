/* The list by Linux's names; compiled with the headers of Debian's kernel, and snp_linux_shim.h. */
#include "snp_linux_shim.h"

#include <asm/svm.h>
#include <asm/sev.h>
#include <asm/msr-index.h>
#include <linux/psp-sev.h>
#include <uapi/linux/sev-guest.h>

#include "snp_linux_pferr.h"

#include "snp_linux.h"

static const struct psc_entry psc_linux = {
    .cur_page = LINUX_PSC_PAGE,
    .gfn = LINUX_PSC_GFN,
    .operation = VMGEXIT_PSC_OP_SHARED,
    .pagesize = RMP_PG_SIZE_2M,
    .reserved = LINUX_PSC_RESERVED,
};
static const struct sev_data_snp_launch_update launch_update_linux = {
    .page_size = RMP_PG_SIZE_2M,
    .page_type = SNP_PAGE_TYPE_CPUID,
    .imi_page = 1,
    .vmpl1_perms = 0x11,
    .vmpl2_perms = 0x22,
    .vmpl3_perms = 0x33,
};
static const struct sev_data_snp_launch_finish launch_finish_linux = {
    .id_block_en = 1,
    .vcek_disabled = 1,
};

static uint64_t word(const void *p, size_t at)
{
    uint64_t v;

    __builtin_memcpy(&v, (const char *)p + at, sizeof(v));
    return v;
}

#define SIZE(s, f) sizeof(((struct s *)0)->f)
#define LAYOUT(os, of, s, f) {#s "." #f, offsetof(struct s, f), SIZE(s, f)},
#define PLACE(os, of, s, f)  {#s "." #f, offsetof(struct s, f), 0},
#define GHCB(of, f)          {"ghcb." #f, offsetof(struct ghcb, save.f), SIZE(ghcb, save.f)},
#define BYTES(os, s)         {"sizeof " #s, sizeof(struct s), 0},
#define VALUE(ours, theirs)  {#theirs, (uint64_t)(theirs), 0},

const struct linux_fact *linux_facts(void)
{
    const struct linux_fact facts[] = {
#include "snp_linux.def"
    };
    static struct linux_fact kept[sizeof(facts) / sizeof(facts[0])];

    __builtin_memcpy(kept, facts, sizeof(facts));
    return kept;
}
