/* What a TD's CPU and module do by themselves, and what they tell the TD of: BASE 16.3, 18.5. */
#include "guest.h"

#define VEC_VE         20u
#define TDG_VEINFO_GET 3u
#define XAPIC_DISABLED 0xbdu
#define MISC_ENABLE    0x1a0u
#define PERF_CAPS      0x345u
#define GP             13
#define CR0_NW         BIT(29)
enum { VE_HLT = 12, VE_INVD = 13, VE_VMCALL = 18, VE_IO = 30, VE_WRMSR = 32,
       VE_WBINVD = 54 };

static struct {
    uint64_t reason, qualification;
    uint32_t length;
} seen;

static void on_ve(struct frame *f)
{
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    register uint64_t r10 __asm__("r10");
    uint64_t rax = TDG_VEINFO_GET, rcx = 0, rdx = 0;

    __asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc"
                     : "+a"(rax), "+c"(rcx), "+d"(rdx), "=r"(r8), "=r"(r9), "=r"(r10)
                     :
                     : "r11", "memory", "cc");
    seen.reason = rcx;
    seen.qualification = rdx;
    seen.length = (uint32_t)r10;
    f->rip += (uint32_t)r10;
}

/* The reason of the #VE that it raises, as of the handler of this file; NO_VE, or an exception. */
#define NO_VE       (~0ull)
#define EXCEPTION_0 1000u
#define VE_OF(insn, ...)                                                                           \
    ({                                                                                             \
        void (*was_)(struct frame *) = on[VEC_VE];                                                 \
        seen.reason = NO_VE;                                                                       \
        on[VEC_VE] = on_ve;                                                                        \
        int fault_ = TRY(insn, __VA_ARGS__);                                                       \
        on[VEC_VE] = was_;                                                                         \
        fault_ == NO_FAULT ? *(volatile uint64_t *)&seen.reason                                    \
                           : EXCEPTION_0 + (unsigned int)fault_;                                   \
    })

static uint64_t ve_of_wrmsr(uint32_t msr, uint64_t v)
{
    return VE_OF("wrmsr", : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static void instructions_for_the_host_are_told_of(void)
{
    expect_eq(VE_OF("hlt", : : : "memory"), VE_HLT);
    expect_eq(seen.length, 1);
    expect_eq(VE_OF("wbinvd", : : : "memory"), VE_WBINVD);
    expect_eq(seen.length, 2);
    expect_eq(VE_OF("invd", : : : "memory"), VE_INVD);
    expect_eq(seen.length, 2);
    expect_eq(VE_OF("vmcall", : : : "memory"), VE_VMCALL);
    expect_eq(seen.length, 3);
}

static void io_says_what_it_would_do(void)
{
    static const uint8_t byte;
    const void *from = &byte;
    uint64_t count = 1;

    expect_eq(VE_OF("in %%dx, %%al", : : "d"(0x80) : "rax", "memory"), VE_IO);
    expect_eq(seen.qualification, 0x80u << 16 | BIT(3));
    expect_eq(VE_OF("rep outsb", : "+S"(from), "+c"(count) : "d"(0x80) : "memory"), VE_IO);
    expect_eq(seen.qualification, 0x80u << 16 | BIT(4) | BIT(5));
    expect_eq(seen.length, 2);
}

static void of_efer_one_bit_is_its_own(void)
{
    static const uint64_t fixed[] = {BIT(2), EFER_LME, EFER_NXE, EFER_SVME, BIT(13), BIT(63)};
    uint64_t efer = rdmsr(MSR_EFER);

    for (unsigned int i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        expect_eq(ve_of_wrmsr(MSR_EFER, efer ^ fixed[i]), VE_WRMSR);
        expect_eq(rdmsr(MSR_EFER), efer);
    }
    expect_eq(ve_of_wrmsr(MSR_EFER, efer ^ EFER_SCE), NO_VE);
    expect_eq(rdmsr(MSR_EFER), efer ^ EFER_SCE);
    expect_eq(ve_of_wrmsr(MSR_EFER, efer), NO_VE);
}

static void msrs_of_the_module_are_as_it_says(void)
{
    static const uint32_t none[] = {0x8c, 0x9b, 0xc1, 0x186, 0x38f, 0x570, 0x6a2, 0x801, 0x14ce};
    uint64_t value;

    for (unsigned int i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        expect_eq(rdmsr_fault(none[i], &value), GP);
        expect_eq(wrmsr_fault(none[i], 0), GP);
    }
    expect_eq(rdmsr(PERF_CAPS), 0);
    expect_eq(wrmsr_fault(PERF_CAPS, 0), GP);
    expect_eq(rdmsr(XAPIC_DISABLED), 1);
    expect_eq(ve_of_wrmsr(MISC_ENABLE, 0), VE_WRMSR);
}

static void calls(void)
{
    __asm__ volatile("xor %%eax, %%eax; mov $0xfc00, %%ecx; mov $1, %%r10d; xor %%r11d, %%r11d\n"
                     ".byte 0x66, 0x0f, 0x01, 0xcc\n" USER_END
                     : : : "rax", "rcx", "r10", "r11", "memory");
}

/* TDCALL is the kernel's: no process of it asks the module, or the hypervisor, for anything. */
static void a_process_cannot_call(void)
{
    expect_eq(user_run(calls), GP);
}

/* What a CPU answers with #GP, QEMU takes, and finds out about at the next entry. */
static void ends_where_it_was_told_to(void)
{
    if (option("end", 0) != 0) {
        say("ready");
        __asm__ volatile("mov %0, %%cr0; hlt" : : "r"(read_cr0() | CR0_NW) : "memory");
        fail(__FILE__, __LINE__, "it runs with NW and without CD");
    }
}

const struct test tests[] = {
    TEST(instructions_for_the_host_are_told_of),
    TEST(io_says_what_it_would_do),
    TEST(of_efer_one_bit_is_its_own),
    TEST(msrs_of_the_module_are_as_it_says),
    TEST(a_process_cannot_call),
    TEST(ends_where_it_was_told_to),
    TEST_END,
};
