/*
 * The guest's GICv3 (IHI 0069), what the CPU does not do itself: which interrupts are pending, and
 * the list registers through which a vCPU takes them (chapter 6). While a vCPU runs, what it may
 * take is in its list registers; after each exit all of it is back in the banks.
 */
#include "../cpu/aarch64.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "virt.h"

#define ICH_HCR_EN  BIT(0)
#define ICH_HCR_UIE BIT(1) /* exit when the list registers have run empty: more is waiting */

#define LR_PENDING  BIT(62)
#define LR_ACTIVE   BIT(63)
#define LR_HW       BIT(61)
#define LR_GROUP1   BIT(60)
#define LR_EOI      BIT(41) /* exit when it is deactivated: look at its line again */

#define ICH_HCR_EL2  s3_4_c12_c11_0
#define ICH_VTR_EL2  s3_4_c12_c11_1
#define ICH_VMCR_EL2 s3_4_c12_c11_7
#define reg_read_(name)     sysreg_read(name)
#define reg_write_(name, v) sysreg_write(name, v)
#define reg_read(name)      reg_read_(name)
#define reg_write(name, v)  reg_write_(name, v)

/* ICH_LR<n>_EL2: CRm 12 for the first eight, 13 for the others. */
#define LIST_REGISTERS(LR)                                                                         \
    LR(0, s3_4_c12_c12_0)                                                                          \
    LR(1, s3_4_c12_c12_1)                                                                          \
    LR(2, s3_4_c12_c12_2)                                                                          \
    LR(3, s3_4_c12_c12_3)                                                                          \
    LR(4, s3_4_c12_c12_4)                                                                          \
    LR(5, s3_4_c12_c12_5)                                                                          \
    LR(6, s3_4_c12_c12_6)                                                                          \
    LR(7, s3_4_c12_c12_7)                                                                          \
    LR(8, s3_4_c12_c13_0)                                                                          \
    LR(9, s3_4_c12_c13_1)                                                                          \
    LR(10, s3_4_c12_c13_2)                                                                         \
    LR(11, s3_4_c12_c13_3)                                                                         \
    LR(12, s3_4_c12_c13_4)                                                                         \
    LR(13, s3_4_c12_c13_5)                                                                         \
    LR(14, s3_4_c12_c13_6)                                                                         \
    LR(15, s3_4_c12_c13_7)

static unsigned int lrs, aprs; /* of this machine's CPUs: all alike */

static uint64_t lr_read(unsigned int n)
{
    switch (n) {
#define LR_CASE(number, name)                                                                      \
    case number:                                                                                   \
        return sysreg_read(name);
        LIST_REGISTERS(LR_CASE)
#undef LR_CASE
    }
    CHECK(n < VGIC_LRS_MAX);
    return 0;
}

static void lr_write(unsigned int n, uint64_t value)
{
    switch (n) {
#define LR_CASE(number, name)                                                                      \
    case number:                                                                                   \
        sysreg_write(name, value);                                                                 \
        return;
        LIST_REGISTERS(LR_CASE)
#undef LR_CASE
    }
    CHECK(n < VGIC_LRS_MAX);
}

void vgic_init(void)
{
    uint64_t vtr = reg_read(ICH_VTR_EL2);

    lrs = MIN((unsigned int)field(vtr, 0, 5) + 1, VGIC_LRS_MAX);
    aprs = 1u << (MAX(field(vtr, 26, 3) + 1, 5ull) - 5);
    reg_write(ICH_HCR_EL2, 0);
    for (unsigned int i = 0; i < lrs; i++) {
        lr_write(i, 0);
    }
}

void vgic_reset(struct vcpu *v)
{
    v->arch.gic.bank.edge = 0xffff; /* SGIs */
    v->arch.gic.asleep = true;
}

