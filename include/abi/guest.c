/* The guest library: guest.h. SPDX: MIT */
#include "guest.h"

#if defined(__x86_64__)
static struct abi_result instruction(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                     uint64_t d)
{
    struct abi_result r;
    register uint64_t r10 __asm__("r10") = d;

    __asm__ volatile("vmmcall"
                     : "=a"(r.status), "=D"(r.value[0]), "=S"(r.value[1]), "=d"(r.value[2])
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "memory");
    return r;
}

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

int abi_present(void)
{
    uint32_t r[4];

    cpuid(1, r);
    if ((r[2] >> 31) == 0) {
        return 0; /* no hypervisor at all */
    }
    cpuid(ABI_CPUID_BASE, r);
    return r[0] >= ABI_CPUID_VERSION && r[1] == ABI_SIGNATURE_EBX && r[2] == ABI_SIGNATURE_ECX &&
           r[3] == ABI_SIGNATURE_EDX;
}

uint64_t abi_counter(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
#elif defined(__aarch64__)
/* A realm sets a transport of its own: RSI_HOST_CALL with the same registers. */
static struct abi_result instruction(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                     uint64_t d)
{
    register uint64_t x0 __asm__("x0") = number - ABI_CALL_BASE + ABI_SMCCC_CALL;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    register uint64_t x4 __asm__("x4") = d;
    struct abi_result r;

    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4)
                     :
                     : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
    r.status = x0;
    r.value[0] = x1;
    r.value[1] = x2;
    r.value[2] = x3;
    return r;
}

int abi_present(void)
{
    struct abi_result r =
        abi_call((uint64_t)ABI_CALL_BASE + (ABI_SMCCC_BASE - ABI_SMCCC_CALL), 0, 0, 0, 0);

    return r.status == ABI_SIGNATURE_EBX && r.value[0] == ABI_SIGNATURE_ECX &&
           r.value[1] == ABI_SIGNATURE_EDX;
}

uint64_t abi_counter(void)
{
    uint64_t v;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v) : : "memory");
    return v;
}
#else
#error "the guest library has no transport for this CPU yet"
#endif

abi_transport *abi_call = instruction;

uint64_t abi_events_begin(struct abi_event_area *area, uint64_t address, uint64_t *handle)
{
    struct abi_result r = abi_do_BUF_REGISTER(address, sizeof(*area), 0);

    if (r.status != ABI_OK) {
        return r.status;
    }
    *handle = r.value[0];
    r = abi_do_EVENT_SETUP(*handle, 0);
    if (r.status != ABI_OK) {
        (void)abi_do_BUF_UNREGISTER(*handle);
    }
    return r.status;
}

int abi_event_take(struct abi_event_area *area, uint64_t port)
{
    uint64_t bit = (uint64_t)1 << (port % 64);

    return (__atomic_fetch_and(&area->pending[port / 64], ~bit, __ATOMIC_ACQUIRE) & bit) != 0;
}

void abi_event_wait(struct abi_event_area *area, uint64_t port)
{
    while (!abi_event_take(area, port)) {
        (void)abi_do_EVENT_WAIT();
    }
}

/* An odd sequence: the rest is being written. One that changed: it was. */
uint64_t abi_time_ns(const volatile struct abi_time *page, uint64_t counter)
{
    uint32_t sequence;
    uint64_t ticks, ns;

    do {
        sequence = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE) & ~1u;
        ticks = counter - page->base;
        ticks = page->shift >= 0 ? ticks << page->shift : ticks >> -page->shift;
        ns = page->base_ns + (uint64_t)((unsigned __int128)ticks * page->mul >> 32);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&page->sequence, __ATOMIC_RELAXED) != sequence);
    return ns;
}

size_t abi_console_write(struct abi_console *ring, uint64_t port, const char *text, size_t len)
{
    uint32_t at = ring->out_produced;
    uint32_t room = (uint32_t)sizeof(ring->out) -
                    (at - __atomic_load_n(&ring->out_consumed, __ATOMIC_ACQUIRE));
    size_t n = len < room ? len : room;

    for (size_t i = 0; i < n; i++) {
        ring->out[(at + i) % sizeof(ring->out)] = (uint8_t)text[i];
    }
    __atomic_store_n(&ring->out_produced, at + (uint32_t)n, __ATOMIC_RELEASE);
    (void)abi_do_EVENT_SEND(port);
    return n;
}

uint64_t abi_share_end(uint64_t peer, uint64_t tag, uint64_t role)
{
    uint64_t status;

    do {
        status = abi_do_SHARE_END(peer, tag, role).status;
    } while (status == ABI_BUSY);
    return status;
}
