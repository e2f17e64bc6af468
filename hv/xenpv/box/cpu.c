/* The processor as the box needs it: descriptor tables, stacks, SYSCALL, control registers. */
#include "boot.h"
#include "offsets.h"

_Static_assert(offsetof(struct vcpu, self) == VCPU_SELF, "offsets.h");
_Static_assert(offsetof(struct vcpu, stack) == VCPU_STACK, "offsets.h");
_Static_assert(offsetof(struct vcpu, scratch) == VCPU_SCRATCH, "offsets.h");
_Static_assert(offsetof(struct vcpu, info) == VCPU_INFO, "offsets.h");
_Static_assert(offsetof(struct vcpu, kernel) == VCPU_KERNEL, "offsets.h");
_Static_assert(offsetof(struct frame, r11) == FRAME_R11, "offsets.h");
_Static_assert(offsetof(struct frame, rcx) == FRAME_RCX, "offsets.h");
_Static_assert(offsetof(struct frame, error) == FRAME_ERROR, "offsets.h");
_Static_assert(offsetof(struct frame, rip) == FRAME_RIP, "offsets.h");
_Static_assert(offsetof(struct frame, cs) == FRAME_CS, "offsets.h");
_Static_assert(offsetof(struct frame, rflags) == FRAME_RFLAGS, "offsets.h");
_Static_assert(offsetof(struct frame, rsp) == FRAME_RSP, "offsets.h");
_Static_assert(offsetof(struct frame, ss) == FRAME_SS, "offsets.h");
_Static_assert(sizeof(struct frame) == FRAME_SIZE, "offsets.h");
_Static_assert(FLAT_CS64 == FLAT_CS64_ && FLAT_CS32 == FLAT_CS32_ && FLAT_DS == FLAT_DS_, "xen.h");

/* Pages of a vCPU's area; what is between them is not mapped. */
enum {
    AREA_GDT = 0,  /* 14 of the guest's, one of ours */
    AREA_LDT = 16, /* 16 */
    AREA_STACK = 33,
    AREA_STACK_END = 37,
    AREA_IST = 38, /* four of 2 pages, with a hole before each next one */
    IST_STRIDE = 3,
};
enum { IST_DB = 1, IST_NMI = 2, IST_FATAL = 3, IST_VC = 4, ISTS = 4 };

#define BOX_CS  0xe008u
#define BOX_DS  0xe010u
#define BOX_TSS 0xe040u
#define BOX_LDT 0xe050u

/* APM Vol. 2, 4.8: flat segments, accessed. */
#define CODE64_0 0x00af9b000000ffffull
#define DATA_0   0x00cf93000000ffffull
#define CODE32_3 0x00cffb000000ffffull
#define DATA_3   0x00cff3000000ffffull
#define CODE64_3 0x00affb000000ffffull
#define SYSTEM(type, limit, base)                                                                  \
    ((uint64_t)(limit) | ((base) & 0xffffff) << 16 | (uint64_t)(0x80 | (type)) << 40 |             \
     ((base) >> 24 & 0xff) << 56)
#define TYPE_TSS 9u
#define TYPE_LDT 2u

#define CR0_ON 0x80050033ull /* PG AM WP NE ET MP PE */
#define CR0_TS BIT(3)
#define CR4_ON (BIT(5) | BIT(9) | BIT(10) | BIT(20) | BIT(21)) /* PAE OSFXSR OSXMMEXCPT SMEP SMAP */
#define EFER_ON (BIT(0) | BIT(8) | BIT(11))                    /* SCE LME NXE */
/* TF IF DF IOPL NT RF AC */
#define SYSCALL_CLEARS 0x57700u

enum {
    MSR_EFER = 0xc0000080,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_CSTAR = 0xc0000083,
    MSR_SFMASK = 0xc0000084,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS = 0xc0000102,
};

struct gate {
    uint16_t low, selector;
    uint8_t ist, type;
    uint16_t mid;
    uint32_t high, zero;
};
struct tss {
    uint32_t zero0;
    uint64_t rsp[3], zero1, ist[7], zero2;
    uint16_t zero3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "APM Vol. 2, 12.2.5");

