/* How long something takes: the median of many rounds, which a benchmark writes to sample[]. */
#ifndef GUEST_SAMPLE_H
#define GUEST_SAMPLE_H

#include <stdint.h>

#define ROUNDS 101u

static uint64_t sample[ROUNDS];

static uint64_t median(void)
{
    for (unsigned int i = 1; i < ROUNDS; i++) {
        uint64_t v = sample[i];
        unsigned int j = i;

        for (; j > 0 && sample[j - 1] > v; j--) {
            sample[j] = sample[j - 1];
        }
        sample[j] = v;
    }
    return sample[ROUNDS / 2];
}

#endif
