/* PVALIDATE and RMPADJUST: APM Vol. 3. Without SNP they raise #UD, which brings them here. */
#include "snp_core.h"

#include "hv/string.h"

#define RFLAGS_CF BIT(0)
#define INSN_LEN  4u

static const uint8_t pvalidate_bytes[INSN_LEN] = {0xf2, 0x0f, 0x01, 0xff};
static const uint8_t rmpadjust_bytes[INSN_LEN] = {0xf3, 0x0f, 0x01, 0xfe};

/* The operand, through the guest's tables and the hypervisor's; faults as an access would. */
static enum emu_insn operand(struct emu_vcpu *v, pa_t *to, struct emu_trap *t)
{
    uint64_t va = v->shadow->rax & ~(uint64_t)(PAGE_SIZE - 1), nested_size;
    struct emu_walk w;

    if (!emu_walk(v, va, &w)) { /* they count as writes */
        t->vector = EMU_VEC_PF;
        t->error = EMU_PF_WRITE;
        t->address = v->shadow->rax;
        return EMU_INSN_FAULT;
    }
    t->gpa = w.gpa;
    t->flags = NPF_WRITE | NPF_ENC;
    return emu_host_translate(v->guest, w.gpa, to, &nested_size) ? EMU_DONE : EMU_INSN_NPF;
}

static enum emu_insn event(uint32_t r, uint64_t *flags)
{
    switch (r) {
    case EMU_RMP_AGAIN:
        return EMU_DONE; /* RIP has not moved */
    case EMU_RMP_UNVALIDATED:
        return EMU_INSN_VC;
    case EMU_RMP_FAULT_SIZE:
        *flags |= NPF_SIZE;
        break;
    default:
        break;
    }
    *flags |= NPF_RMP;
    return EMU_INSN_NPF;
}

static void done(struct emu_vcpu *v, uint32_t result)
{
    v->shadow->rax = result;
    v->shadow->rip += INSN_LEN;
    v->shadow->int_state = 0;
}

static enum emu_insn pvalidate(struct emu_vcpu *v, struct emu_trap *t)
{
    unsigned int size = (uint32_t)v->regs.rcx;
    bool validate = (v->regs.rdx & 1) != 0; /* EDX[0]: compilers leave the other bits as they are */
    bool changed = false;
    enum emu_insn f;
    uint32_t r;
    pa_t to;

    if (size > RMP_2M || (size == RMP_2M && !IS_ALIGNED(v->shadow->rax, SIZE_2M))) {
        done(v, RMP_FAIL_INPUT);
        return EMU_DONE;
    }
    f = operand(v, &to, t);
    if (f != EMU_DONE) {
        return f;
    }
    r = emu_pvalidate(to, t->gpa, v->guest->asid, v->vmpl, size, validate, &changed);
    if (r >= EMU_RMP_AGAIN) {
        return event(r, &t->flags);
    }
    v->shadow->rflags &= ~RFLAGS_CF;
    v->shadow->rflags |= r == RMP_OK && !changed ? RFLAGS_CF : 0;
    done(v, r);
    return EMU_DONE;
}

static enum emu_insn rmpadjust(struct emu_vcpu *v, struct emu_trap *t)
{
    unsigned int size = (uint32_t)v->regs.rcx;
    uint64_t rdx = v->regs.rdx;
    enum emu_insn f;
    uint32_t r;
    pa_t to;

    if (size > RMP_2M) {
        done(v, RMP_FAIL_INPUT);
        return EMU_DONE;
    }
    f = operand(v, &to, t);
    if (f != EMU_DONE) {
        return f;
    }
    r = emu_rmpadjust(to, t->gpa, v->guest->asid, v->vmpl, size, rdx & 0xff,
                      (uint8_t)(rdx >> 8), (rdx >> 16 & 1) != 0);
    if (r >= EMU_RMP_AGAIN) {
        return event(r, &t->flags);
    }
    done(v, r);
    return EMU_DONE;
}

enum emu_insn emu_instruction(struct emu_vcpu *v, struct emu_trap *t)
{
    uint8_t bytes[INSN_LEN];

    bool validate, adjust;

    if (!emu_read_virt(v, v->shadow->cs.base + v->shadow->rip, bytes, sizeof(bytes))) {
        return EMU_NOT_OURS;
    }
    validate = memcmp(bytes, pvalidate_bytes, INSN_LEN) == 0;
    adjust = memcmp(bytes, rmpadjust_bytes, INSN_LEN) == 0;
    if (!validate && !adjust) {
        return EMU_NOT_OURS;
    }
    if (v->shadow->cpl != 0) {
        t->vector = VEC_GP;
        t->error = 0;
        return EMU_INSN_FAULT;
    }
    return validate ? pvalidate(v, t) : rmpadjust(v, t);
}
