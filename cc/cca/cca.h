/* The CCA driver's files, to each other: a host of RMM 1.0. */
#ifndef CCA_CCA_H
#define CCA_CCA_H

#include "arch_impl/realm.h"
#include "cca_hw.h"
#include "cca_measured.h"
#include "hv/cc_ops.h"
#include "hv/vm_priv.h"

extern const struct cc_ops cc_cca_ops;

#define CCA_SHARED_BIT  BIT(CCA_IPA_BITS - 1)
#define CCA_START_LEVEL 1u

/* What a realm has beside struct vm. */
struct cca_vm {
    pa_t rd, root;
    pa_t spare; /* a table in reserve */
    bool made;
    struct lock lock; /* its translation tables, one change at a time; after mem_lock */
    uint8_t *bounce;  /* a page that the RMM reads launch data and parameters from */
};

struct cca_vcpu {
    pa_t rec, aux[RMI_REC_AUX_MAX];
    uint32_t auxes;
    bool made;
    struct rmi_rec_run *run;
};

static inline struct cca_vm *cca_of(const struct vm *vm)
{
    return vm->cc_data;
}

static inline struct cca_vcpu *cca_vcpu_of(const struct vcpu *v)
{
    return v->arch.cc_data;
}

/* cca.c: what the RMM says of itself */
extern struct cca_platform {
    const struct cca_revision *rmi;
    uint64_t features;
    unsigned int lrs;
} cca_platform;

/* cca.c: RMI_REALM_CREATE, with what the description says. */
MUST_CHECK enum abi_status cca_realm_create(struct vm *vm, const struct cca_config *c);

/*
 * cca_rmi.c: a command with up to four arguments; its status and level, and the values behind it.
 * The commands are named here as far as one revision differs from another.
 */
