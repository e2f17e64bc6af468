/*
 * Inside the emulated TDX module. As in the real one a TD's state lives in the pages that the host
 * gave for it (TDR, TDCX, TDVPR, secure EPT) and page ownership in PAMTs in memory of the host's
 * choice; here those pages hold plain text, so the hypervisor's mappings must do without them.
 * Formats inside are the module's own. BASE: 348549; ABI: 348551.
 */
#ifndef TDX_MODULE_H
#define TDX_MODULE_H

#include "emu_sha.h"
#include "tdx_emu.h"

#define TDX_VERSION_MAJOR 1u
#define TDX_VERSION_MINOR 5u
#define TDX_TDCS_PAGES  6u
#define TDX_TDVPS_PAGES 6u
#define TDCX_CPUID      1u /* what the pages of TDCS are for */
#define TDCX_SEPT_ROOT  3u
#define TDVPS_CORE      1u /* this page of TDVPS is the core's: a VMCS */
#define TDX_TDMRS_MAX   64u
#define TDX_SHARED_BIT(gpaw) BIT((gpaw) ? 51 : 47)
#define NO_LP           0xffffffffu
#define NO_VECTOR       0xffffu

/* ---- page ownership: BASE 10 ---- */
struct tdx_pamt {
    uint16_t lock;
    uint8_t type;    /* enum tdx_page_type; of a leaf */
    uint8_t blank;   /* enum tdx_blank */
    uint32_t owner;  /* page number of the TDR */
    uint64_t bepoch; /* when the page was blocked */
};
_Static_assert(sizeof(struct tdx_pamt) == 16, "as the module says by SYS.RD");
_Static_assert(EMU_TDX_KEY_SHIFT - PAGE_SHIFT <= 32, "owner");
/* An accepted page holds zeros, which are written when the TD first looks: most of a TD's memory is
 * accepted and never used, and a memory controller clears faster than this. */
enum tdx_blank { BLANK_NO, BLANK_YES, BLANK_FILLING };

struct tdx_tdmr {
    struct tdx_tdmr_info info;
    uint64_t initialized; /* up to here */
    uint16_t lock;
};

/* ---- the module ---- */
enum tdx_sys_state { SYS_PENDING, SYS_INIT_DONE, SYS_CONFIG_DONE, SYS_READY, SYS_SHUT_DOWN };
enum tdx_key_state { KEY_FREE, KEY_ASSIGNED, KEY_FLUSHED, KEY_RESERVED };
extern struct tdx_module {
    struct emu_tdx_machine machine;
    enum tdx_sys_state state;
    unsigned int inside; /* CPUs that are in the module, or in a TD by it */
    uint16_t lock, kot_lock;
    uint64_t lp_init, pkg_config; /* bits */
    uint32_t hkid;                /* the module's own key */
    struct {
        uint8_t state;
        uint64_t to_flush; /* packages */
    } key[EMU_TDX_KEYS];
    struct {
        uint16_t lock;
        unsigned int point; /* where an interrupted write-back goes on; 0: none */
        uint64_t keys;      /* those it is for */
    } wb[EMU_TDX_LPS];
    unsigned int tdmrs;
    struct tdx_tdmr tdmr[TDX_TDMRS_MAX];
} tdx_module;

/* ---- a TD: its TDR page, BASE 9 ---- */
struct tdx_tdr {
    uint32_t fatal, lifecycle; /* enum tdx_lifecycle */
    uint32_t hkid, num_tdcx;
    uint64_t children; /* pages of 4 KiB */
    uint64_t pkg_config;
    uint64_t tdcx[TDX_TDCS_PAGES];
};

struct tdx_tdcs {
    uint32_t op_state; /* enum tdx_op_state */
    uint16_t op_lock, sept_lock, epoch_lock, rtmr_lock;
    uint32_t num_vcpus, num_assoc;
    uint64_t attributes, xfam, config_flags;
    uint32_t max_vcpus, tsc_frequency;
    uint64_t td_ctls; /* bit 0: no #VE for pending pages */
    uint64_t notify_enables;
    uint64_t tsc_offset;
    uint64_t epoch;
    uint16_t refcount[2]; /* vCPUs that run since an even, an odd epoch */
    uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint8_t rtmr[TDX_RTMRS][48];
    struct emu_sha384 mrtd_hash;
};
_Static_assert(sizeof(struct tdx_tdcs) <= PAGE_SIZE, "the first page");

