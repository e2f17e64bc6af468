/*
 * What Xen's PV ABI has beyond that of HVM guests (xen_abi.h): numbers and layouts, as Xen's public
 * headers (xen.h and arch-x86/xen-x86_64.h unless another is named) document them.
 */
#ifndef XENPV_BOX_PV_ABI_H
#define XENPV_BOX_PV_ABI_H

#include "../xen_abi.h"

/* xen.h: hypercalls */
enum {
    HC_SET_TRAP_TABLE = 0,
    HC_MMU_UPDATE = 1,
    HC_SET_GDT = 2,
    HC_STACK_SWITCH = 3,
    HC_SET_CALLBACKS = 4,
    HC_FPU_TASKSWITCH = 5,
    HC_SET_DEBUGREG = 8,
    HC_GET_DEBUGREG = 9,
    HC_UPDATE_DESCRIPTOR = 10,
    HC_MULTICALL = 13,
    HC_UPDATE_VA_MAPPING = 14,
    HC_VM_ASSIST = 21,
    HC_IRET = 23,
    HC_SET_SEGMENT_BASE = 25,
    HC_MMUEXT_OP = 26,
    HC_CALLBACK_OP = 30,
};

enum {
    XEN_E2BIG = 7,
    XEN_EBUSY = 16,
    XEN_ENODEV = 19,
    XEN_ENOMEM = 12,
};

/* Selectors that every guest finds in its GDT: the last of 15 pages of it is ours. */
#define GDT_GUEST_PAGES  14u
#define GDT_GUEST_LAST   (GDT_GUEST_PAGES * 512u)
#define FLAT_CS32        0xe023u
#define FLAT_DS          0xe02bu
#define FLAT_CS64        0xe033u

/* Virtual addresses that are ours: PML4 slots 256 to 271. */
#define RESERVED_START   0xffff800000000000ull
#define RESERVED_END     0xffff880000000000ull
#define RESERVED_SLOT    256u
#define RESERVED_SLOTS   16u

struct pv_trap_info {
    uint8_t vector, flags; /* 1:0 the level that INT needs; 2: events are masked */
    uint16_t cs;
    uint32_t pad;
    uint64_t address;
};
_Static_assert(sizeof(struct pv_trap_info) == 16, "xen.h");
#define TRAP_MASKS_EVENTS 4u

