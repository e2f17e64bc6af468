/*
 * The TD measures what it starts with before it runs any of it: digests go into the RTMRs, and into
 * the event log. Runs on the shim's own stack, on one vCPU, without interrupts.
 */
#include "hv/shim.h"
#include "sha384.h"

#define RTMR_EXTEND 2u /* TDG.MR.RTMR.EXTEND: RCX 48 bytes at 64, RDX the register */
#define PAGE        4096u

uint32_t tdx_measure(const struct shim_measures *m);

static uint32_t extend(const uint8_t *digest, uint64_t rtmr)
{
    uint64_t rax = RTMR_EXTEND, rcx = (uintptr_t)digest, rdx = rtmr;

    __asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc" /* tdcall */
                     : "+a"(rax), "+c"(rcx), "+d"(rdx)
                     :
                     : "r8", "r9", "r10", "r11", "memory");
    return (uint32_t)(rax >> 32);
}

/* The host chose what follows in the last page, too. */
static void clear_tail(uint8_t *p)
{
    while (((uintptr_t)p & (PAGE - 1)) != 0) {
        *(volatile uint8_t *)p++ = 0;
    }
}

/* The status of a failed call, as RAX 63:32 has it; else 0. */
uint32_t tdx_measure(const struct shim_measures *m)
{
    static uint8_t digest[64] __attribute__((aligned(64)));
    uint32_t status = 0;

    for (uint64_t i = 0; i < m->count && status == 0; i++) {
        uint8_t *p = (uint8_t *)(uintptr_t)m->item[i].at;
        uint8_t *log = (uint8_t *)(uintptr_t)(m->log + m->item[i].digest);

        clear_tail(p + m->item[i].len);
        sha384(p, m->item[i].len, digest);
        for (unsigned int n = 0; n < SHA384_SIZE; n++) {
            *(volatile uint8_t *)&log[n] = digest[n];
        }
        status = extend(digest, m->item[i].rtmr);
    }
    return status;
}
