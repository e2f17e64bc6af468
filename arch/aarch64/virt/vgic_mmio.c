/*
 * The registers of the guest's GICv3 that are memory: distributor (IHI 0069, 12.9) and
 * redistributors (12.11). One security state as its Non-secure side sees it: every interrupt is in
 * group 1. No LPIs, no message-based interrupts.
 */
#include "arch_impl/insn.h"
#include "hv/mmio_map.h"
#include "virt.h"

#define INTIDS (32u * (1 + VGIC_SPI_BANKS))

/* Both frames have these in the same places. */
enum {
    IGROUPR = 0x080,
    ISENABLER = 0x100,
    ICENABLER = 0x180,
    ISPENDR = 0x200,
    ICPENDR = 0x280,
    ISACTIVER = 0x300,
    ICACTIVER = 0x380,
    IPRIORITYR = 0x400,
    IPRIORITYR_END = 0x800,
    ICFGR = 0xc00,
    ICFGR_END = 0xd00,
};
enum { GICD_CTLR = 0x0, GICD_TYPER = 0x4, GICD_IIDR = 0x8, GICD_IROUTER = 0x6000 };
enum { GICR_IIDR = 0x4, GICR_TYPER = 0x8, GICR_WAKER = 0x14, GICR_SGI = 0x10000 };
#define PIDR2    0xffe8u
#define PIDR2_V3 0x30u
#define IIDR     0x43bu /* Arm, as PIDR has it */

#define CTLR_GROUPS 3u /* EnableGrp1, EnableGrp1A */
#define CTLR_ARE    BIT(4)
#define TYPER_NO1N  BIT(25)
#define WAKER_SLEEP  BIT(1)
#define WAKER_ASLEEP BIT(2)

/* An access: its size is 1, 4 or 8, its offset a multiple of that. */
struct access {
    struct vcpu *owner; /* of the private interrupts that are meant */
    uint32_t offset;
    unsigned int size;
    bool write;
    uint64_t value;
    uint64_t tell; /* vCPUs that must look again */
};

static struct vgic_bank *bank(struct access *a, unsigned int n)
{
    return n == 0 ? &a->owner->arch.gic.bank : &a->owner->vm->arch.gic.spi[n - 1];
}

static void tell_targets(struct access *a, unsigned int n, const struct vgic_bank *b, uint32_t ids)
{
    if (n == 0) {
        a->tell |= BIT(a->owner->index);
        return;
    }
    for (; ids != 0; ids &= ids - 1) {
        a->tell |= BIT(b->target[__builtin_ctz(ids)]);
    }
}

static uint32_t read_bits(const struct vgic_bank *b, uint32_t kind)
{
    switch (kind) {
    case IGROUPR:
        return UINT32_MAX;
    case ISENABLER:
    case ICENABLER:
        return b->enabled;
    case ISPENDR:
    case ICPENDR:
        return b->pending | (b->line & ~b->edge);
    default:
        return b->active;
    }
}

static void write_bits(struct vgic_bank *b, uint32_t kind, uint32_t bits)
{
    switch (kind) {
    case ISENABLER:
        b->enabled |= bits;
        break;
    case ICENABLER:
        b->enabled &= ~bits;
        break;
    case ISPENDR:
        b->pending |= bits;
        break;
    case ICPENDR:
        b->pending &= ~bits;
        break;
    case ISACTIVER:
        b->active |= bits;
        break;
    case ICACTIVER:
        b->active &= ~bits;
        break;
    default:
        break;
    }
}

static void access_bits(struct access *a, unsigned int n)
{
    uint32_t kind = a->offset & 0xf80;
    struct vgic_bank *b = bank(a, n);

    if (a->write) {
        write_bits(b, kind, (uint32_t)a->value);
        tell_targets(a, n, b, (uint32_t)a->value);
    } else {
        a->value = read_bits(b, kind);
    }
}

static void access_priority(struct access *a)
{
    uint32_t first = a->offset - IPRIORITYR;
    uint8_t *p = &bank(a, first / 32)->priority[first % 32];
    uint64_t value = 0;

    for (unsigned int i = 0; i < a->size && i < 4; i++) {
        if (a->write) {
            p[i] = (uint8_t)(a->value >> 8 * i) & 0xf8; /* 32 levels, as list registers have */
        }
        value |= (uint64_t)p[i] << 8 * i;
    }
    a->value = value;
}

/* Two bits an interrupt, of which the upper one says "edge". SGIs are, PPIs are not. */
static void access_config(struct access *a)
{
    uint32_t first = (a->offset - ICFGR) * 4;
    struct vgic_bank *b = bank(a, first / 32);
    uint32_t value = 0;

    for (unsigned int i = 0; i < 16; i++) {
        uint32_t bit = 1u << (first % 32 + i);

        if (a->write && first >= 32) {
            b->edge = (a->value >> (2 * i + 1) & 1) != 0 ? b->edge | bit : b->edge & ~bit;
        }
        value |= (b->edge & bit) != 0 ? 2u << 2 * i : 0;
    }
    a->value = value;
}

