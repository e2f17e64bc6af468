/*
 * The box: a supervisor that runs one Xen PV64 kernel in an ordinary VM. What its files share.
 *
 * The guest's kernel and its user space both run in ring 3, each on page tables of its own that the
 * box has checked. The box lives in the PML4 slots that the PV ABI reserves, and maps all memory
 * there. It runs with interrupts off; hypercalls that touch shared state hold the one lock.
 */
#ifndef XENPV_BOX_BOX_H
#define XENPV_BOX_BOX_H

#include "hv/check.h"
#include "hv/string.h"
#include "hv/types.h"
#include "pv_abi.h"

#define VCPUS_MAX 32u
#define VIRQS     XEN_VIRQS

/* What lies on a vCPU's stack while the box runs (entry.S). */
struct frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, rax, rcx;
    union {
        uint64_t arg[6]; /* of a hypercall */
        struct {
            uint64_t rdi, rsi, rdx, r10, r8, r9;
        };
    };
    uint32_t error, vector;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct trap {
    uint64_t address;
    uint16_t cs;
    uint8_t dpl;
    bool masks;
    bool set;
};

struct vcpu {
    /* entry.S knows the offsets of these */
    struct vcpu *self;
    uint64_t stack; /* its top: below it the frame */
    uint64_t scratch;
    struct xen_vcpu_info *info; /* never NULL */
    uint64_t kernel;            /* 1: the guest's kernel runs, 0: its user space */

    uint32_t index;
    bool initialised; /* its first context is there: smp.c */
    bool started;     /* its processor runs, if only to wait until it is up again */
    bool up, blocked;
    bool polls; /* in SCHEDOP_poll: masked events wake it, too */

    uint64_t kernel_table, user_table; /* machine frames; 0: none */
    uint64_t kernel_ss, kernel_sp;     /* what its kernel runs on when it comes from user space */
    uint64_t gs_other;                 /* GS base of the mode that does not run */
    struct trap trap[256];
    struct trap callback[CALLBACKS];
    uint32_t iopl;
    bool fpu_off; /* CR0.TS */
    uint64_t dr[8];
    uint64_t gdt_frame[GDT_GUEST_PAGES];
    uint32_t gdt_pages;
    uint64_t ldt_frame[16];
    uint32_t ldt_pages;

    bool info_registered;
    uint32_t virq[VIRQS];                      /* ports; 0: none */
    uint64_t timer_port, poll_port, kick_port; /* of the guest ABI */

    bool flush_wanted;
    uint64_t flushed; /* when its TLB was flushed: flush.c */

    struct frame start; /* where it begins */
    uint64_t fs_start, gs_start;
};

extern struct box {
    uint32_t vcpus;
    uint64_t c_mfn; /* of the C-bit: part of every machine frame number of an encrypted guest */
    uint64_t assist; /* VMASST_* */
    struct xen_shared_info *shared;
    uint64_t shared_mfn;
    uint32_t store_port, console_port;
    uint64_t first_pages, guest_pages; /* at the start, and now */
    struct vcpu *vcpu[VCPUS_MAX];
} box;

/* main.c */
NORETURN void box_main(uint64_t boot_params, uint64_t c_bit);
void say(const char *fmt, ...) PRINTF(1, 2);
/* The guest did what ends it; the reason is said. */
NORETURN void guest_crash(struct vcpu *v, const char *fmt, ...) PRINTF(2, 3);

/* flush.c */
void box_lock(struct vcpu *v);
void box_unlock(struct vcpu *v);
struct vcpu *box_holder(void);

/*
 * fault.c: memory at a guest's virtual address, by the tables it runs on. False: not all of it is
 * there, it may not be written, or it is ours; some of it may have been copied.
 */
MUST_CHECK bool guest_get(void *to, uint64_t va, size_t n);
MUST_CHECK bool guest_put(uint64_t va, const void *from, size_t n);
/* table.c: nothing of ours is there, whatever the tables are; up to a PML4 entry's 512 GiB. */
MUST_CHECK bool guest_range(uint64_t va, size_t n);

/* call.c: RAX is the number, and then the answer */
typedef int64_t call_fn(struct vcpu *v, struct frame *f, const uint64_t arg[6]);
void box_syscall(struct vcpu *v, struct frame *f);

/* The hypercalls. */
call_fn call_set_trap_table, call_set_gdt, call_stack_switch, call_set_callbacks,
    call_fpu_taskswitch, call_set_debugreg, call_get_debugreg, call_update_descriptor,
    call_callback_op, call_set_segment_base, call_iret, call_vm_assist;
