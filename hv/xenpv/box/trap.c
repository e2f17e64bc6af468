/*
 * How the guest's kernel comes to run: a frame on its stack, and a jump to what it registered for
 * an exception, an event or a system call. And back, by the hypercall iret.
 */
#include "box.h"

#define FLAG_TF   BIT(8)
#define FLAG_IF   BIT(9)
#define FLAG_IOPL (3ull << 12)
#define FLAG_NT   BIT(14)
#define FLAG_RF   BIT(16)
#define FLAG_VM   BIT(17)
#define FLAG_AC   BIT(18)
#define FLAG_ONE  BIT(1)

enum { DB = 1, NMI = 2, BP = 3, OF = 4, UD = 6, NM = 7, GP = 13, PF = 14, VC = 29 };
#define HAS_ERROR 0x60227d00u /* vectors 8, 10 to 14, 17, 21, 29, 30 */
#define GP_IDT      2u        /* the error code names an IDT entry */
#define GP_EXTERNAL 1u
#define PF_PRESENT  1u
#define PF_WRITE    2u
#define PF_USER     4u

static bool has_assist(unsigned int bit)
{
    return (box.assist & BIT(bit)) != 0;
}

/* The kernel and user space have tables and a GS base of their own. */
static void switch_mode(struct vcpu *v, bool kernel)
{
    uint64_t gs = guest_gs();

    guest_gs_set(v->gs_other);
    v->gs_other = gs;
    v->kernel = kernel;
    cpu_set_table(kernel ? v->kernel_table : v->user_table);
}

void mode_to_user(struct vcpu *v)
{
    if (v->user_table == 0) {
        guest_crash(v, "leaves its kernel without tables for user space");
    }
    switch_mode(v, false);
}

void mode_to_kernel(struct vcpu *v)
{
    switch_mode(v, true);
}

/* What the kernel finds: RCX, R11, the error code if there is one, and what IRET takes. */
static void bounce(struct vcpu *v, struct frame *f, const struct trap *t, bool has_error)
{
    bool from_user = v->kernel == 0;
    uint8_t mask = v->info->upcall_mask;
    uint64_t words[8], sp;
    unsigned int n = 0;

    if (!t->set) {
        guest_crash(v, "exception %u at %lx: no handler", f->vector, (unsigned long)f->rip);
    }
    if (from_user) {
        mode_to_kernel(v);
    }
    sp = (from_user ? v->kernel_sp : f->rsp) & ~15ull;
    words[n++] = f->rcx;
    words[n++] = f->r11;
    if (has_error) {
        words[n++] = f->error;
    }
    words[n++] = f->rip;
    words[n++] = (from_user ? f->cs : f->cs & ~3ull) | (uint64_t)mask << 32;
    words[n++] = (f->rflags & ~(FLAG_IF | FLAG_IOPL)) | (mask == 0 ? FLAG_IF : 0) |
                 (has_assist(VMASST_ARCHITECTURAL_IOPL) ? (uint64_t)v->iopl << 12 : 0);
    words[n++] = f->rsp;
    words[n++] = f->ss;
    sp -= n * sizeof(words[0]);
    if (!guest_put(sp, words, n * sizeof(words[0]))) {
        guest_crash(v, "exception %u at %lx: no stack at %lx", f->vector, (unsigned long)f->rip,
                    (unsigned long)sp);
    }
    if (t->masks) {
        v->info->upcall_mask = 1;
    }
    f->rsp = sp;
    f->rip = t->address;
    f->cs = FLAT_CS64;
    f->ss = FLAT_DS;
    f->rflags &= ~(FLAG_TF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC);
}

void trap_deliver(struct vcpu *v, struct frame *f, unsigned int vector)
{
    f->vector = vector;
    bounce(v, f, &v->trap[vector], vector < 32 && (HAS_ERROR >> vector & 1) != 0);
}

/* Without a handler a system call is an instruction that is not there. */
void trap_callback(struct vcpu *v, struct frame *f, unsigned int which)
{
    if (which != CALLBACK_EVENT && !v->callback[which].set) {
        trap_deliver(v, f, UD);
        return;
    }
    bounce(v, f, &v->callback[which], false);
}

void box_event_callback(struct vcpu *v, struct frame *f)
{
    if (!v->callback[CALLBACK_EVENT].set) {
        return; /* it waits until there is one */
    }
    f->vector = 0;
    trap_callback(v, f, CALLBACK_EVENT);
    v->info->upcall_mask = 1;
}

void box_user_syscall(struct vcpu *v, struct frame *f)
{
    trap_callback(v, f, CALLBACK_SYSCALL);
}

void box_syscall32(struct vcpu *v, struct frame *f)
{
    if (v->kernel != 0) {
        trap_deliver(v, f, UD); /* hypercalls are 64-bit code's */
    } else {
        trap_callback(v, f, CALLBACK_SYSCALL32);
    }
}

/* INT n from ring 3 faults, as no gate is open to it; RIP is the instruction's. */
static bool software_interrupt(struct vcpu *v, struct frame *f)
{
    unsigned int n = f->error >> 3 & 0xff;
    const struct trap *t = &v->trap[n];

    if ((f->error & (GP_IDT | GP_EXTERNAL)) != GP_IDT || !t->set ||
        t->dpl < (v->kernel != 0 ? 1 : 3)) {
        return false;
    }
    f->rip += 2;
    f->vector = n;
    bounce(v, f, t, false);
    return true;
}

