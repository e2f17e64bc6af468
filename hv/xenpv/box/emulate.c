/*
 * Instructions of the guest's that fault in ring 3, and that the PV ABI has the supervisor do:
 * control and debug registers, MSRs, interrupt flag and ports as far as the virtual IOPL goes,
 * CPUID behind the forced prefix. Decoded here, inside the box, and nowhere else.
 */
#include "insn.h"
#include "page.h"

enum {
    MSR_APIC_BASE = 0x1b,
    MSR_EFER = 0xc0000080,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS = 0xc0000102,
    MSR_HWCR = 0xc0010015,
};
#define CR0_SHOWN 0x80050033ull
#define CR0_TS    BIT(3)
#define CR4_SHOWN (BIT(5) | BIT(9) | BIT(10)) /* PAE OSFXSR OSXMMEXCPT */
#define EFER_SHOWN 0xd01ull /* NXE LMA LME SCE */

static bool io_allowed(const struct vcpu *v)
{
    uint32_t level = v->kernel == 0                                        ? 3
                     : (box.assist & BIT(VMASST_ARCHITECTURAL_IOPL)) != 0 ? 0
                                                                           : 1;

    return v->iopl >= level;
}

/* No device is behind any port: reads are all ones. */
static bool port_access(struct vcpu *v, struct frame *f, struct insn *i, uint8_t op)
{
    bool in = (op & 2) == 0, byte = (op & 1) == 0;
    uint8_t port;

    if (!io_allowed(v) || (op < 0xe8 && !insn_next(i, &port))) {
        return false;
    }
    if (in && byte) {
        f->rax |= 0xff;
    } else if (in && i->narrow) {
        f->rax |= 0xffff;
    } else if (in) {
        f->rax = 0xffffffff;
    }
    return true;
}

static bool read_cr(struct vcpu *v, uint64_t *to, unsigned int cr)
{
    switch (cr) {
    case 0:
        *to = CR0_SHOWN | (v->fpu_off ? CR0_TS : 0);
        return true;
    case 2:
        *to = v->info->cr2;
        return true;
    case 3:
        *to = v->kernel_table << PAGE_SHIFT;
        return true;
    case 4:
        *to = CR4_SHOWN;
        return true;
    default:
        return false;
    }
}

static bool write_cr3(struct vcpu *v, uint64_t value)
{
    const uint64_t old = v->kernel_table;
    bool good;

    box_lock(v);
    good = page_use(PTE_MFN(value), USE_L4);
    if (good) {
        v->kernel_table = PTE_MFN(value);
        flush_local(v);
        page_unuse(old);
    }
    box_unlock(v);
    return good;
}

/* Bits that a guest has no say in are let pass: it sees by reading that they stay. */
static bool write_cr(struct vcpu *v, uint64_t value, unsigned int cr)
{
    switch (cr) {
    case 0:
        v->fpu_off = (value & CR0_TS) != 0;
        cpu_set_ts(v->fpu_off);
        return true;
    case 2:
        v->info->cr2 = value;
        return true;
    case 3:
        return write_cr3(v, value);
    case 4:
        return true;
    default:
        return false;
    }
}

/* MOV to and from control and debug registers: 0F 20 to 23. */
static bool move(struct vcpu *v, struct frame *f, struct insn *i, uint8_t op)
{
    uint8_t modrm;
    unsigned int special;
    uint64_t *r;

    if (!insn_next(i, &modrm)) {
        return false;
    }
    special = (modrm >> 3 & 7u) | (i->rex_r ? 8u : 0u);
    r = frame_register(f, (modrm & 7u) | (i->rex_b ? 8u : 0u));
    switch (op) {
    case 0x20:
        return read_cr(v, r, special);
    case 0x22:
        return write_cr(v, *r, special);
    case 0x21:
        special = special == 4 || special == 5 ? special + 2 : special;
        if (special > 7) {
            return false;
        }
        *r = v->dr[special];
        return true;
    default:
        special = special == 4 || special == 5 ? special + 2 : special;
        return debug_set(v, special, *r) == 0;
    }
}