/* The frame on the kernel's stack that the hypercall iret takes. */
struct pv_iret {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
#define VGCF_IN_SYSCALL  0x100u

struct pv_mmu_update {
    uint64_t ptr, val;
};
enum { MMU_NORMAL = 0, MMU_MACHPHYS = 1, MMU_PRESERVE_AD = 2, MMU_NO_TRANSLATE = 3 };

struct pv_mmuext {
    uint32_t cmd, pad;
    uint64_t arg1; /* a machine frame, or a linear address */
    uint64_t arg2; /* entries, a frame, or the address of a mask */
};
_Static_assert(sizeof(struct pv_mmuext) == 24, "xen.h");
enum {
    MMUEXT_PIN_L1 = 0,
    MMUEXT_PIN_L2 = 1,
    MMUEXT_PIN_L3 = 2,
    MMUEXT_PIN_L4 = 3,
    MMUEXT_UNPIN = 4,
    MMUEXT_NEW_BASEPTR = 5,
    MMUEXT_TLB_FLUSH_LOCAL = 6,
    MMUEXT_INVLPG_LOCAL = 7,
    MMUEXT_TLB_FLUSH_MULTI = 8,
    MMUEXT_INVLPG_MULTI = 9,
    MMUEXT_TLB_FLUSH_ALL = 10,
    MMUEXT_INVLPG_ALL = 11,
    MMUEXT_FLUSH_CACHE = 12,
    MMUEXT_SET_LDT = 13,
    MMUEXT_NEW_USER_BASEPTR = 15,
    MMUEXT_CLEAR_PAGE = 16,
    MMUEXT_COPY_PAGE = 17,
};
/* update_va_mapping's flags: what is flushed, and for whom */
#define UVMF_TYPE      3u
#define UVMF_TLB_FLUSH 1u
#define UVMF_INVLPG    2u
#define UVMF_ALL       4u

struct pv_multicall {
    uint64_t op, result, arg[6];
};
_Static_assert(sizeof(struct pv_multicall) == 64, "xen.h");

struct pv_callback {
    uint16_t type, flags;
    uint32_t pad;
    uint64_t address;
};
_Static_assert(sizeof(struct pv_callback) == 16, "callback.h");
enum {
    CALLBACK_EVENT = 0,
    CALLBACK_FAILSAFE = 1,
    CALLBACK_SYSCALL = 2,
    CALLBACK_NMI = 4,
    CALLBACK_SYSENTER = 5,
    CALLBACK_SYSCALL32 = 7,
    CALLBACKS = 8,
};
enum { CALLBACKOP_REGISTER = 0, CALLBACKOP_UNREGISTER = 1 };
#define CALLBACKF_MASKS_EVENTS 1u

enum { SEGBASE_FS = 0, SEGBASE_GS_USER = 1, SEGBASE_GS_KERNEL = 2, SEGBASE_GS_USER_SEL = 3 };

enum {
    VMASST_4GB_SEGMENTS = 0,
    VMASST_4GB_NOTIFY = 1,
    VMASST_WRITABLE_TABLES = 2,
    VMASST_PAE_EXTENDED_CR3 = 3,
    VMASST_ARCHITECTURAL_IOPL = 4,
    VMASST_RUNSTATE_UPDATE = 5,
};

/* memory.h */
enum { XENMEM_MACHPHYS_MAPPING = 12 };
struct pv_machphys_mapping {
    uint64_t start, end, max_mfn;
};

/* vcpu.h */
enum { VCPUOP_INITIALISE = 0, VCPUOP_UP = 1, VCPUOP_DOWN = 2 };
/* struct vcpu_guest_context */
struct pv_context {
    uint8_t fpu[512];
    uint64_t flags;
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error, vector;
    uint64_t rip;
    uint16_t cs, pad0[1];
    uint8_t saved_mask, pad1[3];
    uint64_t rflags, rsp;
    uint16_t ss, pad2[3], es, pad3[3], ds, pad4[3], fs, pad5[3], gs, pad6[3];
    struct pv_trap_info trap[256];
    uint64_t ldt_base, ldt_entries;
    uint64_t gdt_frame[16], gdt_entries;
    uint64_t kernel_ss, kernel_sp;
    uint64_t ctrlreg[8];
    uint64_t debugreg[8];
    uint64_t event_eip, failsafe_eip, syscall_eip;
    uint64_t vm_assist;
    uint64_t fs_base, gs_base_kernel, gs_base_user;
};
_Static_assert(offsetof(struct pv_context, flags) == 512, "xen.h");
_Static_assert(offsetof(struct pv_context, trap) == 720, "xen.h");
_Static_assert(offsetof(struct pv_context, ldt_base) == 4816, "xen.h");
_Static_assert(sizeof(struct pv_context) == 5168, "xen.h");
#define VGCF_IN_KERNEL 4u

/* start_info */
struct pv_start_info {
    char magic[32];
    uint64_t nr_pages, shared_info;
    uint32_t flags, pad0;
    uint64_t store_mfn;
    uint32_t store_port, pad1;
    uint64_t console_mfn;
    uint32_t console_port, pad2;
    uint64_t pt_base, nr_pt_frames, mfn_list, mod_start, mod_len;
    char cmd_line[1024];
    uint64_t first_p2m_pfn, nr_p2m_frames;
};
_Static_assert(offsetof(struct pv_start_info, pt_base) == 88, "xen.h");
_Static_assert(offsetof(struct pv_start_info, cmd_line) == 128, "xen.h");
_Static_assert(sizeof(struct pv_start_info) == 1168, "xen.h");

/* physdev.h */
enum { PHYSDEVOP_SET_IOPL = 6, PHYSDEVOP_SET_IOBITMAP = 7 };

/* elfnote.h */
enum {
    NOTE_ENTRY = 1,
    NOTE_HYPERCALL_PAGE = 2,
    NOTE_VIRT_BASE = 3,
    NOTE_PADDR_OFFSET = 4,
};

#endif