enum tdx_vp_state { VP_UNINITIALIZED, VP_READY, VP_ACTIVE, VP_DISABLED };
struct tdx_ve_info { /* BASE 16.3 */
    uint32_t valid, reason;
    uint64_t qualification, gla, gpa, instruction;
};
struct tdx_exit_info {
    uint64_t rax, qualification, extended, gpa, interrupt;
    bool tdvmcall;
};

/* A vCPU: its TDVPR page. Registers are complete only while it does not run. */
struct tdx_vp {
    uint32_t state; /* enum tdx_vp_state */
    uint32_t index, num_pages;
    uint32_t assoc_lp;
    uint64_t tdvpr_pa, tdr_pa, page[TDX_TDVPS_PAGES];
    uint64_t epoch;
    bool last_tdvmcall, pend_nmi, launched;
    bool posting; /* process posted interrupts: of the pin-based controls, the host's to set */
    bool cpuid_ve_user, cpuid_ve_supervisor;
    struct tdx_ve_info ve;
    struct tdx_exit_info exit;
    struct tdx_regs regs;
    uint64_t shared_eptp, posted_descriptor;
    uint32_t posted_vector;
    struct tdx_tdr *tdr; /* while it runs */
    struct tdx_tdcs *tdcs;
};
_Static_assert(sizeof(struct tdx_vp) <= PAGE_SIZE, "a page");

/* ---- a leaf in progress: it holds locks, all given back when it ends ---- */
#define TDX_HOLDS 24u
enum tdx_hold_kind { HOLD_SHARED, HOLD_EXCLUSIVE, HOLD_ENTRY };
struct tdx_call {
    struct tdx_regs *r;
    unsigned int leaf, version;
    unsigned int holds;
    struct {
        void *at;
        enum tdx_hold_kind kind;
    } hold[TDX_HOLDS];
    uint64_t tdr_pa;
    struct tdx_tdr *tdr;
    struct tdx_tdcs *tdcs;
    struct tdx_vp *vp;
};

static inline uint64_t tdx_error(enum tdx_status st, uint32_t operand)
{
    return (uint64_t)st << 32 | operand;
}
/* Puts the operand into an error that has none yet. */
static inline uint64_t tdx_at(uint64_t st, uint32_t operand)
{
    return st == TDX_SUCCESS ? st : st | operand;
}

/* tdx_call.c: locks that never wait: false is OPERAND_BUSY, or another busy code */
MUST_CHECK bool tdx_hold(struct tdx_call *c, uint16_t *lock, bool exclusive);
MUST_CHECK bool tdx_hold_entry(struct tdx_call *c, uint64_t *entry);
void tdx_drop(struct tdx_call *c, const void *lock);
void tdx_drop_all(struct tdx_call *c);
/* The TD whose TDR an operand names; a leaf's op-state check; the vCPU an operand names. */
uint64_t tdx_take_tdr(struct tdx_call *c, uint64_t pa, uint32_t operand, bool exclusive,
                      enum tdx_page_type type);
uint64_t tdx_take_tdcs(struct tdx_call *c, bool lock_op_state);
uint64_t tdx_take_vp(struct tdx_call *c, uint64_t pa, uint32_t operand, bool exclusive);
/* A page that is nobody's, for the TD to own. */
uint64_t tdx_take_free(struct tdx_call *c, uint64_t pa, uint32_t operand, unsigned int level,
                       struct tdx_pamt **e);
/* An address of the host's own memory. */
bool tdx_shared_hpa_ok(uint64_t pa, uint64_t align);
void tdx_own(struct tdx_call *c, struct tdx_pamt *e, enum tdx_page_type type, unsigned int level);
bool tdx_op_allowed(unsigned int leaf, uint32_t op_state);
struct tdx_tdcs *tdx_tdcs_of(const struct tdx_tdr *tdr);

/* tdx_seamldr.c */
void emu_seamldr_reset(void);
uint64_t emu_seamldr_call(struct tdx_regs *r);

