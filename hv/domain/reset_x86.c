/*
 * What a guest finds where the processor starts after reset: F000:FFF0. A kernel that knows no
 * better way to reboot jumps there (Linux: reboot=b, and its last resort on reduced hardware).
 */
#include "hv/device.h"
#include "plan_x86.h"

#define GPA_RESET_VECTOR 0xffff0u

enum abi_status reset_x86_plan(struct plan *p)
{
    /* Real mode: mov $port, %dx; mov $value, %al; out %al, %dx; hlt; jmp to the hlt. */
    static const uint8_t stub[] = {
        0xba, (PM_SLEEP_PORT + 2) & 0xff, (PM_SLEEP_PORT + 2) >> 8, 0xb0, PM_RESET_VALUE,
        0xee, 0xf4,                       0xeb,                     0xfd,
    };

    return plan_place_reserved(
        p, (struct piece){PIECE_RESET, GPA_RESET_VECTOR, sizeof(stub), stub, sizeof(stub)});
}