static struct gate idt[VECTORS] __attribute__((aligned(16)));
static struct tss tss[VCPUS_MAX] __attribute__((aligned(128)));
static uint64_t no_descriptors[512] __attribute__((aligned(4096)));
extern const char trap_vectors[], entry_syscall[], entry_syscall32[];
void load_gs(uint32_t selector);

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

/* ---- descriptor tables ---- */

static void set_gate(unsigned int n)
{
    uint64_t at = (uint64_t)(uintptr_t)trap_vectors + 16 * n;
    uint8_t ist = n == 1                ? IST_DB
                  : n == 2              ? IST_NMI
                  : n == 8 || n == 18   ? IST_FATAL
                  : n == 29             ? IST_VC
                                        : 0;
    uint8_t dpl = n == 3 || n == 4 ? 3 : 0; /* INT3 and INTO */

    idt[n] = (struct gate){(uint16_t)at,
                           BOX_CS,
                           ist,
                           (uint8_t)(0x8e | dpl << 5),
                           (uint16_t)(at >> 16),
                           (uint32_t)(at >> 32),
                           0};
}

void cpu_create(void)
{
    for (unsigned int n = 0; n < VECTORS; n++) {
        set_gate(n);
    }
}

static uint64_t area(const struct vcpu *v, unsigned int page)
{
    return AREA_VIRT + v->index * AREA_SIZE + (uint64_t)page * PAGE_SIZE;
}

static void map_stack(const struct vcpu *v, unsigned int from, unsigned int to)
{
    for (unsigned int i = from; i < to; i++) {
        map_page(area(v, i), (uint64_t)(uintptr_t)boot_pages(1), MAP_RW);
    }
}

static void fill_own_gdt(const struct vcpu *v, uint64_t *gdt)
{
    uint64_t at = (uint64_t)(uintptr_t)&tss[v->index];

    gdt[1] = CODE64_0;
    gdt[2] = DATA_0;
    gdt[4] = CODE32_3;
    gdt[5] = DATA_3;
    gdt[6] = CODE64_3;
    gdt[8] = SYSTEM(TYPE_TSS, sizeof(struct tss) - 1, at);
    gdt[9] = at >> 32;
}

static void fill_tss(const struct vcpu *v)
{
    struct tss *t = &tss[v->index];

    t->rsp[0] = v->stack;
    for (unsigned int i = 0; i < ISTS; i++) {
        t->ist[i] = area(v, AREA_IST + i * IST_STRIDE + 2);
    }
    t->io_map = sizeof(*t);
}

/* While the box starts. */
void cpu_area_create(struct vcpu *v)
{
    uint64_t *gdt = boot_pages(1);

    for (unsigned int i = 0; i < 32; i++) {
        map_page(area(v, i), own_pa(no_descriptors), MAP_RO);
    }
    fill_own_gdt(v, gdt);
    map_page(area(v, GDT_GUEST_PAGES), (uint64_t)(uintptr_t)gdt, MAP_RW);
    map_stack(v, AREA_STACK, AREA_STACK_END);
    for (unsigned int i = 0; i < ISTS; i++) {
        map_stack(v, AREA_IST + i * IST_STRIDE, AREA_IST + i * IST_STRIDE + 2);
    }
    v->stack = area(v, AREA_STACK_END);
    fill_tss(v);
}

/* The area's L1 entries, as they are reached once the box runs. */
static void show(const struct vcpu *v, unsigned int page, uint64_t pa)
{
    uint64_t va = area(v, page);
    uint64_t *t = map_top;

    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        t = page_data(PTE_MFN(t[va >> shift & 511]));
    }
    t[va >> 12 & 511] = pa | boot.c_bit | MAP_RO;
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static uint64_t frame_pa(uint64_t mfn)
{
    return (mfn & ~box.c_mfn) << PAGE_SHIFT;
}

void gdt_map(struct vcpu *v)
{
    for (unsigned int i = 0; i < GDT_GUEST_PAGES; i++) {
        show(v, AREA_GDT + i,
             i < v->gdt_pages ? frame_pa(v->gdt_frame[i]) : own_pa(no_descriptors));
    }
}

