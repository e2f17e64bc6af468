/*
 * The world outside the box, through the guest ABI alone: a console ring, a port for its input, and
 * for each vCPU a port with a timer and one that others kick it by. Interrupts come by the vCPU's
 * x2APIC, and power goes by the ports of the ACPI tables.
 */
#include "outside.h"

#include "abi/guest.h"
#include "boot.h"

#define VECTOR_EVENT  0x30u
#define VECTOR_KICK   0x31u
#define PORT_SLEEP    0x600u /* hv/dev/platform.c: SLP_EN, SLP_TYP 5 */
#define SLEEP_OFF     0x34u
#define PORT_RESET    0x602u
#define RESET_VALUE   1u
#define X2APIC_EOI    0x80bu
#define X2APIC_SVR    0x80fu
#define SVR_ON        0x1ffu

/* The hypervisor reads and writes these: shared, when the box is encrypted. */
struct outside_page {
    struct abi_console console;
    struct abi_event_area events __attribute__((aligned(64)));
    struct abi_time time __attribute__((aligned(64)));
} __attribute__((aligned(4096)));
static struct outside_page *shared;
_Static_assert(sizeof(struct outside_page) == 2 * PAGE_SIZE, "whole pages");

static uint64_t console_port;
static bool talks; /* the console ring is there */

static uint64_t must(const char *what, struct abi_result r)
{
    if (r.status != ABI_OK) {
        panic("%s: the hypervisor answers %lu", what, (unsigned long)r.status);
    }
    return r.value[0];
}

void outside_create(void)
{
    uint64_t handle;

    shared = machine_create(sizeof(*shared) / PAGE_SIZE);
    if (!machine_private() && !abi_present()) {
        outside_fail();
    }
    handle = must("buffer", abi_do_BUF_REGISTER(machine_pa(shared), sizeof(*shared), 0));
    must("console", abi_do_CONSOLE_SETUP(handle, 0));
    must("events", abi_do_EVENT_SETUP(handle, offsetof(struct outside_page, events)));
    must("time", abi_do_TIME_SETUP(handle, offsetof(struct outside_page, time)));
    console_port = must("console port",
                        abi_do_EVENT_OPEN(ABI_SOURCE_CONSOLE, 0, 0, VECTOR_EVENT));
    talks = true;
}

void outside_vcpu_create(struct vcpu *v)
{
    v->timer_port =
        must("timer port", abi_do_EVENT_OPEN(ABI_SOURCE_TIMER, 0, v->index, VECTOR_EVENT));
    v->poll_port =
        must("poll port", abi_do_EVENT_OPEN(ABI_SOURCE_TIMER, 0, v->index, VECTOR_EVENT));
    v->kick_port =
        must("kick port", abi_do_EVENT_OPEN(ABI_SOURCE_SELF, 0, v->index, VECTOR_KICK));
}

void outside_vcpu_start(struct vcpu *v)
{
    if (v->index != 0) {
        machine_begin(v->index);
    }
    machine_wrmsr(X2APIC_SVR, SVR_ON);
}

void outside_timer(struct vcpu *v, uint64_t ns)
{
    must("timer", abi_do_EVENT_TIMER(v->timer_port, ns));
}

void outside_poll_timer(struct vcpu *v, uint64_t ns)
{
    must("timer", abi_do_EVENT_TIMER(v->poll_port, ns));
}

void outside_kick(struct vcpu *v)
{
    must("kick", abi_do_EVENT_SEND(v->kick_port));
}

/* What came since it was last looked at. */
void outside_poll(struct vcpu *v)
{
    (void)abi_event_take(&shared->events, v->kick_port);
    (void)abi_event_take(&shared->events, v->poll_port);
    if (abi_event_take(&shared->events, v->timer_port)) {
        event_virq(v, VIRQ_TIMER);
    }
    if (v->index == 0 && abi_event_take(&shared->events, console_port)) {
        console_kick();
    }
}

void outside_wait(void)
{
    must("wait", abi_do_EVENT_WAIT());
}

void outside_interrupt(struct vcpu *v, unsigned int vector)
{
    if (vector == VECTOR_EVENT || vector == VECTOR_KICK) {
        machine_wrmsr(X2APIC_EOI, 0);
    }
    flush_if_wanted(v);
    box_lock(v);
    outside_poll(v);
    box_unlock(v);
}

const volatile struct abi_time *outside_time(void)
{
    return &shared->time;
}

size_t outside_write(const char *text, size_t len)
{
    return talks ? abi_console_write(&shared->console, console_port, text, len) : len;
}

size_t outside_read(char *text, size_t len)
{
    uint32_t at = shared->console.in_consumed;
    uint32_t have = __atomic_load_n(&shared->console.in_produced, __ATOMIC_ACQUIRE) - at;
    size_t n = MIN(len, MIN((size_t)have, sizeof(shared->console.in)));

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)shared->console.in[(at + i) % sizeof(shared->console.in)];
    }
    __atomic_store_n(&shared->console.in_consumed, at + (uint32_t)n, __ATOMIC_RELEASE);
    return n;
}

void outside_power_off(void)
{
    machine_outb(PORT_SLEEP, SLEEP_OFF);
    outside_fail();
}

void outside_reset(void)
{
    machine_outb(PORT_RESET, RESET_VALUE);
    outside_fail();
}

void outside_fail(void)
{
    machine_fail();
}