static void access_priorities(struct vgic_cpu *g, bool save)
{
#define ACCESS(array, n, name)                                                                     \
    if (n < aprs) {                                                                                \
        if (save) {                                                                                \
            g->array[n] = sysreg_read(name);                                                       \
        } else {                                                                                   \
            sysreg_write(name, g->array[n]);                                                       \
        }                                                                                          \
    }
    ACCESS(ap0r, 0, s3_4_c12_c8_0)
    ACCESS(ap0r, 1, s3_4_c12_c8_1)
    ACCESS(ap0r, 2, s3_4_c12_c8_2)
    ACCESS(ap0r, 3, s3_4_c12_c8_3)
    ACCESS(ap1r, 0, s3_4_c12_c9_0)
    ACCESS(ap1r, 1, s3_4_c12_c9_1)
    ACCESS(ap1r, 2, s3_4_c12_c9_2)
    ACCESS(ap1r, 3, s3_4_c12_c9_3)
#undef ACCESS
}

void vgic_save(struct vcpu *v)
{
    v->arch.gic.vmcr = reg_read(ICH_VMCR_EL2);
    access_priorities(&v->arch.gic, true);
    reg_write(ICH_HCR_EL2, 0);
    isb();
}

void vgic_load(struct vcpu *v)
{
    reg_write(ICH_VMCR_EL2, v->arch.gic.vmcr);
    access_priorities(&v->arch.gic, false);
    reg_write(ICH_HCR_EL2, ICH_HCR_EN);
    isb();
}

static struct vgic_bank *bank_of(struct vcpu *v, unsigned int intid)
{
    return intid < 32 ? &v->arch.gic.bank : &v->vm->arch.gic.spi[intid / 32 - 1];
}

static uint32_t pending_of(const struct vgic_bank *b)
{
    return b->pending | (b->line & ~b->edge);
}

/* What a vCPU may take, in the order in which it should: what is active, then by priority. */
struct candidates {
    unsigned int count;
    bool more;
    uint16_t rank[VGIC_LRS_MAX], intid[VGIC_LRS_MAX];
};

static void add_candidate(struct candidates *c, uint16_t intid, uint16_t rank)
{
    unsigned int at = c->count;

    if (at == lrs) {
        c->more = true;
        if (c->rank[at - 1] <= rank) {
            return;
        }
        at--;
    } else {
        c->count++;
    }
    for (; at > 0 && c->rank[at - 1] > rank; at--) {
        c->rank[at] = c->rank[at - 1];
        c->intid[at] = c->intid[at - 1];
    }
    c->rank[at] = rank;
    c->intid[at] = intid;
}

#define RANK_PENDING 256u

static void add_bank(struct candidates *c, const struct vgic_bank *b, unsigned int first,
                     uint32_t mine)
{
    uint32_t ids = ((pending_of(b) & b->enabled) | b->active) & mine;

    for (; ids != 0; ids &= ids - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(ids);
        bool active = (b->active >> n & 1) != 0;

        add_candidate(c, (uint16_t)(first + n),
                      (uint16_t)(b->priority[n] + (active ? 0 : RANK_PENDING)));
    }
}

static uint32_t targeted(const struct vgic_bank *b, unsigned int vcpu)
{
    uint32_t mine = 0;

    for (uint32_t ids = pending_of(b) | b->active; ids != 0; ids &= ids - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(ids);

        mine |= b->target[n] == vcpu ? 1u << n : 0;
    }
    return mine;
}

static void find_candidates(struct vcpu *v, struct candidates *c)
{
    struct vgic *g = &v->vm->arch.gic;

    add_bank(c, &v->arch.gic.bank, 0, UINT32_MAX);
    for (unsigned int i = 0; i < VGIC_SPI_BANKS; i++) {
        add_bank(c, &g->spi[i], 32 * (i + 1), targeted(&g->spi[i], v->index));
    }
}

/* The CPU's own timers; a confidential vCPU's are the firmware's, and ordinary levels here. */
static bool is_timer(const struct vcpu *v, unsigned int intid)
{
    return v->arch.confidential == NULL &&
           (intid == PPI_GUEST_VIRT || intid == PPI_GUEST_PHYS);
}

