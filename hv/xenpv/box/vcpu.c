/* vCPUs: how they come to be, vcpu_op (public/vcpu.h), and where their vcpu_info is. */
#include "boot.h"
#include "outside.h"

static struct vcpu vcpus[VCPUS_MAX] __attribute__((aligned(64)));

NORETURN void enter_guest(struct vcpu *v);

uint32_t vcpu_self(void)
{
    const struct vcpu *v = (const struct vcpu *)(uintptr_t)own_gs();

    return v >= vcpus && v < vcpus + VCPUS_MAX ? v->index : 0; /* the first, until it has begun */
}

struct vcpu *vcpu_create(uint32_t index)
{
    struct vcpu *v = &vcpus[index];

    v->self = v;
    v->index = index;
    v->kernel = 1;
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    v->info = &box.shared->vcpu_info[index];
    v->info->upcall_mask = 1;
    v->start = (struct frame){.cs = FLAT_CS64, .ss = FLAT_DS, .rflags = 0x202};
    cpu_area_create(v);
    outside_vcpu_create(v);
    time_publish(v);
    return v;
}

/* On the processor that it is, with its tables chosen. */
void vcpu_begin(struct vcpu *v)
{
    __atomic_store_n(&v->up, true, __ATOMIC_SEQ_CST);
    cpu_start(v);
    outside_vcpu_start(v);
    flush_local(v);
    guest_gs_set(v->gs_start);
    fs_base_set(v->fs_start);
    memcpy((void *)(v->stack - sizeof(v->start)), &v->start, sizeof(v->start));
    enter_guest(v);
}

/* The frame is held as writable: it never becomes a table while the box writes there. */
static int64_t register_info(struct vcpu *v, uint64_t va)
{
    struct xen_register_info r;
    struct xen_vcpu_info *to;

    if (!guest_get(&r, va, sizeof(r))) {
        return -XEN_EFAULT;
    }
    if (v->info_registered || r.offset % 8 != 0 ||
        r.offset > PAGE_SIZE - sizeof(struct xen_vcpu_info) || !page_use(r.gfn, USE_WRITABLE)) {
        return -XEN_EINVAL;
    }
    to = (struct xen_vcpu_info *)((uint8_t *)page_data(r.gfn) + r.offset);
    memcpy(to, v->info, sizeof(*to));
    v->info_registered = true;
    __atomic_store_n(&v->info, to, __ATOMIC_SEQ_CST);
    time_publish(v);
    event_refresh(v);
    return 0;
}

/* It runs now; time that others took from it is not told apart. */
static int64_t put_runstate(const struct vcpu *v, uint64_t va)
{
    uint64_t now = time_now();
    struct xen_runstate r = {
        .state = v->up ? RUNSTATE_RUNNING : RUNSTATE_OFFLINE,
        .entry_time = now,
        .time = {[RUNSTATE_RUNNING] = now},
    };

    return guest_put(va, &r, sizeof(r)) ? 0 : -XEN_EFAULT;
}

static int64_t register_runstate(struct vcpu *v, uint64_t va)
{
    uint64_t at;

    return guest_get(&at, va, sizeof(at)) ? put_runstate(v, at) : -XEN_EFAULT;
}

/* Another vCPU of the guest may be asked about, too. */
static int64_t operate(struct vcpu *v, struct vcpu *o, uint32_t op, uint64_t va)
{
    switch (op) {
    case VCPUOP_INITIALISE:
        return smp_initialise(o, va);
    case VCPUOP_UP:
        return smp_up(o);
    case VCPUOP_DOWN:
        return smp_down(v, o);
    case VCPUOP_IS_UP:
        return o->up;
    case VCPUOP_GET_RUNSTATE:
        return put_runstate(o, va);
    case VCPUOP_REGISTER_RUNSTATE:
        return register_runstate(o, va);
    case VCPUOP_REGISTER_INFO:
        return register_info(o, va);
    case VCPUOP_STOP_PERIODIC: /* there is none */
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

int64_t call_vcpu_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t op = (uint32_t)arg[0], n = (uint32_t)arg[1];

    (void)f;
    if (n >= box.vcpus) {
        return -XEN_ENOENT;
    }
    if (op == VCPUOP_SET_SINGLESHOT || op == VCPUOP_STOP_SINGLESHOT) {
        if (n != v->index) {
            return -XEN_EINVAL;
        }
        if (op == VCPUOP_SET_SINGLESHOT) {
            return time_singleshot(v, arg[2]);
        }
        outside_timer(v, 0);
        return 0;
    }
    return operate(v, box.vcpu[n], op, arg[2]);
}
