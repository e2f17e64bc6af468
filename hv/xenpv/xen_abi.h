/*
 * Xen's guest ABI for 64-bit HVM and PVH domains: numbers and layouts, as Xen's public headers
 * (xen/include/public, named beside each) document them. Nothing here is ours to change.
 */
#ifndef XENPV_XEN_ABI_H
#define XENPV_XEN_ABI_H

#include "hv/types.h"

/* xen.h: hypercalls */
enum {
    HC_MEMORY_OP = 12,
    HC_SET_TIMER_OP = 15,
    HC_XEN_VERSION = 17,
    HC_CONSOLE_IO = 18,
    HC_GRANT_TABLE_OP = 20,
    HC_VCPU_OP = 24,
    HC_SCHED_OP = 29,
    HC_EVENT_CHANNEL_OP = 32,
    HC_PHYSDEV_OP = 33,
    HC_HVM_OP = 34,
    HC_COUNT = 64, /* that a hypercall page has */
};

/* errno.h: a failed call answers the negative */
enum {
    XEN_EPERM = 1,
    XEN_ENOENT = 2,
    XEN_ESRCH = 3,
    XEN_EFAULT = 14,
    XEN_EEXIST = 17,
    XEN_EINVAL = 22,
    XEN_ENOSPC = 28,
    XEN_ENOSYS = 38,
    XEN_ETIME = 62,
};

#define DOMID_SELF 0x7ff0u
#define XEN_VERSION 0x00040011u /* whose ABI this is: 4.17 */

/* xen.h: vcpu_time_info, vcpu_info, shared_info; arch-x86/xen.h: arch_vcpu_info */
struct xen_time_info {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad1[2];
};
struct xen_vcpu_info {
    uint8_t upcall_pending, upcall_mask, pad[6];
    uint64_t pending_sel;
    uint64_t cr2, pad1;
    struct xen_time_info time;
};
#define XEN_VCPU_INFOS 32u
struct xen_shared_info {
    struct xen_vcpu_info vcpu_info[XEN_VCPU_INFOS];
    uint64_t pending[64], mask[64];
    uint32_t wc_version, wc_sec, wc_nsec, wc_sec_hi;
};
_Static_assert(sizeof(struct xen_time_info) == 32, "xen.h");
_Static_assert(offsetof(struct xen_time_info, mul) == 24, "xen.h");
_Static_assert(sizeof(struct xen_vcpu_info) == 64, "xen.h");
_Static_assert(offsetof(struct xen_vcpu_info, pending_sel) == 8, "xen.h");
_Static_assert(offsetof(struct xen_vcpu_info, time) == 32, "xen.h");
_Static_assert(offsetof(struct xen_shared_info, pending) == 2048, "xen.h");
_Static_assert(offsetof(struct xen_shared_info, mask) == 2560, "xen.h");
_Static_assert(offsetof(struct xen_shared_info, wc_version) == 3072, "xen.h");
_Static_assert(offsetof(struct xen_shared_info, wc_sec_hi) == 3084, "xen.h");

#define XEN_TIME_STABLE 1u /* flags: the same on every vCPU */

/* memory.h */
enum {
    XENMEM_INCREASE = 0,
    XENMEM_DECREASE = 1,
    XENMEM_MAXIMUM_RAM_PAGE = 2,
    XENMEM_CURRENT = 3,
    XENMEM_MAXIMUM = 4,
    XENMEM_POPULATE = 6,
    XENMEM_ADD_TO_PHYSMAP = 7,
    XENMEM_MEMORY_MAP = 9,
    XENMEM_MAXIMUM_GPFN = 14,
    XENMEM_REMOVE_FROM_PHYSMAP = 15,
};
enum { XENMAPSPACE_SHARED_INFO = 0, XENMAPSPACE_GRANT_TABLE = 1 };
struct xen_add_to_physmap {
    uint16_t domid, size;
    uint32_t space;
    uint64_t idx, gpfn;
};
struct xen_remove_from_physmap {
    uint16_t domid, pad[3];
    uint64_t gpfn;
};
struct xen_reservation {
    uint64_t extents; /* guest address of page numbers */
    uint64_t count;
    uint32_t order, flags;
    uint16_t domid, pad[3];
};
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "memory.h");
_Static_assert(offsetof(struct xen_add_to_physmap, gpfn) == 16, "memory.h");
_Static_assert(sizeof(struct xen_remove_from_physmap) == 16, "memory.h");
_Static_assert(sizeof(struct xen_reservation) == 32, "memory.h");
_Static_assert(offsetof(struct xen_reservation, domid) == 24, "memory.h");

