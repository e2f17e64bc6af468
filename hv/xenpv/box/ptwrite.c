/*
 * A guest's write to a page table that it may only read: where Linux sets and clears bits of an
 * entry, or exchanges it, by instructions of its own. One aligned write inside one entry of an L1
 * table is done for it, after the same checks as a hypercall's.
 */
#include "insn.h"
#include "page.h"

#define FLAG_CF BIT(0)
#define FLAG_ZF BIT(6)

/* One write: what the entry was, what it is to be, and what else the instruction does. */
struct write {
    uint64_t old, value; /* of the operand */
    unsigned int size;   /* bytes */
    bool zf_known, zf, cf_known, cf;
    uint64_t *gets_old; /* a register that receives the old value; or NULL */
};

static uint64_t mask_of(unsigned int size)
{
    return size == 8 ? UINT64_MAX : BIT(8 * size) - 1;
}

/* Of one byte, or four; with its sign. */
static bool immediate(struct insn *i, unsigned int bytes, uint64_t *value)
{
    uint64_t sign = BIT(8 * bytes - 1);

    if (bytes > i->have - i->at) {
        return false;
    }
    *value = 0;
    memcpy(value, &i->b[i->at], bytes);
    i->at += bytes;
    *value = (*value ^ sign) - sign;
    return true;
}

static void logic(struct write *w, uint64_t value)
{
    w->value = value & mask_of(w->size);
    w->zf_known = true;
    w->zf = w->value == 0;
    w->cf_known = true;
    w->cf = false;
}

static void bit_op(struct write *w, unsigned int op, uint64_t n)
{
    uint64_t b = BIT(n % (8 * w->size));

    w->cf_known = true;
    w->cf = (w->old & b) != 0;
    w->value = op == 5 ? w->old | b : op == 6 ? w->old & ~b : w->old ^ b;
}

/* Group 1: OR is /1, AND /4. */
static bool group1(struct write *w, struct insn *i, uint8_t op)
{
    unsigned int reg;
    uint64_t v;

    if (!insn_memory(i, &reg) || !immediate(i, op == 0x81 ? 4 : 1, &v) || (reg != 1 && reg != 4)) {
        return false;
    }
    logic(w, reg == 1 ? w->old | v : w->old & v);
    return true;
}

static bool one_byte(struct write *w, struct insn *i, struct frame *f, uint8_t op)
{
    unsigned int reg;
    uint64_t v;

    switch (op) {
    case 0x80:
    case 0x81:
    case 0x83:
        return group1(w, i, op);
    case 0xc6:
    case 0xc7:
        if (!insn_memory(i, &reg) || reg != 0 || !immediate(i, op == 0xc6 ? 1 : 4, &v)) {
            return false;
        }
        w->value = v & mask_of(w->size);
        return true;
    case 0x09:
    case 0x21:
    case 0x87:
    case 0x89:
        if (!insn_memory(i, &reg)) {
            return false;
        }
        v = *frame_register(f, reg) & mask_of(w->size);
        if (op == 0x09 || op == 0x21) {
            logic(w, op == 0x09 ? w->old | v : w->old & v);
        } else {
            w->value = v;
            w->gets_old = op == 0x87 ? frame_register(f, reg) : NULL;
        }
        return true;
    default:
        return false;
    }
}

static bool compare_exchange(struct write *w, struct insn *i, struct frame *f)
{
    unsigned int reg;

    if (!insn_memory(i, &reg)) {
        return false;
    }
    w->zf_known = true;
    w->zf = (f->rax & mask_of(w->size)) == w->old;
    w->value = w->zf ? *frame_register(f, reg) & mask_of(w->size) : w->old;
    w->gets_old = w->zf ? NULL : &f->rax;
    return true;
}

static bool two_bytes(struct write *w, struct insn *i, struct frame *f)
{
    unsigned int reg;
    uint8_t op, n;

    if (!insn_next(i, &op)) {
        return false;
    }
    switch (op) {
    case 0xb1:
        return compare_exchange(w, i, f);
    case 0xab: /* BTS, BTR, BTC by a register: the fault's address is the word's already */
    case 0xb3:
    case 0xbb:
        if (!insn_memory(i, &reg)) {
            return false;
        }
        bit_op(w, op >> 3 & 7, *frame_register(f, reg));
        return true;
    case 0xba:
        if (!insn_memory(i, &reg) || !insn_next(i, &n) || (reg & 7) < 5) {
            return false;
        }
        bit_op(w, reg & 7, n);
        return true;
    default:
        return false;
    }
}

/* Which entry is written, by the tables that the guest runs on. */
static bool find_entry(const struct vcpu *v, uint64_t va, uint64_t *mfn)
{
    uint64_t l1;
    uint32_t index;
    struct page *p;

    if (!table_walk(v->kernel_table, va, &l1, &index)) {
        return false;
    }
    *mfn = PTE_MFN(((const uint64_t *)page_data(l1))[index]);
    p = page_of(*mfn);
    return p != NULL && p->uses > 0 && p->use == USE_L1;
}

static void finish(struct frame *f, const struct insn *i, const struct write *w)
{
    if (w->zf_known) {
        f->rflags = w->zf ? f->rflags | FLAG_ZF : f->rflags & ~FLAG_ZF;
    }
    if (w->cf_known) {
        f->rflags = w->cf ? f->rflags | FLAG_CF : f->rflags & ~FLAG_CF;
    }
    if (w->gets_old != NULL) {
        uint64_t keep = w->size == 8 || w->size == 4 ? 0 : ~mask_of(w->size);

        *w->gets_old = (*w->gets_old & keep) | w->old;
    }
    f->rip += i->at;
}

/* Once; -XEN_EBUSY: the processor set a bit meanwhile. */
static int64_t attempt(struct frame *f, uint64_t mfn, uint64_t va)
{
    uint32_t index = va % PAGE_SIZE / 8;
    uint64_t entry = __atomic_load_n((uint64_t *)page_data(mfn) + index, __ATOMIC_RELAXED), value;
    unsigned int shift = va % 8 * 8;
    struct insn i = {0};
    struct write w = {0};
    uint8_t op;
    int64_t rc;

    insn_fetch(&i, f->rip);
    if (!insn_prefixes(&i, &op) || i.narrow) {
        return -XEN_EINVAL;
    }
    w.size = op == 0x80 || op == 0xc6 ? 1 : i.rex_w ? 8 : 4;
    if (va % w.size != 0) {
        return -XEN_EINVAL;
    }
    w.old = entry >> shift & mask_of(w.size);
    if (!(op == 0x0f ? two_bytes(&w, &i, f) : one_byte(&w, &i, f, op))) {
        return -XEN_EINVAL;
    }
    value = (entry & ~(mask_of(w.size) << shift)) | w.value << shift;
    rc = table_compare_set(mfn, index, entry, value);
    if (rc == 0) {
        finish(f, &i, &w);
    }
    return rc;
}

bool emulate_table_write(struct vcpu *v, struct frame *f, uint64_t va)
{
    uint64_t mfn;
    int64_t rc;

    if (!cpu_code64(f->cs) || !find_entry(v, va, &mfn)) {
        return false;
    }
    do {
        rc = attempt(f, mfn, va);
    } while (rc == -XEN_EBUSY);
    return rc == 0;
}