/* tdx_pamt.c; results are status codes without operand */
uint64_t tdx_pamt_explicit(struct tdx_call *c, uint64_t pa, unsigned int level, bool exclusive,
                           enum tdx_page_type type, struct tdx_pamt **e);
/* The entry of the page that pa is in, whatever its size. */
uint64_t tdx_pamt_leaf(struct tdx_call *c, uint64_t pa, bool exclusive, struct tdx_pamt **e,
                       unsigned int *level);
/* A page that the module knows to exist. */
struct tdx_pamt *tdx_pamt_of(uint64_t pa, unsigned int level);
bool tdx_pamt_2m_free(uint64_t pa);
uint64_t tdx_pamt_split(struct tdx_call *c, uint64_t pa, unsigned int level);
uint64_t tdx_pamt_join(struct tdx_call *c, uint64_t pa, unsigned int level);
uint64_t tdx_owner_of(const struct tdx_pamt *e);
void tdx_set_owner(struct tdx_pamt *e, uint64_t tdr_pa);
void tdx_tdmr_init_step(struct tdx_tdmr *t);
/* A TD's page becomes zeros; later they are there. `give_back`: it stops being the TD's; scrambled,
 * what the TD wrote is as ciphertext to anybody else. */
void tdx_page_blank(uint64_t pa, unsigned int level);
void tdx_page_fill(uint64_t pa, unsigned int level);
bool tdx_page_is_blank(uint64_t pa, unsigned int level);
void tdx_page_give_back(struct tdx_pamt *e, uint64_t pa, unsigned int level, bool scramble);

/* tdx_tdmr.c: 0, or what SYS.CONFIG answers; those before i have been checked */
uint64_t tdx_tdmr_check(const struct tdx_tdmr_info *all, unsigned int i);

/* tdx_sept.c: BASE 8 */
enum sept_state {
    SEPT_FREE,
    SEPT_MAPPED,
    SEPT_BLOCKED,
    SEPT_PENDING,
    SEPT_PENDING_BLOCKED,
    SEPT_NL_MAPPED,
    SEPT_NL_BLOCKED,
};
#define SEPT_RWX   7ull
#define SEPT_LOCK  BIT(62)
#define SEPT_PA    0x000ffffffffff000ull
enum sept_state sept_state_of(uint64_t entry);
uint64_t sept_entry(enum sept_state state, uint64_t pa);
bool sept_is_leaf(uint64_t entry);
bool sept_is_blocked(uint64_t entry);
bool sept_allowed(unsigned int leaf, uint64_t entry);
void sept_set(uint64_t *at, uint64_t entry); /* keeps the lock */
uint64_t sept_get(const uint64_t *at);
/* Down to that level; NULL: stopped at *level, where the entry was *entry. */
uint64_t *sept_walk(const struct tdx_tdr *tdr, uint64_t gpa, unsigned int want,
                    unsigned int *level, uint64_t *entry);
bool sept_gpa_ok(const struct tdx_tdcs *t, uint64_t gpa);
/* Operand RCX: level and address. The tree and the entry are held. */
struct sept_at {
    uint64_t gpa, *entry;
    unsigned int level;
};
uint64_t sept_take(struct tdx_call *c, unsigned int min, unsigned int max, bool exclusive,
                   struct sept_at *at);
/* What RCX and RDX tell of an entry that an operation did not like. */
void sept_details(struct tdx_call *c, uint64_t entry, unsigned int level);
/* Blocked and forgotten by every CPU, where the TD may run? */
uint64_t sept_tracked(struct tdx_call *c, uint64_t entry, unsigned int level, uint64_t bepoch);
bool tdx_tracked(const struct tdx_tdcs *t, uint64_t bepoch);

