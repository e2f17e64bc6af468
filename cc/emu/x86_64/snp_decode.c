/*
 * The operand in memory of 0Fh C7h and 0Fh AEh, and the guest's memory as an instruction reaches
 * it, with the faults of one. This is the chip: nothing above the silicon line decodes anything.
 */
#include "snp_core.h"

#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/string.h"

#define INSN_MAX 15u
#define CS_LONG  BIT(9) /* of a VMCB's attributes */
#define PF_P     BIT(0)
#define PF_USER  BIT(2)

struct cursor {
    uint8_t bytes[INSN_MAX];
    unsigned int at, len;
};

static bool next(struct cursor *c, uint8_t *byte)
{
    if (c->at >= c->len) {
        return false;
    }
    *byte = c->bytes[c->at++];
    return true;
}

static bool displacement(struct cursor *c, unsigned int bytes, uint64_t *to)
{
    uint32_t value = 0;

    for (unsigned int i = 0; i < bytes; i++) {
        uint8_t byte;

        if (!next(c, &byte)) {
            return false;
        }
        value |= (uint32_t)byte << 8 * i;
    }
    *to += bytes == 1 ? (uint64_t)(int8_t)value : (uint64_t)(int32_t)value;
    return true;
}

/* All that may be fetched: a page that is not there is no fault of an instruction before it. */
static void fetch(struct emu_vcpu *v, struct cursor *c)
{
    uint64_t at = v->shadow->cs.base + v->shadow->rip;
    unsigned int first = (unsigned int)MIN(INSN_MAX, PAGE_SIZE - at % PAGE_SIZE);

    c->at = 0;
    c->len = emu_read_virt(v, at, c->bytes, first) ? first : 0;
    if (c->len != 0 && first < INSN_MAX &&
        emu_read_virt(v, at + first, c->bytes + first, INSN_MAX - first)) {
        c->len = INSN_MAX;
    }
}

static uint64_t reg(const struct emu_vcpu *v, unsigned int n)
{
    const struct guest_regs *r = &v->regs;
    const uint64_t all[16] = {v->shadow->rax, r->rcx, r->rdx, r->rbx, v->shadow->rsp, r->rbp,
                              r->rsi,         r->rdi, r->r8,  r->r9,  r->r10,         r->r11,
                              r->r12,         r->r13, r->r14, r->r15};

    return all[n];
}

struct prefixes {
    uint8_t rex;
    const struct vmcb_segment *segment; /* NULL: none said */
    bool narrow;                        /* 32-bit addresses */
};

/* False: one that these instructions do not take. */
static bool prefixes(struct emu_vcpu *v, struct cursor *c, struct prefixes *p, uint8_t *byte)
{
    struct vmcb *b = v->shadow;
    bool wide = (b->cs.attributes & CS_LONG) != 0;

    *p = (struct prefixes){0, NULL, !wide};
    for (;;) {
        if (!next(c, byte)) {
            return false;
        }
        switch (*byte) {
        case 0x64:
            p->segment = &b->fs;
            break;
        case 0x65:
            p->segment = &b->gs;
            break;
        case 0x26: /* bases of zero, wherever these count for anything */
        case 0x2e:
        case 0x36:
        case 0x3e:
            break;
        case 0x67:
            p->narrow = true;
            if (!wide) {
                return false; /* 16-bit addresses */
            }
            break;
        default:
            p->rex = wide && (*byte & 0xf0) == 0x40 ? *byte : 0;
            return p->rex == 0 || next(c, byte);
        }
    }
}

static bool indexed(struct emu_vcpu *v, struct cursor *c, const struct prefixes *p,
                    unsigned int mod, uint64_t *address)
{
    unsigned int base, index;
    uint8_t sib;

    if (!next(c, &sib)) {
        return false;
    }
    base = (sib & 7) | (p->rex & 1u) << 3;
    index = (sib >> 3 & 7) | (p->rex & 2u) << 2;
    if (index != 4) {
        *address += reg(v, index) << (sib >> 6);
    }
    if (mod == 0 && (sib & 7) == 5) {
        return displacement(c, 4, address);
    }
    *address += reg(v, base);
    return true;
}

static bool operand(struct emu_vcpu *v, struct cursor *c, const struct prefixes *p, uint8_t modrm,
                    uint64_t *address)
{
    unsigned int mod = modrm >> 6, rm = modrm & 7;
    bool wide = (v->shadow->cs.attributes & CS_LONG) != 0;

    *address = 0;
    if (mod == 3) {
        return false;
    }
    if (mod == 0 && rm == 5) {
        if (!displacement(c, 4, address)) {
            return false;
        }
        *address += wide ? v->shadow->rip + c->at : 0; /* nothing follows it */
    } else if (rm == 4) {
        if (!indexed(v, c, p, mod, address)) {
            return false;
        }
    } else {
        *address += reg(v, rm | (p->rex & 1u) << 3);
    }
    if (mod != 0 && !displacement(c, mod == 1 ? 1 : 4, address)) {
        return false;
    }
    *address = p->narrow ? (uint32_t)*address : *address;
    *address += p->segment != NULL ? p->segment->base : 0;
    return true;
}

