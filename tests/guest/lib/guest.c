/* Console, command line, calls. */
#include "guest.h"

#define COM1       0x3f8
#define SLEEP_PORT 0x600 /* ACPI sleep control: SLP_EN, S5 */

struct start_info *start_info;
enum guest_kind guest_kind;
uint64_t shared_pte;
bool (*convert)(const void *page, bool shared);

void emit(const char *text)
{
    for (; *text != '\0'; text++) {
        outb(COM1, (uint8_t)*text);
    }
}

void power_off(void)
{
    for (;;) {
        outb(SLEEP_PORT, 5 << 2 | 0x20);
    }
}

static uint64_t number(const char *s)
{
    unsigned int base = s[0] == '0' && s[1] == 'x' ? 16 : 10;
    uint64_t v = 0;

    for (s += base == 16 ? 2 : 0; *s != '\0' && *s != ' '; s++) {
        v = v * base + (uint64_t)(*s <= '9' ? *s - '0' : (*s | 32) - 'a' + 10);
    }
    return v;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *at = (const char *)start_info->cmdline;
    size_t len = strlen(name);

    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            return number(&at[len + 1]);
        }
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    return otherwise;
}

static struct call_result by_vmmcall(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
                                     uint64_t d)
{
    return vmmcall(number, a, b, c, d);
}

struct call_result (*call)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) = by_vmmcall;

void guest_start(unsigned int index)
{
    cpu_setup(index);
    if (index == 0) {
        time_setup();
    }
    frame_run(index);
}