struct cca_result {
    uint64_t code, value[4];
};
struct cca_result rmi(enum rmi_command cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
struct cca_result rmi5(enum rmi_command cmd, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e);
static inline bool rmi_ok(struct cca_result r)
{
    return r.code == RMI_SUCCESS;
}
/* ABI_OK, or a line in the log and a status. */
MUST_CHECK enum abi_status cca_fail(const char *who, const char *what, struct cca_result r);

/* A page, or 2 MiB, at an address of a realm's: an entry of that level. */
struct cca_mapping {
    uint64_t ipa;
    unsigned int level;
    pa_t at;
    pa_t from; /* of the realm's own, measured: where its content is */
};
typedef struct cca_result cca_map_fn(pa_t rd, const struct cca_mapping *m);

/*
 * What revisions of RMI do differently, as the driver asks for it; what 1.0 and 2.0 have alike
 * (tables, RIPAS, activation, entry, PSCI), it asks for by rmi(). Of a range of whole granules an
 * operation says how many bytes it has done, and r is the last command's result.
 */
struct cca_revision {
    uint64_t number;
    const char *name;
    uint64_t (*delegate)(pa_t at, uint64_t len, struct cca_result *r);
    uint64_t (*undelegate)(pa_t at, uint64_t len, struct cca_result *r);
    struct cca_result (*realm_create)(pa_t rd, const struct rmi_realm_params *p);
    struct cca_result (*realm_destroy)(pa_t rd);
    struct cca_result (*rec_aux_count)(pa_t rd); /* value[0] */
    struct cca_result (*rec_create)(pa_t rd, pa_t rec, const struct rmi_rec_params *p);
    struct cca_result (*rec_destroy)(pa_t rec);
    cca_map_fn *data;
    uint64_t (*data_unknown)(pa_t rd, uint64_t ipa, pa_t at, uint64_t len, struct cca_result *r);
    struct cca_result (*data_destroy)(pa_t rd, uint64_t ipa); /* the page; where the next one is */
    cca_map_fn *map_shared; /* ours */
    struct cca_result (*unmap_shared)(pa_t rd, uint64_t ipa, unsigned int level); /* the next one */
};
extern const struct cca_revision cca_rmi_1_0;

/* cca_page.c: pages to the RMM and back, in the owners' table and in the GPT alike */
MUST_CHECK bool cca_page_alloc(uint16_t owner, pa_t *at); /* one of ours, delegated */
void cca_page_free(uint16_t owner, pa_t at);
/* All of a block, or nothing of it: but what the RMM then does not give back stays given away. */
MUST_CHECK enum abi_status cca_page_delegate(uint16_t owner, pa_t at, unsigned int order);
/* False: the RMM keeps some of it, and so does the owner's account. */
MUST_CHECK bool cca_page_undelegate(uint16_t owner, pa_t at, unsigned int order);
/* What is PRIVATE of 2 MiB, when the guest has ended: uncleared. False: the RMM keeps some. */
MUST_CHECK bool cca_block_return(uint16_t owner, pa_t base);

/* cca_rtt.c; cca_vm.lock is held. Tables of levels from + 1 to `to`. */
MUST_CHECK enum abi_status cca_rtt_make(struct vm *vm, uint64_t ipa, unsigned int from,
                                        unsigned int to);
/* Did a command miss a table that would be less deep than that level? */
bool cca_rtt_missing(struct cca_result r, unsigned int level);
/* Makes the tables that are missing, or folded, and maps. */
struct cca_result cca_rtt_map(struct vm *vm, cca_map_fn *map, const struct cca_mapping *m);
/* 2 MiB become one entry if they are alike and in one piece; become pages again. */
void cca_rtt_fold(struct vm *vm, uint64_t ipa);
MUST_CHECK enum abi_status cca_rtt_unfold(struct vm *vm, uint64_t ipa);
/* A delegated page becomes the realm's, with that content, measured. */
MUST_CHECK enum abi_status cca_data(struct vm *vm, uint64_t ipa, pa_t at, const void *content);
/* len bytes of delegated pages become the realm's, with content that nobody knows; done of them. */
MUST_CHECK enum abi_status cca_data_unknown(struct vm *vm, uint64_t ipa, pa_t at, uint64_t len,
                                            uint64_t *done);
/* The page in the upper half, or the 2 MiB that it is mapped with; where the next one may be. */
uint64_t cca_hide_shared(struct vm *vm, uint64_t ipa);
/* An empty table goes; where the next one may be. */
uint64_t cca_rtt_drop(struct vm *vm, uint64_t ipa, unsigned int level);
void cca_rtt_release(struct vm *vm);

/* cca_mem.c */
MUST_CHECK enum abi_status cca_take_block(struct vm *vm, gpa_t ipa, pa_t at);
MUST_CHECK enum abi_status cca_fault_private(struct vm *vm, uint64_t ipa);
MUST_CHECK enum abi_status cca_fault_shared(struct vm *vm, uint64_t ipa);
/* The realm asked for [base, top) as RAM or EMPTY. */
MUST_CHECK enum abi_status cca_ripas_change(struct vcpu *v, uint64_t base, uint64_t top,
                                            enum rmi_ripas to);
void cca_mem_release(struct vm *vm);
bool cca_shared(struct vm *vm, pa_t at);
void cca_forget(struct vm *vm, gpa_t at);

/* cca_launch.c */
MUST_CHECK enum abi_status cca_launch(struct vm *vm, const struct layout *l);

/* cca_vcpu.c, cca_exit.c */
MUST_CHECK enum abi_status cca_vcpu_create(struct vcpu *v);
/* entry: where the first one starts; NULL for the others. */
MUST_CHECK enum abi_status cca_rec_create(struct vcpu *v, const struct vcpu_entry *entry);
void cca_vcpu_destroy(struct vcpu *v);
void cca_run(struct vcpu *v);
void cca_exit(struct vcpu *v, const struct rmi_rec_exit *x);
void cca_psci(struct vcpu *v, const struct rmi_rec_exit *x);
/* It is off, unless another one has turned it on since. */
void cca_off(struct vcpu *v);

#endif
