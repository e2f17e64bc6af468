/* Descriptor tables, exceptions that are expected and those that are not, ring 3. */
#include "guest.h"

struct guest_cpu cpus[CPUS_MAX];
void (*on[256])(struct frame *f);
struct idt_gate idt[256] __attribute__((aligned(4096)));

struct fixup {
    uint64_t from, to;
};
extern const struct fixup extable_start[], extable_end[];
extern const char trap_entries[], user_return[];
extern const uint64_t boot_gdt[6];
void user_enter(void (*fn)(void), uint64_t stack, uint64_t *kernel_rsp);
void trap(struct frame *f);

#define SEL_TSS 0x30

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

void gate_set(unsigned int vector, unsigned int ist, unsigned int dpl)
{
    uint64_t to = (uint64_t)trap_entries + vector * 16ull;

    idt[vector].high = to >> 32;
    idt[vector].low = (to & 0xffff) | 0x08u << 16 | (uint64_t)ist << 32 |
                      (0x8eull | dpl << 5) << 40 | (to >> 16 & 0xffff) << 48;
}

void gate_clear(unsigned int vector)
{
    idt[vector] = (struct idt_gate){0, 0};
}

static void load_tables(struct guest_cpu *c)
{
    struct table_register gdtr = {sizeof(c->gdt) - 1, (uint64_t)c->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};
    uint64_t base = (uint64_t)&c->tss;

    memcpy(c->gdt, boot_gdt, sizeof(boot_gdt));
    c->gdt[6] = (sizeof(c->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                (base >> 24 & 0xff) << 56;
    c->gdt[7] = base >> 32;
    c->tss.ist[0] = (uint64_t)&c->ist[1];
    c->tss.ist[1] = (uint64_t)&c->ist[2];
    c->tss.iomap = sizeof(c->tss);
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(SEL_TSS) : "memory");
}

void cpu_setup(unsigned int index)
{
    struct guest_cpu *c = &cpus[index];

    if (index == 0) {
        for (unsigned int i = 0; i < 256; i++) {
            gate_set(i, 0, 0);
        }
        gate_set(8, 1, 0);
        gate_set(2, 2, 0);
        gate_set(0x80, 0, 3);
    }
    c->self = c;
    c->index = index;
    c->fault = NO_FAULT;
    load_tables(c);
    wrmsr(0xc0000101, (uint64_t)c); /* GS.base */
    if ((cpuid(1, 0).ecx & BIT(26)) != 0) {
        write_cr4(read_cr4() | CR4_OSXSAVE);
    }
    apic_write(APIC_SVR, 0x1ff);
}

static const char *name_of(uint64_t vector)
{
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                        "#DF", "9",   "#TS", "#NP", "#SS", "#GP", "#PF", "15",
                                        "#MF", "#AC", "#MC", "#XF"};

    return vector < ARRAY_SIZE(names) ? names[vector] : "interrupt";
}

static void leave_user(struct guest_cpu *c, struct frame *f)
{
    f->rip = (uint64_t)user_return;
    f->cs = 0x08;
    f->ss = 0x10;
    f->rsp = c->user_rsp;
    f->rflags = 2;
}

void trap(struct frame *f)
{
    struct guest_cpu *c = me();

    if (on[f->vector] != NULL) {
        on[f->vector](f);
        return;
    }
    c->fault = (int)f->vector;
    c->fault_error = f->error;
    c->fault_cr2 = read_cr2();
    if ((f->cs & 3) != 0) {
        leave_user(c, f);
        return;
    }
    for (const struct fixup *x = extable_start; x < extable_end; x++) {
        if (f->rip >= x->from && f->rip <= x->to) {
            f->rip = x->to;
            return;
        }
    }
    fatal("unexpected %s (%lu, error %lx) at %lx, CR2 %lx, on vCPU %u", name_of(f->vector),
          (unsigned long)f->vector, (unsigned long)f->error, (unsigned long)f->rip,
          (unsigned long)read_cr2(), c->index);
}

int user_run(void (*fn)(void))
{
    static uint8_t stack[CPUS_MAX][2048] __attribute__((aligned(16)));
    struct guest_cpu *c = me();

    c->tss.rsp[0] = (uint64_t)&c->ist[1] - 2048; /* the lower half: the other is #DF's */
    user_enter(fn, (uint64_t)&stack[c->index + 1] - 8, &c->user_rsp);
    return c->fault;
}
