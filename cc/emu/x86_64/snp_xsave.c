/*
 * XSAVEC, XSAVES, XRSTORS, and XRSTOR of the compacted form: every chip with SNP has them, and QEMU
 * has none. They raise #UD, the last #GP, which brings them here. APM Vol. 2, 11.5; Vol. 4. The
 * guest's state is in the CPU's registers all the while: XSAVE and XRSTOR move it, and this changes
 * the form.
 *
 * A component always counts as in use. Protection keys and SMAP are not checked.
 */
#include "snp_core.h"

#include "arch_impl/insn.h"
#include "hv/string.h"

#define CR0_TS      BIT(3)
#define VEC_NM      7u
#define COMPACTED   BIT(63)
#define HEADER_END  sizeof(struct emu_xsave)
#define X87         BIT(0)
#define SSE         BIT(1)
#define MXCSR_RESET 0x1f80u
#define MXCSR_BITS  0xffffu
#define COMPONENTS  63u

enum { OP_C7 = 0xc7, OP_AE = 0xae };
enum { C7_XRSTORS = 3, C7_XSAVEC = 4, C7_XSAVES = 5, AE_XRSTOR = 5 };

static enum emu_insn fault(struct emu_trap *t, unsigned int vector)
{
    t->vector = vector;
    t->error = 0;
    return EMU_INSN_FAULT;
}

/* Its place in the compacted form begins at `at`, or is moved on to where it does. */
static uint32_t place(unsigned int i, uint32_t *at, uint32_t *standard)
{
    struct cpuid_regs r = cpuid(0xd, i);

    *at = (r.ecx & BIT(1)) != 0 ? ALIGN_UP(*at, 64u) : *at;
    *standard = r.ebx;
    return r.eax;
}

/* Between the image that XSAVE and XRSTOR know, and one with `held` in the compacted form. */
static uint32_t compacted_size(uint64_t held)
{
    uint32_t at = HEADER_END, standard;

    for (unsigned int i = 2; i < COMPONENTS; i++) {
        at += (held & BIT(i)) != 0 ? place(i, &at, &standard) : 0;
    }
    return at;
}

static void move_components(struct emu_vcpu *v, uint64_t held, uint64_t which, bool save)
{
    uint8_t *std = (uint8_t *)v->fpu, *compact = (uint8_t *)v->image;
    uint32_t at = HEADER_END, standard, size;

    for (unsigned int i = 2; i < COMPONENTS; i++) {
        if ((held & BIT(i)) == 0) {
            continue;
        }
        size = place(i, &at, &standard);
        if ((which & BIT(i)) != 0) {
            memcpy(save ? compact + at : std + standard, save ? std + standard : compact + at,
                   size);
        }
        at += size;
    }
}

static void move_legacy(struct emu_xsave *to, const struct emu_xsave *from, uint64_t which)
{
    if ((which & X87) != 0) {
        memcpy(to, from, offsetof(struct emu_xsave, mxcsr));
        memcpy(to->st, from->st, sizeof(to->st));
    }
    if ((which & SSE) != 0) {
        memcpy(&to->mxcsr, &from->mxcsr, 8);
        memcpy(to->xmm, from->xmm, sizeof(to->xmm));
    }
}

static void cpu_save(struct emu_xsave *x, uint64_t which, bool wide)
{
    if (wide) {
        __asm__ volatile("xsave64 (%0)" : : "r"(x), "a"((uint32_t)which), "d"(0) : "memory");
    } else {
        __asm__ volatile("xsave (%0)" : : "r"(x), "a"((uint32_t)which), "d"(0) : "memory");
    }
}

static void cpu_restore(const struct emu_xsave *x, uint64_t which, bool wide)
{
    if (wide) {
        __asm__ volatile("xrstor64 (%0)" : : "r"(x), "a"((uint32_t)which), "d"(0) : "memory");
    } else {
        __asm__ volatile("xrstor (%0)" : : "r"(x), "a"((uint32_t)which), "d"(0) : "memory");
    }
    if ((which & SSE) != 0 && (x->xstate_bv & SSE) == 0) {
        const uint32_t reset = MXCSR_RESET;

        __asm__ volatile("ldmxcsr %0" : : "m"(reset));
    }
}

/* What is not asked for keeps what the guest's memory has. */
static enum emu_insn save(struct emu_vcpu *v, const struct emu_operand *n, uint64_t which,
                          struct emu_trap *t)
{
    uint32_t size = compacted_size(which);
    enum emu_insn r = emu_copy_virt(v, n->address, v->image, size, EMU_READ_TO_WRITE, t);

