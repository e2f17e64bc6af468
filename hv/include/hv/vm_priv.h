/* What a VM is made of: for hv/core, arch/ and modules. Devices and the builder see vm.h, io.h. */
#ifndef HV_VM_PRIV_H
#define HV_VM_PRIV_H

#include "abi/abi.h"
#include "arch/lock.h"
#include "arch/vcpu.h"
#include "hv/cc.h"
#include "hv/cc_ops.h"
#include "hv/guest_abi.h"
#include "hv/pt.h"
#include "hv/stream.h"
#include "hv/vcpu.h"
#include "hv/vm.h"

#define VM_IO_MAX 64u
#define VMS_MAX   64u

struct io_region {
    uint64_t base;
    uint32_t len;
    uint8_t space;
    const struct io_ops *ops;
    void *dev;
};

/* Guest RAM in 2 MiB chunks; a chunk's entry is its host page number, and flags. RAM is [0, low)
 * and [4 GiB, 4 GiB + high). */
#define CHUNK_POPULATED 1u /* cleared and mapped */
#define CHUNK_PRIVATE   2u /* was made private: it is not the hypervisor's to clear */
#define CHUNK_FLAGS     (CHUNK_POPULATED | CHUNK_PRIVATE)

struct stream {
    const struct stream_ops *ops;
    void *dev;
    bool open;
    uint32_t count; /* input that the guest has not taken yet */
    uint8_t input[4096];
    /* STREAM_CONSOLE: the line being put together, and the bytes it may still print */
    uint32_t line_len;
    char line[1024];
    uint8_t character[4]; /* UTF-8, as far as it came */
    uint32_t char_have, char_len;
    uint32_t idle_ticks;
    uint32_t budget;
    uint64_t budget_time, dropped;
};

/* The last of what a VM wrote to its console. */
struct output {
    uint64_t total;
    uint8_t bytes[ABI_MAX_OUTPUT_BYTES];
};

/* A block of memory that goes when the VM goes. */
struct vm_block {
    struct vm_block *next;
    uint32_t used;
    uint32_t size;
    bool pages_only;
};

/* What a service of the host answers to a link_request: bytes from outside; vms_lock is held. */
typedef void link_answer_fn(struct vm *vm, const uint8_t *p, size_t len);

struct vm {
    char name[NAME_MAX_LEN + 1];
    uint16_t id;
    enum cc_kind cc;
    const struct cc_ops *ops;
    void *cc_data; /* the technology's own */
    enum vm_state state;
    struct lock lock; /* state, ended, cause */
    bool end_asked;
    bool building; /* by whoever made it: not to be taken down */
    bool waiting;  /* for vm_start_built */
    bool kept;     /* though it ended; atomic */
    struct controller *creator; /* who pays for it; NULL: nobody */
    uint64_t charged;
    bool resume_asked; /* while it pauses */
    enum vm_cause cause;
    char detail[120];
    uint32_t active; /* vCPUs that have not stopped yet */

    uint64_t ram_low, ram_high;
    uint64_t shared_bit; /* of a guest-physical address that names shared memory; 0: none */
    uint32_t *chunks;
    struct lock mem_lock; /* second stage, chunk population, mapped pages */
    struct pt stage2;
    uint32_t strays; /* accesses outside RAM that got a page */

    uint32_t abi_version, abi_features;
    uint32_t abi_calls; /* a bit each; with all of this, frozen when it is created */
    uint8_t config_hash[SHA256_SIZE];
    struct abi_vm *abi;

    struct lock dev_lock;
    struct io_region io[VM_IO_MAX];
    uint32_t io_count;
    uint64_t io_claimed[128]; /* a bit for each 8 ports that a region had; read by anyone */
    struct vm_hook *hooks;
    struct platform *platform;
    const struct guest_abi *legacy_abi; /* NULL: ours */
    void *abi_data;              /* its own */
    struct stream stream[STREAM_COUNT];
    struct output output; /* device lock */
    link_answer_fn *host_answer; /* NULL: it asks the host for nothing */

    struct lock block_lock; /* innermost: vCPUs take pages, under one lock or another */
    struct vm_block *blocks;
    const struct bundle *bundle;
    uint32_t bundle_index;
    bool restart_on_reboot;

    struct lock log_lock; /* innermost but for the log's own */
    uint64_t log_time;    /* rate limit */
    uint32_t log_credit, log_dropped;

    struct arch_vm arch;
    uint32_t vcpus;
    struct vcpu *vcpu[DOMAIN_VCPUS_MAX];
};

/* By id; NULL. The table's lock is held from vms_lock to vms_unlock, and keeps VMs from going. */
void vms_lock(void);
void vms_unlock(void);
struct vm *vm_by_id(uint16_t id);
unsigned int vm_count(void);
void vm_for_each(void (*fn)(struct vm *vm, void *arg), void *arg);

/* vm_mem.c. vm_fault: a second-stage fault, of an instruction fetch or not; ABI_OK when the access
 * can be tried again. */