/* The latch moves into the list register, and comes back from it. */
static uint64_t lr_for(struct vcpu *v, unsigned int intid)
{
    struct vgic_bank *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;
    uint64_t lr = intid | LR_GROUP1 | (uint64_t)b->priority[intid % 32] << 48;

    if ((b->active & bit) != 0) {
        lr |= LR_ACTIVE;
    }
    if (is_timer(v, intid)) {
        lr |= LR_HW | (uint64_t)intid << 32;
    } else if ((b->edge & bit) == 0) {
        lr |= LR_EOI;
    }
    /* The hardware's own are never both: IHI 0069, ICH_LR<n>_EL2.State. */
    if ((pending_of(b) & bit) != 0 && (!is_timer(v, intid) || (lr & LR_ACTIVE) == 0)) {
        lr |= LR_PENDING;
        b->pending &= ~bit;
    }
    return lr;
}

void vgic_flush(struct vcpu *v)
{
    struct vgic *g = &v->vm->arch.gic;
    struct candidates c = {.count = 0};

    lock(&g->lock);
    if (g->ctlr != 0) {
        find_candidates(v, &c);
    }
    for (unsigned int i = 0; i < c.count; i++) {
        lr_write(i, lr_for(v, c.intid[i]));
    }
    unlock(&g->lock);
    v->arch.gic.used = c.count;
    reg_write(ICH_HCR_EL2, ICH_HCR_EN | (c.more ? ICH_HCR_UIE : 0));
    isb();
}

static void take_back(struct vcpu *v, uint64_t lr)
{
    unsigned int intid = (unsigned int)lr & 0x3ff;
    struct vgic_bank *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;

    b->active = (lr & LR_ACTIVE) != 0 ? b->active | bit : b->active & ~bit;
    if ((lr & LR_PENDING) != 0 && ((b->edge & bit) != 0 || is_timer(v, intid))) {
        b->pending |= bit;
    }
}

void vgic_sync(struct vcpu *v)
{
    struct vgic *g = &v->vm->arch.gic;

    lock(&g->lock);
    for (unsigned int i = 0; i < v->arch.gic.used; i++) {
        take_back(v, lr_read(i));
        lr_write(i, 0);
    }
    unlock(&g->lock);
    v->arch.gic.used = 0;
    reg_write(ICH_HCR_EL2, ICH_HCR_EN);
    isb();
}

unsigned int vgic_lend(struct vcpu *v, uint64_t *lr, unsigned int n, bool *more)
{
    struct vgic *g = &v->vm->arch.gic;
    struct candidates c = {.count = 0};

    lock(&g->lock);
    if (g->ctlr != 0) {
        find_candidates(v, &c);
    }
    *more = c.more || c.count > n;
    n = MIN(n, c.count);
    for (unsigned int i = 0; i < n; i++) {
        lr[i] = lr_for(v, c.intid[i]);
    }
    unlock(&g->lock);
    return n;
}

void vgic_give_back(struct vcpu *v, const uint64_t *lr, unsigned int n)
{
    lock(&v->vm->arch.gic.lock);
    for (unsigned int i = 0; i < n; i++) {
        take_back(v, lr[i]);
    }
    unlock(&v->vm->arch.gic.lock);
}

bool vgic_pending(struct vcpu *v)
{
    struct vgic *g = &v->vm->arch.gic;
    bool some;

    lock(&g->lock);
    some = (pending_of(&v->arch.gic.bank) & v->arch.gic.bank.enabled &
            ~v->arch.gic.bank.active) != 0;
    for (unsigned int i = 0; i < VGIC_SPI_BANKS; i++) {
        struct vgic_bank *b = &g->spi[i];

        some = some || (pending_of(b) & b->enabled & ~b->active & targeted(b, v->index)) != 0;
    }
    some = some && g->ctlr != 0;
    unlock(&g->lock);
    return some;
}

