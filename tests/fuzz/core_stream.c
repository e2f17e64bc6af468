/* Whatever a guest prints: every line is behind its name, and holds nothing a terminal obeys. */
#include <stdlib.h>
#include <string.h>

#include "core_host.h"

static struct vm *vm;

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* From the first byte of a character beyond ASCII: how long it is. */
static size_t check_character(const uint8_t *c)
{
    size_t len = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    uint32_t code = c[0] & (0xffu >> (len + 1));

    require(c[0] >= 0xc2 && c[0] <= 0xf4);
    for (size_t i = 1; i < len; i++) {
        require((c[i] & 0xc0) == 0x80);
        code = code << 6 | (c[i] & 0x3f);
    }
    require(code >= 0xa0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    require(code >= (len == 2 ? 0xa0u : len == 3 ? 0x800u : 0x10000u));
    return len;
}

static void check_line(const char *line, const char *end)
{
    require(end - line >= 7 && memcmp(line, "guest| ", 7) == 0 && end - line <= 7 + 1024);
    for (const char *at = line; at < end;) {
        uint8_t c = (uint8_t)*at;

        require(c >= ' ' || c == '\t');
        require(c != 0x7f);
        at += c < 0x80 ? 1 : check_character((const uint8_t *)at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool booted;

    if (!booted) {
        core_boot(MiB(64), 1);
        vm = core_vm("guest", 1, 100, UINT64_MAX);
        booted = true;
    }
    fake_console_clear();
    for (size_t at = 0; at < size;) {
        size_t n = MIN(1 + (size_t)data[at] % 64, size - at);

        if (data[at] == 0xfe) {
            stream_tick(vm);
        }
        vm_dev_lock(vm);
        stream_write(vm, STREAM_CONSOLE, &data[at], n);
        vm_dev_unlock(vm);
        at += n;
    }
    stream_flush_line(vm); /* the budget is full again, too */
    for (const char *line = fake_console(); *line != '\0';) {
        const char *end = strstr(line, "\r\n");

        require(end != NULL);
        check_line(line, end);
        line = end + 2;
    }
    return 0;
}
