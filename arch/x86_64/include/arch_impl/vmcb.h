/* The virtual machine control block: AMD64 APM Vol. 2 (24593), Appendix B, and chapter 15. */
#ifndef X86_VMCB_H
#define X86_VMCB_H

#include "hv/types.h"

struct vmcb_segment { /* B.2: attributes are packed bits 55:52 and 47:40 of a descriptor */
    uint16_t selector, attributes;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint16_t cr_reads, cr_writes, dr_reads, dr_writes; /* 000h */
    uint32_t exceptions, intercept1, intercept2, intercept3;
    uint8_t reserved1[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm, msrpm, tsc_offset; /* 040h */
    uint32_t asid;
    uint8_t tlb_control, reserved2[3];
    uint64_t vintr;      /* 060h */
    uint64_t int_state;  /* 068h */
    uint64_t exit_code;  /* 070h */
    uint64_t exit_info1, exit_info2, exit_int_info;
    uint64_t nested;     /* 090h */
    uint64_t avic_bar, ghcb_gpa;
    uint64_t event_inj;  /* 0A8h */
    uint64_t ncr3;       /* 0B0h */
    uint64_t lbr_virt;
    uint32_t clean, reserved3; /* 0C0h */
    uint64_t nrip;       /* 0C8h */
    uint8_t fetched, insn[15]; /* 0D0h */
    uint8_t reserved4[0x108 - 0xe0];
    uint64_t vmsa;       /* 108h: SEV-ES, physical address of the save area */
    uint8_t reserved11[0x400 - 0x110];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; /* 400h */
    uint8_t reserved5[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved6;
    uint64_t efer; /* 4D0h */
    uint8_t reserved7[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip; /* 548h */
    uint8_t reserved8[0x5d8 - 0x580];
    uint64_t rsp, s_cet, ssp, isst, rax; /* 5D8h */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2; /* 640h */
    uint8_t reserved9[0x668 - 0x648];
    uint64_t g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;
    uint8_t reserved10[0x1000 - 0x698];
};
_Static_assert(sizeof(struct vmcb) == 4096, "a page");
#define AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), #field)
AT(pause_threshold, 0x3c);
AT(iopm, 0x40);
AT(asid, 0x58);
AT(vintr, 0x60);
AT(exit_code, 0x70);
AT(nested, 0x90);
AT(event_inj, 0xa8);
AT(ncr3, 0xb0);
AT(clean, 0xc0);
AT(nrip, 0xc8);
AT(vmsa, 0x108);
AT(es, 0x400);
AT(tr, 0x490);
AT(cpl, 0x4cb);
AT(efer, 0x4d0);
AT(cr4, 0x548);
AT(rip, 0x578);
AT(rsp, 0x5d8);
AT(rax, 0x5f8);
AT(kernel_gs_base, 0x620);
AT(cr2, 0x640);
AT(g_pat, 0x668);
#undef AT

/* intercept1, 00Ch */
#define ICPT_INTR     BIT(0)
#define ICPT_NMI      BIT(1)
#define ICPT_SMI      BIT(2)
#define ICPT_INIT     BIT(3)
#define ICPT_RDPMC    BIT(15)
#define ICPT_CPUID    BIT(18)
#define ICPT_RSM      BIT(19)
#define ICPT_IRET     BIT(20)
#define ICPT_INVD     BIT(22)
#define ICPT_PAUSE    BIT(23)
#define ICPT_HLT      BIT(24)
#define ICPT_INVLPGA  BIT(26)
#define ICPT_IOIO     BIT(27)
#define ICPT_MSR      BIT(28)
#define ICPT_FERR     BIT(30)
#define ICPT_SHUTDOWN BIT(31)
/* intercept2, 010h: VMRUN to SKINIT, ICEBP is the guest's own, WBINVD to XSETBV, RDPRU */
#define ICPT2_SVM     0x7fu
#define ICPT2_WBINVD  BIT(9)
#define ICPT2_MONITOR BIT(10)
#define ICPT2_MWAIT   BIT(11)
#define ICPT2_XSETBV  BIT(13)
#define ICPT2_RDPRU   BIT(14)

/* vintr, 060h */
#define VINTR_TPR      0xffull
#define VINTR_IRQ      BIT(8)
#define VINTR_PRIO(p)  ((uint64_t)(p) << 16)
#define VINTR_IGN_TPR  BIT(20)
#define VINTR_MASKING  BIT(24)
#define VINTR_VECTOR(v) ((uint64_t)(v) << 32)

#define INT_STATE_SHADOW BIT(0)

#define RFLAGS_TF BIT(8)
#define DR6_BS    BIT(14) /* single step */

/* event_inj and exit_int_info, 15.20 */
#define EVENT_VECTOR   0xffull
#define EVENT_TYPE     (7ull << 8)
#define EVENT_INTR     (0ull << 8)
#define EVENT_NMI      (2ull << 8)
#define EVENT_EXCEPTION (3ull << 8)
#define EVENT_SOFT     (4ull << 8)
#define EVENT_HAS_ERROR BIT(11)
#define EVENT_VALID    BIT(31)

/* clean bits, 15.15.3 */
#define CLEAN_INTERCEPTS BIT(0) /* intercepts, TSC offset, pause filter */
#define CLEAN_IOPM  BIT(1)
#define CLEAN_ASID  BIT(2)
#define CLEAN_TPR   BIT(3)
#define CLEAN_NP    BIT(4)
#define CLEAN_CRX   BIT(5)
#define CLEAN_DRX   BIT(6)
#define CLEAN_DT    BIT(7)
#define CLEAN_SEG   BIT(8)
#define CLEAN_CR2   BIT(9)
#define CLEAN_ALL   0x3ffu

/* tlb_control, 15.16.1 */
#define TLB_FLUSH_ALL  1
#define TLB_FLUSH_ASID 3

/* exit codes, Appendix C */
enum {
    EXIT_CR8_WRITE = 0x18,
    EXIT_DR0_READ = 0x20,
    EXIT_DR15_WRITE = 0x3f,
    EXIT_EXCEPTION = 0x40,
    EXIT_INTR = 0x60,
    EXIT_NMI = 0x61,
    EXIT_SMI = 0x62,
    EXIT_INIT = 0x63,
    EXIT_RDPMC = 0x6f,
    EXIT_CPUID = 0x72,
    EXIT_RSM = 0x73,
    EXIT_IRET = 0x74,
    EXIT_INVD = 0x76,
    EXIT_PAUSE = 0x77,
    EXIT_HLT = 0x78,
    EXIT_INVLPGA = 0x7a,
    EXIT_IOIO = 0x7b,
    EXIT_MSR = 0x7c,
    EXIT_FERR = 0x7e,
    EXIT_SHUTDOWN = 0x7f,
    EXIT_VMRUN = 0x80,
    EXIT_VMMCALL = 0x81,
    EXIT_SKINIT = 0x86,
    EXIT_WBINVD = 0x89,
    EXIT_MONITOR = 0x8a,
    EXIT_MWAIT = 0x8b,
    EXIT_XSETBV = 0x8d,
    EXIT_RDPRU = 0x8e,
    EXIT_NPF = 0x400,
    EXIT_VMGEXIT = 0x403,
};
#define EXIT_INVALID 0xffffffffffffffffull

/* exit_info1 of IOIO, 15.10.2 */
#define IOIO_IN     BIT(0)
#define IOIO_STRING BIT(2)
#define IOIO_REP    BIT(3)
#define IOIO_SIZE(info) ((unsigned int)((info) >> 4) & 7)
#define IOIO_PORT(info) ((uint16_t)((info) >> 16))

/* nested, 090h */
#define NESTED_NP     BIT(0)
#define NESTED_SEV    BIT(1)
#define NESTED_SEV_ES BIT(2)

/* exit_info1 of NPF, 15.25.6 and 15.36.10 */
#define NPF_WRITE BIT(1)
#define NPF_FETCH BIT(4)
#define NPF_RMP   BIT(31) /* the RMP forbids it */
#define NPF_WALK  BIT(33) /* while the guest's own tables were walked */
#define NPF_ENC   BIT(34) /* with the C-bit */
#define NPF_SIZE  BIT(35) /* the RMP's page is smaller or bigger than the nested table's */
#define NPF_VMPL  BIT(36)

#endif