/* version.h */
enum {
    XENVER_VERSION = 0,
    XENVER_EXTRAVERSION = 1,
    XENVER_COMPILE_INFO = 2,
    XENVER_CAPABILITIES = 3,
    XENVER_CHANGESET = 4,
    XENVER_PLATFORM_PARAMETERS = 5,
    XENVER_GET_FEATURES = 6,
    XENVER_PAGESIZE = 7,
    XENVER_GUEST_HANDLE = 8,
    XENVER_COMMANDLINE = 9,
};
struct xen_compile_info {
    char compiler[64], by[16], domain[32], date[32];
};
struct xen_feature_info {
    uint32_t index, map;
};
_Static_assert(sizeof(struct xen_compile_info) == 144, "version.h");

/* features.h: bits of submap 0 */
#define XENFEAT_WRITABLE_PAGE_TABLES  BIT(0)
#define XENFEAT_AUTO_TRANSLATED       BIT(2)
#define XENFEAT_HVM_CALLBACK_VECTOR   BIT(8)
#define XENFEAT_HVM_SAFE_PVCLOCK      BIT(9)

/* event_channel.h */
enum {
    EVTCHN_BIND_INTERDOMAIN = 0,
    EVTCHN_BIND_VIRQ = 1,
    EVTCHN_CLOSE = 3,
    EVTCHN_SEND = 4,
    EVTCHN_STATUS = 5,
    EVTCHN_ALLOC_UNBOUND = 6,
    EVTCHN_BIND_IPI = 7,
    EVTCHN_BIND_VCPU = 8,
    EVTCHN_UNMASK = 9,
    EVTCHN_RESET = 10,
    EVTCHN_INIT_CONTROL = 11,
};
/* Every operation's structure begins with one of these; outputs are in it, too. */
struct xen_evtchn_alloc { /* alloc_unbound */
    uint16_t dom, remote_dom;
    uint32_t port;
};
struct xen_evtchn_interdomain {
    uint16_t remote_dom, pad;
    uint32_t remote_port, local_port;
};
struct xen_evtchn_virq {
    uint32_t virq, vcpu, port;
};
struct xen_evtchn_ipi {
    uint32_t vcpu, port;
};
struct xen_evtchn_bind_vcpu {
    uint32_t port, vcpu;
};
struct xen_evtchn_status {
    uint16_t dom, pad;
    uint32_t port, status, vcpu;
    union {
        struct {
            uint16_t dom, pad;
            uint32_t port;
        } interdomain; /* unbound: dom alone */
        uint32_t virq;
    } u;
};
struct xen_evtchn_control {
    uint64_t gfn;
    uint32_t offset, vcpu, link_bits;
    uint8_t pad[4];
};
_Static_assert(sizeof(struct xen_evtchn_alloc) == 8, "event_channel.h");
_Static_assert(sizeof(struct xen_evtchn_interdomain) == 12, "event_channel.h");
_Static_assert(sizeof(struct xen_evtchn_status) == 24, "event_channel.h");
_Static_assert(offsetof(struct xen_evtchn_status, u) == 16, "event_channel.h");
_Static_assert(sizeof(struct xen_evtchn_control) == 24, "event_channel.h");
#define XEN_VIRQS 24u
enum { VIRQ_TIMER = 0, VIRQ_DEBUG = 1, VIRQ_XENOPROF = 7, VIRQ_XENPMU = 13 };

/* vcpu.h */
enum {
    VCPUOP_IS_UP = 3,
    VCPUOP_GET_RUNSTATE = 4,
    VCPUOP_REGISTER_RUNSTATE = 5,
    VCPUOP_STOP_PERIODIC = 7,
    VCPUOP_SET_SINGLESHOT = 8,
    VCPUOP_STOP_SINGLESHOT = 9,
    VCPUOP_REGISTER_INFO = 10,
    VCPUOP_SEND_NMI = 11,
};
enum { RUNSTATE_RUNNING = 0, RUNSTATE_RUNNABLE, RUNSTATE_BLOCKED, RUNSTATE_OFFLINE };
struct xen_runstate {
    uint32_t state, pad;
    uint64_t entry_time, time[4];
};
struct xen_singleshot {
    uint64_t timeout;
    uint32_t flags, pad;
};
#define SINGLESHOT_FUTURE 1u
struct xen_register_info {
    uint64_t gfn;
    uint32_t offset, reserved;
};
_Static_assert(sizeof(struct xen_runstate) == 48, "vcpu.h");
_Static_assert(sizeof(struct xen_singleshot) == 16, "vcpu.h");
_Static_assert(sizeof(struct xen_register_info) == 16, "vcpu.h");

