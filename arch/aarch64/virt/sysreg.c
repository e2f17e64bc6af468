/*
 * System registers that trap. A guest is shown the features of this list and no others: what is not
 * named here reads as zero, so a newer machine shows guests nothing that was not thought of.
 */
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "virt.h"

/* ESR_EL2.ISS of MSR and MRS, without direction and register. */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define ISS_NAME (SYSREG(3u, 7u, 15u, 15u, 7u))
#define ISS_READ 1u
#define ISS_RT(iss) ((iss) >> 5 & 31)
#define ISS_OP0(iss) ((iss) >> 20 & 3)

enum id {
    ID_PFR0,
    ID_PFR1,
    ID_DFR0,
    ID_ISAR0,
    ID_ISAR1,
    ID_ISAR2,
    ID_MMFR0,
    ID_MMFR1,
    ID_MMFR2,
    ID_COUNT
};

/* ID_FIELD(register, shift, most): the least of what the machine has and `most`. */
static const struct {
    uint8_t id, shift, most;
} fields[] = {
    {ID_PFR0, 0, 1},   /* EL0, EL1: AArch64 only */
    {ID_PFR0, 4, 1},
    {ID_PFR0, 24, 1},  /* GIC system registers */
    {ID_PFR0, 48, 1},  /* DIT */
    {ID_PFR0, 56, 1},  /* CSV2 */
    {ID_PFR0, 60, 1},  /* CSV3 */
    {ID_PFR1, 0, 1},   /* BT */
    {ID_PFR1, 4, 2},   /* SSBS */
    {ID_ISAR0, 4, 2},  /* AES */
    {ID_ISAR0, 8, 1},  /* SHA1 */
    {ID_ISAR0, 12, 2}, /* SHA2 */
    {ID_ISAR0, 16, 1}, /* CRC32 */
    {ID_ISAR0, 20, 2}, /* Atomic */
    {ID_ISAR0, 28, 1}, /* RDM */
    {ID_ISAR0, 32, 1}, /* SHA3 */
    {ID_ISAR0, 36, 1}, /* SM3 */
    {ID_ISAR0, 40, 1}, /* SM4 */
    {ID_ISAR0, 44, 1}, /* DP */
    {ID_ISAR0, 48, 1}, /* FHM */
    {ID_ISAR0, 52, 2}, /* TS */
    {ID_ISAR0, 56, 2}, /* TLB */
    {ID_ISAR0, 60, 1}, /* RNDR */
    {ID_ISAR1, 0, 2},  /* DPB */
    {ID_ISAR1, 12, 1}, /* JSCVT */
    {ID_ISAR1, 16, 1}, /* FCMA */
    {ID_ISAR1, 20, 2}, /* LRCPC */
    {ID_ISAR1, 32, 1}, /* FRINTTS */
    {ID_ISAR1, 36, 1}, /* SB */
    {ID_ISAR1, 44, 1}, /* BF16 */
    {ID_ISAR1, 48, 1}, /* DGH */
    {ID_ISAR1, 52, 1}, /* I8MM */
    {ID_MMFR0, 0, 5},  /* PARange: 48 bits */
    {ID_MMFR0, 4, 2},  /* ASIDBits */
    {ID_MMFR0, 8, 1},  /* BigEnd */
    {ID_MMFR0, 12, 1}, /* SNSMem */
    {ID_MMFR0, 16, 1}, /* BigEndEL0 */
    {ID_MMFR0, 20, 1}, /* TGran16; without 52 bits */
    {ID_MMFR1, 0, 2},  /* HAFDBS */
    {ID_MMFR1, 12, 2}, /* HPDS */
    {ID_MMFR1, 20, 3}, /* PAN */
    {ID_MMFR1, 36, 1}, /* ETS */
    {ID_MMFR2, 0, 1},  /* CnP */
    {ID_MMFR2, 4, 1},  /* UAO */
    {ID_MMFR2, 8, 1},  /* LSM */
    {ID_MMFR2, 20, 1}, /* CCIDX */
    {ID_MMFR2, 28, 1}, /* ST */
    {ID_MMFR2, 32, 1}, /* AT */
    {ID_MMFR2, 48, 1}, /* TTL */
    {ID_MMFR2, 52, 2}, /* BBM */
    {ID_MMFR2, 60, 1}, /* E0PD */
};

/* Signed: Fh says "not there". FP and AdvSIMD; TGran4 and TGran64 without 52 bits. */
static const struct {
    uint8_t id, shift;
} signed_fields[] = {{ID_PFR0, 16}, {ID_PFR0, 20}, {ID_MMFR0, 28}, {ID_MMFR0, 24}};

/* DebugVer; two breakpoints (BRPs) and watchpoints (WRPs), the least there can be: none hits. */
#define DFR0_DEBUG (6u | 1u << 12 | 1u << 20)

static uint64_t shown[ID_COUNT];

