/* The SEV-SNP driver's files, to each other. */
#ifndef SNP_SNP_H
#define SNP_SNP_H

#include "arch_impl/svm.h"
#include "hv/cc_ops.h"
#include "hv/guestspan.h"
#include "hv/vm_priv.h"
#include "snp_ghcb.h"
#include "snp_hw.h"

extern const struct cc_ops cc_snp_ops;

/* What a guest has beside struct vm. */
struct snp_vm {
    uint32_t asid;
    pa_t gctx;
    bool gctx_made, activated;
    struct lock lock;     /* its RMP entries, one change at a time; taken after mem_lock */
    uint64_t conversions; /* pages */
    struct blob certs;    /* in the bundle */
    uint64_t requests_paid; /* guest requests: the time up to which its share is used */
    struct vcpu *last_on[CPUS_MAX]; /* which of its vCPUs each CPU ran last */
};

struct snp_vcpu {
    pa_t first_vmsa; /* the one that was launched: a page of ours, not of the guest's RAM */
    bool vmsa_owned;
    uint64_t next_vmsa;    /* gpa, from AP creation, for its next INIT; 0: none; snp_vm.lock */
    bool held;             /* in AP reset hold; snp_vm.lock */
    uint64_t ghcb;         /* gpa that the guest registered, or 0: only this vCPU changes it */
    struct lock ghcb_lock; /* taken after snp_vm.lock, and held for a copy only */
    struct guest_words page; /* the GHCB, pinned: not here after the guest took it back */
    uint64_t dr7;
};

/*
 * A GHCB exit: what the guest says, copied once, under the names of struct ghcb; then the answer.
 * What the guest did not mark valid is zero. Both bitmaps: one bit a quadword of the page.
 */
struct ghcb_exit {
    uint64_t exit_code, info1, info2, scratch;
    uint64_t rax, rcx, rdx, rbx, rsi, rdi, r10;
    uint64_t valid[2];
    uint64_t set[2]; /* what the answer changes in the page */
    uint64_t form;   /* the 48 bits at FFAh: GHCB_FORM_* */
};

static inline struct snp_vm *snp_of(const struct vm *vm)
{
    return vm->cc_data;
}

static inline struct snp_vcpu *snp_vcpu_of(const struct vcpu *v)
{
    return v->arch.cc_data;
}

/* snp.c */
extern struct snp_platform {
    unsigned int c_bit;
    bool xsave; /* guests have XSAVE, and what needs it */
    uint32_t asid_min, asid_max;
    struct snp_platform_status status;
    uint32_t features; /* SNP_FEATURE_* */
} snp_platform;

/* snp_psp.c: runs a firmware command on a copy of its buffer, which comes back changed. */
MUST_CHECK enum abi_status snp_psp_start(void);
MUST_CHECK enum snp_status snp_psp(enum snp_command cmd, void *buf, size_t len);
/* For snp_ring.c: nobody else has the registers; a command at that address; a write to CmdResp, and
 * its answer; the firmware does not answer any more. */
void snp_psp_hold(void);
void snp_psp_release(void);
MUST_CHECK enum snp_status snp_psp_send(enum snp_command cmd, pa_t buf);
MUST_CHECK enum snp_status snp_psp_ask(enum snp_command cmd);
MUST_CHECK enum snp_status snp_psp_lost(enum snp_command cmd);
#define SNP_PSP_TIMEOUT_NS 30000000000ull /* INIT_EX clears the RMP of a big machine */

/*
 * snp_ring.c: n commands of one kind in order, up to the first that fails, whose status it is;
 * *done: how many did not fail. bufs has n buffers of len bytes, which are not changed.
 */
MUST_CHECK enum snp_status snp_psp_all(enum snp_command cmd, const void *bufs, size_t len, size_t n,
                                       size_t *done);
void snp_ring_start(void);

/* snp_status.c */
const char *snp_status_text(enum snp_status st);
MUST_CHECK enum abi_status snp_fail(const char *who, const char *what, enum snp_status st);

/*
 * snp_mem.c: who owns a page, in the page table of owners and in the RMP alike. Of a guest's page
 * `at` is where the guest has it, `to` where the machine does.
 */
