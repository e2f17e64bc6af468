/* What the data of an event means, as far as its type tells (PFP 10.4). Nothing of it is trusted.
 */
#include <attest/eventlog.h>

#include <attest/hex.h>

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 512, HEX_MAX = 256 };

enum {
    EV_POST_CODE = 0x01,
    EV_EVENT_TAG = 0x06,
    EV_S_CRTM_VERSION = 0x08,
    EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
    EV_EFI_VARIABLE_BOOT = 0x80000002,
    EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003,
    EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004,
    EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005,
    EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008,
    EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A,
    EV_EFI_VARIABLE_BOOT2 = 0x8000000C,
    EV_EFI_VARIABLE_AUTHORITY = 0x800000E0
};

/* UTF-16LE of the basic plane as UTF-8; whatever is no letter of it becomes '?'. */
static void utf16_text(const uint8_t *p, size_t units, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < units && n + 4 < size; i++) {
        uint16_t c = ld16le(p + 2 * i);

        if (c == 0) {
            break;
        }
        if (c < 0x20 || (c >= 0xD800 && c < 0xE000) || c >= 0xFFFE) {
            c = '?';
        }
        if (c < 0x80) {
            out[n++] = (char)c;
        } else if (c < 0x800) {
            out[n++] = (char)(0xC0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3F));
        } else {
            out[n++] = (char)(0xE0 | c >> 12);
            out[n++] = (char)(0x80 | (c >> 6 & 0x3F));
            out[n++] = (char)(0x80 | (c & 0x3F));
        }
    }
    out[n] = '\0';
}

static void ascii_text(const uint8_t *p, size_t len, char *out, size_t size)
{
    size_t n = 0;

    while (n < len && n + 1 < size && p[n] != 0) {
        out[n] = p[n] >= 0x20 && p[n] < 0x7F ? (char)p[n] : '?';
        n++;
    }
    out[n] = '\0';
}

/* All printable ASCII but for NULs at the end? */
static bool is_text(const uint8_t *p, size_t len)
{
    while (len > 0 && p[len - 1] == 0) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if ((p[i] < 0x20 || p[i] > 0x7E) && p[i] != '\n' && p[i] != '\t') {
            return false;
        }
    }
    return len > 0;
}

static void guid_text(const uint8_t *p, char out[37])
{
    snprintf(out, 37, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", ld32le(p), ld16le(p + 4),
             ld16le(p + 6), p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15]);
}

static void set_bytes(json_t *o, const uint8_t *p, size_t len)
{
    char hex[2 * HEX_MAX + 1];
    size_t shown = len < HEX_MAX ? len : HEX_MAX;

    json_object_set_new(o, "bytes", json_string(hex_encode(p, shown, hex)));
    if (shown < len) {
        json_object_set_new(o, "shortened", json_true());
    }
}

static void set_text(json_t *o, const char *key, const uint8_t *p, size_t len)
{
    char text[TEXT_MAX];

    ascii_text(p, len, text, sizeof(text));
    json_object_set_new(o, key, json_string(text));
}

/* UEFI_VARIABLE_DATA (10.2.6) */
static bool variable(json_t *o, struct reader r)
{
    const uint8_t *guid, *name, *data;
    uint64_t units, len;
    char text[TEXT_MAX], id[37];

    if (!rd_bytes(&r, 16, &guid) || !rd_u64le(&r, &units) || !rd_u64le(&r, &len) ||
        units > r.left / 2 || !rd_bytes(&r, 2 * (size_t)units, &name) || len > r.left ||
        !rd_bytes(&r, (size_t)len, &data)) {
        return false;
    }
    guid_text(guid, id);
    utf16_text(name, (size_t)units, text, sizeof(text));
    json_object_set_new(o, "vendor", json_string(id));
    json_object_set_new(o, "variable", json_string(text));
    set_bytes(o, data, (size_t)len);
    return true;
}

