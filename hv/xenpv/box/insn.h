/* The little that the box decodes: prefixes, registers, the length of a memory operand. */
#ifndef XENPV_BOX_INSN_H
#define XENPV_BOX_INSN_H

#include "box.h"

#define INSN_MAX 15u

struct insn {
    uint8_t b[INSN_MAX];
    unsigned int have, at;
    bool narrow, rex, rex_w, rex_r, rex_b;
};

/* Its bytes, as far as they are mapped. */
void insn_fetch(struct insn *i, uint64_t rip);
MUST_CHECK bool insn_next(struct insn *i, uint8_t *b);
/* Prefixes and REX; *opcode is what follows. */
MUST_CHECK bool insn_prefixes(struct insn *i, uint8_t *opcode);
/* ModRM of a memory operand, with all that belongs to it. False: a register. */
MUST_CHECK bool insn_memory(struct insn *i, unsigned int *reg);
uint64_t *frame_register(struct frame *f, unsigned int n);

#endif