MUST_CHECK enum abi_status vm_mem_init(struct vm *vm, const struct domain_config *cfg);
void vm_mem_destroy(struct vm *vm);
MUST_CHECK enum abi_status vm_fault(struct vm *vm, gpa_t at, bool fetch);
/* RAM at that gpa is there and mapped, 2 MiB at least; *at is the host's page. */
MUST_CHECK enum abi_status vm_mem_populate(struct vm *vm, gpa_t gpa, pa_t *at);
/*
 * The same for an access as private memory. If nothing is there yet, make takes all 2 MiB from the
 * hypervisor before they are mapped, which then need no clearing (hv/page.h); if it cannot, they
 * are cleared and shared, unless the chip keeps some of them: then that is the status, and they
 * stay away until the technology's vm_destroy gives them up. The memory lock is held then.
 */
typedef enum abi_status make_private_fn(struct vm *vm, gpa_t gpa, pa_t at);
MUST_CHECK enum abi_status vm_mem_populate_private(struct vm *vm, gpa_t gpa, make_private_fn *make,
                                                   pa_t *at);
/* A chunk of its RAM: where the guest and where the machine has it. */
gpa_t vm_chunk_gpa(const struct vm *vm, uint64_t index);
pa_t vm_chunk_pa(const struct vm *vm, uint64_t index);
/* False: nobody has touched it yet, so no page of it can be private. */
bool vm_chunk_used(const struct vm *vm, uint64_t index);
/* The guest has ended, and the chip keeps PRIVATE pages of a chunk: those are never handed out
 * again, the others are. */
void vm_chunk_lose(struct vm *vm, uint64_t index);
/* The host address of shared guest memory at a gpa, and how many bytes follow it in one piece. */
MUST_CHECK enum abi_status vm_mem_host(struct vm *vm, gpa_t at, void **hva, uint64_t *run);

/* Memory of the VM, all of it shared, that stays shared until it is unpinned. ABI_BAD_ADDRESS. */
MUST_CHECK enum abi_status vm_mem_pin(struct vm *vm, gpa_t at, uint64_t len);
void vm_mem_unpin(struct vm *vm, gpa_t at, uint64_t len);
/*
 * call_buf.c, for a conversion to private: false when a registered buffer touches pages of that
 * range, which stays shared then; else none is registered until buf_let_go. A VM's device lock may
 * be held, its memory's is not.
 */
MUST_CHECK bool buf_hold(struct vm *vm, gpa_t at, uint64_t len);
void buf_let_go(struct vm *vm);
/* The host's page of RAM that was populated before; false: nothing is there yet. No lock. */
bool vm_mem_there(const struct vm *vm, gpa_t at, pa_t *to);
/*
 * Maps pinned memory of one VM into another's address space, page by page, readable and writable.
 * ABI_EXISTS: something is there; ABI_LIMIT: its tables outside RAM are too many; ABI_NO_MEMORY.
 * vm_mem_unlend asks the borrower's vCPUs to forget it.
 */
MUST_CHECK enum abi_status vm_mem_lend(struct vm *to, gpa_t at, struct vm *from, gpa_t from_at,
                                       uint64_t len);
void vm_mem_unlend(struct vm *to, gpa_t at, uint64_t len);

/* vm_io.c: runs the region's handler under the device lock; false when no region is there. */
bool vm_io_read(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                uint32_t *value);
bool vm_io_write(struct vm *vm, enum io_space space, uint64_t addr, unsigned int size,
                 uint32_t value);
void vm_poll(struct vm *vm); /* a tick */
/* For a REQ_SERVE: its hooks serve, and a request that waits on the control port is answered. */
void vm_serve(struct vm *vm);

/* A vCPU has stopped for good or for a pause; called by the scheduler. */
void vm_vcpu_stopped(struct vcpu *v);

/* Ended VMs are taken down, and rebooted ones made anew; called by an idle or scheduling CPU. */
void vm_reap_soon(void); /* a VM has ended */
bool vm_reap_pending(void);
void vm_reap(void);

/* stream.c, link.c */
void stream_input(struct vm *vm, enum stream_id id, const uint8_t *buf, size_t len);
/* Bytes of its console output that it wrote behind the first *from, which is where they begin then;
 * as many as there are, fit and are kept. ABI_BAD_ARG: it has not written so many. */
MUST_CHECK enum abi_status stream_output(struct vm *vm, uint64_t *from, uint8_t *to, uint32_t room,
                                         uint32_t *count);
void stream_flush_line(struct vm *vm);
void stream_tick(struct vm *vm);
void link_init(void);
/* Makes text fit for a JSON string, in place: printable ASCII without quotes and backslashes. */
void link_clean(char *text);
void link_event(const char *fmt, ...) PRINTF(1, 2);
/* fmt: further members, or NULL. */
void link_vm_event(struct vm *vm, const char *state, const char *fmt, ...) PRINTF(3, 4);
void link_channel(struct vm *vm, const void *buf, size_t len);
void link_credit(struct vm *vm, uint32_t bytes);
/* A request to a service of the host, at most 4092 bytes; id names it. False: there is no host. */
MUST_CHECK bool link_request(struct vm *vm, uint32_t id, const void *p, size_t len);
void link_panic(const char *detail);
/* True when something came in: look again soon. */
bool link_poll(void);

/* init.c: the last VM is gone. */
void system_idle(void);

#endif
