/* The hypercalls xen_version and console_io (public/version.h, xen.h). */
#include "xenpv.h"

#include "hv/string.h"

#define CAPABILITIES_SIZE 1024u
#define CHANGESET_SIZE    64u
#define EXTRAVERSION_SIZE 16u
#define HANDLE_SIZE       16u

/* A text in a field that is zero behind it: nothing of ours leaves with it. */
static int64_t put_text(struct vcpu *v, uint64_t va, const char *text, size_t size)
{
    char field[CAPABILITIES_SIZE];

    memset(field, 0, size);
    memcpy(field, text, strlen(text));
    return xenpv_put(v, va, field, size);
}

static int64_t compile_info(struct vcpu *v, uint64_t va)
{
    struct xen_compile_info c = {"gcc", "cloister", "", ""};

    return xenpv_put(v, va, &c, sizeof(c));
}

static int64_t features(struct vcpu *v, uint64_t va)
{
    struct xen_feature_info f;
    int64_t rc = xenpv_get(v, &f, va, sizeof(f));

    if (rc != 0) {
        return rc;
    }
    if (f.index > 0) {
        return -XEN_EINVAL;
    }
    f.map = (uint32_t)(XENFEAT_WRITABLE_PAGE_TABLES | XENFEAT_AUTO_TRANSLATED |
                       XENFEAT_HVM_CALLBACK_VECTOR | XENFEAT_HVM_SAFE_PVCLOCK);
    return xenpv_put(v, va, &f, sizeof(f));
}

int64_t xenpv_version(struct vcpu *v, const uint64_t arg[5])
{
    static const uint64_t no_start = 0;

    switch ((uint32_t)arg[0]) {
    case XENVER_VERSION:
        return XEN_VERSION;
    case XENVER_EXTRAVERSION:
        return put_text(v, arg[1], ".0-cloister", EXTRAVERSION_SIZE);
    case XENVER_COMPILE_INFO:
        return compile_info(v, arg[1]);
    case XENVER_CAPABILITIES:
        return put_text(v, arg[1], "hvm-3.0-x86_64 ", CAPABILITIES_SIZE);
    case XENVER_CHANGESET:
        return put_text(v, arg[1], "cloister", CHANGESET_SIZE);
    case XENVER_PLATFORM_PARAMETERS:
        return xenpv_put(v, arg[1], &no_start, sizeof(no_start));
    case XENVER_GET_FEATURES:
        return features(v, arg[1]);
    case XENVER_PAGESIZE:
        return PAGE_SIZE;
    case XENVER_GUEST_HANDLE:
        return put_text(v, arg[1], "", HANDLE_SIZE);
    case XENVER_COMMANDLINE: /* the hypervisor's: no guest's business */
        return -XEN_EPERM;
    default:
        return -XEN_ENOSYS;
    }
}

enum { CONSOLEIO_WRITE = 0, CONSOLEIO_READ = 1 };
#define CONSOLEIO_CHUNK 256u

/* Early and panic messages: they go where the console ring's do. */
int64_t xenpv_console_io(struct vcpu *v, const uint64_t arg[5])
{
    uint32_t len = (uint32_t)arg[1];
    uint8_t buf[CONSOLEIO_CHUNK];

    if ((uint32_t)arg[0] == CONSOLEIO_READ) {
        return 0;
    }
    if ((uint32_t)arg[0] != CONSOLEIO_WRITE) {
        return -XEN_ENOSYS;
    }
    if (len > PAGE_SIZE) {
        return -XEN_EINVAL;
    }
    for (uint32_t done = 0, n; done < len; done += n) {
        n = MIN(len - done, CONSOLEIO_CHUNK);
        if (xenpv_get(v, buf, arg[2] + done, n) != 0) {
            return -XEN_EFAULT;
        }
        vm_dev_lock(v->vm);
        stream_write(v->vm, STREAM_CONSOLE, buf, n);
        vm_dev_unlock(v->vm);
    }
    return 0;
}
