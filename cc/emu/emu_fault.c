/* Faults that tests inject into the emulated chips. */
#include "hv/check.h"
#include "hv/types.h"

#include "snp_emu.h"

/* Counts down to the event that fails; 0: none. Any CPU may take the step. */
struct countdown {
    unsigned int left;
    uint32_t result;
};

static struct countdown command, rmpupdate, page;
static unsigned int delay;
static uint8_t *previous; /* page that LAUNCH_UPDATE took */

static void arm(struct countdown *c, unsigned int n, uint32_t result)
{
    __atomic_store_n(&c->result, result, __ATOMIC_RELAXED);
    __atomic_store_n(&c->left, n, __ATOMIC_RELEASE);
}

static uint32_t step(struct countdown *c)
{
    unsigned int left = __atomic_load_n(&c->left, __ATOMIC_ACQUIRE);

    do {
        if (left == 0) {
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&c->left, &left, left - 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return left == 1 ? __atomic_load_n(&c->result, __ATOMIC_RELAXED) : 0;
}

void emu_psp_fail_nth(unsigned int n, uint32_t status)
{
    arm(&command, n, status);
}

void emu_rmpupdate_fail_nth(unsigned int n, uint32_t result)
{
    arm(&rmpupdate, n, result);
}

void emu_psp_answer_after(unsigned int reads)
{
    __atomic_store_n(&delay, reads, __ATOMIC_RELAXED);
}

void emu_page_fault_nth(unsigned int n, enum emu_page_fault fault)
{
    arm(&page, n, fault);
}

bool emu_fault_armed(void)
{
    return __atomic_load_n(&page.left, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&command.left, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&rmpupdate.left, __ATOMIC_ACQUIRE) != 0;
}

void emu_fault_reset(void)
{
    arm(&command, 0, 0);
    arm(&rmpupdate, 0, 0);
    arm(&page, 0, 0);
    previous = NULL;
    emu_psp_answer_after(0);
}

uint32_t emu_fault_command(void)
{
    return step(&command);
}

uint32_t emu_fault_rmpupdate(void)
{
    return step(&rmpupdate);
}

void emu_fault_page(uint8_t *at)
{
    uint32_t fault = step(&page);

    REQUIRE(previous != NULL || fault == 0 || fault == EMU_PAGE_CORRUPT);
    if (fault == EMU_PAGE_CORRUPT) {
        at[0] ^= 1;
    }
    for (size_t i = 0; fault > EMU_PAGE_CORRUPT && i < PAGE_SIZE; i++) {
        uint8_t byte = at[i];

        at[i] = previous[i];
        previous[i] = fault == EMU_PAGE_SWAP ? byte : previous[i];
    }
    previous = at;
}

unsigned int emu_fault_delay(void)
{
    return __atomic_load_n(&delay, __ATOMIC_RELAXED);
}
