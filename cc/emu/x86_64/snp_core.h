/* The core that runs SNP guests on a CPU that only knows plain ones: its parts, to each other. */
#ifndef SNP_CORE_H
#define SNP_CORE_H

#include "../snp_emu.h"
#include "emu_core.h"
#include "emu_meter.h"

void emu_rmp_range(uint64_t *base, uint64_t *end); /* emu_x86_64.c */

/* The C-bit that this chip has, and what it models. */
#define EMU_C_BIT 39u
#define EMU_ASIDS (EMU_SNP_ASIDS + 1)
#define EMU_VCPUS 256u

/* One encrypted vCPU inside the chip, found by its save area. */
struct emu_vcpu {
    uint64_t vmsa_pa; /* 0: free */
    struct vmsa *vmsa;
    struct vmcb *shadow;
    uint64_t shadow_pa;
    struct guest_regs regs;
    struct emu_guest *guest;
    struct vmcb *host; /* the VMCB that the hypervisor gave */
    uint8_t vmpl; /* of its save area when it was entered */
    uint64_t xcr0;
    struct emu_xsave *fpu, *image; /* a page each: XSAVE's standard form, and what guests see */
};

/* The XSAVE area: APM Vol. 2, 11.5; components from 2 on follow. */
struct emu_xsave {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved0;
    uint16_t fop;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16], xmm[256], reserved1[96];
    uint64_t xstate_bv, xcomp_bv, reserved2[6];
};
_Static_assert(sizeof(struct emu_xsave) == 576, "APM Vol. 2, 11.5");
#define XCR0_AVX BIT(2)

/* snp_nested.c: the nested tables that the CPU walks: shared below the C-bit, private above. */
struct emu_guest {
    uint32_t asid;
    uint64_t ncr3;             /* the hypervisor's */
    struct emu_lock lock;
    pa_t paged[EMU_VMPLS], unpaged[EMU_VMPLS]; /* roots; unpaged: low addresses are private */
    uint32_t running[CPUS_MAX];
};
struct emu_guest *emu_guest_of(uint32_t asid);
/* 0: mapped, go on. Else the answer: */
enum emu_fault { EMU_MAPPED, EMU_NPF, EMU_VC_NOT_VALIDATED };
struct emu_access {
    uint64_t gpa; /* of the page, without C-bit */
    bool c_bit, walk, unpaged, fetch;
    uint8_t vmpl, need;
};
enum emu_fault emu_map(struct emu_guest *g, const struct emu_access *a, uint64_t *npf_flags);
/* Both roots of that VMPL exist: the lock is held. */
MUST_CHECK bool emu_make_roots(struct emu_guest *g, unsigned int vmpl);
/* The hypervisor flushes: what its tables say differently by now is forgotten. */
void emu_flush(struct emu_guest *g);
/* What the hypervisor's tables say. */
bool emu_host_translate(const struct emu_guest *g, uint64_t gpa, pa_t *to, uint64_t *size);

/* snp_save.c: the save area to the CPU, and back. False: VMRUN refuses it. */
MUST_CHECK bool emu_load_state(struct emu_vcpu *v);
void emu_store_state(struct emu_vcpu *v);

/* snp_vc.c: the guest's own tables, and #VC */
#define PTE_A BIT(5)
#define PTE_D BIT(6)
struct emu_walk {
    uint64_t gpa;
    bool c_bit;
    uint64_t rights; /* PTE_W, PTE_U that all levels give */
    uint64_t *leaf;  /* NULL: no paging */
};
/* False: not mapped. */
bool emu_walk(struct emu_vcpu *v, uint64_t va, struct emu_walk *w);
bool emu_read_virt(struct emu_vcpu *v, uint64_t va, void *buf, size_t len);
/* False: its frame could not be written, a triple fault. */
bool emu_deliver_vc(struct emu_vcpu *v, uint64_t code);

/* snp_meter.c: what it left for, and how many of these. */
enum meter_kind emu_meter_kind(const struct emu_vcpu *v, uint64_t *units);

/* ---- instructions that this CPU does not have ---- */

enum emu_insn {
    EMU_NOT_OURS,
    EMU_DONE,       /* RIP has moved on, or the instruction is to run again */
    EMU_INSN_NPF,   /* #NPF: gpa, flags */
    EMU_INSN_VC,    /* #VC: its page is not validated */
    EMU_INSN_FAULT, /* an exception: vector, error; address is #PF's */
};
struct emu_trap {
    uint64_t gpa, flags;
    unsigned int vector;
    uint32_t error;
    uint64_t address;
};
#define EMU_VEC_PF   14u
#define EMU_PF_WRITE BIT(1)

/* snp_insn.c: PVALIDATE and RMPADJUST at RIP, which raise #UD on a CPU without SNP */
enum emu_insn emu_instruction(struct emu_vcpu *v, struct emu_trap *t);

/* snp_xsave.c: XSAVEC, XSAVES and XRSTORS (#UD), XRSTOR of the compacted form (#GP) at RIP */
enum emu_insn emu_xsave(struct emu_vcpu *v, struct emu_trap *t);
/* XSETBV, which the CPU has, but the VMRUN intercepts. */
enum emu_insn emu_xsetbv(struct emu_vcpu *v, struct emu_trap *t);

/* snp_probe.c: can they be stood in for? */
bool emu_core_xsave(void);

/* snp_decode.c: an instruction of 0Fh C7h or 0Fh AEh with an operand in memory */
struct emu_operand {
    uint8_t opcode, reg; /* reg: of ModRM */
    bool wide;           /* REX.W */
    unsigned int length;
    uint64_t address;
};
bool emu_decode(struct emu_vcpu *v, struct emu_operand *n);
/* Memory at the guest's rights, all of it or none; at most a page's length. READ_TO_WRITE reads,
 * and faults as a write would. */
enum emu_direction { EMU_READ, EMU_READ_TO_WRITE, EMU_WRITE };
MUST_CHECK enum emu_insn emu_copy_virt(struct emu_vcpu *v, uint64_t va, void *buf, uint32_t len,
                                       enum emu_direction how, struct emu_trap *t);

#endif