void vgic_raise(struct vcpu *v, unsigned int intid)
{
    struct vgic *g = &v->vm->arch.gic;

    lock(&g->lock);
    v->arch.gic.bank.pending |= 1u << intid;
    unlock(&g->lock);
}

void vgic_set_line(struct vcpu *v, unsigned int intid, bool high)
{
    struct vgic_bank *b = &v->arch.gic.bank;

    lock(&v->vm->arch.gic.lock);
    b->line = high ? b->line | 1u << intid : b->line & ~(1u << intid);
    unlock(&v->vm->arch.gic.lock);
}

bool vgic_withdraw(struct vcpu *v, unsigned int intid)
{
    struct vgic_bank *b = &v->arch.gic.bank;
    uint32_t bit = 1u << intid;
    bool only_pending;

    lock(&v->vm->arch.gic.lock);
    only_pending = (b->active & bit) == 0;
    b->pending &= only_pending ? ~bit : UINT32_MAX;
    unlock(&v->vm->arch.gic.lock);
    return only_pending;
}

bool vgic_would_take(struct vcpu *v, unsigned int intid)
{
    const struct vgic_bank *b = &v->arch.gic.bank;

    return (load_once(&b->enabled) & ~load_once(&b->pending) & ~load_once(&b->active) &
            1u << intid) != 0;
}

bool vgic_has(struct vcpu *v, unsigned int intid)
{
    const struct vgic_bank *b = &v->arch.gic.bank;

    return ((load_once(&b->pending) | load_once(&b->active)) & 1u << intid) != 0;
}

void vgic_tell(struct vm *vm, uint64_t vcpus)
{
    for (; vcpus != 0; vcpus &= vcpus - 1) {
        vcpu_request(vm->vcpu[__builtin_ctzll(vcpus)], REQ_EVENT);
    }
}

/* ICC_SGI1R_EL1, 12.2.22: target list 15:0, affinity 1 23:16, INTID 27:24, IRM 40; we have no more
 * affinity levels. */
void vgic_send_sgi(struct vcpu *v, uint64_t value)
{
    struct vm *vm = v->vm;
    uint32_t bit = 1u << field(value, 24, 4);
    uint64_t others = (vm->vcpus == 64 ? UINT64_MAX : BIT(vm->vcpus) - 1);
    uint64_t targets = 0;

    if (field(value, 40, 1) != 0) {
        targets = others & ~BIT(v->index);
    } else if (field(value, 16, 8) < 4 && (value & 0xfffff0ff00000000ull) == 0) {
        targets = field(value, 0, 16) << 16 * field(value, 16, 8) & others;
    }
    lock(&vm->arch.gic.lock);
    for (uint64_t left = targets; left != 0; left &= left - 1) {
        vm->vcpu[__builtin_ctzll(left)]->arch.gic.bank.pending |= bit;
    }
    unlock(&vm->arch.gic.lock);
    vgic_tell(vm, targets);
}

void vm_irq(struct vm *vm, unsigned int line, bool high)
{
    struct vgic_bank *b = &vm->arch.gic.spi[line / 32];
    uint32_t bit = 1u << line % 32;
    unsigned int target;
    bool rose;

    REQUIRE(line < 32 * VGIC_SPI_BANKS);
    lock(&vm->arch.gic.lock);
    rose = high && (b->line & bit) == 0;
    b->line = high ? b->line | bit : b->line & ~bit;
    if (rose && (b->edge & bit) != 0) {
        b->pending |= bit;
    }
    target = b->target[line % 32];
    unlock(&vm->arch.gic.lock);
    if (rose) {
        vgic_tell(vm, BIT(target));
    }
}

void vgic_latch(struct vm *vm, unsigned int line)
{
    struct vgic_bank *b = &vm->arch.gic.spi[line / 32];
    unsigned int target;

    REQUIRE(line < 32 * VGIC_SPI_BANKS);
    lock(&vm->arch.gic.lock);
    b->pending |= 1u << line % 32;
    target = b->target[line % 32];
    unlock(&vm->arch.gic.lock);
    vgic_tell(vm, BIT(target));
}