/* The leaves. */
#define TDX_HANDLER(name) uint64_t name(struct tdx_call *c)
TDX_HANDLER(tdh_sys_init);
TDX_HANDLER(tdh_sys_lp_init);
TDX_HANDLER(tdh_sys_lp_shutdown);
TDX_HANDLER(tdh_sys_shutdown);
TDX_HANDLER(tdh_sys_rd);
TDX_HANDLER(tdh_sys_config);
TDX_HANDLER(tdh_sys_key_config);
TDX_HANDLER(tdh_sys_tdmr_init);
TDX_HANDLER(tdh_mng_create);
TDX_HANDLER(tdh_mng_key_config);
TDX_HANDLER(tdh_mng_addcx);
TDX_HANDLER(tdh_mng_init);
TDX_HANDLER(tdh_mng_rd);
TDX_HANDLER(tdh_mng_vpflushdone);
TDX_HANDLER(tdh_mng_key_freeid);
TDX_HANDLER(tdh_phymem_cache_wb);
TDX_HANDLER(tdh_phymem_page_wbinvd);
TDX_HANDLER(tdh_phymem_page_rdmd);
TDX_HANDLER(tdh_phymem_page_reclaim);
TDX_HANDLER(tdh_vp_create);
TDX_HANDLER(tdh_vp_addcx);
TDX_HANDLER(tdh_vp_init);
TDX_HANDLER(tdh_vp_flush);
TDX_HANDLER(tdh_vp_rd);
TDX_HANDLER(tdh_vp_wr);
TDX_HANDLER(tdh_vp_enter);
TDX_HANDLER(tdh_mem_sept_add);
TDX_HANDLER(tdh_mem_sept_remove);
TDX_HANDLER(tdh_mem_sept_rd);
TDX_HANDLER(tdh_mem_page_add);
TDX_HANDLER(tdh_mem_page_aug);
TDX_HANDLER(tdh_mem_page_remove);
TDX_HANDLER(tdh_mem_page_demote);
TDX_HANDLER(tdh_mem_page_promote);
TDX_HANDLER(tdh_mem_range_block);
TDX_HANDLER(tdh_mem_range_unblock);
TDX_HANDLER(tdh_mem_track);
TDX_HANDLER(tdh_mr_extend);
TDX_HANDLER(tdh_mr_finalize);

/* ---- a TD's own side: for the core that runs it ---- */
enum tdx_then { TDX_RESUME, TDX_TD_EXIT, TDX_INJECT_VE };
/*
 * tdx_guest.c: TDCALL in 64-bit mode at CPL 0. The instruction is done when the TD resumes or exits
 * with exit.tdvmcall; else it runs again.
 */
enum tdx_then tdx_tdcall(struct tdx_vp *vp);
/* An asynchronous TD exit; then the core leaves emu_tdx_run(). */
void tdx_exit_async(struct tdx_vp *vp, uint64_t reason, uint64_t qualification, uint64_t extended,
                    uint64_t gpa);
/* The vCPU is no more, or the whole TD: it cannot be entered again. */
void tdx_exit_dead(struct tdx_vp *vp, enum tdx_status code, uint64_t reason);
/* False: one is pending already, which is a double fault. */
MUST_CHECK bool tdx_raise_ve(struct tdx_vp *vp, uint32_t reason, uint64_t qualification,
                             uint64_t gpa, uint64_t instruction);

enum tdx_access { TDX_ACCESS_OK, TDX_ACCESS_EXIT, TDX_ACCESS_VE };
/*
 * tdx_access.c: may the TD access that guest address? OK gives its place and what its page's size
 * is; EXIT has told the exit; VE is for the caller to raise, with an EPT violation's reason.
 */
enum tdx_access tdx_access(struct tdx_vp *vp, uint64_t gpa, uint64_t violation, uint64_t *at,
                           uint64_t *size);
/* tdx_cpuid.c: false: #VE. */
bool tdx_cpuid(struct tdx_vp *vp, bool user, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
uint64_t tdx_cpuid_configure(struct tdx_call *c, const struct tdx_td_params *p);
bool tdx_cpuid_metadata(uint64_t field, uint64_t *value);

/* tdx_report.c */
void tdx_report_make(const struct tdx_tdcs *t, const uint8_t data[64], struct tdx_report *out);

/* tdx_field.c: a TD's fields; false: none, or not for that side */
bool tdx_td_field(const struct tdx_tdcs *t, uint64_t id, bool host, uint64_t *value);
enum tdx_status tdx_td_write(struct tdx_tdcs *t, uint64_t id, uint64_t value, uint64_t mask,
                             uint64_t *old);

#endif