/* UEFI_IMAGE_LOAD_EVENT (10.2.3) */
static bool image(json_t *o, struct reader r)
{
    uint64_t base, len, link, path_len;
    const uint8_t *path;

    if (!rd_u64le(&r, &base) || !rd_u64le(&r, &len) || !rd_u64le(&r, &link) ||
        !rd_u64le(&r, &path_len) || path_len > r.left || !rd_bytes(&r, (size_t)path_len, &path)) {
        return false;
    }
    json_object_set_new(o, "image-base", json_sprintf("0x%llx", (unsigned long long)base));
    json_object_set_new(o, "image-size", json_integer((json_int_t)len));
    set_bytes(o, path, (size_t)path_len);
    return true;
}

/* UEFI_PLATFORM_FIRMWARE_BLOB, and its second form with a description before it (10.2.5). */
static bool firmware_blob(json_t *o, struct reader r, bool described)
{
    uint64_t base, len;
    const uint8_t *name = NULL;
    uint8_t name_len = 0;

    if (described && (!rd_u8(&r, &name_len) || !rd_bytes(&r, name_len, &name))) {
        return false;
    }
    if (!rd_u64le(&r, &base) || !rd_u64le(&r, &len) || r.left != 0) {
        return false;
    }
    if (described) {
        set_text(o, "description", name, name_len);
    }
    json_object_set_new(o, "base", json_sprintf("0x%llx", (unsigned long long)base));
    json_object_set_new(o, "size", json_sprintf("0x%llx", (unsigned long long)len));
    return true;
}

/* TCG_PCClientTaggedEvent (10.4.2.1) */
static bool tagged(json_t *o, struct reader r)
{
    uint32_t id, len;
    const uint8_t *p;

    if (!rd_u32le(&r, &id) || !rd_u32le(&r, &len) || !rd_bytes(&r, len, &p)) {
        return false;
    }
    json_object_set_new(o, "tag", json_sprintf("0x%x", id));
    if (is_text(p, len)) {
        set_text(o, "text", p, len);
    } else {
        set_bytes(o, p, len);
    }
    return true;
}

static bool version(json_t *o, struct reader r)
{
    char text[TEXT_MAX];

    /* Either UCS-2 text or a GUID. */
    if (r.left < 2 || r.left % 2 != 0 || ld16le(r.p + r.left - 2) != 0) {
        return false;
    }
    utf16_text(r.p, r.left / 2, text, sizeof(text));
    json_object_set_new(o, "text", json_string(text));
    return true;
}

static bool by_type(json_t *o, uint32_t type, struct reader r)
{
    switch (type) {
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
    case EV_EFI_VARIABLE_AUTHORITY:
        return variable(o, r);
    case EV_EFI_BOOT_SERVICES_APPLICATION:
    case EV_EFI_BOOT_SERVICES_DRIVER:
    case EV_EFI_RUNTIME_SERVICES_DRIVER:
        return image(o, r);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
    case EV_POST_CODE:
        return firmware_blob(o, r, false);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        return firmware_blob(o, r, true);
    case EV_EVENT_TAG:
        return tagged(o, r);
    case EV_S_CRTM_VERSION:
        return version(o, r);
    case EV_NO_ACTION:
        if (r.left >= 16 && is_text(r.p, 16)) {
            set_text(o, "signature", r.p, 16);
            set_bytes(o, r.p + 16, r.left - 16);
            return true;
        }
        return false;
    default:
        return false;
    }
}

json_t *eventlog_data_claims(const struct eventlog_event *ev)
{
    json_t *o = json_object();

    json_object_set_new(o, "size", json_integer(ev->size));
    if (ev->size == 0 || by_type(o, ev->type, rd_make(ev->data, ev->size))) {
        return o;
    }
    if (is_text(ev->data, ev->size)) {
        set_text(o, "text", ev->data, ev->size);
    } else {
        set_bytes(o, ev->data, ev->size);
    }
    return o;
}