static void page_fault(struct vcpu *v, struct frame *f)
{
    uint64_t va;

    __asm__ volatile("mov %%cr2, %0" : "=r"(va));
    if (v->kernel != 0 && (f->error & (PF_PRESENT | PF_WRITE)) == (PF_PRESENT | PF_WRITE)) {
        bool done;

        box_lock(v);
        done = emulate_table_write(v, f, va);
        box_unlock(v);
        if (done) {
            return;
        }
    }
    if (v->kernel != 0) {
        f->error &= ~PF_USER; /* in its own eyes */
    }
    v->info->cr2 = va;
    trap_deliver(v, f, PF);
}

static void debug_trap(struct vcpu *v, struct frame *f)
{
    uint64_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    v->dr[6] = dr6;
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
    trap_deliver(v, f, DB);
}

/* An exception or interrupt in ring 3. */
void box_trap(struct vcpu *v, struct frame *f)
{
    if (f->vector >= 32) {
        outside_interrupt(v, f->vector);
        return;
    }
    switch (f->vector) {
    case DB:
        debug_trap(v, f);
        return;
    case NMI: /* nobody sends one */
        return;
    case NM:
        v->fpu_off = false; /* the hypercall's semantics: the trap itself clears TS */
        cpu_set_ts(false);
        break;
    case UD:
        if (emulate_forced(v, f)) {
            return;
        }
        break;
    case GP:
        if (software_interrupt(v, f) || emulate_privileged(v, f)) {
            return;
        }
        break;
    case PF:
        page_fault(v, f);
        return;
    case VC:
        if (emulate_vc(v, f)) {
            return;
        }
        f->error = 0;
        trap_deliver(v, f, GP);
        return;
    default:
        break;
    }
    trap_deliver(v, f, f->vector);
}

/* ---- hypercalls ---- */

int64_t call_iret(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    struct pv_iret c;

    (void)arg;
    if (!guest_get(&c, f->rsp, sizeof(c))) {
        guest_crash(v, "iret: no frame at %lx", (unsigned long)f->rsp);
    }
    if ((c.cs & 3) == 3) {
        mode_to_user(v);
    }
    if (has_assist(VMASST_ARCHITECTURAL_IOPL)) {
        v->iopl = c.rflags >> 12 & 3;
    }
    f->rip = c.rip;
    f->cs = (uint16_t)c.cs | 3;
    f->rflags = (c.rflags & 0xffffffffu & ~(FLAG_IOPL | FLAG_VM)) | FLAG_IF | FLAG_ONE;
    f->rsp = c.rsp;
    f->ss = (uint16_t)c.ss | 3;
    f->rax = c.rax;
    f->rcx = (c.flags & VGCF_IN_SYSCALL) != 0 ? c.rip : c.rcx;
    f->r11 = (c.flags & VGCF_IN_SYSCALL) != 0 ? c.rflags : c.r11;
    v->info->upcall_mask = (c.rflags & FLAG_IF) == 0;
    return 0;
}

int64_t call_set_trap_table(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    if (arg[0] == 0) {
        memset(v->trap, 0, sizeof(v->trap));
        return 0;
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(v->trap) + 1; i++) {
        struct pv_trap_info t;

        if (!guest_get(&t, arg[0] + i * sizeof(t), sizeof(t))) {
            return -XEN_EFAULT;
        }
        if (t.address == 0) {
            return 0;
        }
        if (!guest_place(t.address)) {
            return -XEN_EINVAL;
        }
        v->trap[t.vector] = (struct trap){t.address, t.cs, t.flags & 3,
                                          (t.flags & TRAP_MASKS_EVENTS) != 0, true};
    }
    return -XEN_EINVAL; /* longer than there are vectors */
}

int64_t call_stack_switch(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)f;
    v->kernel_ss = arg[0];
    v->kernel_sp = arg[1];
    return 0;
}

static int64_t set_callback(struct vcpu *v, unsigned int type, uint64_t address, bool masks)
{
    if (!guest_place(address)) {
        return -XEN_EINVAL;
    }
    v->callback[type] = (struct trap){address, FLAT_CS64, 0, masks, true};
    return 0;
}

int64_t call_set_callbacks(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    int64_t rc = set_callback(v, CALLBACK_EVENT, arg[0], true);

    (void)f;
    rc = rc == 0 ? set_callback(v, CALLBACK_FAILSAFE, arg[1], true) : rc;
    return rc == 0 ? set_callback(v, CALLBACK_SYSCALL, arg[2], false) : rc;
}

int64_t call_callback_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    struct pv_callback c;

    (void)f;
    if ((uint32_t)arg[0] > CALLBACKOP_UNREGISTER) {
        return -XEN_ENOSYS;
    }
    if (!guest_get(&c, arg[1], sizeof(c))) {
        return -XEN_EFAULT;
    }
    if (c.type >= CALLBACKS || c.type == 3 || c.type == 6) {
        return -XEN_EINVAL;
    }
    if ((uint32_t)arg[0] == CALLBACKOP_UNREGISTER) {
        v->callback[c.type].set = false;
        return 0;
    }
    return set_callback(v, c.type, c.address,
                        c.type == CALLBACK_EVENT || (c.flags & CALLBACKF_MASKS_EVENTS) != 0);
}

int64_t call_vm_assist(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint64_t type = (uint32_t)arg[1];

    (void)v;
    (void)f;
    if (type > VMASST_RUNSTATE_UPDATE || type == VMASST_PAE_EXTENDED_CR3) {
        return -XEN_EINVAL;
    }
    if ((uint32_t)arg[0] > 1) {
        return -XEN_ENOSYS;
    }
    box.assist = (uint32_t)arg[0] == 0 ? box.assist | BIT(type) : box.assist & ~BIT(type);
    return 0;
}
