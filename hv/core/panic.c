#include "arch/panic.h"

#include "arch/barrier.h"
#include "arch/boot.h"
#include "arch/cpu.h"
#include "hv/check.h"
#include "hv/cpu.h"
#include "hv/log_ring.h"
#include "hv/string.h"
#include "hv/symbols.h"
#include "hv/vm_priv.h"

const char *symbol_of(uint64_t address, uint64_t *offset)
{
    uint64_t at = address - IMAGE_BASE - boot_info.image.base;
    uint32_t low = 0;
    uint32_t high = symbol_count;

    if (address < IMAGE_BASE + boot_info.image.base || at >= boot_info.image.len || high == 0 ||
        at < symbol_table[0].offset) {
        *offset = 0;
        return "?";
    }
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (symbol_table[mid].offset <= at) {
            low = mid;
        } else {
            high = mid;
        }
    }
    *offset = at - symbol_table[low].offset;
    return &symbol_names[symbol_table[low].name];
}

void print_frame(uint64_t address)
{
    uint64_t offset;
    const char *name = symbol_of(address, &offset);

    log_error("  %016lx %s+%lx", (unsigned long)address, name, (unsigned long)offset);
}

void panic(const char *fmt, ...)
{
    static bool entered;
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (__atomic_test_and_set(&entered, __ATOMIC_SEQ_CST)) {
        cpu_stop(); /* a second CPU, or panic itself is broken */
    }
    arch_stop_others();
    log_panic_mode();
    log_error("PANIC on CPU %u: %s", this_cpu()->index, text);
    arch_backtrace(0, print_frame);
    log_error("stopped; restart the machine");
    link_panic(text);
    cpu_stop();
}

/* The compiler calls it when a stack canary was overwritten. */
NORETURN void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
    panic("stack smashed");
}