call_fn call_mmu_update, call_update_va_mapping, call_mmuext_op, call_memory_op;
call_fn call_version, call_console_io, call_event_channel_op, call_grant_table_op, call_vcpu_op,
    call_sched_op, call_set_timer_op, call_physdev_op;

/* trap.c: what entry.S calls, and how the guest's kernel comes to run */
void box_trap(struct vcpu *v, struct frame *f);
void box_user_syscall(struct vcpu *v, struct frame *f);
void box_syscall32(struct vcpu *v, struct frame *f);
void box_event_callback(struct vcpu *v, struct frame *f);
/* An exception of that vector; the error code is in the frame. */
void trap_deliver(struct vcpu *v, struct frame *f, unsigned int vector);
void trap_callback(struct vcpu *v, struct frame *f, unsigned int which);
void mode_to_user(struct vcpu *v);
void mode_to_kernel(struct vcpu *v);

/* emulate.c: true: done, the instruction is behind; false: the trap is the guest's */
MUST_CHECK bool emulate_privileged(struct vcpu *v, struct frame *f);
MUST_CHECK bool emulate_forced(struct vcpu *v, struct frame *f);
/* ghcb.c: what an encrypted guest's ring 3 may not do by itself */
MUST_CHECK bool emulate_vc(struct vcpu *v, struct frame *f);
/* ptwrite.c */
MUST_CHECK bool emulate_table_write(struct vcpu *v, struct frame *f, uint64_t va);

/* cpuid.c: what the machine has, and what the guest's kernel is shown of it */
void box_cpuid_host(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
void box_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);

/* event.c; the lock is held */
void event_create(void);
void event_raise(uint32_t port);
void event_virq(struct vcpu *v, uint32_t virq);
void event_refresh(struct vcpu *v); /* its vcpu_info has moved */
/* These two need no lock. The second: its kernel is to be called. */
bool event_pending(uint32_t port);
bool event_wanted(const struct vcpu *v);

/* time.c */
void time_publish(struct vcpu *v);
void time_publish_wall(void);
uint64_t time_now(void);
int64_t time_singleshot(struct vcpu *v, uint64_t va);

/* console.c, ring_store.c: by a port, and a page that the box holds */
void console_create(void *ring, uint32_t port);
void console_kick(void);
void console_write(const char *text, size_t len);
void store_create(void *ring, uint32_t port);
void store_kick(void);

/* outside.c: what the guest ABI, and the machine below it, do for the box */
void outside_create(void);
void outside_vcpu_create(struct vcpu *v);
void outside_timer(struct vcpu *v, uint64_t ns);
void outside_kick(struct vcpu *v);
void outside_wait(void);
/* An interrupt of ours came. */
void outside_interrupt(struct vcpu *v, unsigned int vector);
void outside_dr7(uint64_t value);
NORETURN void outside_power_off(void);
NORETURN void outside_reset(void);
NORETURN void outside_fail(void);
size_t outside_write(const char *text, size_t len);
size_t outside_read(char *text, size_t len);

/* segment.c */
MUST_CHECK int64_t gdt_set(struct vcpu *v, const uint64_t *frame, uint64_t entries);
MUST_CHECK int64_t debug_set(struct vcpu *v, unsigned int n, uint64_t value);

/* cpu.c: the processor */
void cpu_create(void);
void cpu_area_create(struct vcpu *v);
void cpu_start(struct vcpu *v);
uint64_t guest_gs(void);
void guest_gs_set(uint64_t base);
uint64_t own_gs(void);
uint64_t fs_base(void);
void fs_base_set(uint64_t base);
uint64_t guest_gs_load(uint16_t selector); /* of the mode that does not run; its base */
void cpu_set_table(uint64_t mfn);
void cpu_set_ts(bool on);
void cpu_debug(unsigned int n, uint64_t value);
bool cpu_code64(uint64_t selector);
static inline bool canonical(uint64_t va)
{
    return (va + BIT(47)) >> 48 == 0;
}
/* A place of the guest's own: not in what is ours. */
static inline bool guest_place(uint64_t va)
{
    return canonical(va) && va - RESERVED_START >= RESERVED_END - RESERVED_START;
}

/* vcpu.c */
struct vcpu *vcpu_create(uint32_t index);
/* The number of the one that this runs on. */
uint32_t vcpu_self(void);
NORETURN void vcpu_begin(struct vcpu *v);
/* smp.c: the other vCPUs */
int64_t smp_initialise(struct vcpu *v, uint64_t context);
int64_t smp_up(struct vcpu *v);
int64_t smp_down(struct vcpu *self, struct vcpu *v);

#endif