static void read_machine(uint64_t *machine)
{
    machine[ID_PFR0] = sysreg_read(id_aa64pfr0_el1);
    machine[ID_PFR1] = sysreg_read(id_aa64pfr1_el1);
    machine[ID_ISAR0] = sysreg_read(id_aa64isar0_el1);
    machine[ID_ISAR1] = sysreg_read(id_aa64isar1_el1);
    machine[ID_MMFR0] = sysreg_read(id_aa64mmfr0_el1);
    machine[ID_MMFR1] = sysreg_read(id_aa64mmfr1_el1);
    machine[ID_MMFR2] = sysreg_read(id_aa64mmfr2_el1);
}

void sysreg_init(void)
{
    uint64_t machine[ID_COUNT] = {0};

    read_machine(machine);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        uint64_t has = field(machine[fields[i].id], fields[i].shift, 4);

        shown[fields[i].id] |= MIN(has, fields[i].most) << fields[i].shift;
    }
    for (size_t i = 0; i < ARRAY_SIZE(signed_fields); i++) {
        unsigned int shift = signed_fields[i].shift;
        bool none = field(machine[signed_fields[i].id], shift, 4) >= 8;

        shown[signed_fields[i].id] |= (none ? 15ull : 0ull) << shift;
    }
    shown[ID_DFR0] = DFR0_DEBUG;
}

unsigned int guest_pa_bits(void)
{
    return field(shown[ID_MMFR0], 0, 4) >= 5 ? 48 : 44;
}

/* op0 3, op1 0, CRn 0, CRm 1 to 7: the identification registers. */
static bool read_id(uint32_t name, uint64_t *value)
{
    static const struct {
        uint32_t name;
        enum id id;
    } registers[] = {
        {SYSREG(3u, 0u, 0u, 4u, 0u), ID_PFR0},  {SYSREG(3u, 0u, 0u, 4u, 1u), ID_PFR1},
        {SYSREG(3u, 0u, 0u, 5u, 0u), ID_DFR0},  {SYSREG(3u, 0u, 0u, 6u, 0u), ID_ISAR0},
        {SYSREG(3u, 0u, 0u, 6u, 1u), ID_ISAR1}, {SYSREG(3u, 0u, 0u, 6u, 2u), ID_ISAR2},
        {SYSREG(3u, 0u, 0u, 7u, 0u), ID_MMFR0}, {SYSREG(3u, 0u, 0u, 7u, 1u), ID_MMFR1},
        {SYSREG(3u, 0u, 0u, 7u, 2u), ID_MMFR2},
    };
    uint32_t crm = name >> 1 & 15;

    if ((name & ~SYSREG(0u, 0u, 0u, 15u, 7u)) != SYSREG(3u, 0u, 0u, 0u, 0u) || crm < 1 || crm > 7) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        if (registers[i].name == name) {
            *value = shown[registers[i].id];
        }
    }
    return true;
}

#define OSLSR_EL1  SYSREG(2u, 0u, 1u, 1u, 4u)
#define MDSCR_EL1  SYSREG(2u, 0u, 0u, 2u, 2u)
#define MDSCR_SETS (BIT(0) | BIT(12) | BIT(13)) /* SS, TDCC, KDE: single steps, no breakpoints */
#define ICC_SGI1R  SYSREG(3u, 0u, 12u, 11u, 5u)
#define ICC_ASGI1R SYSREG(3u, 0u, 12u, 11u, 6u)
#define ICC_SGI0R  SYSREG(3u, 0u, 12u, 11u, 7u)
#define ACTLR_EL1  SYSREG(3u, 0u, 1u, 0u, 1u)

static bool read_register(uint32_t name, uint64_t *value)
{
    if (read_id(name, value)) {
        return true;
    }
    *value = name == MDSCR_EL1   ? sysreg_read(mdscr_el1)
             : name == OSLSR_EL1 ? BIT(3) /* the OS lock is there, and open */
                                 : 0;
    return ISS_OP0(name) == 2 || name == ACTLR_EL1;
}

static bool write_register(struct vcpu *v, uint32_t name, uint64_t value)
{
    if (name == ICC_SGI1R) {
        vgic_send_sgi(v, value);
        return true;
    }
    if (name == MDSCR_EL1) {
        sysreg_write(mdscr_el1, value & MDSCR_SETS);
        return true;
    }
    /* Breakpoints do not take; group 0 and secure interrupts are nobody's. */
    return ISS_OP0(name) == 2 || name == ACTLR_EL1 || name == ICC_ASGI1R || name == ICC_SGI0R;
}

bool guest_sysreg(struct vcpu *v, uint32_t iss)
{
    uint32_t name = iss & ISS_NAME;
    uint64_t value = guest_reg(v, ISS_RT(iss));

    if ((iss & ISS_READ) == 0) {
        return write_register(v, name, value);
    }
    if (!read_register(name, &value)) {
        return false;
    }
    set_guest_reg(v, ISS_RT(iss), value);
    return true;
}
