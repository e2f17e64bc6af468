/* The silicon, by its own instructions. */
#include "arch_impl/insn.h"
#include "arch/boot.h"
#include "hv/check.h"
#include "hv/string.h"
#include "snp_hw.h"

#define PCI_CONFIG(bus, slot, fn, reg)                                                             \
    (0x80000000u | (uint32_t)(bus) << 16 | (uint32_t)(slot) << 11 | (uint32_t)(fn) << 8 | (reg))
#define VENDOR_AMD   0x1022u
#define PCI_COMMAND  0x04u
#define PCI_MEMORY_AND_MASTER 6u
#define BAR2         0x18u
#define PSP_MMIO_LEN 0x20000u

static volatile uint32_t *psp;

/* The RMP in memory: what the processors keep there, then entries of two words. NULL: there is
 * none. Software reads it where there is no RMPREAD. */
static struct {
    uint8_t *at;
    uint64_t len;
    bool read;
} rmp;

void silicon_early(void)
{
}

void silicon_late(void)
{
    uint32_t r[4];
    uint64_t base, end;

    snp_hw_cpuid(SNP_CPUID_LEAF, 0, r);
    if ((r[0] & SNP_CPUID_SNP) == 0) {
        return;
    }
    base = rdmsr(MSR_RMP_BASE);
    end = rdmsr(MSR_RMP_END);
    if (base != 0 && end > base && end - base >= RMP_BOOKKEEPING) {
        arch_map_more_for_silicon(pa(base), end + 1 - base);
        rmp.at = (uint8_t *)(SILICON_BASE + base);
        rmp.len = end + 1 - base;
        rmp.read = (r[0] & SNP_CPUID_RMPREAD) == 0;
    }
}

void snp_hw_rmp_clear(void)
{
    REQUIRE(rmp.at != NULL);
    memset(rmp.at, 0, rmp.len);
}

const char *silicon_says(void)
{
    return "\"emulated\":false";
}

void snp_hw_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    struct cpuid_regs r = {0, 0, 0, 0};

    if (cpuid(leaf & 0x80000000, 0).eax >= leaf) {
        r = cpuid(leaf, sub);
    }
    out[0] = r.eax;
    out[1] = r.ebx;
    out[2] = r.ecx;
    out[3] = r.edx;
}

uint64_t snp_hw_rdmsr(uint32_t msr)
{
    return rdmsr(msr);
}

void snp_hw_wrmsr(uint32_t msr, uint64_t value)
{
    wrmsr(msr, value);
}

uint32_t snp_hw_rmpupdate(pa_t at, const struct rmp_entry *e)
{
    uint64_t rax = at.v;

    __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xfe" : "+a"(rax) : "c"(e) : "memory", "cc");
    return (uint32_t)rax;
}

uint32_t snp_hw_psmash(pa_t at)
{
    uint64_t rax = at.v;

    __asm__ volatile(".byte 0xf3, 0x0f, 0x01, 0xff" : "+a"(rax) : : "memory", "cc");
    return (uint32_t)rax;
}

/* RMPREAD says more than RMPUPDATE takes, in bits that are reserved there. */
static bool rmpread(pa_t at, struct rmp_entry *e)
{
    uint64_t rax = at.v;

    __asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xfd" : "+a"(rax) : "c"(e) : "memory", "cc");
    e->assigned &= 1;
    e->page_size &= 1;
    e->immutable &= 1;
    e->reserved = 0;
    return rax == 0;
}

bool snp_hw_rmpread(pa_t at, struct rmp_entry *e)
{
    uint64_t offset = RMP_BOOKKEEPING + (at.v >> PAGE_SHIFT) * sizeof(struct rmp_entry);

    if (!rmp.read) {
        return rmpread(at, e);
    }
    if (offset > rmp.len - sizeof(struct rmp_entry)) {
        return false;
    }
    *e = rmp_entry_of(*(const volatile uint64_t *)(rmp.at + offset));
    return true;
}

static void pci_write(uint32_t address, uint32_t value)
{
    __asm__ volatile("outl %0, %w1" : : "a"(address), "Nd"(0xcf8));
    __asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(0xcfc));
}

static uint32_t pci_read(uint32_t address)
{
    uint32_t v;

    __asm__ volatile("outl %0, %w1" : : "a"(address), "Nd"(0xcf8));
    __asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(0xcfc));
    return v;
}

/* 1486h Milan, 14CAh Genoa, 156Eh and 17D8h later ones (Linux, drivers/crypto/ccp/sp-pci.c). */
static bool is_psp(uint32_t id)
{
    uint32_t device = id >> 16;

    return (id & 0xffff) == VENDOR_AMD && (device == 0x1486 || device == 0x14ca ||
                                           device == 0x156e || device == 0x17d8);
}

bool snp_hw_psp_find(void)
{
    for (uint32_t i = 0; i < 256 * 32 * 8; i++) {
        uint32_t f = PCI_CONFIG(i >> 8, i >> 3 & 31, i & 7, 0);

        if (is_psp(pci_read(f))) {
            uint64_t bar = pci_read(f + BAR2) & ~15u;

            bar |= (uint64_t)pci_read(f + BAR2 + 4) << 32;
            if (bar == 0) {
                return false;
            }
            pci_write(f + PCI_COMMAND,
                      (pci_read(f + PCI_COMMAND) & 0xffff) | PCI_MEMORY_AND_MASTER);
            psp = arch_map_device(pa(bar), PSP_MMIO_LEN);
            return true;
        }
    }
    return false;
}

uint32_t snp_hw_psp_read(uint32_t reg)
{
    return psp[reg / 4];
}

void snp_hw_psp_write(uint32_t reg, uint32_t value)
{
    psp[reg / 4] = value;
}

void snp_hw_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

/* The chip brings back what it saved at VMRUN, and zeroes the rest: snp_vmrun.S keeps those. */
void snp_hw_vmrun(struct vmcb *vmcb, uint64_t vmcb_pa, uint64_t host_vmcb)
{
    (void)vmcb;
    snp_vmrun(vmcb_pa, host_vmcb);
}
