/* The guest's other vCPUs: their first context, and the processor that each of them is. */
#include "boot.h"
#include "outside.h"

/* What trampoline.S starts with. */
uint64_t smp_table, smp_stack;
static struct vcpu *smp_vcpu;

NORETURN void smp_begin(void);

static void take_registers(struct vcpu *v, const struct pv_context *c)
{
    v->start = (struct frame){
        .r15 = c->r15, .r14 = c->r14, .r13 = c->r13, .r12 = c->r12, .rbp = c->rbp, .rbx = c->rbx,
        .r11 = c->r11, .r10 = c->r10, .r9 = c->r9,   .r8 = c->r8,   .rax = c->rax, .rcx = c->rcx,
        .rdx = c->rdx, .rsi = c->rsi, .rdi = c->rdi, .rip = c->rip, .rsp = c->rsp,
        .cs = c->cs | 3u,
        .ss = c->ss | 3u,
        .rflags = (c->rflags & 0xcd5) | 0x202,
    };
    v->kernel_ss = c->kernel_ss;
    v->kernel_sp = c->kernel_sp;
    v->fs_start = c->fs_base;
    v->gs_start = c->gs_base_kernel;
    v->gs_other = c->gs_base_user;
}

static bool take_handlers(struct vcpu *v, const struct pv_context *c)
{
    const uint64_t callback[][2] = {{CALLBACK_EVENT, c->event_eip},
                                    {CALLBACK_FAILSAFE, c->failsafe_eip},
                                    {CALLBACK_SYSCALL, c->syscall_eip}};

    for (unsigned int i = 0; i < ARRAY_SIZE(callback); i++) {
        uint64_t at = callback[i][1];

        if (!guest_place(at)) {
            return false;
        }
        v->callback[callback[i][0]] =
            (struct trap){at, FLAT_CS64, 0, callback[i][0] != CALLBACK_SYSCALL, at != 0};
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(c->trap); i++) {
        const struct pv_trap_info *t = &c->trap[i];

        if (!guest_place(t->address)) {
            return false;
        }
        v->trap[t->vector] = (struct trap){t->address, t->cs, t->flags & 3,
                                           (t->flags & TRAP_MASKS_EVENTS) != 0, t->address != 0};
    }
    return true;
}

static int64_t take_tables(struct vcpu *v, const struct pv_context *c)
{
    uint64_t kernel = PTE_MFN(c->ctrlreg[3]), user = PTE_MFN(c->ctrlreg[1]);
    int64_t rc;

    if (c->gdt_entries > GDT_GUEST_LAST || c->ldt_entries != 0 || !page_use(kernel, USE_L4)) {
        return -XEN_EINVAL;
    }
    if (user != 0 && !page_use(user, USE_L4)) {
        page_unuse(kernel);
        return -XEN_EINVAL;
    }
    rc = gdt_set(v, c->gdt_frame, c->gdt_entries);
    if (rc != 0) {
        page_unuse(kernel);
        if (user != 0) {
            page_unuse(user);
        }
        return rc;
    }
    v->kernel_table = kernel;
    v->user_table = user;
    return 0;
}

/* The context is copied to here: it is more than a stack should hold. The lock is held. */
int64_t smp_initialise(struct vcpu *v, uint64_t va)
{
    static struct pv_context c;
    int64_t rc;

    if (v->initialised) {
        return -XEN_EEXIST;
    }
    if (!guest_get(&c, va, sizeof(c))) {
        return -XEN_EFAULT;
    }
    if (!guest_place(c.rip) || !take_handlers(v, &c)) {
        return -XEN_EINVAL;
    }
    rc = take_tables(v, &c);
    if (rc == 0) {
        take_registers(v, &c);
        v->iopl = c.rflags >> 12 & 3;
        v->kernel = (c.flags & VGCF_IN_KERNEL) != 0 || v->user_table == 0;
        v->initialised = true;
    }
    return rc;
}

void smp_begin(void)
{
    vcpu_begin(smp_vcpu);
}

/* The lock is held: one at a time. */
int64_t smp_up(struct vcpu *v)
{
    if (!v->initialised) {
        return -XEN_EINVAL;
    }
    if (v->up) {
        return 0;
    }
    if (v->started) {
        __atomic_store_n(&v->up, true, __ATOMIC_SEQ_CST);
        outside_kick(v);
        return 0;
    }
    v->started = true;
    smp_vcpu = v;
    smp_table = ((uint64_t)(uintptr_t)map_top - DIRECT_VIRT) | boot.c_bit;
    smp_stack = v->stack - PAGE_SIZE; /* its top is where its first frame is put */
    machine_start_vcpu(v);
    while (!__atomic_load_n(&v->up, __ATOMIC_SEQ_CST)) {
        __builtin_ia32_pause();
    }
    return 0;
}

/* It waits here, and goes on from here when it is up again; without it the lock is free. */
int64_t smp_down(struct vcpu *self, struct vcpu *v)
{
    if (v != self) {
        return -XEN_ENOSYS; /* a vCPU stops itself */
    }
    __atomic_store_n(&v->up, false, __ATOMIC_SEQ_CST);
    box_unlock(self);
    while (!__atomic_load_n(&v->up, __ATOMIC_SEQ_CST)) {
        outside_wait();
    }
    box_lock(self);
    flush_local(v);
    return 0;
}
