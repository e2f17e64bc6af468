/* Ordering and single-copy atomic access. */
#ifndef ARCH_BARRIER_H
#define ARCH_BARRIER_H

#include "hv/types.h"

#define load_once(p)        __atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_once(p, v)    __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_load(p)      __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define atomic_or(p, v)     __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_and(p, v)    __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define atomic_add(p, v)    __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub(p, v)    __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define atomic_swap(p, v)   __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define full_barrier()      __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* Stores new when *p is *expected, else stores what it found there in *expected. */
#define atomic_cas(p, expected, new)                                                               \
    __atomic_compare_exchange_n((p), (expected), (new), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

#endif