void ldt_map(struct vcpu *v, uint32_t entries)
{
    uint64_t *gdt = (uint64_t *)(area(v, GDT_GUEST_PAGES));
    uint64_t at = area(v, AREA_LDT);

    for (unsigned int i = 0; i < 16; i++) {
        show(v, AREA_LDT + i,
             i < v->ldt_pages ? frame_pa(v->ldt_frame[i]) : own_pa(no_descriptors));
    }
    gdt[(BOX_LDT & 0xfff) / 8] = entries != 0 ? SYSTEM(TYPE_LDT, entries * 8 - 1, at) : 0;
    gdt[(BOX_LDT & 0xfff) / 8 + 1] = entries != 0 ? at >> 32 : 0;
    __asm__ volatile("lldt %w0" : : "r"(entries != 0 ? BOX_LDT : 0));
}

/* ---- a processor starts ---- */

static void load_tables(const struct vcpu *v)
{
    struct table_pointer gdtr = {15 * PAGE_SIZE - 1, area(v, AREA_GDT)};
    struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    __asm__ volatile("lgdt %0; lidt %1" : : "m"(gdtr), "m"(idtr));
    __asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     :
                     : "i"((uint64_t)BOX_CS)
                     : "rax", "memory");
    __asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs;"
                     "lldt %w1; ltr %w2"
                     :
                     : "r"(BOX_DS), "r"(0), "r"(BOX_TSS));
}

void cpu_start(struct vcpu *v)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_ON);
    __asm__ volatile("mov %0, %%cr4" : : "r"(CR4_ON));
    __asm__ volatile("mov %0, %%cr0" : : "r"(CR0_ON));
    ((uint64_t *)area(v, GDT_GUEST_PAGES))[8] &= ~BIT(41); /* not busy */
    load_tables(v);
    wrmsr(MSR_STAR, (uint64_t)FLAT_CS32 << 48 | (uint64_t)BOX_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)(uintptr_t)entry_syscall);
    wrmsr(MSR_CSTAR, (uint64_t)(uintptr_t)entry_syscall32);
    wrmsr(MSR_SFMASK, SYSCALL_CLEARS);
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)v);
    wrmsr(MSR_KERNEL_GS, 0);
    wrmsr(MSR_FS_BASE, 0);
}

/* ---- what the guest sees of it ---- */

uint64_t guest_gs(void)
{
    return rdmsr(MSR_KERNEL_GS);
}

void guest_gs_set(uint64_t base)
{
    wrmsr(MSR_KERNEL_GS, base);
}

uint64_t own_gs(void)
{
    return rdmsr(MSR_GS_BASE);
}

uint64_t fs_base(void)
{
    return rdmsr(MSR_FS_BASE);
}

void fs_base_set(uint64_t base)
{
    wrmsr(MSR_FS_BASE, base);
}

/* Loading a selector loads its base into the GS that is ours now. */
uint64_t guest_gs_load(uint16_t selector)
{
    uint64_t own = rdmsr(MSR_GS_BASE), base;

    load_gs(selector);
    base = rdmsr(MSR_GS_BASE);
    wrmsr(MSR_GS_BASE, own);
    return base;
}

void cpu_set_table(uint64_t mfn)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(mfn << PAGE_SHIFT) : "memory");
}

void cpu_set_ts(bool on)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(on ? CR0_ON | CR0_TS : CR0_ON));
}

void cpu_debug(unsigned int n, uint64_t value)
{
    switch (n) {
    case 0:
        __asm__ volatile("mov %0, %%dr0" : : "r"(value));
        break;
    case 1:
        __asm__ volatile("mov %0, %%dr1" : : "r"(value));
        break;
    case 2:
        __asm__ volatile("mov %0, %%dr2" : : "r"(value));
        break;
    case 3:
        __asm__ volatile("mov %0, %%dr3" : : "r"(value));
        break;
    case 7:
        outside_dr7(value);
        break;
    default: /* DR6 is shown as it came */
        break;
    }
}

bool cpu_code64(uint64_t selector)
{
    uint64_t rights = 0;

    __asm__("lar %1, %0" : "+r"(rights) : "r"(selector) : "cc");
    return (rights & BIT(21)) != 0;
}
