/* Instruction bytes (APM Vol. 3, chapter 1). */
#include "insn.h"

void insn_fetch(struct insn *i, uint64_t rip)
{
    while (i->have < INSN_MAX && guest_get(&i->b[i->have], rip + i->have, 1)) {
        i->have++;
    }
}

bool insn_next(struct insn *i, uint8_t *b)
{
    if (i->at == i->have) {
        return false;
    }
    *b = i->b[i->at++];
    return true;
}

static bool is_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

bool insn_prefixes(struct insn *i, uint8_t *opcode)
{
    do {
        if (!insn_next(i, opcode)) {
            return false;
        }
        i->narrow |= *opcode == 0x66;
    } while (is_prefix(*opcode));
    if ((*opcode & 0xf0) != 0x40) {
        return true;
    }
    i->rex = true;
    i->rex_w = (*opcode & 8) != 0;
    i->rex_r = (*opcode & 4) != 0;
    i->rex_b = (*opcode & 1) != 0;
    return insn_next(i, opcode);
}

bool insn_memory(struct insn *i, unsigned int *reg)
{
    uint8_t modrm, sib = 0;
    unsigned int mod, rm, skip;

    if (!insn_next(i, &modrm)) {
        return false;
    }
    mod = modrm >> 6;
    rm = modrm & 7u;
    *reg = (modrm >> 3 & 7u) | (i->rex_r ? 8u : 0u);
    if (mod == 3 || (rm == 4 && !insn_next(i, &sib))) {
        return false;
    }
    skip = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5))) {
        skip = 4;
    }
    if (skip > i->have - i->at) {
        return false;
    }
    i->at += skip;
    return true;
}

uint64_t *frame_register(struct frame *f, unsigned int n)
{
    uint64_t *const of[] = {&f->rax, &f->rcx, &f->rdx, &f->rbx, &f->rsp, &f->rbp, &f->rsi, &f->rdi,
                            &f->r8,  &f->r9,  &f->r10, &f->r11, &f->r12, &f->r13, &f->r14, &f->r15};

    return of[n & 15];
}
