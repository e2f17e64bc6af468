/*
 * The guest ABI for guests: every call as a function, and the few protocols that need more than
 * one. With guest.c beside it this is all that a kernel needs; freestanding, no memory of its own.
 * SPDX: MIT
 */
#ifndef ABI_GUEST_H
#define ABI_GUEST_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct abi_result {
    uint64_t status; /* ABI_OK or another of enum abi_status */
    uint64_t value[3];
};

/*
 * What carries a call. The instruction of this CPU, unless the guest sets another: an encrypted
 * guest one that fills its GHCB, a test a recorded one.
 */
typedef struct abi_result abi_transport(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                        uint64_t d);
extern abi_transport *abi_call;

/* Is this hypervisor there? Asks CPUID, or SMCCC; no call is made before that. */
int abi_present(void);

/* abi_do_EVENT_SEND(port) and so on: the arguments in the order of call.def. */
#define ABI_DO_0(name)                                                                             \
    static inline struct abi_result abi_do_##name(void)                                            \
    {                                                                                              \
        return abi_call(ABI_CALL_##name, 0, 0, 0, 0);                                              \
    }
#define ABI_DO_1(name)                                                                             \
    static inline struct abi_result abi_do_##name(uint64_t a)                                      \
    {                                                                                              \
        return abi_call(ABI_CALL_##name, a, 0, 0, 0);                                              \
    }
#define ABI_DO_2(name)                                                                             \
    static inline struct abi_result abi_do_##name(uint64_t a, uint64_t b)                          \
    {                                                                                              \
        return abi_call(ABI_CALL_##name, a, b, 0, 0);                                              \
    }
#define ABI_DO_3(name)                                                                             \
    static inline struct abi_result abi_do_##name(uint64_t a, uint64_t b, uint64_t c)              \
    {                                                                                              \
        return abi_call(ABI_CALL_##name, a, b, c, 0);                                              \
    }
#define ABI_DO_4(name)                                                                             \
    static inline struct abi_result abi_do_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d)  \
    {                                                                                              \
        return abi_call(ABI_CALL_##name, a, b, c, d);                                              \
    }
#define ABI_CALL(name, index, feature, arguments, values, meaning) ABI_DO_##arguments(name)
#include "call.def"

/* Registers memory and sets the pending words there: ABI_OK, or what failed. */
uint64_t abi_events_begin(struct abi_event_area *area, uint64_t address, uint64_t *handle);
/* Takes a port's pending bit: was it set? */
int abi_event_take(struct abi_event_area *area, uint64_t port);
/* Takes it, and sleeps until it can. */
void abi_event_wait(struct abi_event_area *area, uint64_t port);

/* Nanoseconds of the domain's clock, from a time page and the counter's value. */
uint64_t abi_time_ns(const volatile struct abi_time *page, uint64_t counter);
/* The counter that the time page speaks of. */
uint64_t abi_counter(void);

/* Puts what fits into the console ring and lets the hypervisor look: how many bytes it was. */
size_t abi_console_write(struct abi_console *ring, uint64_t port, const char *text, size_t len);

/* Ends a share, for as long as it answers BUSY. */
uint64_t abi_share_end(uint64_t peer, uint64_t tag, uint64_t role);

#ifdef __cplusplus
}
#endif

#endif
