/* An access to a device that the CPU does not describe: two registers at once. */
#include "guest.h"

#include "hv/mmio_map.h"

void guest_main(void)
{
    uint64_t a, b;

    print("wild: begins\n");
    __asm__ volatile("ldp %0, %1, [%2]" : "=r"(a), "=r"(b) : "r"((uint64_t)MMIO_UART + 0x40));
    print("FAIL it came back\n");
    power_off();
}