bool emu_decode(struct emu_vcpu *v, struct emu_operand *n)
{
    struct prefixes p;
    uint8_t byte, modrm;
    struct cursor c;

    fetch(v, &c);
    if (!prefixes(v, &c, &p, &byte) || byte != 0x0f || !next(&c, &n->opcode) ||
        !next(&c, &modrm) || !operand(v, &c, &p, modrm, &n->address)) {
        return false;
    }
    n->reg = modrm >> 3 & 7;
    n->wide = (p.rex & 8) != 0;
    n->length = c.at;
    return true;
}

/* ---- memory ---- */

static enum emu_insn page_fault(struct emu_vcpu *v, uint64_t va, bool write, bool present,
                                struct emu_trap *t)
{
    t->vector = EMU_VEC_PF;
    t->address = va;
    t->error = (uint32_t)((present ? PF_P : 0) | (write ? EMU_PF_WRITE : 0) |
                          (v->shadow->cpl == 3 ? PF_USER : 0));
    return EMU_INSN_FAULT;
}

static enum emu_insn translate(struct emu_vcpu *v, uint64_t va, bool write, struct emu_walk *w,
                               struct emu_trap *t)
{
    bool user = v->shadow->cpl == 3, protect = user || (v->shadow->cr0 & CR0_WP) != 0;

    if (!emu_walk(v, va, w)) {
        return page_fault(v, va, write, false, t);
    }
    if ((user && (w->rights & PTE_U) == 0) || (write && protect && (w->rights & PTE_W) == 0)) {
        return page_fault(v, va, write, true, t);
    }
    if (write && w->leaf != NULL) {
        (void)__atomic_fetch_or(w->leaf, PTE_D, __ATOMIC_RELAXED);
    }
    return EMU_DONE;
}

/* The page of memory behind an address, as the hypervisor's tables and the RMP have it. */
static enum emu_insn page_at(struct emu_vcpu *v, uint64_t va, bool write, uint8_t **page,
                             struct emu_trap *t)
{
    struct emu_walk w;
    enum emu_insn r = translate(v, va, write, &w, t);
    struct emu_touch touch;
    struct emu_rmp e;
    uint64_t size;
    pa_t to;

    if (r != EMU_DONE) {
        return r;
    }
    touch = (struct emu_touch){w.gpa & PAGE_MASK, v->guest->asid, w.c_bit, v->vmpl,
                               EMU_PERM_READ | (write ? EMU_PERM_WRITE : 0)};
    t->gpa = w.gpa;
    t->flags = (write ? NPF_WRITE : 0) | (w.c_bit ? NPF_ENC : 0);
    if (!emu_host_translate(v->guest, w.gpa, &to, &size)) {
        return EMU_INSN_NPF;
    }
    switch (emu_rmp_access(to, &touch, &e)) {
    case RMP_OK:
        *page = (uint8_t *)emu_mem(to) - w.gpa % PAGE_SIZE;
        return EMU_DONE;
    case EMU_RMP_UNVALIDATED:
        return EMU_INSN_VC;
    case EMU_RMP_FAULT_VMPL:
        t->flags |= NPF_RMP | NPF_VMPL;
        return EMU_INSN_NPF;
    default:
        t->flags |= NPF_RMP;
        return EMU_INSN_NPF;
    }
}

enum emu_insn emu_copy_virt(struct emu_vcpu *v, uint64_t va, void *buf, uint32_t len,
                            enum emu_direction how, struct emu_trap *t)
{
    uint32_t first = (uint32_t)MIN((uint64_t)len, PAGE_SIZE - va % PAGE_SIZE);
    uint8_t *page[2] = {NULL, NULL};
    enum emu_insn r = page_at(v, va, how != EMU_READ, &page[0], t);

    REQUIRE(len <= PAGE_SIZE);
    if (r == EMU_DONE && first < len) {
        r = page_at(v, va + first, how != EMU_READ, &page[1], t);
    }
    if (r != EMU_DONE) {
        return r;
    }
    page[0] += va % PAGE_SIZE;
    memcpy(how == EMU_WRITE ? page[0] : buf, how == EMU_WRITE ? buf : page[0], first);
    if (first < len) {
        uint8_t *rest = (uint8_t *)buf + first;

        memcpy(how == EMU_WRITE ? page[1] : rest, how == EMU_WRITE ? rest : page[1], len - first);
    }
    return EMU_DONE;
}
