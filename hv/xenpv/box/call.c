/* The table of hypercalls, and multicall. */
#include "box.h"

struct call {
    call_fn *fn;
    bool locked; /* it touches what other vCPUs do */
};

#define LOCKED   true
#define UNLOCKED false

static const struct call calls[HC_COUNT] = {
    [HC_SET_TRAP_TABLE] = {call_set_trap_table, UNLOCKED},
    [HC_MMU_UPDATE] = {call_mmu_update, LOCKED},
    [HC_SET_GDT] = {call_set_gdt, LOCKED},
    [HC_STACK_SWITCH] = {call_stack_switch, UNLOCKED},
    [HC_SET_CALLBACKS] = {call_set_callbacks, UNLOCKED},
    [HC_FPU_TASKSWITCH] = {call_fpu_taskswitch, UNLOCKED},
    [HC_SET_DEBUGREG] = {call_set_debugreg, UNLOCKED},
    [HC_GET_DEBUGREG] = {call_get_debugreg, UNLOCKED},
    [HC_UPDATE_DESCRIPTOR] = {call_update_descriptor, LOCKED},
    [HC_MEMORY_OP] = {call_memory_op, LOCKED},
    [HC_UPDATE_VA_MAPPING] = {call_update_va_mapping, LOCKED},
    [HC_SET_TIMER_OP] = {call_set_timer_op, UNLOCKED},
    [HC_XEN_VERSION] = {call_version, UNLOCKED},
    [HC_CONSOLE_IO] = {call_console_io, LOCKED},
    [HC_GRANT_TABLE_OP] = {call_grant_table_op, LOCKED},
    [HC_VM_ASSIST] = {call_vm_assist, LOCKED},
    [HC_IRET] = {call_iret, UNLOCKED},
    [HC_VCPU_OP] = {call_vcpu_op, LOCKED},
    [HC_SET_SEGMENT_BASE] = {call_set_segment_base, UNLOCKED},
    [HC_MMUEXT_OP] = {call_mmuext_op, LOCKED},
    [HC_SCHED_OP] = {call_sched_op, UNLOCKED}, /* takes it where it must: it sleeps */
    [HC_CALLBACK_OP] = {call_callback_op, UNLOCKED},
    [HC_EVENT_CHANNEL_OP] = {call_event_channel_op, LOCKED},
    [HC_PHYSDEV_OP] = {call_physdev_op, UNLOCKED},
};

__attribute__((noinline)) static int64_t with_lock(struct vcpu *v, struct frame *f, call_fn *fn,
                                                   const uint64_t arg[6])
{
    int64_t rc;

    box_lock(v);
    rc = fn(v, f, arg);
    box_unlock(v);
    return rc;
}

static ALWAYS_INLINE int64_t dispatch(struct vcpu *v, struct frame *f, uint64_t number,
                                      const uint64_t arg[6])
{
    const struct call *c = &calls[number];

    return c->locked ? with_lock(v, f, c->fn, arg) : c->fn(v, f, arg);
}

static bool known(uint64_t number)
{
    return number < HC_COUNT && calls[number].fn != NULL;
}

/*
 * Each entry's answer goes back into it. One that leaves the kernel (iret) ends it there: what
 * follows would run for user space (XSA-213).
 */
__attribute__((noinline)) static void multicall(struct vcpu *v, struct frame *f, uint64_t list,
                                                uint32_t count)
{
    int64_t rc = 0;

    for (uint32_t i = 0; i < count && rc == 0; i++) {
        uint64_t at = list + i * (uint64_t)sizeof(struct pv_multicall);
        struct pv_multicall m;

        if (!guest_get(&m, at, sizeof(m))) {
            rc = -XEN_EFAULT;
            break;
        }
        m.result = known(m.op) ? (uint64_t)dispatch(v, f, m.op, m.arg) : (uint64_t)-XEN_ENOSYS;
        if (m.op == HC_IRET) {
            return; /* the registers are what it made them */
        }
        at += offsetof(struct pv_multicall, result);
        rc = guest_put(at, &m.result, sizeof(m.result)) ? 0 : -XEN_EFAULT;
    }
    f->rax = (uint64_t)rc;
}

/* SYSCALL from the guest's kernel. */
void box_syscall(struct vcpu *v, struct frame *f)
{
    uint64_t number = (uint32_t)f->rax;
    int64_t rc;

    if (UNLIKELY(!known(number))) {
        if (number == HC_MULTICALL) {
            multicall(v, f, f->arg[0], (uint32_t)f->arg[1]);
        } else {
            f->rax = (uint64_t)-XEN_ENOSYS;
        }
        return;
    }
    rc = dispatch(v, f, number, f->arg);
    if (LIKELY(number != HC_IRET)) {
        f->rax = (uint64_t)rc;
    }
}
