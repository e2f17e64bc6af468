/*
 * The TDX silicon line on x86-64. SEAMCALL needs VMX root operation, which this hypervisor does not
 * enter yet (it runs guests by SVM alone): no TDX platform is found on a real machine.
 */
#include "tdx_hw.h"

#include "hv/check.h"

bool tdx_hw_find(struct tdx_hw_keys *keys)
{
    (void)keys;
    return false;
}

uint64_t tdx_hw_seamcall(struct tdx_regs *r)
{
    (void)r;
    panic("SEAMCALL without VMX");
}

uint64_t tdx_hw_vp_enter(struct tdx_regs *r)
{
    return tdx_hw_seamcall(r);
}

void tdx_hw_notify(uint8_t vector)
{
    /* SELF IPI: CPUs with TDX have x2APIC, and their firmware may lock it on. */
    __asm__ volatile("wrmsr" : : "c"(0x83fu), "a"((uint32_t)vector), "d"(0u) : "memory");
}

void tdx_hw_take_nmi(void)
{
    __asm__ volatile("int $2" : : : "memory");
}

void tdx_hw_invept(void)
{
    static const uint64_t descriptor[2]; /* not looked at: type 2 is all contexts */

    __asm__ volatile("invept %0, %1" : : "m"(descriptor), "r"(2ul) : "memory");
}

unsigned int tdx_hw_package(void)
{
    return 0;
}

void tdx_hw_clear_page(pa_t at)
{
    (void)at;
    panic("a TD's page without TDX");
}

void tdx_hw_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}
