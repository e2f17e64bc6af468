/* The state that a bzImage's first vCPU starts in, against include/abi/register.def. */
#include "cc.h"

static void same(const char *name, uint64_t is, uint64_t should)
{
    say("%s %lx", name, (unsigned long)is);
    if (is != should) {
        fail(__FILE__, __LINE__, "%s is %lx, not %lx", name, (unsigned long)is,
             (unsigned long)should);
    }
}

static uint64_t base(const uint8_t reg[16])
{
    uint64_t v;

    memcpy(&v, &reg[2], sizeof(v));
    return v;
}

/* Each by the name that the list gives it. RIP was right, or nobody would read this. */
static uint64_t get(const struct bz_state *s, const char *name)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"RAX", s->rax}, {"RBX", s->rbx}, {"RCX", s->rcx}, {"RDX", s->rdx}, {"RSI", s->rsi},
        {"RDI", s->rdi}, {"RBP", s->rbp}, {"RSP", s->rsp}, {"R8", s->r8}, {"R9", s->r9},
        {"R10", s->r10}, {"R11", s->r11}, {"R12", s->r12}, {"R13", s->r13}, {"R14", s->r14},
        {"R15", s->r15}, {"RFLAGS", s->rflags}, {"CS", s->cs & 0xffff}, {"DS", s->ds & 0xffff},
        {"ES", s->es & 0xffff}, {"FS", s->fs & 0xffff}, {"GS", s->gs & 0xffff},
        {"SS", s->ss & 0xffff}, {"TR", s->tr & 0xffff}, {"LDTR", s->ldtr & 0xffff},
        {"CR0", s->cr0}, {"CR2", s->cr2}, {"CR3", s->cr3}, {"CR4", s->cr4}, {"CR8", s->cr8},
        {"DR6", s->dr6}, {"EFER", s->efer}, {"GDT_BASE", base(s->gdtr)},
        {"GDT_LIMIT", (uint64_t)(s->gdtr[0] | s->gdtr[1] << 8)}, {"IDT_BASE", base(s->idtr)},
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].value;
        }
    }
    return 0;
}

enum what { ENTRY, BOOT_DATA, PAGE_TABLES, GDT, SIGNATURE, START_VECTOR, CONTEXT };

/* What is given must be what it is said to be. */
static void given(const struct bz_state *s, enum what what, const char *name)
{
    uint64_t is = get(s, name);

    say("%s %lx", name, (unsigned long)is);
    switch (what) {
    case BOOT_DATA:
        expect_eq(*(const uint32_t *)(is + 0x202), 0x53726448); /* HdrS */
        break;
    case PAGE_TABLES:
        expect_eq(((const uint64_t *)(is & ~0xfff0000000000fffull & ~private_pte))[0] & 3, 3);
        break;
    case GDT:
        expect_eq(((const uint64_t *)is)[2], 0x00af9b000000ffff);
        expect_eq(((const uint64_t *)is)[3], 0x00cf93000000ffff);
        break;
    default:
        break;
    }
}

#define PVH32   0
#define LINUX64 1
#define STARTUP 0
#define TD64    2
#define IMAGE64 0
#define PSCI64  0

static void the_first_vcpu_starts_as_the_list_says(void)
{
    const struct bz_state *s = &bz_state;
    int kind_ = guest_kind == GUEST_TD ? TD64 : LINUX64;

#define ABI_REGISTER(kind, name, value, meaning)                                                   \
    if (kind == kind_) {                                                                           \
        same(#name, get(s, #name), value);                                                         \
    }
#define ABI_REGISTER_IS(kind, name, what)                                                          \
    if (kind == kind_) {                                                                           \
        given(s, what, #name);                                                                     \
    }
#include "abi/register.def"
}

const struct test tests[] = {
    TEST(the_first_vcpu_starts_as_the_list_says),
    TEST_END,
};