/* sched.h */
enum { SCHEDOP_YIELD = 0, SCHEDOP_BLOCK = 1, SCHEDOP_SHUTDOWN = 2, SCHEDOP_POLL = 3 };
enum {
    SHUTDOWN_POWEROFF = 0,
    SHUTDOWN_REBOOT = 1,
    SHUTDOWN_SUSPEND = 2,
    SHUTDOWN_CRASH = 3,
    SHUTDOWN_WATCHDOG = 4,
    SHUTDOWN_SOFT_RESET = 5,
};
struct xen_poll {
    uint64_t ports;
    uint32_t count, pad;
    uint64_t timeout;
};
#define POLL_MAX 128u
_Static_assert(sizeof(struct xen_poll) == 24, "sched.h");

/* hvm/hvm_op.h, hvm/params.h */
enum { HVMOP_SET_PARAM = 0, HVMOP_GET_PARAM = 1, HVMOP_SET_UPCALL_VECTOR = 23 };
struct xen_hvm_param {
    uint16_t domid, pad;
    uint32_t index;
    uint64_t value;
};
struct xen_upcall_vector {
    uint32_t vcpu;
    uint8_t vector, pad[3];
};
_Static_assert(sizeof(struct xen_hvm_param) == 16, "hvm_op.h");
_Static_assert(sizeof(struct xen_upcall_vector) == 8, "hvm_op.h");
enum {
    HVM_PARAM_CALLBACK_IRQ = 0,
    HVM_PARAM_STORE_PFN = 1,
    HVM_PARAM_STORE_EVTCHN = 2,
    HVM_PARAM_CONSOLE_PFN = 17,
    HVM_PARAM_CONSOLE_EVTCHN = 18,
    HVM_PARAMS = 39,
};
#define CALLBACK_TYPE(value) ((value) >> 56)
#define CALLBACK_VECTOR 2u

/* grant_table.h */
enum { GNTTAB_QUERY_SIZE = 6, GNTTAB_SET_VERSION = 8, GNTTAB_GET_VERSION = 10 };
struct xen_gnttab_size {
    uint16_t dom, pad;
    uint32_t frames, max;
    int16_t status;
    uint16_t pad1;
};
struct xen_gnttab_version {
    uint16_t dom, pad;
    uint32_t version;
};
_Static_assert(sizeof(struct xen_gnttab_size) == 16, "grant_table.h");
_Static_assert(sizeof(struct xen_gnttab_version) == 8, "grant_table.h");

/* io/console.h, io/xs_wire.h: rings in one page each, by the offsets of their indexes */
#define CONSOLE_IN       0u
#define CONSOLE_IN_SIZE  1024u
#define CONSOLE_OUT      1024u
#define CONSOLE_OUT_SIZE 2048u
#define CONSOLE_IN_CONS  3072u
#define CONSOLE_IN_PROD  3076u
#define CONSOLE_OUT_CONS 3080u
#define CONSOLE_OUT_PROD 3084u
#define STORE_RING_SIZE  1024u
#define STORE_REQ        0u
#define STORE_RSP        1024u
#define STORE_REQ_CONS   2048u
#define STORE_REQ_PROD   2052u
#define STORE_RSP_CONS   2056u
#define STORE_RSP_PROD   2060u
struct xen_store_header {
    uint32_t type, request, transaction, len;
};
_Static_assert(sizeof(struct xen_store_header) == 16, "xs_wire.h");
#define STORE_PAYLOAD_MAX 4096u
enum {
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_GET_PERMS = 3,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_GET_DOMAIN_PATH = 10,
    XS_WRITE = 11,
    XS_MKDIR = 12,
    XS_RM = 13,
    XS_SET_PERMS = 14,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16,
    XS_RESET_WATCHES = 21,
};

/* arch-x86/cpuid.h */
#define XEN_LEAF_SIGNATURE 0x40000000u
#define XEN_LEAF_LAST      0x40000005u
#define XEN_MSR_PAGE       0x40000000u
#define XEN_HVM_VCPU_ID    BIT(3)
#define XEN_HVM_DOMID      BIT(4)
#define XEN_HVM_EXT_DEST   BIT(5)
#define XEN_HVM_UPCALL     BIT(6)

#endif
