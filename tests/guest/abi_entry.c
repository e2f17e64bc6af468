/* The state that vCPUs start in, register by register, against include/abi/register.def. */
#include "abi/abi.h"
#include "guest.h"

static void same(const char *entry, const char *name, uint64_t is, uint64_t should)
{
    say("%s %s %lx", entry, name, (unsigned long)is);
    if (is != should) {
        fail(__FILE__, __LINE__, "%s %s is %lx, not %lx", entry, name, (unsigned long)is,
             (unsigned long)should);
    }
}

static uint32_t table_base(const uint8_t reg[8])
{
    return (uint32_t)reg[2] | (uint32_t)reg[3] << 8 | (uint32_t)reg[4] << 16 |
           (uint32_t)reg[5] << 24;
}

static uint32_t table_limit(const uint8_t reg[8])
{
    return (uint32_t)reg[0] | (uint32_t)reg[1] << 8;
}

/* Each by the name that the list gives it. RIP was right, or nobody would read this. */
static uint64_t get(const struct entry_state *s, const char *name)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        {"RAX", s->eax}, {"RBX", s->ebx}, {"RCX", s->ecx}, {"RDX", s->edx}, {"RSI", s->esi},
        {"RDI", s->edi}, {"RBP", s->ebp}, {"RSP", s->esp}, {"RFLAGS", s->eflags},
        {"CR0", s->cr0}, {"CR2", s->cr2}, {"CR3", s->cr3}, {"CR4", s->cr4}, {"DR6", s->dr6},
        {"DR7", s->dr7}, {"CS", s->cs & 0xffff}, {"DS", s->ds & 0xffff}, {"ES", s->es & 0xffff},
        {"FS", s->fs & 0xffff}, {"GS", s->gs & 0xffff}, {"SS", s->ss & 0xffff},
        {"TR", s->tr & 0xffff}, {"LDTR", s->ldtr & 0xffff}, {"EFER", s->efer},
        {"GDT_BASE", table_base(s->gdtr)}, {"GDT_LIMIT", table_limit(s->gdtr)},
        {"IDT_BASE", table_base(s->idtr)}, {"IDT_LIMIT", table_limit(s->idtr)}, {"RIP", 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].value;
        }
    }
    fail(__FILE__, __LINE__, "nobody kept %s", name);
    return 0;
}

enum what { ENTRY, BOOT_DATA, PAGE_TABLES, GDT, SIGNATURE, START_VECTOR, CONTEXT };

static uint64_t given(const struct entry_state *s, enum what what, const char *name)
{
    switch (what) {
    case BOOT_DATA:
        return (uint64_t)start_info;
    case SIGNATURE:
        return cpuid(1, 0).eax;
    case START_VECTOR:
        return AP_PAGE << 8;
    default:
        return get(s, name);
    }
}

#define PVH32   1
#define LINUX64 2
#define STARTUP 3
#define TD64    0 /* those that entry/ looks at */
#define IMAGE64 0
#define PSCI64  0

static void the_first_vcpu_starts_as_the_list_says(void)
{
    const struct entry_state *s = &entry_state;

    expect_eq(start_info->magic, 0x336ec578);
#define ABI_REGISTER(kind, name, value, meaning)                                                   \
    if (kind == PVH32) {                                                                           \
        same("PVH32", #name, get(s, #name), value);                                                \
    }
#define ABI_REGISTER_IS(kind, name, what)                                                          \
    if (kind == PVH32) {                                                                           \
        same("PVH32", #name, get(s, #name), given(s, what, #name));                                \
    }
#include "abi/register.def"
}

static void the_others_start_as_the_list_says(void)
{
    const struct entry_state *s = AP_STATE;

    expect(smp_start(2));
#define ABI_REGISTER(kind, name, value, meaning)                                                   \
    if (kind == STARTUP) {                                                                         \
        same("STARTUP", #name, get(s, #name), value);                                              \
    }
#define ABI_REGISTER_IS(kind, name, what)                                                          \
    if (kind == STARTUP) {                                                                         \
        same("STARTUP", #name, get(s, #name), given(s, what, #name));                              \
    }
#include "abi/register.def"
}

const struct test tests[] = {
    TEST(the_first_vcpu_starts_as_the_list_says),
    TEST(the_others_start_as_the_list_says),
    TEST_END,
};
