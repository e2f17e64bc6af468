/*
 * What the chip does in the guest's own memory: walk its tables, and push the frame of #VC. A CPU
 * without SEV-ES knows no error code for vector 29, so the frame is built here as APM Vol. 2, 8.9
 * and 15.35.5 describe it. Below the silicon line this is allowed: it is the chip.
 */
#include "snp_core.h"

#include "arch_impl/insn.h"
#include "hv/string.h"

#define C_BIT      BIT(EMU_C_BIT)
#define ADDRESS    (PTE_PA & ~C_BIT)
#define VECTOR_VC  29u
#define RFLAGS_CLEAR (BIT(8) | BIT(14) | BIT(16) | BIT(17)) /* TF NT RF VM */
#define RFLAGS_IF  BIT(9)
#define GATE_INTERRUPT 0xeu
#define TSS_RSP0   4u
#define TSS_IST1   0x24u
#define WALK       (EMU_PERM_READ | EMU_PERM_WRITE)

/* The guest's private memory, where the chip itself reads and writes. NULL: it may not. */
static void *private_at(struct emu_vcpu *v, uint64_t gpa, uint8_t need)
{
    const struct emu_touch t = {gpa & ~C_BIT & PAGE_MASK, v->guest->asid, true, v->vmpl, need};
    struct emu_rmp e;
    uint64_t size;
    pa_t to;

    if (!emu_host_translate(v->guest, gpa & ~C_BIT, &to, &size) ||
        emu_rmp_access(to, &t, &e) != RMP_OK) {
        return NULL;
    }
    return emu_mem(to);
}

bool emu_walk(struct emu_vcpu *v, uint64_t va, struct emu_walk *w)
{
    uint64_t table = v->shadow->cr3;

    *w = (struct emu_walk){va, true, PTE_W | PTE_U, NULL};
    if ((v->shadow->cr0 & CR0_PG) == 0) {
        return true;
    }
    for (unsigned int level = PT_LEVELS - 1;; level--) {
        uint64_t size = BIT(PAGE_SHIFT + 9 * level);
        uint64_t index = va >> (PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1);
        uint64_t *pte = private_at(v, (table & ADDRESS) + index * 8, WALK);

        if (pte == NULL || (*pte & PTE_P) == 0) {
            return false;
        }
        table = __atomic_or_fetch(pte, PTE_A, __ATOMIC_RELAXED);
        w->rights &= table;
        if (level == 0 || (table & PTE_PS) != 0) {
            w->gpa = (table & ADDRESS & ~(size - 1)) + va % size;
            w->c_bit = (table & C_BIT) != 0;
            w->leaf = pte;
            return true;
        }
    }
}

static void *virt_at(struct emu_vcpu *v, uint64_t va, uint8_t need)
{
    struct emu_walk w;

    return emu_walk(v, va, &w) && w.c_bit ? private_at(v, w.gpa, need) : NULL;
}

bool emu_read_virt(struct emu_vcpu *v, uint64_t va, void *buf, size_t len)
{
    uint8_t *out = buf;

    while (len > 0) {
        size_t n = MIN(len, PAGE_SIZE - va % PAGE_SIZE);
        const void *from = virt_at(v, va, EMU_PERM_READ);

        if (from == NULL) {
            return false;
        }
        memcpy(out, from, n);
        out += n;
        va += n;
        len -= n;
    }
    return true;
}

static bool push(struct emu_vcpu *v, uint64_t *rsp, uint64_t value)
{
    uint64_t *to = virt_at(v, *rsp - 8, EMU_PERM_WRITE);

    if (to == NULL) {
        return false;
    }
    *rsp -= 8;
    *to = value;
    return true;
}

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, reserved;
};

static bool choose_stack(struct emu_vcpu *v, const struct gate *g, uint64_t *rsp)
{
    struct vmcb *b = v->shadow;
    unsigned int ist = g->ist & 7;

    *rsp = b->rsp;
    if (ist != 0) {
        return emu_read_virt(v, b->tr.base + TSS_IST1 + (ist - 1) * 8, rsp, 8);
    }
    return b->cpl == 0 || emu_read_virt(v, b->tr.base + TSS_RSP0, rsp, 8);
}

/* The packed attributes of a VMCB segment: descriptor bits 55:52 and 47:40. */
static bool load_cs(struct emu_vcpu *v, uint16_t selector)
{
    struct vmcb *b = v->shadow;
    uint64_t d;

    if ((selector & 4) != 0 || (selector & ~7u) + 7u > b->gdtr.limit ||
        !emu_read_virt(v, b->gdtr.base + (selector & ~7u), &d, sizeof(d))) {
        return false;
    }
    b->cs.selector = selector & 0xfffc;
    b->cs.attributes = (uint16_t)((d >> 40 & 0xff) | (d >> 52 & 0xf) << 8);
    b->cs.limit = 0xffffffff;
    b->cs.base = 0;
    return true;
}

bool emu_deliver_vc(struct emu_vcpu *v, uint64_t code)
{
    struct vmcb *b = v->shadow;
    uint64_t old_rsp = b->rsp, rsp;
    uint16_t old_ss = b->ss.selector, old_cs = b->cs.selector;
    struct gate g;

    if (b->idtr.limit < VECTOR_VC * 16 + 15 ||
        !emu_read_virt(v, b->idtr.base + VECTOR_VC * 16, &g, sizeof(g)) || (g.type & 0x80) == 0 ||
        !choose_stack(v, &g, &rsp)) {
        return false;
    }
    rsp &= ~15ull;
    if (!push(v, &rsp, old_ss) || !push(v, &rsp, old_rsp) || !push(v, &rsp, b->rflags) ||
        !push(v, &rsp, old_cs) || !push(v, &rsp, b->rip) || !push(v, &rsp, code) ||
        !load_cs(v, g.selector)) {
        return false;
    }
    if (b->cpl != 0) {
        b->ss = (struct vmcb_segment){0, 0, 0, 0};
        b->cpl = 0;
    }
    b->rsp = rsp;
    b->rip = g.offset0 | (uint64_t)g.offset1 << 16 | (uint64_t)g.offset2 << 32;
    b->rflags &= ~RFLAGS_CLEAR;
    if ((g.type & 0xf) == GATE_INTERRUPT) {
        b->rflags &= ~RFLAGS_IF;
    }
    b->int_state = 0;
    return true;
}
