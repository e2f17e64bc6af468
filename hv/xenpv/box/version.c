/* xen_version, console_io, physdev_op (public/version.h, xen.h, physdev.h). */
#include "page.h"

#define CAPABILITIES_SIZE 1024u
#define CHANGESET_SIZE    64u
#define EXTRAVERSION_SIZE 16u
#define HANDLE_SIZE       16u
/* pae_pgdir_above_4gb, mmu_pt_update_preserve_ad, gnttab_map_avail_bits */
#define FEATURES (BIT(4) | BIT(5) | BIT(7))

/* A text in a field that is zero behind it: nothing of ours leaves with it. */
static int64_t put_text(uint64_t va, const char *text, size_t size)
{
    char field[CAPABILITIES_SIZE];

    memset(field, 0, size);
    memcpy(field, text, strlen(text));
    return guest_put(va, field, size) ? 0 : -XEN_EFAULT;
}

static int64_t compile_info(uint64_t va)
{
    struct xen_compile_info c = {"gcc", "cloister", "", ""};

    return guest_put(va, &c, sizeof(c)) ? 0 : -XEN_EFAULT;
}

static int64_t features(uint64_t va)
{
    struct xen_feature_info f;

    if (!guest_get(&f, va, sizeof(f))) {
        return -XEN_EFAULT;
    }
    if (f.index > 0) {
        return -XEN_EINVAL;
    }
    f.map = FEATURES;
    return guest_put(va, &f, sizeof(f)) ? 0 : -XEN_EFAULT;
}

static int64_t platform_parameters(uint64_t va)
{
    uint64_t start = RESERVED_START;

    return guest_put(va, &start, sizeof(start)) ? 0 : -XEN_EFAULT;
}

__attribute__((noinline)) static int64_t tell(uint32_t what, uint64_t va)
{
    switch (what) {
    case XENVER_EXTRAVERSION:
        return put_text(va, ".0-cloister", EXTRAVERSION_SIZE);
    case XENVER_COMPILE_INFO:
        return compile_info(va);
    case XENVER_CAPABILITIES:
        return put_text(va, "xen-3.0-x86_64 ", CAPABILITIES_SIZE);
    case XENVER_CHANGESET:
        return put_text(va, "cloister", CHANGESET_SIZE);
    case XENVER_PLATFORM_PARAMETERS:
        return platform_parameters(va);
    case XENVER_GET_FEATURES:
        return features(va);
    case XENVER_PAGESIZE:
        return PAGE_SIZE;
    case XENVER_GUEST_HANDLE:
        return put_text(va, "", HANDLE_SIZE);
    case XENVER_COMMANDLINE: /* the hypervisor's: no guest's business */
        return -XEN_EPERM;
    default:
        return -XEN_ENOSYS;
    }
}

int64_t call_version(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    (void)v;
    (void)f;
    return (uint32_t)arg[0] == XENVER_VERSION ? XEN_VERSION : tell((uint32_t)arg[0], arg[1]);
}

enum { CONSOLEIO_WRITE = 0, CONSOLEIO_READ = 1 };
#define CONSOLEIO_CHUNK 256u

int64_t call_console_io(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t len = (uint32_t)arg[1];
    char buf[CONSOLEIO_CHUNK];

    (void)v;
    (void)f;
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
        if (!guest_get(buf, arg[2] + done, n)) {
            return -XEN_EFAULT;
        }
        console_write(buf, n);
    }
    return 0;
}

int64_t call_physdev_op(struct vcpu *v, struct frame *f, const uint64_t arg[6])
{
    uint32_t iopl;

    (void)f;
    switch ((uint32_t)arg[0]) {
    case PHYSDEVOP_SET_IOPL:
        if (!guest_get(&iopl, arg[1], sizeof(iopl))) {
            return -XEN_EFAULT;
        }
        if (iopl > 3) {
            return -XEN_EINVAL;
        }
        v->iopl = iopl;
        return 0;
    case PHYSDEVOP_SET_IOBITMAP: /* no port is behind any bit */
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}