MUST_CHECK enum abi_status snp_page_assign(uint16_t owner, pa_t at, const struct rmp_entry *e);
MUST_CHECK enum abi_status snp_page_take_back(uint16_t owner, pa_t at);
MUST_CHECK enum abi_status snp_page_to_firmware(uint16_t owner, pa_t at);
MUST_CHECK enum abi_status snp_page_from_firmware(uint16_t owner, pa_t at);
/* One page (4 KiB or 2 MiB) of the guest's RAM becomes its private memory. */
MUST_CHECK enum abi_status snp_make_private(struct vm *vm, gpa_t at, pa_t to, bool large,
                                            bool immutable);
MUST_CHECK enum abi_status snp_make_shared(struct vm *vm, pa_t to, bool large);
/* RAM at that gpa is there; what was not yet there is private now, by 2 MiB if it can be. */
MUST_CHECK enum abi_status snp_populate(struct vm *vm, gpa_t at, bool private, pa_t *to);
bool snp_is_large(pa_t to);
/* Makes the 2 MiB page around it 4 KiB pages, in the nested table and the RMP. */
MUST_CHECK enum abi_status snp_smash(struct vm *vm, gpa_t gpa, pa_t at);
/* A nested page fault: OK when the guest can go on; BAD_STATE: it wants what is registered as a
 * buffer for private memory. */
MUST_CHECK enum abi_status snp_fault(struct vcpu *v, gpa_t at, uint64_t info);
void snp_mem_release(struct vm *vm);
bool snp_shared(struct vm *vm, pa_t at);

/* snp_cpuid.c: what an encrypted guest sees of its CPUs; leaf Dh depends on its XCR0 */
void snp_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint64_t xcr0, uint32_t out[4]);
/* What its CPUs are: into a page that is zero, and into one of the guest's memory. */
void snp_cpuid_fill(struct vcpu *v, struct snp_cpuid_page *p);
MUST_CHECK enum abi_status snp_cpuid_write(struct vm *vm, gpa_t page);

/* snp_launch.c */
MUST_CHECK enum abi_status snp_launch(struct vm *vm, const struct layout *l);

/* snp_vcpu.c */
MUST_CHECK enum abi_status snp_vcpu_create(struct vcpu *v);
void snp_hold(struct vcpu *v); /* AP reset hold */

/* VMGEXIT. snp_msr.c: what the GHCB MSR asks for; snp_ghcb.c: the page that it has */
void snp_vmgexit_msr(struct vcpu *v, uint64_t msr);
void snp_vmgexit_page(struct vcpu *v, uint64_t ghcb);
/* What the GHCB MSR says of us. The guest ends itself, for that reason. */
uint64_t snp_sev_info(void);
void snp_gave_up(struct vcpu *v, unsigned int set, unsigned int code, uint64_t info);

/*
 * snp_ghcb_page.c: the GHCB that a vCPU registered. Only that vCPU may call; all but forget and
 * release answer false when the page is not shared memory (any more).
 */
MUST_CHECK bool snp_ghcb_use(struct vcpu *v, gpa_t at);
MUST_CHECK bool snp_ghcb_get(struct vcpu *v, struct ghcb_exit *g);
MUST_CHECK bool snp_ghcb_answer(struct vcpu *v, const struct ghcb_exit *g);
/* A range of its shared buffer, which the caller has checked to be inside the page. */
MUST_CHECK bool snp_ghcb_read(struct vcpu *v, uint64_t offset, void *dst, size_t len);
MUST_CHECK bool snp_ghcb_write(struct vcpu *v, uint64_t offset, const void *src, size_t len);
/* The guest takes that page back. True when it was pinned as a GHCB, and is not any more. */
bool snp_ghcb_forget(struct vm *vm, gpa_t page);
void snp_ghcb_release(struct vm *vm);

/* snp_psc.c: page state changes. 4 KiB: false when it cannot be. A list: for SW_EXITINFO2. */
bool snp_psc_one(struct vm *vm, uint64_t gfn, unsigned int op);
uint64_t snp_psc_list(struct vcpu *v, uint64_t scratch);

/* snp_request.c: true when done; *result is for SW_EXITINFO2 of guest requests */
bool snp_ap_create(struct vcpu *v, uint64_t info1, uint64_t vmsa, uint64_t features);
bool snp_guest_request(struct vcpu *v, uint64_t req, uint64_t rsp, uint64_t *result);
/* For an extended request: hands over the certificates. *pages: what the guest has room for.
 * ABI_LIMIT: too little, and *pages is what it takes; ABI_BAD_ADDRESS: not its shared memory. */
MUST_CHECK enum abi_status snp_give_certs(struct vcpu *v, uint64_t at, uint64_t *pages);

#endif
