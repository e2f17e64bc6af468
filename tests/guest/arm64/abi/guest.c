/* Console, command line, calls of the guest ABI. */
#include "abi/guest.h"
#include "guest.h"

#include "hv/mmio_map.h"

#define DT_SIZE  0x8000u
#define PSCI_OFF 0x84000008u

enum guest_kind guest_kind;
uint64_t shared_bit;
static const char *boot_data;

void frame_begin(const char *dt);

void emit(const char *text)
{
    uint64_t uart = MMIO_UART | ((read_sysreg(sctlr_el1) & 1) == 0 ? shared_bit : 0);

    for (; *text != '\0'; text++) {
        store32(uart, (uint8_t)*text);
    }
}

void power_off(void)
{
    for (;;) {
        smc(&(struct regs){{PSCI_OFF}});
    }
}

void take_exception(uint64_t syndrome, uint64_t at, uint64_t address);
void take_exception(uint64_t syndrome, uint64_t at, uint64_t address)
{
    fatal("exception, syndrome %lx, at %lx, address %lx", (unsigned long)syndrome,
          (unsigned long)at, (unsigned long)address);
}

/* The command line is a string in the Device Tree, and the only one with such words. */
uint64_t option(const char *name, uint64_t otherwise)
{
    size_t len = strlen(name);
    uint64_t v = 0;

    for (const char *at = boot_data; at < boot_data + DT_SIZE - 32; at++) {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            for (at += len + 1; *at >= '0' && *at <= '9'; at++) {
                v = v * 10 + (uint64_t)(*at - '0');
            }
            return v;
        }
    }
    return otherwise;
}

static struct abi_result by_host_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                      uint64_t d)
{
    struct regs r = {{number - ABI_CALL_BASE + ABI_SMCCC_CALL, a, b, c, d}};

    host_call(&r);
    return (struct abi_result){r.x[0], {r.x[1], r.x[2], r.x[3]}};
}

/* The guest library's transport in a plain domain, ours in a realm. */
struct call_result call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct abi_result r = abi_call(number, a, b, c, d);

    return (struct call_result){r.status, {r.value[0], r.value[1], r.value[2]}};
}

static struct regs ask(uint64_t function)
{
    struct regs r = {{function}};

    if (guest_kind == GUEST_REALM) {
        host_call(&r);
    } else {
        hvc(&r);
    }
    return r;
}

struct abi_found discover(void)
{
    struct regs base = ask(ABI_SMCCC_BASE);

    if (!abi_present()) {
        return (struct abi_found){{0}, 0, 0};
    }
    return (struct abi_found){
        .signature = {(uint32_t)base.x[0], (uint32_t)base.x[1], (uint32_t)base.x[2]},
        .version = (uint32_t)ask(ABI_SMCCC_VERSION).x[0],
        .features = (uint32_t)ask(ABI_SMCCC_FEATURES).x[0],
    };
}

void guest_start(unsigned int index)
{
    cpu_begin(index);
    frame_run(index);
}

void frame_begin(const char *dt)
{
    boot_data = dt;
    realm_begin();
    if (guest_kind == GUEST_REALM) {
        abi_call = by_host_call;
    }
    mmu_begin();
    mmu_on();
}
