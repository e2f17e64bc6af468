#include "tdx_cpu.h"

#include <stdio.h>
#include <string.h>

#include "arch/boot.h"
#include "hv/cpu.h"
#include "hv/page.h"

unsigned int emu_tdx_lp(void)
{
    return this_cpu()->index;
}

unsigned int emu_tdx_package(unsigned int lp)
{
    return lp / 2;
}

bool emu_tdx_interrupt(void)
{
    static unsigned int n;

    return ++n % 3 == 0; /* every long leaf is interrupted now and then */
}

void emu_tdx_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    (void)leaf;
    (void)subleaf;
    memset(out, 0xff, 16);
}

void emu_tdx_forget(uint64_t tdr_pa, uint64_t gpa, uint64_t size)
{
    (void)tdr_pa;
    (void)gpa;
    (void)size;
}

static struct {
    const struct tdx_vp *vp;
    uint64_t gpa, at;
} tlb[16];

bool tdx_cpu_reaches(struct tdx_vp *vp, uint64_t gpa, uint64_t *at)
{
    static unsigned int next;
    uint64_t size;

    for (unsigned int i = 0; i < ARRAY_SIZE(tlb); i++) {
        if (tlb[i].vp == vp && tlb[i].gpa == gpa) {
            *at = tlb[i].at;
            return true;
        }
    }
    if (tdx_access(vp, gpa, EPT_VIOLATION_WRITE, at, &size) != TDX_ACCESS_OK) {
        return false;
    }
    next = (next + 1) % ARRAY_SIZE(tlb);
    tlb[next].vp = vp;
    tlb[next].gpa = gpa;
    tlb[next].at = *at;
    return true;
}

unsigned int tdx_cpu_nmis;

void tdx_hw_take_nmi(void)
{
    tdx_cpu_nmis++;
}

static uint8_t notified;

uint8_t tdx_cpu_notified(void)
{
    uint8_t vector = notified;

    notified = 0;
    return vector;
}

void tdx_hw_notify(uint8_t vector)
{
    notified = vector;
}

void tdx_hw_invept(void)
{
    memset(tlb, 0, sizeof(tlb));
}

void emu_tdx_flush(struct tdx_vp *vp)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(tlb); i++) {
        tlb[i].vp = tlb[i].vp == vp ? NULL : tlb[i].vp;
    }
}

uint64_t emu_tdx_tsc(void)
{
    return 1000;
}

bool emu_tdx_interruptible(struct tdx_vp *vp)
{
    return vp->posted_vector == 99;
}

void emu_tdx_gone(uint64_t tdr_pa)
{
    (void)tdr_pa;
}

void (*tdx_cpu_code)(struct tdx_vp *vp);

void emu_tdx_run(struct tdx_vp *vp)
{
    if (tdx_cpu_code != NULL) {
        tdx_cpu_code(vp);
        return;
    }
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, 0, 0);
}

uint64_t tdx_hw_seamcall(struct tdx_regs *r)
{
    return emu_tdx_seamcall(r);
}

unsigned int tdx_hw_package(void)
{
    return emu_tdx_package(emu_tdx_lp());
}

void tdx_hw_clear_page(pa_t at)
{
    memset(emu_mem(at), 0, PAGE_SIZE);
}

void tdx_hw_wbinvd(void)
{
}

uint64_t tdx_hw_vp_enter(struct tdx_regs *r)
{
    return emu_tdx_seamcall(r);
}

bool tdx_pages_agree(void)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        for (uint64_t at = r->base; at < r->base + r->len; at += PAGE_SIZE) {
            const struct tdx_pamt *e = tdx_pamt_of(at, TDX_4K);
            enum page_state s = page_state_of(pa(at));

            if (e != NULL && e->type > TDX_PT_RSVD && s != PAGE_CHIP && s != PAGE_PRIVATE) {
                fprintf(stderr, "%lx is a TD's (%u) and in state %u\n", (unsigned long)at, e->type,
                        s);
                return false;
            }
        }
    }
    return true;
}