/* The registers that both kinds of frame have, of interrupts from `first` to `end`. */
static void access_interrupts(struct access *a, uint32_t first, uint32_t end)
{
    uint32_t at = a->offset;
    uint32_t id = at < IPRIORITYR       ? (at & 0x7f) * 8
                  : at < IPRIORITYR_END ? at - IPRIORITYR
                  : at >= ICFGR         ? (at - ICFGR) * 4
                                        : UINT32_MAX;

    bool bytes = at >= IPRIORITYR && at < IPRIORITYR_END;

    /* 12.1.3: only priorities are accessed by bytes, too. */
    if (at < IGROUPR || at >= ICFGR_END || id < first || id >= end || (a->size != 4 && !bytes)) {
        a->value = 0;
    } else if (at < IPRIORITYR) {
        access_bits(a, id / 32);
    } else if (bytes) {
        access_priority(a);
    } else {
        access_config(a);
    }
}

/* Affinity 0 and 1 choose a vCPU; one that is not there leaves the interrupt where it is. */
static void access_router(struct access *a)
{
    uint32_t id = (a->offset - GICD_IROUTER) / 8;
    struct vgic_bank *b = bank(a, id / 32);
    uint8_t *target = &b->target[id % 32];
    uint64_t index = (a->value & 15) | (a->value >> 8 & 0xff) << 4;

    if ((a->offset & 7) != 0) {
        a->value = 0; /* affinity 3 */
    } else if (!a->write) {
        a->value = (*target & 15u) | (uint64_t)(*target >> 4) << 8;
    } else if (index < a->owner->vm->vcpus) {
        *target = (uint8_t)index;
        a->tell |= BIT(index);
    }
}

static void access_distributor(struct access *a)
{
    struct vm *vm = a->owner->vm;

    if (a->offset == GICD_CTLR) {
        if (a->write) {
            vm->arch.gic.ctlr = (uint32_t)a->value & CTLR_GROUPS;
            a->tell = vm->vcpus == 64 ? UINT64_MAX : BIT(vm->vcpus) - 1;
        }
        a->value = vm->arch.gic.ctlr | CTLR_ARE;
    } else if (a->offset == GICD_TYPER) {
        a->value = VGIC_SPI_BANKS | 9u << 19 | TYPER_NO1N;
    } else if (a->offset == GICD_IIDR) {
        a->value = IIDR;
    } else if (a->offset == PIDR2) {
        a->value = PIDR2_V3;
    } else if (a->offset >= GICD_IROUTER + 8 * 32 && a->offset < GICD_IROUTER + 8 * INTIDS) {
        access_router(a);
    } else {
        access_interrupts(a, 32, INTIDS);
    }
}

/* Affinity, number, whether it is the last; 32 bits at a time, too. */
static uint64_t typer_of(const struct vcpu *v)
{
    uint64_t affinity = (v->index & 15) | (uint64_t)(v->index >> 4) << 8;

    return affinity << 32 | (uint64_t)v->index << 8 | (v->index + 1 == v->vm->vcpus ? BIT(4) : 0);
}

static void access_redistributor(struct access *a)
{
    struct vgic_cpu *g = &a->owner->arch.gic;

    if (a->offset >= GICR_SGI) {
        a->offset -= GICR_SGI;
        access_interrupts(a, 0, 32);
    } else if ((a->offset & ~4u) == GICR_TYPER) {
        a->value = typer_of(a->owner) >> 8 * (a->offset & 4);
    } else if (a->offset == GICR_IIDR) {
        a->value = IIDR;
    } else if (a->offset == GICR_WAKER) {
        g->asleep = a->write ? (a->value & WAKER_SLEEP) != 0 : g->asleep;
        a->value = g->asleep ? WAKER_SLEEP | WAKER_ASLEEP : 0;
    } else {
        a->value = a->offset == PIDR2 ? PIDR2_V3 : 0;
    }
}

bool vgic_access(struct vcpu *v, uint64_t at, bool write, unsigned int size, uint64_t *value)
{
    struct vm *vm = v->vm;
    struct access a = {.owner = v, .size = size, .write = write, .value = *value};
    bool distributor = at >= MMIO_GIC_DIST && at < MMIO_GIC_DIST + MMIO_GIC_DIST_SIZE;
    uint64_t end = MMIO_GIC_REDIST + (uint64_t)vm->vcpus * MMIO_GIC_REDIST_SIZE;

    if (!distributor && (at < MMIO_GIC_REDIST || at >= end)) {
        return false;
    }
    if (size == 2 || !IS_ALIGNED(at, size)) {
        return false;
    }
    lock(&vm->arch.gic.lock);
    if (distributor) {
        a.offset = (uint32_t)(at - MMIO_GIC_DIST);
        access_distributor(&a);
    } else {
        a.owner = vm->vcpu[(at - MMIO_GIC_REDIST) / MMIO_GIC_REDIST_SIZE];
        a.offset = (uint32_t)(at - MMIO_GIC_REDIST) % MMIO_GIC_REDIST_SIZE;
        access_redistributor(&a);
    }
    unlock(&vm->arch.gic.lock);
    *value = a.value;
    vgic_tell(vm, a.tell);
    return true;
}