    if (r != EMU_DONE) {
        return r;
    }
    memset(v->fpu, 0, sizeof(*v->fpu));
    cpu_save(v->fpu, which, n->wide);
    move_legacy(v->image, v->fpu, which);
    move_components(v, which, which, true);
    v->image->xstate_bv = which;
    v->image->xcomp_bv = which | COMPACTED;
    return emu_copy_virt(v, n->address, v->image, size, EMU_WRITE, t);
}

static bool header_good(const struct emu_xsave *x, uint64_t xcr0)
{
    uint64_t any = 0;

    for (size_t i = 0; i < ARRAY_SIZE(x->reserved2); i++) {
        any |= x->reserved2[i];
    }
    return any == 0 && (x->xcomp_bv & COMPACTED) != 0 &&
           (x->xcomp_bv & ~COMPACTED & ~xcr0) == 0 && (x->xstate_bv & ~x->xcomp_bv) == 0 &&
           (x->xstate_bv & COMPACTED) == 0;
}

static enum emu_insn restore(struct emu_vcpu *v, const struct emu_operand *n, uint64_t which,
                             struct emu_trap *t)
{
    enum emu_insn r = emu_copy_virt(v, n->address, v->image, HEADER_END, EMU_READ, t);
    uint64_t held, loaded;

    if (r != EMU_DONE) {
        return r;
    }
    if (!header_good(v->image, v->xcr0)) {
        return fault(t, VEC_GP);
    }
    held = v->image->xcomp_bv & ~COMPACTED;
    loaded = v->image->xstate_bv & which;
    r = emu_copy_virt(v, n->address, v->image, compacted_size(held), EMU_READ, t);
    if (r != EMU_DONE) {
        return r;
    }
    /* The second copy may differ from the first: what counts was checked in that. */
    if ((loaded & SSE) != 0 && (v->image->mxcsr & ~MXCSR_BITS) != 0) {
        return fault(t, VEC_GP);
    }
    memset(v->fpu, 0, sizeof(*v->fpu));
    v->fpu->mxcsr = MXCSR_RESET;
    move_legacy(v->fpu, v->image, loaded);
    move_components(v, held, loaded, false);
    v->fpu->xstate_bv = loaded;
    cpu_restore(v->fpu, which, n->wide);
    return EMU_DONE;
}

static bool known(const struct emu_operand *n)
{
    return (n->opcode == OP_C7 && n->reg >= C7_XRSTORS && n->reg <= C7_XSAVES) ||
           (n->opcode == OP_AE && n->reg == AE_XRSTOR);
}

enum emu_insn emu_xsave(struct emu_vcpu *v, struct emu_trap *t)
{
    struct vmcb *b = v->shadow;
    struct emu_operand n;
    enum emu_insn r;
    uint64_t which;

    if ((b->cr4 & CR4_OSXSAVE) == 0 || !emu_decode(v, &n) || !known(&n)) {
        return EMU_NOT_OURS;
    }
    if ((b->cr0 & CR0_TS) != 0) {
        return fault(t, VEC_NM);
    }
    if ((n.opcode == OP_C7 && n.reg != C7_XSAVEC && b->cpl != 0) || !IS_ALIGNED(n.address, 64)) {
        return fault(t, VEC_GP);
    }
    which = ((uint32_t)b->rax | v->regs.rdx << 32) & v->xcr0; /* XSS is 0 */
    r = n.opcode == OP_C7 && n.reg != C7_XRSTORS ? save(v, &n, which, t)
                                                 : restore(v, &n, which, t);
    if (r == EMU_DONE) {
        b->rip += n.length;
        b->int_state = 0;
    }
    return r;
}

#define XSETBV_LEN 3u

enum emu_insn emu_xsetbv(struct emu_vcpu *v, struct emu_trap *t)
{
    struct vmcb *b = v->shadow;
    uint64_t value = (uint32_t)b->rax | v->regs.rdx << 32;

    if (b->cpl != 0 || (uint32_t)v->regs.rcx != 0 || !fpu_xcr0_valid(value)) {
        return fault(t, VEC_GP);
    }
    xsetbv(0, value);
    v->xcr0 = value;
    b->rip += XSETBV_LEN;
    b->int_state = 0;
    return EMU_DONE;
}
