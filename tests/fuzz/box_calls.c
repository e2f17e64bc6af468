/*
 * The hypercalls of the box that do not change page tables, with any arguments: a word that says
 * which, four arguments, of which one may point to the bytes that follow.
 */
#include <setjmp.h>
#include <stdio.h>

#include "../../hv/xenpv/box/grant.h"
#include "box_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static jmp_buf crashed;
static struct xen_vcpu_info info;

static call_fn *const calls[] = {
    call_set_trap_table,   call_set_gdt,        call_stack_switch,      call_set_callbacks,
    call_fpu_taskswitch,   call_set_debugreg,   call_get_debugreg,      call_update_descriptor,
    call_callback_op,      call_set_segment_base, call_iret,            call_vm_assist,
    call_version,          call_console_io,     call_event_channel_op,  call_grant_table_op,
    call_memory_op,        call_physdev_op,
};

/* ---- what those calls stand on ---- */

void guest_crash(struct vcpu *v, const char *fmt, ...)
{
    (void)v;
    (void)fmt;
    longjmp(crashed, 1);
}

struct vcpu *box_holder(void)
{
    return &host_vcpu;
}

void box_lock(struct vcpu *v)
{
    (void)v;
}

void box_unlock(struct vcpu *v)
{
    (void)v;
}

void console_kick(void)
{
}

void store_kick(void)
{
}

void console_write(const char *text, size_t len)
{
    static volatile char last; /* every byte is read */

    for (size_t i = 0; i < len; i++) {
        last = text[i];
    }
}

void outside_kick(struct vcpu *v)
{
    (void)v;
}

void outside_interrupt(struct vcpu *v, unsigned int vector)
{
    (void)v;
    (void)vector;
}

uint64_t guest_gs(void)
{
    return 0;
}

void guest_gs_set(uint64_t base)
{
    (void)base;
}

void fs_base_set(uint64_t base)
{
    (void)base;
}

uint64_t guest_gs_load(uint16_t selector)
{
    return selector;
}

void cpu_set_table(uint64_t mfn)
{
    (void)mfn;
}

void cpu_set_ts(bool on)
{
    (void)on;
}

void cpu_debug(unsigned int n, uint64_t value)
{
    (void)n;
    (void)value;
}

bool emulate_forced(struct vcpu *v, struct frame *f)
{
    (void)v;
    (void)f;
    return false;
}

bool emulate_privileged(struct vcpu *v, struct frame *f)
{
    return emulate_forced(v, f);
}

bool emulate_vc(struct vcpu *v, struct frame *f)
{
    return emulate_forced(v, f);
}

/* ---- */

/* Ports are the one thing that would stay from run to run. */
static void start(void)
{
    const uint64_t reset[6] = {EVTCHN_RESET, (uint64_t)(uintptr_t)host_memory};
    const uint16_t self = DOMID_SELF;

    host_start(0);
    box.vcpus = 1;
    box.vcpu[0] = &host_vcpu;
    box.shared_mfn = frame_for_guest();
    box.shared = page_data(box.shared_mfn);
    host_vcpu.info = &info;
    host_vcpu.kernel = 1;
    host_vcpu.up = true;
    grant_create();
    (void)host_put(&self, sizeof(self));
    (void)call_event_channel_op(&host_vcpu, NULL, reset);
}

/* 0 to 3: a small number; else as it is, or where the guest's bytes are. */
static uint64_t argument(const uint8_t *d)
{
    uint64_t v;

    memcpy(&v, d + 1, sizeof(v));
    return d[0] < 0x60 ? d[0] % 16 : d[0] < 0xc0 ? (uint64_t)(uintptr_t)host_memory + d[1] : v;
}

#define HEADER (1 + 4 * 9u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f;

    start();
    while (size >= HEADER) {
        uint64_t arg[6] = {0};
        size_t bytes = MIN(size - HEADER, (size_t)128);

        for (unsigned int i = 0; i < 4; i++) {
            arg[i] = argument(data + 1 + i * 9);
        }
        memset(&f, 0, sizeof(f));
        f.rsp = arg[1];
        memcpy(host_memory, data + HEADER, bytes);
        if (setjmp(crashed) == 0) {
            (void)calls[data[0] % ARRAY_SIZE(calls)](&host_vcpu, &f, arg);
        }
        if (host_broken() != NULL) {
            panic("%s\n", host_broken());
        }
        data += HEADER + bytes;
        size -= HEADER + bytes;
    }
    return 0;
}
