/* Exceptions of the hypervisor itself: all of them are bugs, and end with a readable report. */
#include "aarch64.h"
#include "arch/boot.h"
#include "arch/panic.h"
#include "arch_impl/insn.h"
#include "hv/check.h"
#include "hv/log_ring.h"
#include "hv/symbols.h"

#define EC_SHIFT 26u

/* Arm ARM, ESR_ELx.ISS of aborts, DFSC and IFSC: granule protection, in a walk or behind it. */
static bool is_granule_fault(uint64_t esr)
{
    uint64_t class = esr >> EC_SHIFT & 63, status = esr & 63;

    return (class == 0x21 || class == 0x25) && status >= 0x23 && status <= 0x28;
}

/* Arm ARM, ESR_ELx.EC. */
static const char *ec_name(uint64_t esr)
{
    if (is_granule_fault(esr)) {
        return "granule protection fault";
    }
    switch (esr >> EC_SHIFT & 63) {
    case 0x00:
        return "undefined instruction";
    case 0x07:
        return "floating point is trapped";
    case 0x0d:
        return "branch target";
    case 0x0e:
        return "illegal execution state";
    case 0x18:
        return "system register is trapped";
    case 0x21:
        return "instruction abort";
    case 0x22:
        return "PC alignment";
    case 0x25:
        return "data abort";
    case 0x26:
        return "SP alignment";
    case 0x3c:
        return "BRK";
    default:
        return "exception";
    }
}

static void print_registers(const struct trap_frame *f)
{
    log_error("elr %016lx sp %016lx spsr %lx", (unsigned long)f->elr, (unsigned long)f->sp,
              (unsigned long)f->spsr);
    log_error("esr %08lx far %016lx hcr %lx", (unsigned long)f->esr, (unsigned long)f->far,
              (unsigned long)sysreg_read(hcr_el2));
    for (unsigned int i = 0; i < 28; i += 4) {
        log_error("x%-2u %016lx %016lx %016lx %016lx", i, (unsigned long)f->x[i],
                  (unsigned long)f->x[i + 1], (unsigned long)f->x[i + 2],
                  (unsigned long)f->x[i + 3]);
    }
    log_error("x28 %016lx fp %016lx lr %016lx", (unsigned long)f->x[28], (unsigned long)f->x[29],
              (unsigned long)f->x[30]);
}

void aarch64_trap(struct trap_frame *f, uint64_t vector)
{
    static const char *const kinds[] = {"synchronous", "IRQ", "FIQ", "SError"};
    const char *name = vector % 4 == 0 ? ec_name(f->esr) : kinds[vector % 4];
    const char *guard = stack_guard_name(f->far);

    arch_stop_others();
    log_panic_mode();
    log_error("EXCEPTION on CPU %u: %s, vector %lu%s%s", this_cpu()->index, name,
              (unsigned long)vector, guard != NULL ? ": overflow of " : "",
              guard != NULL ? guard : "");
    print_registers(f);
    print_frame(f->elr);
    arch_backtrace(f->x[29], print_frame);
    panic("%s at %lx", name, (unsigned long)f->elr);
}

void arch_backtrace(uint64_t frame, void (*fn)(uint64_t address))
{
    const uint64_t *fp = (const uint64_t *)frame;

    if (frame == 0) {
        fp = __builtin_frame_address(0);
    }
    for (unsigned int depth = 0; depth < 24; depth++) {
        /* Only where our stacks are: a broken frame pointer must not fault again. */
        if (!IS_ALIGNED((uint64_t)fp, 8) || !stack_readable((uint64_t)fp) || fp[1] == 0) {
            return;
        }
        fn(fp[1] - 1); /* inside the call, not after it: the call may be the last instruction */
        fp = (const uint64_t *)fp[0];
    }
}
