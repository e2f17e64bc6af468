/* The parts of the emulated core on x86-64, to each other. */
#ifndef EMU_X86_64_H
#define EMU_X86_64_H

#include "arch_impl/svm.h"
#include "../snp_emu.h"
#include "emu_meter.h"

/* emu_x86_64.c: pages of the chip's own; false when they are used up. */
MUST_CHECK bool emu_page_take(pa_t *at);
void emu_page_give(pa_t at);
void emu_rmp_range(uint64_t *base, uint64_t *end);

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
    uint8_t fpu[512] __attribute__((aligned(16)));
};

/* snp_nested.c: the nested tables that the CPU walks: shared below the C-bit, private above. */
struct emu_guest {
    uint32_t asid;
    uint64_t ncr3;             /* the hypervisor's */
    struct emu_lock lock;
    pa_t paged, unpaged;       /* roots; unpaged: low addresses are private */
    uint32_t running[CPUS_MAX];
};
struct emu_guest *emu_guest_of(uint32_t asid);
/* 0: mapped, go on. Else the answer: */
enum emu_fault { EMU_MAPPED, EMU_NPF, EMU_VC_NOT_VALIDATED };
struct emu_access {
    uint64_t gpa; /* of the page, without C-bit */
    bool c_bit, walk, unpaged;
};
enum emu_fault emu_map(struct emu_guest *g, const struct emu_access *a, uint64_t *npf_flags);
/* Both roots exist: the lock is held. */
MUST_CHECK bool emu_make_roots(struct emu_guest *g);
/* The hypervisor flushes: what its tables say differently by now is forgotten. */
void emu_flush(struct emu_guest *g);
/* What the hypervisor's tables say. */
bool emu_host_translate(const struct emu_guest *g, uint64_t gpa, pa_t *to, uint64_t *size);

/* snp_vc.c: the guest's own tables, and #VC */
bool emu_read_virt(struct emu_vcpu *v, uint64_t va, void *buf, size_t len);
bool emu_virt_to_gpa(struct emu_vcpu *v, uint64_t va, uint64_t *gpa, bool *c_bit);
/* False: its frame could not be written, a triple fault. */
bool emu_deliver_vc(struct emu_vcpu *v, uint64_t code);

/* snp_meter.c: what it left for, and how many of these. */
enum meter_kind emu_meter_kind(const struct emu_vcpu *v, uint64_t *units);

/* snp_insn.c: PVALIDATE and RMPADJUST at RIP, which raise #UD on a CPU without SNP */
enum emu_insn { EMU_NOT_OURS, EMU_DONE, EMU_INSN_NPF, EMU_INSN_VC, EMU_INSN_PF };
enum emu_insn emu_instruction(struct emu_vcpu *v, uint64_t *npf_gpa, uint64_t *npf_flags);

#endif
