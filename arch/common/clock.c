/* Time from a counter that all CPUs read alike. */
#include "arch/timer.h"
#include "arch/vcpu.h"
#include "common.h"

struct own_clock own_clock;

void clock_start(uint64_t hz, uint64_t count, uint64_t wall)
{
    own_clock.ns_per_tick = (1000000000ull << 32) / hz;
    own_clock.ticks_per_ns = (hz << 30) / 1000000000u << 2;
    own_clock.wall = wall;
    own_clock.start = count;
}

uint64_t clock_to_count(uint64_t ns)
{
    return own_clock.start +
           (uint64_t)(((unsigned __int128)ns * own_clock.ticks_per_ns) >> 32);
}

uint64_t clock_wall_at_boot(void)
{
    return own_clock.wall;
}

void arch_clock_scale(uint32_t *mul, int8_t *shift)
{
    uint64_t fixed = own_clock.ns_per_tick;

    *shift = 0;
    for (; fixed > UINT32_MAX; fixed >>= 1) {
        (*shift)++;
    }
    for (; fixed < BIT(31); fixed <<= 1) {
        (*shift)--;
    }
    *mul = (uint32_t)fixed;
}
