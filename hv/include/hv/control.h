/*
 * Domains that control others: a request in the making, what is remembered of those that were
 * done, what their domains may take, and bundles that they hand over. For hv/core.
 */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include "abi/abi.h"
#include "arch/lock.h"
#include "hv/domain.h"

struct vm;

/* How a request was answered. */
struct answer {
    uint64_t id; /* 0: none */
    uint32_t operation, domain;
    enum abi_status status;
    uint32_t made; /* BUILD: the new domain's id */
};

/* The last answers. One that is `old` is ABI 1.0's: of the very last request, whatever it was. */
struct journal {
    bool old;
    uint32_t next;
    struct answer answer[ABI_MAX_RING_SLOTS];
};

/*
 * A domain with `control`, by its name: outlives it, so that it finds its answers again, and its
 * domains have somebody to pay for them. Only the boot bundle names such domains.
 */
struct controller {
    char name[NAME_MAX_LEN + 1];
    struct journal journal; /* one request at a time */
    struct lock lock;       /* innermost */
    uint64_t memory, memory_max; /* bytes */
    uint32_t domains, domains_max;
    uint32_t measured; /* configurations, since boot: see hv/measure.h */
};

/* Finds it or makes it, with the limits of that description. NULL: there are too many. */
struct controller *controller_of(const struct domain_config *cfg);
/* Charges it, or answers ABI_LIMIT. NULL pays for everything. */
MUST_CHECK enum abi_status controller_take(struct controller *c, uint64_t bytes, uint32_t domains);
void controller_give(struct controller *c, uint64_t bytes, uint32_t domains);

const struct answer *journal_find(const struct journal *j, uint64_t id);
void journal_add(struct journal *j, const struct answer *a);

/*
 * A bundle that was handed over in parts. Lives until nobody uses it: who stages it, domains that
 * were built of it. Charged to its controller.
 */
struct stage {
    struct bundle bundle; /* after it was opened */
    uint64_t bytes;
    uint64_t taken; /* of memory */
    uint32_t uses;  /* atomic */
};

/* 1 to ABI_MAX_STAGE_BYTES. ABI_NO_MEMORY; ABI_LIMIT: its controller may take no more. */
MUST_CHECK enum abi_status stage_create(struct controller *by, uint64_t bytes, struct stage **s);
uint8_t *stage_data(struct stage *s); /* 8-byte aligned */

/* Of a staged bundle; the boot loader's lives for ever, and NULL is none. */
void bundle_hold(const struct bundle *b);
void bundle_drop(const struct bundle *b);

/* One request, wholly here. The answer replaces what followed the request. */
struct request {
    struct vm *by;
    struct answer head; /* id, operation, domain; and how it is answered */
    const uint8_t *more;
    uint32_t more_len;
    uint8_t *answer; /* 8-byte aligned; may be where `more` is */
    uint32_t room, told; /* bytes */
    char why[200]; /* of a failure: a reason, or empty */
};

/* call_control.c: checks and does a request, or answers it from the journal. */
void control_perform(struct request *r);
/* The same unless `st` says that it made no sense; of a failure, the reason is the answer. */
enum abi_status control_answer(struct request *r, enum abi_status st);
/* For a domain with a control port: one request at a time; false while another is under way. */
MUST_CHECK bool control_begin(struct vm *vm);
void control_end(struct vm *vm);
/* The answer is a domain, as it is now; one that is gone has state 3, and nothing else. */
MUST_CHECK enum abi_status control_describe(struct request *r, uint32_t id);
/* What follows a request, copied: reserved fields are the caller's to check. ABI_BAD_ARG. */
MUST_CHECK enum abi_status control_more(const struct request *r, void *to, uint32_t size);

/*
 * control_port.c, for a domain with the feature. The device lock is held, but by _init and _serve:
 * that does a frame that waits, and is for the domain's first vCPU, which holds no lock.
 */
MUST_CHECK enum abi_status control_port_init(struct vm *vm);
size_t control_port_room(const struct vm *vm); /* bytes that it takes now */
void control_port_take(struct vm *vm, const uint8_t *buf, size_t len); /* within its room */
void control_port_open(struct vm *vm); /* or close: the stream says which */
void control_port_deliver(struct vm *vm);
void control_port_serve(struct vm *vm);

/* call_ring.c, call_build.c */
MUST_CHECK enum abi_status control_ring(struct request *r);
MUST_CHECK enum abi_status control_stage(struct request *r);
MUST_CHECK enum abi_status control_load(struct request *r);
MUST_CHECK enum abi_status control_fill(struct request *r);
MUST_CHECK enum abi_status control_build(struct request *r);

#endif
