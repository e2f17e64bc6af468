/* What makes a new boot: the core's variables as they were, which the build puts into sections. */
#include <stdio.h>
#include <stdlib.h>

#include "fake/fake.h"

extern char __start_core_data[] __attribute__((weak));
extern char __stop_core_data[] __attribute__((weak));
extern char __start_core_bss[] __attribute__((weak));
extern char __stop_core_bss[] __attribute__((weak));

struct image {
    char data[256 * 1024];
    char bss[128 * 1024];
};
static struct image at_start, at_save;

/* Red zones lie between the variables: the sanitizers must not look. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static void
copy(char *to, const char *from, size_t n)
{
    for (volatile size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

static void save(struct image *i)
{
    size_t data = (size_t)(__stop_core_data - __start_core_data);
    size_t bss = (size_t)(__stop_core_bss - __start_core_bss);

    if (data > sizeof(i->data) || bss > sizeof(i->bss)) {
        fprintf(stderr, "reboot.c: the core has %zu and %zu bytes of variables\n", data, bss);
        abort();
    }
    copy(i->data, __start_core_data, data);
    copy(i->bss, __start_core_bss, bss);
}

static void restore(const struct image *i)
{
    copy(__start_core_data, i->data, (size_t)(__stop_core_data - __start_core_data));
    copy(__start_core_bss, i->bss, (size_t)(__stop_core_bss - __start_core_bss));
}

__attribute__((constructor)) static void at_program_start(void)
{
    save(&at_start);
}

void fake_reboot(void)
{
    restore(&at_start);
}

void fake_save(void)
{
    save(&at_save);
}

void fake_restore(void)
{
    restore(&at_save);
}