static bool read_msr(struct vcpu *v, struct frame *f)
{
    uint64_t value;

    switch ((uint32_t)f->rcx) {
    case MSR_FS_BASE:
        value = fs_base();
        break;
    case MSR_GS_BASE:
        value = guest_gs();
        break;
    case MSR_KERNEL_GS:
        value = v->gs_other;
        break;
    case MSR_EFER:
        value = EFER_SHOWN;
        break;
    case MSR_APIC_BASE: /* off: there is none */
        value = 0xfee00000 | (v->index == 0 ? BIT(8) : 0);
        break;
    case MSR_HWCR: /* TscFreqSel: the TSC counts at P0's rate */
        value = BIT(24);
        break;
    default:
        return false;
    }
    f->rax = (uint32_t)value;
    f->rdx = value >> 32;
    return true;
}

static bool write_msr(struct vcpu *v, const struct frame *f)
{
    uint64_t value = (uint32_t)f->rax | f->rdx << 32;

    if (!canonical(value)) {
        return false;
    }
    switch ((uint32_t)f->rcx) {
    case MSR_FS_BASE:
        fs_base_set(value);
        return true;
    case MSR_GS_BASE:
        guest_gs_set(value);
        return true;
    case MSR_KERNEL_GS:
        v->gs_other = value;
        return true;
    case MSR_EFER:
        return value == EFER_SHOWN;
    default:
        return false;
    }
}

static void do_cpuid(struct frame *f)
{
    uint32_t r[4];

    box_cpuid((uint32_t)f->rax, (uint32_t)f->rcx, r);
    f->rax = r[0];
    f->rbx = r[1];
    f->rcx = r[2];
    f->rdx = r[3];
}

static bool two_bytes(struct vcpu *v, struct frame *f, struct insn *i)
{
    uint8_t op;

    if (!insn_next(i, &op)) {
        return false;
    }
    switch (op) {
    case 0x06: /* CLTS */
        v->fpu_off = false;
        cpu_set_ts(false);
        return true;
    case 0x08: /* INVD, WBINVD: no device sees memory behind the caches */
    case 0x09:
        return true;
    case 0x20:
    case 0x21:
    case 0x22:
    case 0x23:
        return move(v, f, i, op);
    case 0x30:
        return write_msr(v, f);
    case 0x32:
        return read_msr(v, f);
    default:
        return false;
    }
}

static bool one_byte(struct vcpu *v, struct frame *f, struct insn *i, uint8_t op)
{
    switch (op) {
    case 0xe4:
    case 0xe5:
    case 0xe6:
    case 0xe7:
    case 0xec:
    case 0xed:
    case 0xee:
    case 0xef:
        return port_access(v, f, i, op);
    case 0xfa: /* CLI, STI: no interrupt is held off by them */
    case 0xfb:
        return io_allowed(v);
    case 0x0f:
        return v->kernel != 0 && two_bytes(v, f, i);
    default:
        return false;
    }
}

bool emulate_privileged(struct vcpu *v, struct frame *f)
{
    struct insn i = {0};
    uint8_t op = 0;

    if (!cpu_code64(f->cs)) {
        return false;
    }
    insn_fetch(&i, f->rip);
    if (!insn_prefixes(&i, &op) || !one_byte(v, f, &i, op)) {
        return false;
    }
    f->rip += i.at;
    return true;
}

/* public/arch-x86/xen.h: UD2, "xen", CPUID */
bool emulate_forced(struct vcpu *v, struct frame *f)
{
    static const uint8_t forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
    uint8_t b[sizeof(forced)];

    (void)v;
    if (!guest_get(b, f->rip, sizeof(b)) || memcmp(b, forced, sizeof(b)) != 0) {
        return false;
    }
    do_cpuid(f);
    f->rip += sizeof(b);
    return true;
}
