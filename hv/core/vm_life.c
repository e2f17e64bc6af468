/* A VM between its making and its going: it runs, is paused, ends (vm.h). */
#include "hv/check.h"
#include "hv/string.h"
#include "hv/vm_priv.h"

static void let_run(struct vm *vm)
{
    store_release(&vm->state, VM_RUNNING);
    vm->resume_asked = false;
    vm->active = vm->vcpus;
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        (void)atomic_and(&vm->vcpu[i]->requests, ~(uint32_t)REQ_STOP);
        sched_start(vm->vcpu[i]);
    }
}

static void set_ended(struct vm *vm)
{
    REQUIRE(lock_held(&vm->lock));
    store_release(&vm->state, VM_ENDED);
    vm_reap_soon();
}

/* Its builder is done. True: it is to live; others may have been faster. */
static bool end_building(struct vm *vm)
{
    REQUIRE(vm->state == VM_CREATED || !vm->building);
    if (vm->building && vm->end_asked) {
        set_ended(vm);
    }
    vm->building = false;
    return !vm->end_asked;
}

void vm_start(struct vm *vm)
{
    lock(&vm->lock);
    if (end_building(vm)) {
        REQUIRE(vm->state == VM_CREATED);
        link_vm_event(vm, "running", NULL);
        let_run(vm);
    }
    unlock(&vm->lock);
}

void vm_built(struct vm *vm)
{
    lock(&vm->lock);
    vm->waiting = end_building(vm);
    unlock(&vm->lock);
}

enum abi_status vm_start_built(struct vm *vm)
{
    enum abi_status st = ABI_BAD_STATE;

    lock(&vm->lock);
    if (vm->waiting && !vm->end_asked) {
        vm->waiting = false;
        link_vm_event(vm, "running", NULL);
        let_run(vm);
        st = ABI_OK;
    }
    unlock(&vm->lock);
    return st;
}

static void stop_all(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpus; i++) {
        vcpu_request(vm->vcpu[i], REQ_STOP);
    }
}

void vm_pause(struct vm *vm)
{
    lock(&vm->lock);
    if (vm->state == VM_RUNNING) {
        store_release(&vm->state, VM_PAUSED);
        stop_all(vm);
    }
    vm->resume_asked = false;
    unlock(&vm->lock);
}

void vm_resume(struct vm *vm)
{
    lock(&vm->lock);
    if (vm->state == VM_PAUSED && !vm->end_asked) {
        if (vm->active == 0) {
            link_vm_event(vm, "running", NULL);
            let_run(vm);
        } else {
            vm->resume_asked = true; /* the last one to stop does it */
        }
    }
    unlock(&vm->lock);
}

static void end(struct vm *vm, enum vm_cause cause, const char *fmt, va_list ap)
{
    REQUIRE(lock_held(&vm->lock));
    if (!vm->end_asked && vm->state != VM_ENDED) {
        vm->end_asked = true;
        vm->cause = cause;
        vsnprintf(vm->detail, sizeof(vm->detail), fmt, ap);
        link_clean(vm->detail);
        stop_all(vm);
        if (vm->active == 0 && !vm->building) {
            set_ended(vm);
        }
    }
}

void vm_end(struct vm *vm, enum vm_cause cause, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    lock(&vm->lock);
    end(vm, cause, fmt, ap);
    if (vm->kept && cause == VM_DESTROYED) {
        store_once(&vm->kept, false);
        if (vm->state == VM_ENDED) {
            set_ended(vm); /* once more: now it may go */
        }
    }
    unlock(&vm->lock);
    va_end(ap);
}

void vm_stop(struct vm *vm, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    lock(&vm->lock);
    if (!vm->end_asked) {
        store_once(&vm->kept, true);
        end(vm, VM_DESTROYED, fmt, ap);
    }
    unlock(&vm->lock);
    va_end(ap);
}

void vm_vcpu_stopped(struct vcpu *v)
{
    struct vm *vm = v->vm;

    lock(&vm->lock);
    CHECK(vm->active > 0);
    vm->active--;
    if (vm->active == 0) {
        if (vm->end_asked) {
            set_ended(vm);
        } else {
            link_vm_event(vm, "paused", NULL);
            if (vm->resume_asked) {
                link_vm_event(vm, "running", NULL);
                let_run(vm);
            }
        }
    }
    unlock(&vm->lock);
}
