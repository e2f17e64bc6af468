/* A TD: its own #VE handler, TDVMCALLs, conversions, other vCPUs (GHCI 1.5; module ABI 5.5). */
#include "cc.h"

#define VEC_VE 20u
enum { TDG_VMCALL = 0, TDG_VP_INFO = 1, TDG_VEINFO_GET = 3, TDG_ACCEPT = 6 };
enum { VE_CPUID = 10, VE_HLT = 12, VE_IO = 30, VE_RDMSR = 31, VE_WRMSR = 32 };
#define MAILBOX    0x9c000u /* as the MADT says; hv/domain/plan_x86.h */
#define MAP_GPA    0x10001u
#define FATAL      0x10003u
#define R10_TO_R15 0xfc00u

struct regs {
    uint64_t rax, rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15;
};
extern uint32_t mailbox_for;
extern char mailbox_entry[];

static void tdcall(struct regs *r)
{
    register uint64_t r8 __asm__("r8") = r->r8;
    register uint64_t r9 __asm__("r9") = r->r9;
    register uint64_t r10 __asm__("r10") = r->r10;
    register uint64_t r11 __asm__("r11") = r->r11;
    register uint64_t r12 __asm__("r12") = r->r12;
    register uint64_t r13 __asm__("r13") = r->r13;
    register uint64_t r14 __asm__("r14") = r->r14;
    register uint64_t r15 __asm__("r15") = r->r15;

    __asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc"
                     : "+a"(r->rax), "+c"(r->rcx), "+d"(r->rdx), "+r"(r8), "+r"(r9), "+r"(r10),
                       "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
                     :
                     : "memory", "cc");
    *r = (struct regs){r->rax, r->rcx, r->rdx, r8, r9, r10, r11, r12, r13, r14, r15};
}

static void vmcall(struct regs *r)
{
    r->rax = TDG_VMCALL;
    r->rcx = R10_TO_R15;
    tdcall(r);
}

static NORETURN void give_up(uint64_t why)
{
    for (;;) {
        vmcall(&(struct regs){.r11 = FATAL, .r12 = why});
    }
}

static struct call_result by_tdvmcall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                      uint64_t d)
{
    struct regs r = {.r10 = number, .r11 = a, .r12 = b, .r13 = c, .r14 = d};

    vmcall(&r);
    if (r.rax != 0) {
        give_up(r.rax);
    }
    return (struct call_result){r.r10, {r.r11, r.r12, r.r13}};
}

static bool map_gpa(uint64_t at)
{
    struct regs r = {.r11 = MAP_GPA, .r12 = at, .r13 = 4096};

    vmcall(&r);
    return r.r10 == 0;
}

static bool tdx_convert(const void *page, bool shared)
{
    uint64_t at = (uint64_t)page;
    struct regs r = {.rax = TDG_ACCEPT, .rcx = at};

    if (shared) {
        return map_gpa(at | shared_pte);
    }
    if (!map_gpa(at)) {
        return false;
    }
    tdcall(&r);
    return r.rax == 0;
}

/* ---- #VE ---- */

static void on_io(struct frame *f, uint64_t qualification)
{
    uint64_t size = (qualification & 7) + 1, mask = size == 4 ? UINT32_MAX : (1ull << size * 8) - 1;
    bool in = (qualification & 8) != 0;
    struct regs r = {.r11 = VE_IO, .r12 = size, .r13 = !in, .r14 = qualification >> 16,
                     .r15 = f->rax & mask};

    vmcall(&r);
    if (in) {
        f->rax = size == 4 ? (uint32_t)r.r11 : (f->rax & ~mask) | (r.r11 & mask);
    }
}

static void on_cpuid(struct frame *f)
{
    struct regs r = {.r11 = VE_CPUID, .r12 = f->rax, .r13 = f->rcx};

    vmcall(&r);
    f->rax = r.r12;
    f->rbx = r.r13;
    f->rcx = r.r14;
    f->rdx = r.r15;
}

static void on_msr(struct frame *f, bool write)
{
    struct regs r = {.r11 = write ? VE_WRMSR : VE_RDMSR, .r12 = (uint32_t)f->rcx,
                     .r13 = f->rdx << 32 | (uint32_t)f->rax};

    vmcall(&r);
    if (r.r10 != 0) {
        give_up(f->rcx);
    }
    if (!write) {
        f->rax = (uint32_t)r.r11;
        f->rdx = r.r11 >> 32;
    }
}

static void on_ve(struct frame *f)
{
    struct regs ve = {.rax = TDG_VEINFO_GET};

    tdcall(&ve);
    switch ((uint32_t)ve.rcx) {
    case VE_CPUID:
        on_cpuid(f);
        break;
    case VE_HLT:
        vmcall(&(struct regs){.r11 = VE_HLT});
        break;
    case VE_IO:
        on_io(f, ve.rdx);
        break;
    case VE_RDMSR:
    case VE_WRMSR:
        on_msr(f, ve.rcx == VE_WRMSR);
        break;
    default:
        give_up(ve.rcx << 32 | (uint32_t)ve.r9);
    }
    f->rip += (uint32_t)ve.r10;
}

/* ---- other vCPUs: ACPI 6.5, 5.2.12.19 ---- */

static void start_vcpu(unsigned int index)
{
    volatile uint32_t *mailbox = (volatile uint32_t *)(uint64_t)MAILBOX;

    mailbox_for = index;
    mailbox[1] = index; /* its APIC id */
    *(volatile uint64_t *)&mailbox[2] = (uint64_t)mailbox_entry;
    *(volatile uint16_t *)&mailbox[0] = 1;
}

void tdx_begin(void)
{
    struct regs r = {.rax = TDG_VP_INFO};

    tdcall(&r);
    shared_pte = 1ull << ((r.rcx & 0x3f) - 1);
    for (uint8_t *at = shared_start; at < shared_end; at += 4096) {
        if (!map_gpa((uint64_t)at | shared_pte)) {
            give_up(1);
        }
    }
    on[VEC_VE] = on_ve;
    call = by_tdvmcall;
    convert = tdx_convert;
    vcpu_start = start_vcpu;
}
