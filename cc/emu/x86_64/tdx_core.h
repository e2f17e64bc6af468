/* The core that runs TDs on a CPU that only knows plain guests: its parts, to each other. */
#ifndef TDX_CORE_H
#define TDX_CORE_H

#include "../tdx_module.h"
#include "emu_core.h"
#include "emu_meter.h"

#define TDX_TDS 64u

/* A vCPU's page for what SVM has no place for. */
struct tdx_core {
    uint64_t irr[4], isr[4]; /* the virtual APIC */
    bool armed;              /* V_IRQ stands for that vector */
    uint8_t vector;
    uint64_t reinject;       /* an event that a TD exit cut short */
    bool nmi_blocked;        /* until its handler's IRET is done, */
    bool nmi_returning;      /* which is this one */
    uint64_t iret_rip;
    uint64_t tsc_aux;
    uint8_t fpu[512] __attribute__((aligned(16)));
};
_Static_assert(sizeof(struct tdx_core) <= PAGE_SIZE, "a page");

static inline struct vmcb *core_vmcb(const struct tdx_vp *vp)
{
    return emu_mem(pa(vp->page[TDVPS_CORE]));
}

static inline struct tdx_core *core_of(const struct tdx_vp *vp)
{
    return emu_mem(pa(vp->page[TDVPS_CORE + 1]));
}

/* tdx_nested.c: the tables that the CPU really walks, a cache of what module and host say */
struct emu_td {
    uint64_t tdr_pa; /* 0: free */
    struct emu_lock lock;
    pa_t root;
    uint64_t invepts; /* of all, when its shared half was last emptied */
    uint32_t running[CPUS_MAX];
};
struct emu_td *core_td(uint64_t tdr_pa);
/* This CPU forgets what the host's tables said, from its next entry on. */
void core_invept(void);
/* Nobody takes the tables away until core_leave_tables(). */
uint64_t core_enter_tables(struct emu_td *td);
void core_leave_tables(struct emu_td *td);
/* The page at that address, if the TD may reach it so; and more of what is around a small one. */
void core_map(struct tdx_vp *vp, struct emu_td *td, uint64_t gpa, uint64_t violation);

/* tdx_meter.c: what a VP.ENTER ended with, and how many of these. */
enum meter_kind core_meter_kind(const struct tdx_regs *r, uint64_t *units);

/* tdx_msr.c: is that #GP in a TD? */
bool core_msr_is_none(uint32_t msr, bool write);

/* tdx_fetch.c: four bytes of 64-bit code at RIP; false: there are none. */
bool core_fetch(struct tdx_vp *vp, uint8_t insn[4]);

/* tdx_apic.c */
/* That interrupt is pending on this CPU. At an entry: if it is the vCPU's own, posted ones come. */
void core_notify(uint8_t vector);
void core_apic_enter(struct tdx_vp *vp);
void core_apic_arm(struct tdx_vp *vp);
void core_apic_account(struct tdx_vp *vp);
/* False: not one of those that the CPU itself does. */
bool core_apic_read(struct tdx_vp *vp, uint32_t msr, uint64_t *value);
bool core_apic_write(struct tdx_vp *vp, uint32_t msr, uint64_t value);
/* The priority class, 0 to 15: TPR 7:4, CR8. */
void core_apic_set_tpr(struct tdx_vp *vp, uint64_t class);
/* What a MOV writes to CR8; false: the bytes are no such instruction. */
bool core_cr8_operand(const struct tdx_vp *vp, const struct guest_regs *g, const uint8_t insn[4],
                      uint64_t *value);

#endif
