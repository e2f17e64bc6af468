/* The state that vCPUs of an Image start in, against include/abi/register.def. */
#include "guest.h"

static const char *const names[] = {
    "CurrentEL", "DAIF", "NZCV", "SPSel", "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1",
    "MAIR_EL1", "VBAR_EL1", "CPACR_EL1", "ELR_EL1", "SPSR_EL1", "TPIDR_EL0", "CNTKCTL_EL1",
};

/* As start.S keeps them. PC was right, or nobody would read this. */
static uint64_t get(const uint64_t *s, const char *name)
{
    if (name[0] == 'X') {
        return s[name[2] == '\0' ? name[1] - '0' : (name[1] - '0') * 10 + name[2] - '0'];
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return s[32 + i];
        }
    }
    return strcmp(name, "SP") == 0 ? s[31] : 0;
}

static void same(const uint64_t *s, const char *name, uint64_t should)
{
    uint64_t is = get(s, name);

    if (is != should) {
        fail(__FILE__, __LINE__, "%s is %lx, not %lx", name, (unsigned long)is,
             (unsigned long)should);
    }
}

enum what { ENTRY, BOOT_DATA, PAGE_TABLES, GDT, SIGNATURE, START_VECTOR, CONTEXT };

static void given(const uint64_t *s, enum what what, const char *name)
{
    uint64_t is = get(s, name);

    if (what == BOOT_DATA) {
        expect_eq(*(const uint32_t *)is, 0xedfe0dd0); /* a flattened Device Tree */
    } else if (what == CONTEXT) {
        expect_eq(is, 1); /* as cpu.c says */
    }
}

#define PVH32   0
#define LINUX64 0
#define STARTUP 0
#define TD64    0
#define IMAGE64 1
#define PSCI64  2

#define ABI_REGISTER(kind, name, value, meaning)                                                   \
    if (kind == which) {                                                                           \
        same(s, #name, value);                                                                     \
    }
#define ABI_REGISTER_IS(kind, name, what)                                                          \
    if (kind == which) {                                                                           \
        given(s, what, #name);                                                                     \
    }
static void check(const uint64_t *s, int which)
{
#include "abi/register.def"
}

static void the_first_vcpu_starts_as_the_list_says(void)
{
    check(entry_state, IMAGE64);
}

static void the_others_start_as_the_list_says(void)
{
    expect(smp_start(2));
    check(second_state, PSCI64);
}

const struct test tests[] = {
    TEST(the_first_vcpu_starts_as_the_list_says),
    TEST(the_others_start_as_the_list_says),
    TEST_END,
};
