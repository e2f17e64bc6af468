/*
 * A hostile TD: any sequence of TDVMCALLs, other TDCALLs, accesses and acceptances of both vCPUs,
 * against the production driver above the emulated module. It may only end itself: every page keeps
 * exactly one owner, and all of them come back.
 */
#include "cc_host.h"

#include "hv/page.h"

#include <stdlib.h>
#include <string.h>

#define RESET_AFTER 5000u /* inputs */

struct input {
    const uint8_t *p;
    size_t len;
};

static struct input in;

static uint64_t take(size_t n)
{
    uint64_t value = 0;

    n = n < in.len ? n : in.len;
    memcpy(&value, in.p, n);
    in.p += n;
    in.len -= n;
    return value;
}

/* Mostly a page of its RAM, by either alias; now and then anything. */
static uint64_t address(void)
{
    uint64_t pick = take(2);

    return pick >= 0xf000 ? take(8)
                          : (pick & 0x3ff) << PAGE_SHIFT | ((pick & 0x400) != 0 ? TDX_SHARED : 0);
}

static void vmcall(struct vcpu *v)
{
    static const uint64_t known[] = {
        TDX_EXIT_CPUID,        TDX_EXIT_HLT,       TDX_EXIT_IO,
        TDX_EXIT_RDMSR,        TDX_EXIT_WRMSR,     TDX_EXIT_EPT_VIOLATION,
        TDVMCALL_GET_INFO,     TDVMCALL_MAP_GPA,   TDVMCALL_MAP_GPA,
        TDVMCALL_GET_QUOTE,    TDVMCALL_SETUP_EVENT_NOTIFY};
    uint8_t pick = (uint8_t)take(1);
    struct tdx_regs r = {.r10 = pick >= 0xf8, .r11 = known[pick % ARRAY_SIZE(known)]};

    if (pick % 32 == 31) {
        r.r11 = take(8);
    }
    r.r12 = (pick & 0x20) != 0 ? address() : take(2);
    r.r13 = (pick & 0x40) != 0 ? (take(1) & 7) << 12 : take(2);
    r.r14 = take(2);
    r.r15 = take(1);
    cc_tdx_call(v, &r);
}

static struct tdx_regs wanted;

/* A TDCALL with any operands; then it leaves. */
static void tdcalls(struct tdx_vp *vp)
{
    vp->regs = wanted;
    if (tdx_tdcall(vp) != TDX_TD_EXIT) {
        tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, TDX_EEQ_NONE, 0);
    }
}

static void tdcall(struct vcpu *v)
{
    uint8_t pick = (uint8_t)take(1);

    wanted = (struct tdx_regs){
        .rax = 1 + pick % 8, .rcx = address() & ~(pick >= 0x80 ? 0x3ffull : 0), .r8 = take(1)};
    wanted.rdx = (pick & 8) != 0 ? take(8) : address() & ~0x3full;
    tdx_cpu_code = tdcalls;
    snp_run(v);
    tdx_cpu_code = NULL;
}

static void act(struct vm *vm)
{
    uint8_t what = (uint8_t)take(1);
    struct vcpu *v = vm->vcpu[what >> 7];

    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        vmcall(v);
        break;
    case 3:
        tdcall(v);
        break;
    case 4:
    case 5:
        (void)cc_tdx_accept(v, address() & PAGE_MASK & ~TDX_SHARED, TDX_4K);
        break;
    case 6:
        (void)cc_tdx_accept(v, ALIGN_DOWN(address(), SIZE_2M) & ~TDX_SHARED, TDX_2M);
        break;
    default:
        (void)cc_tdx_touch(v, address());
        break;
    }
}

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned int inputs;
    static uint64_t pages;
    struct vm *vm;

    in = (struct input){data, size};
    if (inputs++ % RESET_AFTER == 0) {
        snp_boot(MiB(32));
        vm_destroy(snp_guest(CC_TDX, 2)); /* what is made once and kept */
        pages = page_count_free();
    }
    vm = snp_guest(CC_TDX, 2);
    while (in.len > 0 && !snp_ended(vm)) {
        act(vm);
    }
    check(cc_tdx_agrees(vm));
    snp_drop(vm);
    check(page_count_free() == pages && vm_count() == 0);
    return 0;
}
