/* Another processor of an SEV-SNP guest: a save area (APM Vol. 2, table B-4), and the request. */
#include "boot.h"
#include "ghcb.h"

#define PAT_RESET 0x0007040600070406ull
#define EFER      0x1d01ull /* SVME NXE LMA LME SCE */
#define CR0       0x80000031ull
#define CR4       0x20ull

struct segment {
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};
/* The fields that are not zero. */
struct save_area {
    struct segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t pad0[0xd0 - 0xa0];
    uint64_t efer;
    uint8_t pad1[0x148 - 0xd8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t pad2[0x1d8 - 0x180];
    uint64_t rsp;
    uint8_t pad3[0x268 - 0x1e0];
    uint64_t g_pat;
    uint8_t pad4[0x3b0 - 0x270];
    uint64_t sev_features;
    uint8_t pad5[0x3e8 - 0x3b8];
    uint64_t xcr0;
    uint8_t pad6[0x408 - 0x3f0];
    uint32_t mxcsr;
    uint16_t x87_ftw, x87_fsw, x87_fcw;
    uint8_t pad7[0x1000 - 0x412];
} __attribute__((aligned(4096)));
_Static_assert(offsetof(struct save_area, rip) == 0x178, "VMSA");
_Static_assert(offsetof(struct save_area, x87_fcw) == 0x410, "VMSA");
_Static_assert(sizeof(struct save_area) == PAGE_SIZE, "VMSA");

static struct save_area areas[VCPUS_MAX];

/* RMPADJUST (APM Vol. 3): VMPL 1 gets nothing, the page is a save area. */
static bool make_vmsa(void *page)
{
    uint64_t rax = (uint64_t)(uintptr_t)page;

    __asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
                     : "+a"(rax)
                     : "c"(0), "d"(BIT(16) | 1)
                     : "memory", "cc");
    return (uint32_t)rax == 0;
}

void ghcb_start_vcpu(uint32_t vcpu, uint64_t entry, uint64_t table, uint64_t stack)
{
    struct save_area *s = &areas[vcpu];

    s->cs = (struct segment){0x10, 0xa9b, 0xffffffff, 0};
    s->ds = (struct segment){0x18, 0xc93, 0xffffffff, 0};
    s->es = s->ds;
    s->ss = s->ds;
    s->fs = s->ds;
    s->gs = s->ds;
    s->ldtr = (struct segment){0, 0x82, 0xffff, 0};
    s->tr = (struct segment){0, 0x8b, 0xffff, 0};
    s->efer = EFER;
    s->cr0 = CR0;
    s->cr3 = table;
    s->cr4 = CR4;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->rflags = 2;
    s->rip = entry;
    s->rsp = stack;
    s->g_pat = PAT_RESET;
    s->sev_features = ghcb_features();
    s->xcr0 = 1;
    s->mxcsr = 0x1f80;
    s->x87_fcw = 0x37f;
    if (!make_vmsa(s) || !ghcb_create_vcpu(vcpu, own_pa(s))) {
        panic("vCPU %u cannot be started", vcpu);
    }
}
